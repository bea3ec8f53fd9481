"""The learner and its tasks in a Lightning trainer of a user's own."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, StochasticWeightAveraging
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting
from fewstep.algorithms.reptile import Reptile
from fewstep.core.outer import OuterStep
from fewstep.core.rules import SGD
from fewstep.core.types import EpisodeSpec
from fewstep.data.sine import Sine
from fewstep.messages.errors import ConfigError
from fewstep.run.checks import own_trainer
from fewstep.run.episodes import TaskModule
from fewstep.run.learner import MetaLearner


pytestmark = pytest.mark.filterwarnings("ignore:.*`IterableDataset` has `__len__`.*")

SPEC = EpisodeSpec(ways=1, shots=10, queries=1, steps=2, batch_size=5)


class HalfFrozen(nn.Module):
    """A frozen layer and a buffer below one that learns."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.below, self.above = nn.Linear(1, 8).requires_grad_(False), nn.Linear(8, 1)
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.above(torch.tanh(self.below(x) * self.scale))


def learner(iterations: int = 8, execution: str = "serial") -> MetaLearner:
    return MetaLearner(
        HalfFrozen(),
        Reptile(InnerLoop(SGD(0.02), 2, 5)),
        Sine().objective,
        OuterStep(torch.optim.SGD, 1.0, final_lr=0.0),
        max_meta_iterations=iterations,
        meta_batch=2,
        execution=execution,
    )


def tasks(meta_batch: int = 2) -> TaskModule:
    return TaskModule(
        Sine().open(), SPEC, meta_batch, 0, [Setting(SPEC, curve_steps=(2,))], tasks=3
    )


def trainer(**options: Any) -> pl.Trainer:
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    chosen = {"max_steps": 8, "max_epochs": -1, "limit_val_batches": 0, "accelerator": "cpu"}
    return pl.Trainer(**dict.fromkeys(quiet, False), **{**chosen, **options})


def fitted(**options: Any) -> MetaLearner:
    made = learner()
    trainer(**options).fit(made, tasks())
    return made


def test_epochs_of_lightning_do_not_begin_with_the_first_task_again() -> None:
    whole = fitted()
    parts = fitted(max_epochs=4, limit_train_batches=2, max_steps=-1)
    assert parts.meta_iteration == whole.meta_iteration == 8
    assert torch.equal(parts.module.above.weight, whole.module.above.weight)


def test_a_second_fit_goes_on_with_the_schedule_of_the_first() -> None:
    whole, halves = fitted(), learner()
    for _ in range(2):
        trainer(max_steps=4).fit(halves, tasks())
    assert torch.equal(halves.module.above.weight, whole.module.above.weight)


def test_the_mean_is_of_as_many_tasks_as_there_are() -> None:
    with pytest.raises(ConfigError, match="meta_batch=2: the data hand this process 3 tasks"):
        trainer().fit(learner(), tasks(meta_batch=3))


def test_every_process_has_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_trainer, "place", lambda: (1, 3))
    with pytest.raises(ConfigError, match="meta_batch=2: there are 3 processes, and each needs"):
        trainer().fit(learner(), tasks())
    few = tasks()
    few.tasks = 2
    with pytest.raises(ConfigError, match="tasks=2: there are 3 processes, and each tests at"):
        trainer(inference_mode=False).test(learner(), few, verbose=False)


def test_what_was_frozen_may_be_changed_between_two_trainers() -> None:
    """The execution holds copies of it, which were those of the first trainer for good."""

    def tested(met_before: bool) -> float:
        made = learner()
        if met_before:
            trainer(inference_mode=False).test(made, tasks(), verbose=False)
        with torch.no_grad():
            made.module.scale.fill_(3.0)
            made.module.below.weight.fill_(0.5)
        trainer(inference_mode=False).test(made, tasks(), verbose=False)
        return made.records[0]["loss"]

    assert tested(met_before=True) == tested(met_before=False)


def test_a_learner_and_its_tasks_train_in_another_precision_after_the_first() -> None:
    both, one = learner(16), learner(16)
    again, single = tasks(), tasks()
    trainer().fit(both, again)
    trainer().fit(one, single)
    trainer(precision="64-true").fit(both, again)
    trainer(precision="64-true").fit(one.double(), tasks())
    assert both.module.above.weight.dtype == torch.float64
    assert torch.equal(both.module.above.weight, one.module.above.weight)


def test_a_learner_that_has_met_tasks_is_copied_and_pickled_without_its_threads() -> None:
    made = learner(execution="threads")
    trainer(max_steps=1).fit(made, tasks())
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(other.module.above.weight, made.module.above.weight)
        trainer(max_steps=1).fit(other, tasks())


def test_tasks_are_pickled_without_the_trainer_that_they_were_given_to() -> None:
    made = tasks()
    trainer(max_steps=1).fit(learner(), made)
    other = pickle.loads(pickle.dumps(made))
    assert other.trainer is None
    one, again = learner(), learner()
    trainer().fit(one, made)
    trainer().fit(again, other)
    assert torch.equal(one.module.above.weight, again.module.above.weight)


def test_a_training_ends_where_its_schedule_does() -> None:
    made, whole = learner(), fitted()
    trainer(max_steps=-1, max_epochs=2).fit(made, tasks())  # of which each epoch would be endless
    assert made.meta_iteration == 8
    assert torch.equal(made.module.above.weight, whole.module.above.weight)


def test_what_is_frozen_later_leaves_the_outer_step() -> None:
    made = learner()
    made.outer = OuterStep(torch.optim.SGD, 1.0, options={"weight_decay": 0.5})
    before = made.module.above.bias.detach().clone()
    made.module.above.bias.requires_grad_(False)
    trainer(max_steps=1).fit(made, tasks())
    assert torch.equal(made.module.above.bias, before)


def test_what_would_never_move_or_cannot_adapt_is_named() -> None:
    made = learner()
    made.module.below.requires_grad_(True)
    with pytest.raises(ConfigError, match=r"below.weight: was given requires_grad=True after"):
        trainer().fit(made, tasks())
    made = learner()
    made.freeze()
    with pytest.raises(ConfigError, match=r"above.weight and all others are frozen, as by"):
        trainer(inference_mode=False).test(made, tasks(), verbose=False)


def test_callbacks_of_ones_own_see_the_validation() -> None:
    made, stopping = learner(), EarlyStopping("val/loss", patience=9)
    trainer(callbacks=[stopping], limit_val_batches=1.0, val_check_interval=4).fit(made, tasks())
    assert float(made.trainer.callback_metrics["val/loss"]) == pytest.approx(
        made.records[0]["loss"]
    )


def test_a_split_that_is_not_there_is_named() -> None:
    made = tasks()
    made.splits = {"train": made.splits["train"]}
    with pytest.raises(ConfigError, match=r"have no split val: there are train\. Leave that stage"):
        trainer(limit_val_batches=1.0, num_sanity_val_steps=0, val_check_interval=2).fit(
            learner(), made
        )


def test_a_learner_is_not_compiled_as_a_whole() -> None:
    with pytest.raises(ConfigError, match=r"torch.compile: a learner is no function of tensors"):
        trainer().fit(torch.compile(learner(), backend="eager"), tasks())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"precision": "bf16-mixed"}, "trainer.precision=bf16-mixed: .* Use precision=32"),
        ({"callbacks": [StochasticWeightAveraging(0.1)], "max_epochs": 3}, "has put SWALR in"),
    ],
)
def test_what_a_trainer_must_leave_alone(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        fitted(limit_train_batches=2, **options)


def test_a_test_in_inference_mode_says_that_adapting_takes_gradients() -> None:
    with pytest.raises(ConfigError, match=r"Use Trainer\(inference_mode=False\)"):
        trainer().test(learner(), tasks(), verbose=False)


def test_workers_of_a_loader_take_turns() -> None:
    made = tasks()
    made.trainer = trainer()
    made.trainer.strategy.connect(learner())
    alone = made.train_dataloader().dataset
    shared = torch.utils.data.DataLoader(alone, batch_size=None, num_workers=2)
    for one, other, _ in zip(alone, shared, range(4), strict=False):
        assert all(torch.equal(a.support_x, b.support_x) for a, b in zip(one, other, strict=True))
    chunks = made.loader("test", made.settings[0], 40).dataset
    shared = torch.utils.data.DataLoader(chunks, batch_size=None, num_workers=2)
    assert [len(c.episodes) for c in shared] == [len(c.episodes) for c in chunks]
