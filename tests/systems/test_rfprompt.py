"""RFPrompt: signals, channels and prompts, held to numbers that were computed by other means."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.joint import Joint
from fewstep.core.objectives import Classification
from fewstep.core.outer import OuterStep
from fewstep.core.rules import Adam
from fewstep.core.types import EpisodeSpec
from fewstep.data.modulation import KNOWN, Channel, Modulation, pulse, sent
from fewstep.data.numbers import uniform
from fewstep.data.sampler import Draws
from fewstep.messages.errors import ConfigError
from fewstep.models.rf import SignalTransformer, groups_of
from fewstep.run.checks.consistency import check_fixed
from fewstep.run.learner import MetaLearner


BODY = ["embed.*", "position", "layers.*", "norm.*"]
"""All but prompts and head."""
SPEC = EpisodeSpec(6, 3, 2, 2)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_pulse_is_the_root_of_a_raised_cosine() -> None:
    taps = pulse()
    assert len(taps) == 49
    assert taps @ taps == pytest.approx(1, abs=1e-12)
    wanted = [-0.0090017, -0.0478008, 0.2149392, 0.3874710]
    assert taps[[0, 12, 20, 24]] == pytest.approx(wanted, abs=5e-8)
    assert taps == pytest.approx(taps[::-1], abs=1e-8)


def test_a_receiver_whose_carrier_is_off_and_whose_axes_are_crooked() -> None:
    x = np.exp(0.5j * np.pi * np.arange(4))[None]
    heard = Channel(cfo=0.01, gain=0.2, skew=0.1).received(x, 0 * x)[0]
    heard *= 1.2 / heard[0].real  # which has unit power
    wanted = [1.2, 0.099833, -0.075349, 0.986772, -1.190538, -0.223753, 0.224858, -0.958673]
    assert heard.view(float) == pytest.approx(wanted, abs=5e-7)


def test_echoes_come_late_and_noise_is_as_loud_as_is_asked_for() -> None:
    click = np.zeros((1, 8), complex)
    click[0, 1] = 1
    heard = Channel((2, 3), (0.5, -0.25j)).received(click, 0 * click)[0]
    assert heard[[1, 3, 4]] / heard[1] == pytest.approx([1, 0.5, -0.25j])
    assert np.count_nonzero(heard) == 3
    quiet = np.ones((1, 4), complex)
    assert Channel(snr=20.0).received(quiet, quiet) == pytest.approx(1.1 * quiet)


@pytest.mark.parametrize("modulation", KNOWN)
def test_signals_have_unit_power(modulation: str) -> None:
    chosen = uniform(Draws(0, modulation, 0).words(0, 200 * 22)).reshape(200, 22)
    signals = sent(modulation, chosen, 128)
    assert signals.shape == (200, 128)
    assert np.mean(np.abs(signals) ** 2) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("length", "sizes"), [(4, "1111"), (8, "2321"), (20, "4844"), (5, "1211")])
def test_prompts_are_divided_into_groups(length: int, sizes: str) -> None:
    assert "".join(map(str, groups_of(length))) == sizes


@pytest.mark.parametrize(
    ("prompts", "where", "more"),
    [(0, "input", 0), (8, "input", 8 * 48), (8, "every_layer", 2 * 8 * 48)],
)
def test_what_a_task_adapts(prompts: int, where: str, more: int) -> None:
    model = SignalTransformer(prompts=prompts, where=where)
    assert count(model) == 39_894 + more
    assert count(model.head) + more == {0: 294, 384: 678, 768: 1062}[more]
    assert count(model.layers[1]) + count(model.norm) + count(model.head) == 19_350


def test_no_prompts_are_the_network_as_it_was_and_prompts_are_not() -> None:
    torch.manual_seed(0)
    plain = SignalTransformer()
    x = torch.randn(5, 2, 128)
    same = SignalTransformer(prompts=0, where="input")
    same.load_state_dict(plain.state_dict())
    assert torch.equal(same(x), plain(x))
    for where in ("input", "every_layer"):
        with_prompts = SignalTransformer(prompts=8, where=where)
        missing, more = with_prompts.load_state_dict(plain.state_dict(), strict=False)
        assert (missing, more) == (["prompts.tokens"], [])
        assert not torch.allclose(with_prompts(x), plain(x), atol=1e-4)


def test_the_last_group_is_made_of_the_mean_token_and_all_are_weighed() -> None:
    torch.manual_seed(0)
    model = SignalTransformer(prompts=8, condition=True, weigh=True)
    x = torch.randn(3, 2, 128)
    prompts = model.prompts
    assert prompts.tokens.shape == (2, 7, 48)
    assert count(prompts.condition) == 48 * 48 + 48 + 48 * 48 + 48
    content = torch.randn(3, 16, 48)
    found = prompts(1, content)
    assert found.shape == (3, 8, 48)
    assert torch.equal(
        found[:, :7], prompts.tokens[1].expand(3, -1, -1)
    )  # all weigh alike at first
    assert not torch.equal(found[0, 7], found[1, 7])
    with torch.no_grad():
        prompts.weights[1] = 9.0  # spectral alone
    assert prompts(1, content)[:, :2].abs().max() < 1e-3
    assert model(x).shape == (3, 6)


def test_prompts_are_normal_and_small_at_first() -> None:
    torch.manual_seed(0)
    tokens = SignalTransformer(d=256, prompts=20, layers=4).prompts.tokens
    assert tokens.shape == (4, 20, 256)
    assert tokens.std().item() == pytest.approx(0.02, rel=0.02)
    assert tokens.mean().abs() < 5 * 0.02 / tokens.numel() ** 0.5
    assert (tokens.abs() > 0.04).double().mean().item() == pytest.approx(0.0455, rel=0.1)


@pytest.mark.parametrize("where", ["input", "every_layer"])
def test_prompts_are_dropped_before_pooling(where: str) -> None:
    """Every layer sees 8 prompts and 16 content tokens; what is pooled are the latter, alone."""
    torch.manual_seed(0)
    model, calls = SignalTransformer(prompts=8, where=where), {}
    for name in ("layers.0", "layers.1", "norm", "head"):
        module = model.get_submodule(name)
        module.register_forward_hook(lambda _, x, y, name=name: calls.update({name: (x[0], y)}))
    model(torch.randn(3, 2, 128))
    assert [calls[f"layers.{i}"][0].shape for i in (0, 1)] == [(3, 24, 48)] * 2
    assert torch.equal(calls["norm"][0], calls["layers.1"][1][:, 8:])
    assert torch.equal(calls["head"][0], calls["norm"][1].mean(1))
    own = model.prompts.tokens[-1].expand(3, -1, -1)
    before = {"input": calls["layers.0"][1][:, :8], "every_layer": own}[where]
    assert torch.equal(calls["layers.1"][0][:, :8], before)


def learner(
    model: nn.Module, frozen: list[str], execution: str = "serial", **options: float
) -> MetaLearner:
    outer = OuterStep(torch.optim.AdamW, 1e-2, options=options)
    inner = InnerLoop(Adam(1e-3), 2, frozen=frozen)
    parts = model, Joint(inner), Classification(), outer
    return MetaLearner(*parts, max_meta_iterations=3, meta_batch=1, execution=execution)


def test_what_is_frozen_stays_to_the_bit_though_weights_decay() -> None:
    torch.manual_seed(0)
    model = SignalTransformer(d=8, prompts=4)
    learning = learner(model, BODY, weight_decay=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    (optimizer,), _ = learning.configure_optimizers()
    episode = Modulation().open()["train"].episode(SPEC, 0, 0)
    for _ in range(2):
        direction, _, _ = learning.directions([episode])
        learning.hand_over(direction)
        optimizer.step()
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {"prompts.tokens", "head.weight", "head.bias"}


def test_channels_may_be_learned_side_by_side_under_vmap() -> None:
    torch.manual_seed(0)
    model = SignalTransformer(d=8, prompts=4, condition=True).double()
    split = Modulation().open()["train"].to("cpu", torch.float64)
    episodes = [split.episode(SPEC, 0, i) for i in range(2)]
    one, other = (learner(model, BODY, n).directions(episodes)[0] for n in ("serial", "vmap"))
    assert one.keys() == other.keys() >= {"prompts.tokens", "head.weight"}
    assert max((one[n] - other[n]).abs().max() for n in one) < 1e-12


def test_prompts_beside_a_network_that_moves_as_well_are_told() -> None:
    with pytest.warns(UserWarning, match=r"algorithm\.inner\.frozen=\[\]: .* has prompts"):
        check_fixed(learner(SignalTransformer(prompts=4), []))
    check_fixed(learner(SignalTransformer(), []))
    check_fixed(learner(SignalTransformer(prompts=4), BODY))


def test_a_task_is_one_channel_and_shots_nest() -> None:
    family = Modulation()
    split = family.open()["test"].to("cpu", torch.float64)
    few, many = (split.episode(EpisodeSpec(6, k, 2, 1), 3, 7) for k in (2, 4))
    assert few.support_x.shape == (12, 2, 128)
    assert torch.equal(few.support_x.view(6, 2, 2, 128), many.support_x.view(6, 4, 2, 128)[:, :2])
    assert few.support_y.tolist() == [c for c in range(6) for _ in range(2)]
    channels = {family.channel_of(Draws(0, "test", i)) for i in range(50)}
    assert len(channels) == 50
    assert all(8 <= c.snr <= 14 and abs(c.cfo) <= 0.006 for c in channels)
    assert all(0.2 <= abs(echo) <= 0.7 for c in channels for echo in c.echoes)
    assert Modulation("clean").channel_of(Draws(0, "test", 0)) == Channel()


def test_data_is_known_by_what_makes_it() -> None:
    digests = {
        made.open()["train"].data_sha256
        for made in (Modulation(), Modulation("clean"), Modulation(snr=[0, 1]))
    }
    assert len(digests) == 3
    assert Modulation(snr=[8.0, 14.0]).open()["test"].data_sha256 in digests


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Modulation("far"), "dataset.channel=far: must be one of shifted, clean"),
        (
            lambda: Modulation(modulations=["bpsk", "am"]),
            "dataset.modulations=['bpsk', 'am']: am is none. Known are bpsk, qpsk",
        ),
        (lambda: Modulation(snr=[8, float("inf")]), "dataset.snr=[8, inf]: must be two finite"),
        (lambda: Modulation(snr=[9, 8]), "dataset.snr=[9, 8]: must be two finite numbers of dB"),
        (lambda: Modulation(snr=["a", 8]), "dataset.snr=['a', 8]: must be two finite numbers"),
        (lambda: Modulation(snr=8), "dataset.snr=8: must be two finite numbers of dB"),
        (
            lambda: Modulation(modulations=["bpsk", "qpsk", "bpsk"]),
            "dataset.modulations=['bpsk', 'qpsk', 'bpsk']: must be two or more, each once",
        ),
        (lambda: Modulation(modulations=[]), "dataset.modulations=[]: must be two or more"),
        (lambda: SignalTransformer(patch=0), "model.patch=0: must be at least 1"),
        (lambda: SignalTransformer(heads=0), "model.heads=0: must be at least 1"),
        (lambda: Modulation(samples=0), "dataset.samples=0: must be at least 1"),
        (
            lambda: Modulation().check(EpisodeSpec(5, 1, 1, 1), "train"),
            "shots.ways=5: a task has every one of the 6 modulations. Set it to 6",
        ),
        (
            lambda: SignalTransformer(samples=6),
            "model.patch=8: a signal of 6 samples is no whole number of patches, at least one",
        ),
        (lambda: SignalTransformer(samples=100, patch=8), "model.patch=8: a signal of 100 samples"),
        (lambda: SignalTransformer(heads=5), "model.heads=5: must divide model.d=48"),
        (
            lambda: SignalTransformer(where="deep"),
            "model.where=deep: must be one of input, every_l",
        ),
        (lambda: SignalTransformer(prompts=-1), "model.prompts=-1: must be at least 0"),
        (
            lambda: SignalTransformer(prompts=3, condition=True),
            "model.prompts=3: must be at least 4, one of each group",
        ),
    ],
)
def test_what_is_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_a_wrong_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"frozen=\[encoder\.\*\]: no parameter"):
        check_fixed(learner(SignalTransformer(), ["encoder.*"]))
