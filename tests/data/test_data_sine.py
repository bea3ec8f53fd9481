"""The paper's sine waves (section 1, S4)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fewstep.core.types import EpisodeSpec
from fewstep.data.sampler import Draws
from fewstep.data.sine import Sine, wave


GIST = EpisodeSpec(ways=1, shots=50, queries=1, steps=5, batch_size=10)


def test_the_gists_five_minibatches_are_one_permutation_of_the_grid():
    episode = Sine().open()["train"].episode(GIST, seed=0, index=3)
    assert episode.batches.shape == (5, 10)
    seen = episode.support_x[episode.batches.reshape(-1)].sort(dim=0).values
    assert seen.equal(episode.query_x)
    assert not episode.support_x.equal(episode.query_x)


def test_a_task_is_one_wave_on_the_whole_grid():
    split = Sine().open()["test"].to("cpu", torch.float64)
    episode = split.episode(EpisodeSpec(1, 10, 7, 32, None), seed=1, index=2)
    amplitude, phase = wave(Draws(1, "test", 2))
    assert episode.query_x.shape == (50, 1)
    assert episode.query_x.flatten().tolist() == np.linspace(-5, 5, 50).tolist()
    for x, y in ((episode.support_x, episode.support_y), (episode.query_x, episode.query_y)):
        assert y.allclose(amplitude * torch.sin(x + phase))
    assert len(episode.support_x.unique()) == 10


def test_amplitudes_and_phases_fill_their_ranges():
    waves = np.array([wave(Draws(0, "train", index)) for index in range(4000)])
    assert waves.min(axis=0) == pytest.approx([0.1, 0], abs=0.01)
    assert waves.max(axis=0) == pytest.approx([5, 2 * math.pi], abs=0.01)
    assert waves.mean(axis=0) == pytest.approx([2.55, math.pi], abs=0.1)


def test_supports_nest_and_identity_knows_them():
    split = Sine().open()["test"]
    few, many = (split.episode(EpisodeSpec(1, shots, 1, 0), 0, 0) for shots in (5, 10))
    assert few.support_x.equal(many.support_x[:5])
    assert split.identity(GIST, 0, 0) != split.identity(GIST, 0, 1)
    assert len(split.identity(GIST, 0, 0)) == 8 * (2 + 50)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (EpisodeSpec(5, 10, 1, 5), "shots.ways=5: a sine task is one wave"),
        (EpisodeSpec(1, 51, 1, 5), "shots=51: the sine grid has 50 points"),
    ],
)
def test_what_a_grid_cannot_fill(spec, message):
    with pytest.raises(ValueError, match=message):
        Sine().open()["train"].episode(spec, 0, 0)


@pytest.mark.parametrize("fields", [{"points": 1}, {"low": 5.0}, {"high": math.inf}])
def test_senseless_grids(fields):
    with pytest.raises(ValueError, match=f"dataset.{next(iter(fields))}="):
        Sine(**fields)
