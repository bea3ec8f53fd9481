"""HARMONY in parts: who has which entries, what a mean over these is, and the contrast."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.harmony import Harmony, contrast
from fewstep.algorithms.reptile import Reptile
from fewstep.core.aggregate import PerEntry
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, total_of
from fewstep.core.types import Episode, EpisodeSpec, Params, Start
from fewstep.data.clients import Clients, OwnAndOthers, cka
from fewstep.execution.choice import EXECUTIONS
from fewstep.execution.meta_batch import MetaBatch
from fewstep.models import Split
from fewstep.run.construction.outer import build_outer


WIDTHS = (1.0, 0.5, 0.25)
SIZES = (4, 8, 6)
SPEC = EpisodeSpec(ways=2, shots=3, queries=1, steps=2)


def network(**more) -> Split:
    torch.manual_seed(0)
    return Split(WIDTHS, SIZES, **more).double()


def federation(widths: tuple[float, ...] = WIDTHS) -> Clients:
    """Three clients with two of six characters each, and no file."""
    made = Clients(widths=widths, characters=6)
    made.__dict__["images"] = torch.rand(6, 20, 1, 28, 28, generator=torch.manual_seed(1))
    return made


def episodes(family: Clients, split: str = "train", round: int = 0) -> list[Episode]:
    tasks = family.open()[split].to("cpu", torch.float64)
    count = len(family.widths)
    return [tasks.episode(SPEC, 0, round * count + i) for i in range(count)]


# --- the mean of each entry


class Held(nn.Module):
    """Four numbers, of which a task has the first few."""

    takes = ("width",)

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor, width: Tensor) -> Tensor:
        return x

    def held(self, width: Tensor) -> Params:
        return {"w": torch.arange(4) < width}


@pytest.mark.parametrize(
    ("by_examples", "widths", "wanted"),
    [
        (False, (4, 2), [1.0, 1.0, 0.5, 0.5]),
        (True, (4, 2), [1.25, 1.25, 0.5, 0.5]),
        (False, (2, 1), [1.0, 0.5, 0.0, 0.0]),
    ],
)
def test_a_mean_over_those_who_have_an_entry(by_examples, widths, wanted) -> None:
    """10 examples lead to 1 and 30 to 3, from 0 and half of the way; what nobody has stays."""
    problem, aggregator = Problem(Net(Held()), OwnAndOthers()), PerEntry(by_examples)
    parts = []
    for n, phi, width in zip((10, 30), (1.0, 3.0), widths, strict=True):
        x, held = torch.zeros(n, 1), torch.arange(4) < width
        episode = Episode(x, x, x, x, x, extras={"width": torch.tensor(width)})
        direction = {"w": torch.where(held, -phi, 0.0)}
        parts.append(aggregator.contribution(direction, problem, episode))
    moved = -0.5 * aggregator.apply(total_of(parts), 2)["w"]
    assert moved.tolist() == wanted


def test_whole_networks_and_a_whole_step_are_fedavg() -> None:
    family, module = federation((1.0, 1.0, 1.0)), network()
    algorithm = Harmony(InnerLoop(SGD(0.1), 2, fixed=["server.*"]))
    start, tasks = Start(Net(module).params(), {}), episodes(family)
    batch = MetaBatch(algorithm, family.objective, PerEntry(by_examples=True))
    total, _, _ = batch.total(EXECUTIONS["vmap"](module), start, tasks)
    found = batch.direction(total, 3, module, start.params)
    problem = Problem(Net(module), family.objective)
    ends = [algorithm.inner.adapt(problem, start, task).params for task in tasks]
    for name, p in start.params.items():
        if name.startswith("layers."):
            mean = sum(end[name] for end in ends) / 3
            torch.testing.assert_close(p - found[name], mean, rtol=1e-12, atol=1e-14)
    row = found["exit.bias"]
    assert row.abs().min() > 0  # each class is somebody's


def test_clients_of_unequal_size_are_fedavg_in_every_parameter() -> None:
    """Whole networks of 2, 6 and 8 examples: a class of the exit is the mean over who holds it."""
    family, module = federation((1.0, 1.0, 1.0)), network()
    family.own = [[0, 1], [1, 2], [2, 3, 4, 5]]
    tasks = [
        task._replace(
            support_x=task.support_x[:n],
            support_y=task.support_y[:n],
            batches=torch.arange(n).repeat(2, 1),
        )
        for task, n in zip(episodes(family), (2, 6, 8), strict=True)
    ]
    inner, start = InnerLoop(SGD(0.1), 2), Start(Net(module).params(), {})
    batch = MetaBatch(Reptile(inner), family.objective, PerEntry(by_examples=True))
    total, _, _ = batch.total(EXECUTIONS["serial"](module), start, tasks)
    found = batch.direction(total, 3, module, start.params)
    problem = Problem(Net(module), family.objective)
    ends = [inner.adapt(problem, start, task).params for task in tasks]
    own = torch.stack([task.extras["own"] for task in tasks]).double()
    assert found.keys() == start.params.keys()
    for name, direction in found.items():
        if name.startswith("server."):
            assert not direction.any()  # no client has it
            continue
        holds = own if name.startswith("exit.") else torch.ones(3, 1).double()
        counts = torch.tensor([2.0, 6.0, 8.0]).double()[:, None] * holds
        shares = (counts / counts.sum(0)).reshape(3, -1, *[1] * (direction.dim() - 1))
        mean = (shares * torch.stack([end[name] for end in ends])).sum(0)
        torch.testing.assert_close(start.params[name] - direction, mean, rtol=1e-12, atol=1e-14)


# --- a part of the network


def sliced(module: Split, width: float) -> nn.Module:
    """The network as a client of this width would really have it."""
    layers: list[nn.Module] = []
    before = 1
    for layer in module.layers:
        outputs, _, *space = layer.shape
        kept = int(outputs * width)
        weight, bias = layer.weight.detach(), layer.bias.detach()
        if space:
            one: nn.Module = nn.Conv2d(before, kept, 3, stride=2, padding=1).double()
            one.weight.data, one.bias.data = weight[:kept, :before].clone(), bias[:kept].clone()
        else:
            one = nn.Linear(before * 16, kept).double()
            one.weight.data, one.bias.data = (
                weight[:kept, : before * 16].clone(),
                bias[:kept].clone(),
            )
            layers.append(nn.Flatten())
        layers += [one, nn.ReLU(), Divided(width**0.5)]
        before = kept
    return nn.Sequential(*layers)


class Divided(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x / self.by


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_masked_is_what_is_cut_down(width: float) -> None:
    module, x = network(), torch.rand(5, 1, 28, 28).double()
    own, client = torch.tensor([True, False] * 3), torch.tensor(0)
    outputs = module(x, torch.tensor(width).double(), own, client)
    kept = int(8 * width)
    z = sliced(module, width)(x)
    exits = F.linear(z, module.exit.weight[:, :kept], module.exit.bias)
    torch.testing.assert_close(outputs[:, :6][:, own], exits[:, own], rtol=1e-12, atol=1e-12)
    assert (outputs[:, :6][:, ~own] == -1e4).all()


@pytest.mark.parametrize("shared", [True, False])
def test_a_client_moves_what_it_has_and_nothing_else(shared: bool) -> None:
    family, module = federation(), network(shared=shared)
    algorithm = Harmony(InnerLoop(SGD(0.1), 2, fixed=["server.*"]))
    problem, start = Problem(Net(module), family.objective), Start(Net(module).params(), {})
    for task in episodes(family):
        direction = algorithm.direction(problem, start, task)[0]
        held = module.held(*(task.extras[name] for name in module.takes))
        assert held.keys() == direction.keys()
        for name, moved in direction.items():
            assert not moved[~held[name].expand_as(moved)].any(), name
        assert all(direction[name].any() for name in ("layers.0.weight", "exit.bias"))
    if not shared:  # and in a mean over these, each keeps its own
        batch = MetaBatch(algorithm, family.objective, PerEntry())
        total, _, _ = batch.total(EXECUTIONS["vmap"](module), start, episodes(family))
        mean = batch.direction(total, 3, module, start.params)
        client = int(task.extras["client"])
        wanted = direction["layers.1.weight"][client]
        torch.testing.assert_close(mean["layers.1.weight"][client], wanted)


# --- the server


def test_supervised_contrast() -> None:
    h = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]], dtype=torch.float64)
    found = contrast(h, torch.tensor([0, 0, 1, 1]), 0.5)
    wanted = [0.2332574970, 0.6271230573, 0.6271230573, 0.2332574970]
    assert found.tolist() == pytest.approx(wanted, abs=1e-10)
    assert found.mean().item() == pytest.approx(0.4301902771, abs=1e-10)
    alone = contrast(h, torch.tensor([0, 1, 2, 3]), 0.5)
    assert not alone.any()  # nobody has a mate


TRACED = [pytest.param(name, marks=pytest.mark.slow) for name in ("serial", "threads")]


@pytest.mark.parametrize("execution", ["vmap", *TRACED])
@pytest.mark.parametrize("mu", [0.0, 0.5])
def test_the_server_learns_from_what_all_hand_over(execution: str, mu: float) -> None:
    family, module = federation(), network()
    inner = InnerLoop(SGD(0.1), 2, fixed=["server.*"])
    algorithm = Harmony(inner, mu=mu, server_steps=2)
    start, tasks = Start(Net(module).params(), {}), episodes(family)
    batch = MetaBatch(algorithm, family.objective, PerEntry())
    total, _, _ = batch.total(EXECUTIONS[execution](module), start, tasks)
    direction = batch.direction(total, 3, module, start.params)

    problem, zs, ys = Problem(Net(module), family.objective), [], []
    for task in tasks:
        end = inner.adapt(problem, start, task).params
        client = network()
        client.load_state_dict(end)
        given = (task.extras[name] for name in client.takes)
        client.cut.register_forward_hook(lambda *call: zs.append(call[2].detach()))
        client(task.support_x, *given)
        ys.append(task.support_y)
    server = network().server
    optimizer = torch.optim.SGD(server.parameters(), lr=0.1)
    for _ in range(2):
        h, logits = server(torch.cat(zs))
        y = torch.cat(ys)
        loss = F.cross_entropy(logits, y) + mu * contrast(F.normalize(h), y, 0.2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, p in server.named_parameters():
        moved = start.params[f"server.{name}"] - direction[f"server.{name}"]
        torch.testing.assert_close(moved, p.detach(), rtol=1e-9, atol=1e-12)


def test_a_round_has_every_client_once() -> None:
    family, module = federation(), network()
    algorithm = Harmony(InnerLoop(SGD(0.1), 1, fixed=["server.*"]))
    start, tasks = Start(Net(module).params(), {}), episodes(family)
    batch = MetaBatch(algorithm, family.objective, PerEntry())
    for some in (tasks[:2], [*tasks, tasks[0]]):
        total, _, _ = batch.total(EXECUTIONS["vmap"](module), start, some)
        with pytest.raises(ValueError, match="the tasks of a round must be each client once"):
            batch.direction(total, len(some), module, start.params)


# --- the clients


def test_what_a_client_holds_and_is_asked() -> None:
    family = federation()
    assert family.held == [[0, 1], [2, 3], [4, 5]]
    assert Clients().held[0] == [0, 1, 2, 3]
    assert Clients().held[5] == [10, 11, 0, 1]
    one, again = episodes(family)[1], episodes(family, round=1)[1]
    assert one.support_y.tolist() == [2, 2, 2, 3, 3, 3]
    assert one.extras["own"].tolist() == [False, False, True, True, False, False]
    assert (one.extras["width"], one.extras["client"]) == (0.5, 1)
    assert not torch.equal(one.support_x, again.support_x)  # shifted anew
    asked = episodes(family, "test")[1]
    images = family.images.double()
    assert torch.equal(asked.support_x, images[[2, 3], :3].flatten(0, 1))
    assert torch.equal(asked.query_x, images[:, 14:].flatten(0, 1))
    assert asked.query_y.bincount().tolist() == [6] * 6
    size, before = 28, F.pad(images[2, 0], (2, 2, 2, 2))
    moved = [before[:, i : i + size, j : j + size] for i in range(5) for j in range(5)]
    assert any(torch.equal(one.support_x[0], place) for place in moved)


def test_what_is_measured_of_a_client() -> None:
    given = {"own": torch.tensor([True, False, False])}
    exits = torch.tensor([[9.0, 0, 0], [0.0, 9, 9], [9.0, 0, 0], [9.0, 0, 0]])
    server = torch.tensor([[0.0, 0, 9], [9.0, 0, 0], [0.0, 9, 0], [9.0, 0, 0]])
    targets = torch.tensor([0, 0, 1, 2])
    found = OwnAndOthers().metrics(torch.cat([exits, server], 1), targets, given)
    assert (found["acc"], found["server_own"], found["server_others"]) == (0.5, 0.5, 0.5)
    x = torch.rand(7, 3).double()
    turn, _ = torch.linalg.qr(torch.rand(3, 3).double())
    assert cka(x, 2 * x @ turn + 1).item() == pytest.approx(1.0)
    flat = x.clone()
    flat[:, 1:] = 0
    assert 0 < cka(x, flat).item() < 1
    module, family = network(), federation()
    task = episodes(family, "test")[0]
    probed = family.objective.probe(Net(module), Net(module).params(), task)
    assert 0 < probed["cka"].item() < 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Split((1.0, 0.02)),
            "model.widths[1]=0.02: must be at most 1, and leave a channel of 32. Use 0.03125",
        ),
        (lambda: Split((1.5,)), "model.widths[0]=1.5: must be at most 1"),
        (
            lambda: Clients(widths=(1, 1), own=[[0, 1], []], characters=3),
            "dataset.own[1]=[]: must be some of the 3 characters, not none and not all",
        ),
        (
            lambda: Clients(widths=(1, 1), own=[[0, 1, 2]] * 2, characters=3),
            "dataset.own[0]=[0, 1, 2]: must be some of the 3 characters, not none and not all",
        ),
        (
            lambda: Clients(widths=(1, 1), own=[[0, 1], [0, 3]], characters=3),
            "dataset.own[1]=[0, 3]: must be some of the 3 characters",
        ),
        (
            lambda: Clients(widths=(1, 1), own=[[0], [2]], characters=4),
            "dataset.own: no client holds [1, 3], so that nobody could learn these. Give them to",
        ),
        (
            lambda: Clients(widths=(1, 1, 1), own=[[0], [1]], characters=2),
            "dataset.own=[[0], [1]]: must be a list of numbers for each of the 3 dataset.widths",
        ),
        (
            lambda: federation().open()["train"].check(EpisodeSpec(5, 3, 1, 1)),
            "shots.ways=5, shots=3: a client has 2 characters and 14 drawings of each that train",
        ),
        (
            lambda: Clients(shift=-1),
            "dataset.shift=-1: must be at least 0. For example dataset.shift=2",
        ),
        (
            lambda: Clients(shift=40),
            "dataset.shift=40: must be at most 27. For example dataset.shift=2",
        ),
        (lambda: Clients(characters=3000), "dataset.characters=3000: must be at most 1200. For"),
        (lambda: Clients(characters=1), "dataset.characters=1: must be at least 2. For example"),
        (
            lambda: Harmony(InnerLoop(SGD(0.1), 1), server_steps=-1),
            "algorithm.server_steps=-1: must be at least 0",
        ),
        (
            lambda: Harmony(InnerLoop(SGD(0.1), 1, fixed=["server.*", "layers.0.*"])),
            "algorithm.inner.fixed=[server.*,layers.0.*]: Harmony learns nothing but what its "
            "tasks adapt and server.*, so these would keep their random values. Use "
            "algorithm.inner.fixed=[server.*]",
        ),
        (
            lambda: Harmony(InnerLoop(SGD(0.1), 1), tau=0.0),
            "algorithm.tau=0.0: must be above 0",
        ),
        (
            lambda: build_outer(
                {"optimizer": "SGD", "lr": 1, "final_lr": None, "options": {}, "aggregator": "each"}
            ),
            "algorithm.outer.aggregator=each: must be one of mean, per_entry, per_entry_by_ex",
        ),
    ],
)
def test_what_is_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()
