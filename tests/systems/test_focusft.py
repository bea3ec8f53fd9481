"""FocuSFT in parts: who looks at whom, a task's own LoRA, and recall tasks; the numbers were worked
out by hand and by autograd alone."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.adapters.outer import query_gradient
from fewstep.algorithms.fomaml import FOMAML
from fewstep.core.net import Net
from fewstep.core.objectives import Regression
from fewstep.core.outer import OuterStep
from fewstep.core.peek import seen
from fewstep.core.problem import Problem
from fewstep.core.rules import ClippedSGD
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.data.conversations import Conversations
from fewstep.data.recall import IGNORED, Recall
from fewstep.execution.choice import EXECUTIONS
from fewstep.models import Decoder
from fewstep.models.decoder import LoRALinear, allowed_by
from fewstep.models.language import LanguageModel
from fewstep.run.learner import MetaLearner


FLAGS = torch.tensor([[0, 0, 1, 1, 0, 0, 1]])
ROWS = ["1100000", "1100000", "1110000", "1111000", "1111110", "1111110", "1111111"]
SPEC = EpisodeSpec(ways=1, shots=2, queries=2, steps=2)
FRESH = {f"blocks.1.mlp.{name}.lora_A": [4, 16] for name in ("gate", "up")}


def test_a_turn_of_context_is_read_both_ways() -> None:
    found = ["".join(map(str, row.int().tolist())) for row in allowed_by(FLAGS, True)[0]]
    assert found == ROWS
    assert torch.equal(allowed_by(FLAGS, False)[0], torch.ones(7, 7).tril().bool())


def test_a_token_hangs_on_those_alone_that_it_may_look_at() -> None:
    torch.manual_seed(0)
    for both in (True, False):
        module = Decoder(25, (2, 16, 2, 16), rank=2, bidirectional=both).double()
        x = torch.stack([torch.randint(25, (1, 7)), FLAGS], 1)
        allowed, whole = allowed_by(FLAGS, both)[0], module(x)
        reached = allowed | (allowed.int() @ allowed.int() > 0)  # in two layers
        for place in range(7):
            other = x.clone()
            other[0, 0, place] = (other[0, 0, place] + 1) % 25
            changed = (module(other) - whole).abs().amax(-1)[0] > 1e-12
            assert torch.equal(changed, reached[:, place])


class Squares(Regression):
    """|.|^2, summed."""

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().sum(1)


def by_hand() -> tuple[Problem, Start, Episode]:
    """W = I, A = (.5, -.5), B = 0, counted twice, at x = (1, 2) with y = (0, 3)."""
    module = LoRALinear(2, 2, rank=1, alpha=2.0).double()
    with torch.no_grad():
        module.weight.copy_(torch.eye(2))
        module.lora_A.copy_(torch.tensor([[0.5, -0.5]]))
    x, y = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[0.0, 3.0]]).double()
    problem = Problem(Net(module), Squares())
    return problem, Start(problem.net.params(), {}), Episode(x, y, x, y, torch.zeros(2, 1).long())


def loop(lr: float = 0.1, steps: int = 2, reset: tuple[str, ...] = ("*lora*",)) -> InnerLoop:
    return InnerLoop(ClippedSGD(lr, clip=1.0), steps, fixed=["*weight"], reset=reset)


def test_two_clipped_steps_and_the_gradient_that_the_outer_step_is_handed() -> None:
    problem, start, episode = by_hand()
    (first, second) = (
        loop(steps=k).adapt(problem, start, episode, slice(0, k)).params for k in (1, 2)
    )
    assert torch.equal(first["lora_A"], start.params["lora_A"])  # B was 0
    assert first["lora_B"].flatten().tolist() == pytest.approx(
        [0.0707106781, -0.0707106781], abs=1e-10
    )
    assert second["lora_A"].tolist()[0] == pytest.approx([0.4552786405, -0.5894427191], abs=1e-10)
    assert second["lora_B"].flatten().tolist() == pytest.approx(
        [0.1414213562, -0.1414213562], abs=1e-10
    )
    direction = FOMAML(loop()).direction(problem, start, episode)[0]["weight"]
    assert direction[0].tolist() == pytest.approx([1.5906661812, 3.1813323622], abs=1e-10)
    assert torch.allclose(direction[1], -direction[0], atol=1e-14)
    plain = query_gradient(problem, start.params, problem.queries(episode))[1]
    assert plain["weight"].tolist() == [[2.0, 4.0], [-2.0, -4.0]]
    none = FOMAML(loop(steps=0, reset=())).direction(problem, start, episode)[0]
    assert torch.equal(none["weight"], plain["weight"])  # K = 0 is fine-tuning, to the bit


def small() -> tuple[Decoder, Recall]:
    torch.manual_seed(0)
    module = Decoder(25, (2, 16, 2, 16), rank=4, alpha=8.0)
    return module, Recall(length=12, needles=2, far=20, fresh=FRESH)


def test_after_training_lora_is_as_it_was_at_first() -> None:
    module, family = small()
    inner = InnerLoop(ClippedSGD(1.0, clip=1.0), 2, fixed=["*.weight"], reset=["*lora*"])
    outer = OuterStep(torch.optim.AdamW, 1e-2, options={"weight_decay": 0.5})
    parts = module, FOMAML(inner), family.objective, outer
    learning = MetaLearner(*parts, max_meta_iterations=3, meta_batch=1, execution="serial")
    (optimizer,), _ = learning.configure_optimizers()
    before = {name: value.clone() for name, value in learning.state_dict().items()}
    for index in range(2):
        direction, _, _ = learning.directions([family.open()["train"].episode(SPEC, 0, index)])
        learning.hand_over(direction)
        optimizer.step()
    after = learning.state_dict()  # which a checkpoint has
    kept = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert kept == {name for name in before if "lora" in name}
    assert len(kept) == 6


TRACED = [pytest.param(name, marks=pytest.mark.slow) for name in ("serial", "threads")]


@pytest.mark.parametrize("execution", ["vmap", *TRACED])
def test_a_task_starts_with_lora_of_its_own_in_every_execution(execution: str) -> None:
    module, family = small()
    split = family.open()["test"]
    episodes = [split.episode(SPEC, 0, index) for index in range(2)]
    a, b = (episode.extras["fresh.blocks.1.mlp.gate.lora_A"] for episode in episodes)
    assert a.abs().max() <= 1 / 4
    assert not torch.equal(a, b)
    start, run = Start(Net(module).params(), {}), EXECUTIONS[execution](module)
    inner = InnerLoop(ClippedSGD(1.0), 2, fixed=["*.weight"], reset=["*lora*"])

    def direction(net: Net, start: Start, episode: Episode):
        return FOMAML(inner).direction(Problem(net, family.objective), start, episode)[0]

    serial = [direction(Net(module), start, episode) for episode in episodes]
    for found, wanted in zip(run.map(direction, (start,), episodes), serial, strict=True):
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    begun = inner.start(Problem(Net(module), family.objective), start, episodes[0]).params
    assert torch.equal(begun["blocks.1.mlp.gate.lora_A"], a)
    setting = Setting(SPEC, ("transductive",), (0, 2))
    (found,) = run.map(
        lambda *task: evaluate_task(
            *task, inner=inner, objective=family.objective, setting=setting
        )["transductive"],
        (start,),
        episodes[:1],
    )
    assert found.keys() == {"loss", "acc", "needle_mass", "far_acc"}
    assert all(value.isfinite().all() for value in found.values())
    assert found["loss"][1] < found["loss"][0]


def test_the_attention_that_is_measured_is_the_networks() -> None:
    """Of a network without any likeness, attention is even over what came before."""
    module, family = small()
    for layer in module.modules():
        if isinstance(layer, nn.Module) and hasattr(layer, "heads"):
            layer.q.weight.data.zero_()
    episode = family.open()["test"].episode(SPEC, 0, 0)
    weights = torch.stack(seen(Net(module), Net(module).params(), episode.query_x, "attends"))
    assert weights.shape == (2, 2, 2, 14, 14)
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    found = family.objective.probe(Net(module), Net(module).params(), episode)
    assert found["needle_mass"].item() == pytest.approx((3 / 12 + 3 / 13) / 2, rel=1e-5)


# --- the tasks


def test_the_answer_is_what_follows_the_key() -> None:
    split = Recall(length=16, needles=3).open()["train"]
    for index in range(20):
        episode = split.episode(SPEC, 0, index)
        assert torch.equal(episode.query_x, episode.support_x)
        for (tokens, flags), y, needle in zip(
            episode.support_x, episode.support_y, episode.extras["needles"], strict=True
        ):
            key = tokens[15]
            (place,) = (tokens[:14] == key).nonzero().flatten().tolist()
            assert needle.nonzero().flatten().tolist() == [place, place + 1, place + 2]
            assert (
                y[15:17].tolist() == tokens[16:].tolist() == tokens[place + 1 : place + 3].tolist()
            )
            assert (y[:15] == IGNORED).all()
            assert y[17] == IGNORED
            assert flags.tolist() == [0] * 16 + [1, 1]
            assert tokens[14] == 24
            assert ((tokens[:14] < 8).sum(), (tokens >= 24).sum()) == (3, 1)
    again = Recall(length=16, needles=3).open()["train"].episode(SPEC, 0, 19)
    assert torch.equal(again.support_x, episode.support_x)


def test_an_answer_is_right_as_a_whole() -> None:
    targets = torch.tensor([[IGNORED, 1, 0, IGNORED], [IGNORED, 1, 1, IGNORED]])
    outputs = torch.zeros(2, 4, 2)
    outputs[:, 1, 1] = outputs[:, 2, 0] = 3.0
    found = Recall().objective.metrics(outputs, targets)
    assert found["acc"] == 0.5
    right, wrong = (math.log(1 + math.exp(3.0)) - logit for logit in (3.0, 0.0))
    losses = Recall().objective.inner_loss(outputs, targets)
    assert losses.tolist() == pytest.approx([right, (right + wrong) / 2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Recall(length=10), "dataset.length=10: 3 needles of 3 tokens and a question of 2"),
        (
            lambda: Recall(far=5),
            "dataset.far=5: 3 needles of 3 tokens and a question of 2 need at ",
        ),
        (lambda: Recall(needles=9), "dataset.needles=9: must be from 1 to 8, the keys of dataset."),
        (lambda: Recall(needles=0), "dataset.needles=0: must be from 1 to 8"),
        (lambda: Recall(kinds=[8, 8]), "dataset.kinds=[8, 8]: must be three numbers of at least 1"),
        (lambda: Recall(kinds=[8, 8, 0]), "dataset.kinds=[8, 8, 0]: must be three numbers of at"),
        (lambda: Decoder(25, rank=-1), "model.rank=-1: must be at least 0"),
        (lambda: Decoder(25, (2, 20, 4, 8)), "For example model.sizes=[2,24,4,8]"),
        (
            lambda: Recall().open()["train"].check(EpisodeSpec(5, 1, 1, 1)),
            "shots.ways=5: a recall task is one; set it to 1",
        ),
    ],
)
def test_what_is_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


# --- in full


class Body(nn.Module):
    """What transformers would load, in little: it answers with what its mask lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_hidden_layers=10)
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, use_cache: bool) -> Any:
        allowed = (attention_mask == 0).to(torch.bfloat16)[:, 0]
        return SimpleNamespace(logits=allowed * self.weight)


def test_a_published_model_is_given_its_mask_and_lora(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    auto = SimpleNamespace(from_pretrained=lambda name, **how: asked.update(name=name) or Body())
    peft = {
        "LoraConfig": lambda **how: how,
        "get_peft_model": lambda b, how: asked.update(how) or b,
    }
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoModelForCausalLM=auto))
    monkeypatch.setitem(sys.modules, "peft", SimpleNamespace(**peft))
    module = LanguageModel("there")
    assert asked["layers_to_transform"] == [6, 7, 8, 9]
    assert (asked["name"], asked["r"], asked["lora_alpha"]) == ("there", 32, 64.0)
    assert all(p.requires_grad for p in module.parameters())
    outputs = module(torch.stack([FLAGS, FLAGS], 1))
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs.bool(), allowed_by(FLAGS, True))


def test_a_model_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, **how: Any) -> None:
        assert how["local_files_only"]
        raise OSError(f"{name} is not cached")

    auto = SimpleNamespace(from_pretrained=absent)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoModelForCausalLM=auto))
    monkeypatch.setitem(sys.modules, "peft", SimpleNamespace())
    words = (
        "model.name=Qwen/Qwen2.5-7B: is not on this machine. Fetch it with huggingface-cli "
        "download Qwen/Qwen2.5-7B, or name its folder"
    )
    with pytest.raises(ValueError, match=re.escape(words)):
        LanguageModel("Qwen/Qwen2.5-7B")


def test_conversations_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    tokens, responses = np.arange(140).reshape(20, 7), np.tile(FLAGS[0].numpy(), (20, 1))
    np.savez(file, tokens=tokens, responses=responses)
    splits = Conversations(file).open()
    assert [len(split.rows) for split in splits.values()] == [19, 1]
    episode = splits["train"].episode(SPEC, 0, 3)
    assert episode.support_x.shape == (2, 2, 7)
    first = episode.support_x[0, 0].tolist()
    skip = IGNORED
    assert episode.support_y[0].tolist() == [skip, first[2], first[3], skip, skip, first[6], skip]
    ids = np.frombuffer(splits["train"].identity(SPEC, 0, 3), "<i8")
    assert (episode.support_x[:, 0, 0] // 7).tolist() == ids.tolist()
    with pytest.raises(ValueError, match=r"shots\.ways=1, shots=2: a task is one conversation or"):
        splits["test"].check(SPEC)
    np.savez(file, tokens=tokens)
    with pytest.raises(ValueError, match=r"mine\.npz: has no responses"):
        Conversations(file).open()
    with pytest.raises(FileNotFoundError, match=r"dataset\.file=None: bring conversations of your"):
        Conversations().open()


@pytest.mark.parametrize("count", [2, 3, 10, 11])
def test_few_conversations_leave_one_to_test(tmp_path: Path, count: int) -> None:
    np.savez(
        file := tmp_path / "a.npz",
        tokens=np.arange(4 * count).reshape(count, 4),
        responses=np.ones((count, 4)) > 0,
    )
    splits = Conversations(file).open()
    assert [len(split.rows) for split in splits.values()] == [count - 1, 1]


def test_examples_of_the_test_are_left_out_of_the_training(tmp_path: Path) -> None:
    """Whatever of them counts as an answer: their tokens would have been learned."""
    file, tokens = tmp_path / "a.npz", np.arange(160).reshape(40, 4)
    flags = np.ones((40, 4), int)
    np.savez(file, tokens=tokens, responses=flags)
    whole = Conversations(file).open()
    tokens[3], tokens[7], flags[7, 1] = tokens[38], tokens[39], 0
    np.savez(file, tokens=tokens, responses=flags)
    told = f"dataset.file={file}: 2 of 38 training examples are in the test split as well, and are "
    with pytest.warns(UserWarning, match=re.escape(f"{told}left out of the training")):
        splits = Conversations(file).open()
    assert [len(split.rows) for split in splits.values()] == [36, 2]
    kept = np.delete(whole["train"].rows, [3, 7], 0)
    assert np.array_equal(splits["train"].rows, kept)
    assert np.array_equal(splits["test"].rows, whole["test"].rows)
    assert splits["train"].data_sha256 == splits["test"].data_sha256 != whole["test"].data_sha256
    np.savez(file, tokens=np.ones((5, 4), int), responses=np.ones((5, 4), int))
    with pytest.raises(ValueError, match=r"each of its first 4 examples is among the last 1, whi"):
        Conversations(file).open()


def test_the_digest_of_conversations_is_of_all_of_them(tmp_path: Path) -> None:
    tokens, digests = np.arange(40).reshape(10, 4), []
    for change in (0, 0, 1):
        tokens[-1, -1] += change  # of the test split
        np.savez(tmp_path / "a.npz", tokens=tokens, responses=np.ones((10, 4), int))
        splits = Conversations(tmp_path / "a.npz").open()
        digests += [{split.data_sha256 for split in splits.values()}]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 1


def test_conversations_that_teach_nothing_are_refused(tmp_path: Path) -> None:
    tokens, responses = np.ones((4, 5), int), np.ones((4, 5), int)
    responses[2, 1:] = 0  # an answer to nothing: its loss would be 0 / 0
    np.savez(file := tmp_path / "a.npz", tokens=tokens, responses=responses)
    with pytest.raises(ValueError, match="example 2 has no response after its first token"):
        Conversations(file).open()
    np.savez(file, tokens=tokens + 0.5, responses=np.ones((4, 5), int))
    with pytest.raises(ValueError, match="tokens are float64: must be whole numbers"):
        Conversations(file).open()
