"""Tasks that a function draws: the same wherever they are drawn, and held against their spec."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fewstep.core.objectives import Classification, Regression
from fewstep.core.types import EpisodeSpec
from fewstep.data import FunctionTasks
from fewstep.data.sampler import Draws


SPEC = EpisodeSpec(ways=1, shots=4, queries=6, steps=3, batch_size=2)


def lines(rng: np.random.Generator, spec: EpisodeSpec):
    """Straight lines."""
    slope = rng.normal()
    x = rng.uniform(-1, 1, spec.ways * (spec.shots + spec.queries))
    n = spec.ways * spec.shots
    return x[:n], slope * x[:n], x[n:], slope * x[n:]


def _train(function: Callable = lines):
    return FunctionTasks(function).open()["train"]


def test_a_task_has_the_form_of_its_spec() -> None:
    episode = _train().episode(SPEC, seed=1, index=3)
    assert [part.shape for part in episode[:4]] == [(4, 1), (4, 1), (6, 1), (6, 1)]
    assert {part.dtype for part in episode[:4]} == {torch.float32}
    assert torch.equal(episode.batches, torch.from_numpy(Draws(1, "train", 3).batches(SPEC)))
    slopes = torch.cat([episode.support_y / episode.support_x, episode.query_y / episode.query_x])
    assert torch.allclose(slopes, slopes[0].expand_as(slopes))
    double = _train().to("cpu", torch.float64).episode(SPEC, 1, 3)
    assert double.support_x.dtype == torch.float64


def test_task_i_is_a_function_of_seed_split_and_i() -> None:
    splits = FunctionTasks(lines).open()
    assert list(splits) == ["train", "val", "test"]
    first = [splits["train"].episode(SPEC, 0, i).support_x for i in range(20)]
    with ThreadPoolExecutor(4) as pool:
        again = pool.map(
            lambda i: splits["train"].episode(SPEC, 0, i).support_x, reversed(range(20))
        )
        assert all(torch.equal(a, b) for a, b in zip(reversed(first), again, strict=True))
    others = [
        splits["train"].episode(SPEC, 0, 1),
        splits["train"].episode(SPEC, 1, 0),
        splits["test"].episode(SPEC, 0, 0),
    ]
    assert not any(torch.equal(first[0], other.support_x) for other in others)
    assert splits["val"].identity(SPEC, 0, 2) == splits["val"].identity(SPEC, 0, 2)
    assert splits["val"].identity(SPEC, 0, 2) != splits["val"].identity(SPEC, 0, 3)


def test_its_draws_are_apart_from_those_of_the_batches() -> None:
    """A function that draws more shifts nothing else."""

    def more(rng, spec):
        rng.normal(size=1000)
        return lines(rng, spec)

    one, two = (_train(function).episode(SPEC, 0, 0) for function in (lines, more))
    assert torch.equal(one.batches, two.batches)
    assert torch.equal(one.key, two.key)
    assert not torch.equal(one.support_x, two.support_x)


def test_targets_that_are_whole_numbers_are_classes() -> None:
    def signs(rng, spec):
        x = rng.normal(size=(spec.ways * (spec.shots + spec.queries), 2))
        y, n = (x[:, 0] > 0).astype(int), spec.ways * spec.shots
        return torch.from_numpy(x[:n]), y[:n], x[n:], y[n:]

    made = FunctionTasks(signs, objective=Classification())
    episode = made.open()["train"].episode(SPEC, 0, 0)
    assert (episode.support_y.shape, episode.support_y.dtype) == ((4,), torch.int64)
    assert FunctionTasks(signs).objective == Regression()


def test_nothing_to_ask_is_a_task() -> None:
    episode = _train().episode(EpisodeSpec(1, 4, 0, 2), 0, 0)
    assert episode.query_x.shape == (0, 1)


def _raises(rng, spec):
    return lines(rng, spec) / 0


def _three(rng, spec):
    return lines(rng, spec)[:3]


def _nothing(rng, spec):
    rng.normal()


def _fixed(rng, spec):
    return lines(rng, EpisodeSpec(1, 9, 9, 0))


def _impure(rng, spec, state=np.random.default_rng(0)):  # noqa: B008
    return lines(state, spec)


def _lost(rng, spec):
    return tuple(np.log(part - 10) for part in lines(rng, spec))


def _masked(rng, spec):
    support_x, *others = lines(rng, spec)
    return np.ma.array(support_x, mask=np.arange(len(support_x)) == 0), *others


def _wide(rng, spec):
    *others, query_y = lines(rng, spec)
    return *others, np.stack([query_y, query_y], 1)


REFUSED = {
    _raises: "_raises fails on EpisodeSpec(ways=1, shots=4, ",
    _three: "_three returns 3 values: must be support_x, support_y, query_x, query_y, four arrays",
    _nothing: "_nothing returns a NoneType: must be support_x,",
    _fixed: "_fixed: support_x: has 9 examples, and spec.ways * spec.shots = 4 are needed. Draw as "
    "many as the spec asks for",
    _impure: "_impure draws another task from the same generator: a run could not be repeated. "
    "Take all that is random from its first argument",
    _masked: "_masked: support_x: 1 of its values are masked. Fill them",
    _wide: "_wide: query_y: its examples are of [2], and those of support_y of [1]",
    _lost: "_lost: support_x: 4 of 4 examples hold values that are not finite (number 0, 1, 2, ",
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("function", REFUSED, ids=lambda function: function.__name__)
def test_what_is_no_task_is_told(function: Callable) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        _train(function).check(SPEC)
    assert str(refusal.value).startswith(REFUSED[function])


def test_what_is_no_function_is_told() -> None:
    with pytest.raises(ValueError, match=r"function: is a tuple\. Give a function"):
        FunctionTasks((1, 2))  # type: ignore[arg-type]


def test_a_function_may_fill_one_array_for_every_task() -> None:
    """As it may where arrays are large; the tasks of a meta-batch were all its last one."""
    kept = np.zeros((10, 1), np.float32)

    def filled(rng, spec):
        kept[:] = rng.normal(size=(10, 1))
        return kept[:4], kept[:4], kept[4:], kept[4:]

    split = _train(filled)
    first, again = split.episode(SPEC, 0, 0), split.episode(SPEC, 0, 0)
    assert not torch.equal(first.support_x, split.episode(SPEC, 0, 1).support_x)
    assert torch.equal(first.support_x, again.support_x)
