"""Meta-IFWI: velocities as waves of sines, grounds, shots, and what is refused of them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fewstep.core.types import EpisodeSpec
from fewstep.data.conversations import Conversations
from fewstep.data.ground import Ground
from fewstep.data.sampler import Draws
from fewstep.data.subject_files import SubjectFiles
from fewstep.data.waves import Inversion, Survey, misfit
from fewstep.models.siren import Siren, VelocityModel


SMALL = Survey(20.0, 0.002, 60, 12.0, 0.1, ((2, 12), (1, 8)), 4000.0)
"""Of the identities."""


def test_a_network_of_two_sines() -> None:
    weights = [[[0.3, -0.2], [0.1, 0.4]], [0.05, -0.1], [[0.02, -0.03]], [0.01]]
    siren = Siren([2, 2, 1]).double()
    tensors = [torch.tensor(w, dtype=torch.float64) for w in weights]
    siren.load_state_dict(dict(zip(siren.state_dict(), tensors, strict=True)))
    points = torch.tensor([[0, 0], [0.4, 0.2], [0.8, 0.6]], dtype=torch.float64)
    found = (2750 + 1250 * siren(points)).flatten().tolist()
    wanted = [3818.720281259486, 2022.8538465095658, 2111.7569119179657]
    assert found == pytest.approx(wanted, rel=1e-13)


def test_where_its_weights_begin() -> None:
    torch.manual_seed(0)
    first, second, *_, last = Siren([2, 256, 256, 256, 256, 1]).layers
    assert 0.49 < first.weight.abs().max() <= 0.5
    bound = (6 / 256) ** 0.5 / 30
    assert 0.99 * bound < second.weight.abs().max() <= bound
    assert last.weight.shape == (1, 256)


def test_a_model_answers_each_shot_with_all_of_it_and_stays_in_its_range() -> None:
    torch.manual_seed(0)
    model = VelocityModel()
    cells = torch.tensor([[1, 0], [1, 31]])
    answer = model(cells)
    assert answer["velocity"].shape == (2, 20, 32)
    assert torch.equal(answer["cells"], cells.float())
    assert 1500 <= answer["velocity"].min() < answer["velocity"].max() <= 4000
    assert model.points[3, 5].tolist() == pytest.approx([0.25, 0.15])  # x and z in km
    assert [*model.state_dict()] == [n for n, _ in model.named_parameters()]


def test_a_misfit_by_hand() -> None:
    """Energies 4 and 0, floor 0.004: (1 / 4.004 + 9 / 0.004) / 2."""
    wanted = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
    heard = torch.tensor([[[2.0, 1.0], [3.0, 0.0]]])
    assert misfit(heard, wanted).tolist() == pytest.approx([(1 / 4.004 + 9 / 0.004) / 2])
    assert misfit(wanted, wanted).tolist() == [0.0]


def test_the_velocity_may_be_what_the_outer_step_descends() -> None:
    true = torch.full((2, 3), 2000.0)
    outputs = {"velocity": torch.full((4, 2, 3), 2500.0), "cells": torch.zeros(4, 2)}
    loss = Inversion(SMALL, "misfit", "velocity", 1250.0).outer_loss(
        outputs, None, {"velocity": true}
    )
    assert loss.tolist() == pytest.approx([0.16] * 4)


@pytest.mark.parametrize(("models", "distinct"), [("layers", 6), ("anomalies", 640)])
def test_grounds_stay_in_range_and_are_of_their_kind(models: str, distinct: int) -> None:
    family = Ground(models=models)
    found = np.stack([family.model_of(Draws(0, "train", i)) for i in range(40)])
    assert found.shape == (40, 20, 32)
    assert found.min() >= 1500
    assert found.max() <= 4000
    assert np.std(found, axis=0).mean() > 50
    assert all(len(np.unique(one)) <= distinct for one in found)
    assert found[:, -1].mean() > found[:, 0].mean() + 1000  # faster with depth


def test_a_ground_is_known_by_its_velocities_and_shots() -> None:
    family, spec = Ground(), EpisodeSpec(1, 3, 2, 5)
    one, same, other = (family.identity(Draws(0, "test", i), spec) for i in (0, 0, 1))
    assert one == same != other
    assert len(one) == 8 * (20 * 32 + 5)


def saved(folder: Path, models: np.ndarray) -> str:
    np.save(folder / "models.npy", models)
    return str(folder / "models.npy")


def with_a_cell_of(speed: float) -> np.ndarray:
    """A ground that is well but for one cell."""
    model = np.full((20, 32), 2000.0)
    model[7, 9] = speed
    return model


def test_models_of_ones_own_are_the_test_tasks(tmp_path: Path) -> None:
    models = np.stack([np.full((20, 32), v) for v in (1800.0, 2600.0)])
    family = Ground(file=saved(tmp_path, models))
    means = [family.model_of(Draws(0, "test", i)).mean() for i in range(3)]
    assert means == [1800, 2600, 1800]
    assert family.model_of(Draws(0, "train", 0)).std() > 100
    assert family.settings()["file"] != Ground(file=saved(tmp_path, models + 1)).settings()["file"]
    assert family.settings()["file"] == Ground(file=saved(tmp_path, models)).settings()["file"]
    assert (Ground().interval, family.interval) == ("open", "closed")  # further shots on these


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": "salt"}, "dataset.models=salt: must be one of layers, anomalies"),
        ({"outer": "both"}, "dataset.outer=both: must be one of misfit, velocity"),
        (
            {"dt": 0.008},
            "dataset.dt=0.008: waves of 4000 m/s cross 0.64 cells of dataset.dx=50.0 in a sample, "
            "0.6 at most. Use dataset.dt=0.0075 or less",
        ),
        (
            {"freq": 5.0},
            "dataset.freq=5.0: at 1500 m/s a wavelength has 6.0 cells of dataset.dx=50.0, 7 at "
            "least. Use dataset.freq=4.3 or less",
        ),
        (
            {"source_row": 20},
            "dataset.source_row=20: row 20 is outside of the grid, whose rows are",
        ),
        (
            {"receiver_rows": [0, -1]},
            "dataset.receiver_rows=[0, -1]: row -1 is outside of the grid",
        ),
        ({"dt": -0.001}, "dataset.dt=-0.001: must be a number above 0"),
        ({"freq": 0.0}, "dataset.freq=0.0: must be a number above 0"),
        ({"nt": 0}, "dataset.nt=0: must be a number above 0"),
        ({"dx": math.nan}, "dataset.dx=nan: must be a number above 0"),
        ({"grid": [20]}, "dataset.grid=[20]: must be two whole numbers above 0"),
        ({"grid": [20, 0]}, "dataset.grid=[20, 0]: must be two whole numbers above 0"),
        ({"velocity": [2750]}, "dataset.velocity=[2750]: must be two numbers above 0"),
        ({"velocity": [1000, 2000]}, "dataset.velocity=[1000, 2000]: the second is the largest"),
        ({"receiver_rows": []}, "dataset.receiver_rows=[]: must be whole numbers"),
        ({"receiver_rows": ["a"]}, "dataset.receiver_rows=['a']: must be whole numbers"),
        ({"file": "nothing.npy"}, "dataset.file=nothing.npy: no such file. It is a .npy of models"),
    ],
)
def test_what_is_refused(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Ground(**given)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (np.full((20, 32), 2.7), "its fastest is 2.7: it is in km/s. Multiply by 1000"),
        (
            np.full((20, 32), np.nan),
            "models.npy: holds nan in 640 of 640 cells, and a speed is finite and above 0 m/s. "
            "Fill these cells in",
        ),
        (with_a_cell_of(0.0), "models.npy: holds 0 in 1 of 640 cells, and a speed is finite"),
        (with_a_cell_of(-500.0), "models.npy: holds -500 in 1 of 640 cells"),
        (with_a_cell_of(np.inf), "models.npy: holds inf in 1 of 640 cells"),
        (
            with_a_cell_of(600.0),
            "dataset.freq=4.0: at 600 m/s a wavelength has 3.0 cells of dataset.dx=50.0, 7 at "
            "least. Use dataset.freq=1.7 or less",
        ),
        (np.full((30, 32), 2000.0), "holds 1 models of [30, 32]. Set dataset.grid to these cells"),
        (np.full((20, 32), 7000.0), "waves of 7000 m/s cross 0.70 cells"),
        (
            np.full((20, 32), 900.0),
            "at 900 m/s a wavelength has 4.5 cells of dataset.dx=50.0, 7 at",
        ),
        (np.full((20, 32), -2000.0), "holds -2000 in 640 of 640 cells"),
        (np.full((20, 32), 2000j), "cannot be read as a .npy of models in m/s (complex numbers)"),
        (np.zeros((0, 20, 32)), "holds 0 models of [20, 32]"),
        (np.array(["a"]), "cannot be read as a .npy of models in m/s"),
    ],
)
def test_what_is_refused_of_a_file(models: np.ndarray, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Ground(file=saved(tmp_path, models))


def test_speeds_that_no_network_answers_are_told(tmp_path: Path) -> None:
    words = (
        "has 1400 to 2000 m/s, which is more than a network answers by dataset.velocity="
        "[2750.0, 1250.0]: the rest stays an error. Widen that"
    )
    with pytest.warns(UserWarning, match=re.escape(words)):
        Ground(file=saved(tmp_path, np.stack([with_a_cell_of(1400.0)])))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (EpisodeSpec(2, 3, 2, 5), "shots.ways=2: a ground is one; set it to 1"),
        (
            EpisodeSpec(1, 31, 2, 5),
            "these are 33 shots, and the grid has 32 columns; the rest would",
        ),
    ],
)
def test_what_a_grid_cannot_fill(spec: EpisodeSpec, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Ground().check(spec, "train")


def test_without_deepwave_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewstep.data.ground.find_spec", lambda name: None)
    words = (
        "dataset=ground: its waves are computed by deepwave, which is not installed. Install it "
        "with pip install 'fewstep[seismic]'"
    )
    with pytest.raises(ValueError, match=re.escape(words)):
        Ground().open()


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04", b"\x93NUMPY\x01"])
def test_what_is_no_file_of_arrays_is_refused(content: bytes, tmp_path: Path) -> None:
    """A user's models, conversations and subjects."""
    (file := tmp_path / "a.npz").write_bytes(content)
    (tmp_path / "b.npz").write_bytes(content)
    for opened, words in (
        (lambda: Ground(file=str(file)), "a.npz: cannot be read as a .npy of models"),
        (Conversations(str(file)).open, "a.npz: must be an .npz file with tokens and responses"),
        (SubjectFiles(str(tmp_path), voxels=(1, 1)).open, "a.npz: must be an .npz file with betas"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            opened()
