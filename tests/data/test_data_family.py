"""Tasks that programs make are those that they have made: results that are kept rest on them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fewstep.core.types import EpisodeSpec
from fewstep.data.clients import Clients
from fewstep.data.digest import episodes_sha256
from fewstep.data.family import Family
from fewstep.data.linear import Linear
from fewstep.data.modulation import Modulation
from fewstep.data.recall import Recall
from fewstep.data.streams import Streams
from fewstep.data.subjects import Subjects


FAR = Recall(far=24, fresh={"lora_A": [2, 3]})
MADE: list[tuple[Any, EpisodeSpec, str, list[float]]] = [
    (Streams(), EpisodeSpec(1, 6, 2, 0), "173e14adba4fa40e", [19.909032, 20.177796, 6.481992]),
    (
        Subjects(),
        EpisodeSpec(1, 10, 4, 0),
        "099a05b529a05c2e",
        [577.074668, 133.424626, 236.092573],
    ),
    (FAR, EpisodeSpec(1, 2, 2, 0), "9456aba52f0c23ac", [467, 3244, 467]),
    (Linear(), EpisodeSpec(1, 3, 2, 1), "d4e1af38713e20d9", [4.156413, 2.43235, 2]),
    (
        Linear(prior="gaussian"),
        EpisodeSpec(1, 3, 2, 1),
        "3a9bc11967718d97",
        [4.156413, 2.584165, 2],
    ),
    (Modulation(), EpisodeSpec(6, 1, 1, 0), "7f1c221d90b8af1b", [946.680224, 15, 948.204544]),
]
"""The digest of each, and the sums of what a test task has, without signs."""


@pytest.mark.parametrize(
    ("family", "spec", "digest", "sums"), MADE, ids=lambda p: getattr(p, "name", "")
)
def test_a_family_makes_the_tasks_that_it_has_made(family: Family, spec, digest, sums) -> None:
    split = family.open()["test"]
    assert split.data_sha256.startswith(digest)
    task = split.episode(spec, 0, 7)
    found = [
        float(part.double().abs().sum()) for part in (task.support_x, task.support_y, task.query_x)
    ]
    assert found == pytest.approx(sums, rel=1e-6)


def test_what_a_recall_brings_hangs_on_the_split() -> None:
    spec, splits = EpisodeSpec(1, 2, 2, 0), FAR.open()
    train, test = (splits[name].episode(spec, 0, 7).extras for name in ("train", "test"))
    assert {*train} == {"fresh.lora_A", "needles"}
    assert {*test} == {*train, "far.x", "far.y"}
    ids = [episodes_sha256(splits[name], spec, 0, 5)[:16] for name in ("train", "test")]
    assert ids == ["07f750571ae4b1b7", "04e5478fd4759484"]


@pytest.mark.slow
def test_clients_are_those_of_the_results_that_are_kept(real_data) -> None:
    splits = Clients(root=real_data).open()
    assert [*splits] == ["train", "test"]
    assert splits["train"].data_sha256.startswith("c1b68ff3b1d11863")
    spec = EpisodeSpec(4, 3, 1, 0)
    assert episodes_sha256(splits["test"], spec, 0, 5).startswith("7650a1d0e4dbcdb2")
    task = splits["test"].episode(spec, 0, 7)
    assert float(task.support_x.sum()) == 787
    assert (task.extras["own"].dtype, task.extras["width"].dtype) == (torch.bool, torch.float32)
