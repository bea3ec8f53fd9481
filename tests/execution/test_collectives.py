"""Two processes over gloo against one: the same tasks, the same sums, the same order."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.outer import OuterStep
from fewstep.core.rules import SGD, Adam
from fewstep.execution import collectives
from fewstep.models import OmniglotConv
from fewstep.run.learner import MetaLearner
from problems import ALGORITHMS, CLASSIFICATION, image_episode, largest_difference, runs_under


pytestmark = pytest.mark.process


CASES = [(name, many) for name in ALGORITHMS for many in (4, 5) if runs_under(name, "adam")]
RANKS = 2


def directions(algorithm: str, meta_batch: int) -> tuple:
    """What a learner sums over this process's own tasks and the other ranks."""
    torch.manual_seed(0)
    rule = Adam(0.01) if runs_under(algorithm, "adam") else SGD(0.01)
    learner = MetaLearner(
        OmniglotConv(ways=3, channels=4).double(),
        ALGORITHMS[algorithm](InnerLoop(rule, 3)),
        CLASSIFICATION,
        OuterStep(torch.optim.SGD, lr=1.0),
        max_meta_iterations=1,
        meta_batch=meta_batch,
        execution="serial",
    )
    learner.state = learner.algorithm.inner.rule.init(learner.net.params())
    return learner.directions(
        [image_episode(i) for i in collectives.local_share(range(meta_batch))]
    )


def as_a_rank(rank: int, port: int, folder: Path) -> None:
    """Everything that two ranks are asked here, in one start of them."""
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=RANKS)
    found = {case: directions(*case) for case in CASES}
    own = list(collectives.local_share(range(7)))
    found["own"] = own
    found["gathered"] = collectives.all_gather([torch.tensor(task) for task in own])
    found["told"] = collectives.broadcast({"from": rank, "tensor": torch.full((2,), float(rank))})
    distributed.destroy_process_group()
    torch.save(found, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict]:
    """What each of two ranks found."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # From a process that has loaded the learner, and PyTorch with it, for both of them.
    multiprocessing.set_forkserver_preload([MetaLearner.__module__])
    multiprocessing.start_processes(as_a_rank, (port, folder), RANKS, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.mark.parametrize(("algorithm", "meta_batch"), CASES)
def test_two_ranks_find_the_directions_of_one(ranks, algorithm, meta_batch):
    """In float64 to 1e-10: the sum of directions, what the rule remembers, and the metrics."""
    direction, state, metrics = directions(algorithm, meta_batch)
    assert max(float(d.abs().max()) for d in direction.values()) > 1e-4
    for found in ranks:
        theirs = found[algorithm, meta_batch]
        assert largest_difference(direction, theirs[0]) < 1e-10
        assert largest_difference(state["v"], theirs[1]["v"]) < 1e-10
        assert torch.equal(state["t"], theirs[1]["t"])
        assert state["t"].dtype == theirs[1]["t"].dtype == torch.int64
        assert largest_difference(metrics, theirs[2]) < 1e-10
        for name, tensor in direction.items():
            assert tensor.stride() == theirs[0][name].stride()


def test_both_ranks_have_the_same_sums_bit_for_bit(ranks):
    """Else their parameters would drift apart."""
    for case in CASES:
        (one, _, _), (other, _, _) = (found[case] for found in ranks)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_tasks_are_shared_out_and_come_back_in_order(ranks):
    assert [found["own"] for found in ranks] == [[0, 2, 4, 6], [1, 3, 5]]
    for found in ranks:
        assert [int(task) for task in found["gathered"]] == list(range(7))
        assert found["told"]["from"] == 0
        assert found["told"]["tensor"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("many", [1, 2, 3, 5])
def test_no_rank_has_two_tasks_more_than_another(monkeypatch, many):
    tasks, parts = range(20, 31), []
    for rank in range(many):
        monkeypatch.setattr(collectives, "place", lambda rank=rank: (rank, many))
        parts.append(list(collectives.local_share(tasks)))
    assert sorted(task for part in parts for task in part) == list(tasks)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_that_is_alone_has_all_and_changes_nothing():
    tree = {"a": torch.ones(2)}
    assert collectives.place() == (0, 1)
    assert collectives.local_share(range(3)) == range(3)
    assert collectives.all_reduce(tree) is tree
    assert collectives.all_gather([1, 2]) == [1, 2]
    assert collectives.broadcast(tree) is tree
