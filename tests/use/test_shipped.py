"""The initializations that come with the package are what their cards say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fewstep
from fewstep.core.types import EpisodeSpec
from fewstep.data.images.decode import USUAL
from fewstep.data.omniglot import Omniglot
from fewstep.records.statistics.intervals import mean_ci95
from fewstep.run.stored import shipped
from fewstep.use.pictures import prepared
from hands.measured import accuracies, spec_of, split_of
from hands.omniglot import drawings


DATA = os.environ.get("FEWSTEP_DATA", "none")
NEEDS_OMNIGLOT = pytest.mark.skipif(
    not Path(DATA, "omniglot-py").exists(), reason="$FEWSTEP_DATA has no omniglot-py"
)


def about(name: str) -> dict[str, Any]:
    return json.loads((shipped.FOLDER / f"{name}.json").read_text())


def test_there_are_two() -> None:
    assert shipped.names() == ["glyphs", "omniglot"]


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_one_is_small_whole_and_says_what_it_is(name: str) -> None:
    assert (shipped.FOLDER / f"{name}.safetensors").stat().st_size < 1_000_000
    init, told = fewstep.load(name), about(name)
    assert (init.ways, init.origin.name) == (5, name)
    tensors = [*init.learner.start.params.values(), *init.learner.module.state_dict().values()]
    assert all(tensor.isfinite().all() for tensor in tensors)
    assert init.learner.start.state["t"] > 0  # the inner Adam goes on from training's memory
    for key in ("command", "commit", "dataset", "device"):
        assert str(told[key]) in init.card
    assert told["accuracy"]
    for row in told["accuracy"]:
        assert f"{100 * row['acc']:.2f} ± {100 * row['acc_ci95']:.2f} %" in init.card
    assert "limits: " in init.card


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("name", ["glyphs", pytest.param("omniglot", marks=NEEDS_OMNIGLOT)])
def test_its_accuracy_is_that_of_its_card(name: str, shots: int) -> None:
    """On 200 of the tasks, in every protocol; within both intervals."""
    learner = fewstep.load(name).learner
    rows = [r for r in about(name)["accuracy"] if (r["ways"], r["shots"]) == (5, shots)]
    assert {row["protocol"] for row in rows} == {"inductive", "transductive", "support"}
    protocols = tuple(row["protocol"] for row in rows)
    spec = spec_of(learner, 5, shots, queries=1)
    found = accuracies(learner, split_of(name, "test"), spec, 200, protocols)
    for row in rows:
        mean, half = mean_ci95(found[row["protocol"]])
        assert abs(mean - row["acc"]) <= half + row["acc_ci95"], row


@pytest.mark.slow
@NEEDS_OMNIGLOT
def test_a_file_becomes_the_pixels_that_were_trained_on() -> None:
    """So that accuracy from files is that of `fewstep evaluate`: the inputs are the same bits."""
    split, init = Omniglot(DATA, split="authors").open()["test"], fewstep.load("omniglot")
    classes = split.classes[:12]
    names = [split.class_names[c].removesuffix("/rot0") for c in classes]
    by_name = drawings(Path(DATA))
    files = [drawing for name in names for drawing in by_name[name]]
    found = init.preparation.scaled(prepared(files, init.preparation, USUAL))
    places = np.concatenate([np.arange(s, s + 20) for s in split.starts[classes]])
    assert torch.equal(found, split.pixels[torch.from_numpy(places)].float())


@pytest.mark.slow
@NEEDS_OMNIGLOT
def test_adapting_is_as_good_as_meta_test() -> None:
    """200 tasks of test characters by the user's way, beside the protocol `support`."""
    split, init = Omniglot(DATA, split="authors").open()["test"], fewstep.load("omniglot")
    spec, own = EpisodeSpec(5, 5, 2, 50, 5), []
    for task in range(200):
        e = split.episode(spec, 0, task)
        given, asked = ((255 * x[:, 0]).byte().numpy() for x in (e.support_x, e.query_x))
        own.append(init.adapt(given, e.support_y).score(asked, e.query_y))
    mean, half = mean_ci95(torch.tensor(own))
    (row,) = [
        r
        for r in about("omniglot")["accuracy"]
        if (r["ways"], r["shots"], r["protocol"]) == (5, 5, "support")
    ]
    assert abs(mean - row["acc"]) <= half + row["acc_ci95"]
