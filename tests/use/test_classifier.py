"""A classifier is a plain network, whose answers hang on the support set and on nothing else."""

from __future__ import annotations

import copy
import json
import pickle
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

import fewstep
from fewstep.adapters.meta_test import Setting, evaluate_task, predict
from fewstep.core.net import Net
from fewstep.core.objectives import Classification
from fewstep.core.problem import Problem
from fewstep.core.rules import LSLR, SGD, MetaSGD
from fewstep.core.types import EpisodeSpec
from fewstep.data.sampler import Draws
from fewstep.messages.errors import ConfigError
from fewstep.records.statistics.intervals import exact_upper, wilson
from fewstep.use.expected import ALONE, folds, temperature
from fewstep.use.network import frozen
from small_pictures import SMALL, Bars, conv, pictures


def task(init: fewstep.Initialization, seed: int = 0):
    """Its own episode of the pictures, whose queries are others."""
    (images, labels), (others, _) = pictures(4, 3, seed), pictures(2, 3, seed + 1)
    x, y = (SMALL.scaled(init.inputs(im)) for im in (images, others))
    where = torch.tensor([int(label[-1]) for label in labels])
    episode = init.learner._episode(x, where, 3)
    return episode._replace(query_x=y, query_y=torch.arange(6) % 3)


def test_the_support_protocol_is_batch_norm_written_out() -> None:
    """One layer by hand: the mean and variance are the support set's, biased, whoever asks."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(144), nn.Linear(144, 3)).double()
    init = conv()
    episode = task(init)
    episode = episode._replace(
        support_x=episode.support_x.double(), query_x=episode.query_x.double()
    )
    net = Net(module)
    params = {n: p + 0.1 for n, p in net.params().items()}
    found = predict(Problem(net, Classification()), params, episode, "support")
    x, q = episode.support_x.flatten(1), episode.query_x.flatten(1)
    normal = (q - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
    hidden = normal * params["1.weight"] + params["1.bias"]
    wanted = hidden @ params["2.weight"].T + params["2.bias"]
    torch.testing.assert_close(found, wanted)


def test_no_answer_hangs_on_the_other_queries() -> None:
    init = conv()
    episode = task(init)
    net = Net(init.learner.module)
    problem, params = Problem(net, Classification()), net.params()
    whole = predict(problem, params, episode, "support")
    for i in (0, 5):
        alone = episode._replace(query_x=episode.query_x[i : i + 1])
        one = predict(problem, params, alone, "support")
        torch.testing.assert_close(one[0], whole[i], rtol=1e-5, atol=1e-6)
    assert all(layer.running_mean is None for layer in net.module.features[1::3])


def test_without_batch_norm_all_protocols_are_one() -> None:
    torch.manual_seed(0)
    episode, net = task(conv()), Net(Bars(3))
    setting = Setting(EpisodeSpec(3, 4, 2, 4), ("inductive", "transductive", "support"), (0, 4))
    init = conv()
    start = init.learner.start._replace(params=net.params())
    found = evaluate_task(
        net, start, episode, inner=init.learner.inner, objective=Classification(), setting=setting
    )
    for name in ("loss", "acc"):
        for protocol in ("transductive", "support"):
            torch.testing.assert_close(found["inductive"][name], found[protocol][name])


def test_the_frozen_network_is_the_support_protocol() -> None:
    init = conv()
    episode = task(init)
    params = {n: p * 1.1 for n, p in init.learner.start.params.items()}
    made = frozen(init.learner.module, params, episode.support_x, {})
    problem = Problem(Net(copy.deepcopy(init.learner.module)), Classification())
    wanted = predict(problem, params, episode, "support")
    torch.testing.assert_close(made(episode.query_x), wanted, rtol=1e-4, atol=1e-5)
    assert not made.training


def test_a_norm_that_is_asked_twice_has_no_statistics_of_its_own() -> None:
    norm = nn.BatchNorm1d(144)
    module = nn.Sequential(nn.Flatten(), norm, norm, nn.Linear(144, 2))
    with pytest.raises(ValueError, match="asks one batch norm twice"):
        frozen(module, Net(module).params(), torch.rand(4, 1, 12, 12), {})


def test_adapting_is_the_inner_loop_written_out() -> None:
    """SGD on minibatches of the order that the seed gives, from the module's own values."""
    init, (images, labels) = conv(steps=3), pictures()
    found = init.adapt(images, labels, seed=5)
    x = SMALL.scaled(init.inputs(images))
    y = torch.tensor([int(label[-1]) for label in labels])
    module = copy.deepcopy(init.learner.module).train()
    params = {n: p.detach().clone().requires_grad_() for n, p in module.named_parameters()}
    for rows in Draws(5, "adapt", 0).batches(EpisodeSpec(1, 12, 0, 3, 4)):
        used = {n: p for n, p in params.items() if not n.endswith("bias") or "." in n}
        loss = F.cross_entropy(functional_call(module, used, (x[rows],)), y[rows])
        grads = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
        params = {
            n: (p - 0.05 * (0 if g is None else g)).detach().requires_grad_()
            for (n, p), g in zip(params.items(), grads, strict=True)
        }
    for name, value in found.network.module.named_parameters():
        torch.testing.assert_close(value.detach(), params[name].detach(), rtol=1e-4, atol=1e-6)


def test_answers_do_not_hang_on_batch_order_or_number() -> None:
    init, (images, labels) = conv(), pictures(12)
    made = init.adapt(images[:12], labels[:12])
    whole = made.predict_proba(images)
    assert np.array_equal(made.predict_proba(images[::-1])[::-1], whole)
    assert np.array_equal(np.concatenate([made.predict_proba([im]) for im in images]), whole)
    np.testing.assert_allclose(whole.sum(1), 1)


def test_any_labels_any_counts_any_number_of_classes() -> None:
    init, (images, labels) = conv(), pictures(3, 4)
    for chosen in ([0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4, 8], list(range(12))):
        names = [("class", labels[i]) for i in chosen]
        made = init.adapt([images[i] for i in chosen], names)
        assert made.classes == sorted(set(names))
        assert made.predict_proba(images).shape == (12, len(set(names)))
        assert made.predict(images)[0] in made.classes
    with pytest.raises(ValueError, match="labels: there are 11, and 12 pictures"):
        init.adapt(images, labels[:-1])


def test_it_learns_what_is_easy() -> None:
    images, labels = pictures(6)
    made = conv(steps=60).adapt(images, labels)
    assert made.score(*pictures(10, seed=7)) > 0.9
    assert made.curve[0][0] == 0
    assert made.curve[-1][1] < made.curve[0][1]


def test_the_same_call_gives_the_same_classifier_and_another_seed_another() -> None:
    init, (images, labels) = conv(), pictures()
    one, same, other = (init.adapt(images, labels, seed=s).predict_proba(images) for s in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_leaving_out_is_adapting_to_the_others() -> None:
    init, (images, labels) = conv(), pictures(3)
    made = init.adapt(images, labels)
    found = made.evaluate()
    right = 0
    for i in range(9):
        others = init.adapt(images[:i] + images[i + 1 :], labels[:i] + labels[i + 1 :])
        told = others.predict([images[i]])[0]
        assert found.answers[i] == told
        right += told == labels[i]
    assert (found.right, found.of) == (right, 9)
    assert found.interval == (wilson(right, 9)[0], exact_upper(right / 1.4, 9 / 1.4))


def test_a_class_of_one_picture_cannot_be_left_out() -> None:
    init, (images, labels) = conv(), pictures(2)
    alone = init.adapt(images[:3], labels[:3])
    found = alone.evaluate()
    assert (found.of, found.accuracy, found.interval, found.temperature) == (0, None, None, 1.0)
    assert "nothing can be estimated from one picture a class" in str(found)
    some = init.adapt(images[:5], labels[:5]).evaluate()
    assert (some.of, some.single) == (4, ("kind 2",))
    assert some.answers[2] is None
    assert "of kind 2 there is one picture" in str(some)


def test_folds_leave_every_example_out_once_and_a_tenth_of_a_class_at_a_time() -> None:
    y = torch.tensor([0] * 25 + [1] * 15 + [2])
    parts = folds(y)
    assert sorted(torch.cat(parts).tolist()) == list(range(40))  # never the class of one
    for part in parts:
        assert torch.bincount(y[part], minlength=2).tolist()[0] in (2, 3)
    assert len(folds(y[:ALONE])) == ALONE


def test_the_temperature_is_where_the_cross_entropy_is_least() -> None:
    """Of logits that are three times too large, for examples enough, three."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20000, 4, generator=generator) * 2
    truth = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    assert temperature(3 * logits, truth) == pytest.approx(3.0, rel=0.05)
    sure = temperature(torch.eye(4) * 3, torch.arange(4))  # all right, and only four of them
    assert 0.5 < sure < 1
    assert temperature(torch.eye(4) * 30, torch.arange(4)) == pytest.approx(1, abs=1e-6)


def test_a_classifier_goes_through_a_pickle() -> None:
    images, labels = pictures()
    made = conv().adapt(images, labels)
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.predict_proba(images), made.predict_proba(images))


def test_settings_are_held_against_their_limits() -> None:
    init, (images, labels) = conv(), pictures()
    for name, value in (("steps", -1), ("steps", 1.5), ("batch_size", 0), ("seed", True)):
        with pytest.raises(ValueError, match=f"{name}={value}: must be a whole number"):
            init.adapt(images, labels, **{name: value})
    for head in ("x", "logistic", ["mean"], np.array(["mean", "x"])):
        with pytest.raises(
            ConfigError, match=r"^head=.*: of init=.* must be one of trained, zeros, mean, prot"
        ):
            init.adapt(images, labels, head=head)
    numpys = init.with_settings(steps=np.int64(3), batch_size=np.uint8(2)).learner
    assert (numpys.steps, numpys.batch_size) == (3, 2)


def test_a_learned_rate_for_each_step_gives_no_more_steps() -> None:
    init = fewstep.Initialization.of(nn.Linear(3, 2), LSLR(0.1, 2), ways=2, steps=2)
    losses = [loss for _, loss in init.adapt(np.eye(3), [0, 1, 1]).curve]
    assert losses[-1] < losses[0]
    with pytest.raises(
        ConfigError, match=r"^steps=3: init=Linear has learned a rate for each of 2"
    ):
        init.with_settings(steps=3)


@pytest.mark.parametrize("classes", [3, 4, 6])
@pytest.mark.parametrize(
    "rule", [LSLR(0.1, 4), MetaSGD(0.1), SGD(0.1)], ids=["lslr", "metasgd", "sgd"]
)
def test_what_a_rule_learned_fits_any_number_of_classes(rule, classes) -> None:
    """Rates of a step stay as they are, though they are as many as the classes; rates of a weight
    have the head's rows."""
    init = fewstep.Initialization.of(nn.Linear(3, 4), rule, ways=4, steps=4)
    made, start = init.learner.network_for(classes)
    shapes = {n: p.shape for n, p in start.params.items()}
    params = Net(made).params()
    assert shapes == {n: p.shape for n, p in {**params, **rule.learned(params)}.items()}
    assert init.adapt(np.eye(3)[np.arange(classes) % 3], range(classes)).classes == [
        *range(classes)
    ]


def test_a_classifier_is_saved_at_home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = fewstep.load("omniglot").adapt(np.zeros((2, 28, 28)), ["a", "b"], steps=0)
    assert made.save("~/made") == tmp_path / "made"
    assert fewstep.load_classifier("~/made").classes == ["a", "b"]


@pytest.mark.parametrize("init", [None, 3, "", fewstep.FewShotClassifier()])
def test_what_names_no_initialization_is_refused(init) -> None:
    estimator = fewstep.FewShotClassifier(init)
    for asked in (lambda: fewstep.load(init), lambda: estimator.fit(np.zeros((2, 6, 6)), [0, 1])):
        with pytest.raises(ConfigError, match=r"^init=.*: must be a name or a path"):
            asked()


def test_what_only_a_pretrained_network_takes_is_refused() -> None:
    for given, text in (({"size": 9}, "size=9"), ({"weights": "x.pth"}, "weights=x.pth")):
        with pytest.raises(ConfigError, match=f"^backbone.{text}: init=omniglot .* Leave it out"):
            fewstep.load("omniglot", **given)


@pytest.mark.parametrize("trust", ["mine", 3, None, {"mine"}, [3]])
def test_what_is_no_list_of_modules_trusts_none(trust, tmp_path) -> None:
    told = f"trust={trust}: must be a list of modules. For example trust=[my_models,timm]"
    for load in (fewstep.load, fewstep.load_classifier):
        with pytest.raises(ConfigError, match=rf"^{re.escape(told)}$"):
            load("omniglot", trust)
    assert fewstep.load("omniglot", ("mine",)).origin.name == "omniglot"


def test_what_a_saved_classifier_was_adapted_from_is_held_against_it(tmp_path) -> None:
    made = fewstep.load("omniglot").adapt(np.zeros((2, 28, 28)), ["a", "b"], steps=0)
    about = json.loads((made.save(tmp_path) / "classifier.json").read_text())
    for name, sha256, text in (
        ("omniglot", "0" * 64, "which has other weights by now"),
        (
            "/nowhere/run",
            about["initialization"]["sha256"],
            "what it was adapted from cannot be had",
        ),
        (str(tmp_path), "", "is a saved classifier of a classifier"),
    ):
        about["initialization"] = {"name": name, "sha256": sha256}
        (tmp_path / "classifier.json").write_text(json.dumps(about))
        with pytest.raises(ConfigError, match=text):
            fewstep.load(tmp_path)


def test_rows_of_numbers_have_no_look() -> None:
    init = fewstep.Initialization.of(nn.Linear(3, 2), SGD(0.1), ways=2)
    made = init.adapt(np.eye(3), [0, 1, 1])
    with pytest.raises(ValueError, match="rows of numbers, not of pictures"):
        made.seen(np.eye(3))
    with pytest.raises(ValueError, match="expecting 3 features"):
        made.predict(np.eye(4))
