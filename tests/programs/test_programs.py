"""Programs compute what their functions do, and say so when they cannot."""

from __future__ import annotations

import random
import threading
import types
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.maml import MAML
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam, Rule, State
from fewstep.core.types import Params, Start
from fewstep.models import MiniImagenetConv, OmniglotConv
from fewstep.models.layers import SameConv2d
from fewstep.programs import tracing
from fewstep.programs.library import LIMIT, Programs
from problems import CLASSIFICATION, REGRESSION, image_episode, small_episode, small_net


def with_programs(net: Net) -> Net:
    return Net(net.module, programs=Programs())


def agree(function: Callable, *args: Tensor, fixed: tuple = ()) -> None:
    """A program of `function` finds bit for bit what the function does, on other values too."""
    net = with_programs(small_net())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program = net.program(function, fixed, args)
    assert program is not function
    for scale in (1.0, -2.0):
        ours, theirs = (
            [torch.empty_strided(a.shape, a.stride()).copy_(a * scale) for a in args]
            for _ in range(2)
        )
        got, want = program(*ours), function(net, *fixed, *theirs)
        torch.testing.assert_close(got, want, rtol=0, atol=0)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)  # what it wrote into them


def test_patience_is_how_often_a_function_is_called_as_it_is() -> None:
    def add(net: Net, x: Tensor) -> Tensor:
        return x + 1

    programs, x = Programs(patience=2), torch.ones(2)
    found = [programs.find(small_net(), add, (), (x,)) for _ in range(4)]
    assert [program is None for program in found] == [True, True, False, False]
    assert found[3](x).tolist() == [2, 2]


def test_functions_that_are_new_at_every_call_are_not_kept() -> None:
    programs, net = Programs(patience=1), small_net()
    for number in range(3 * LIMIT):
        assert programs.find(net, lambda net, x, n=number: x + n, (), (torch.ones(2),)) is None
    assert len(programs._met) <= LIMIT


@pytest.mark.parametrize("rule", [SGD(0.05), Adam(0.002)])
@pytest.mark.parametrize("model", [OmniglotConv, MiniImagenetConv])
def test_an_inner_loop_is_the_same(model: Callable, rule: Rule) -> None:
    torch.manual_seed(0)
    net = Net(model(3, in_channels=1, size=12, channels=8).double())
    params, inner, episode = net.params(), InnerLoop(rule, 3), image_episode(size=12)
    state = rule.init(params)
    want = inner.adapt(Problem(net, CLASSIFICATION), Start(params, state), episode)
    got = inner.adapt(Problem(with_programs(net), CLASSIFICATION), Start(params, state), episode)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_rounding_that_adam_remembers_is_no_reason_to_refuse_a_program() -> None:
    """The gradient of a bias in front of a batch norm is rounding; so is what is kept of it."""
    torch.manual_seed(0)
    module = OmniglotConv(3).to(memory_format=torch.channels_last)
    for layer in module.modules():
        if isinstance(layer, SameConv2d):
            layer.normalized = False  # as in anybody's network, which adds such a bias
    net, episode = Net(module), image_episode(steps=40)
    images = episode.support_x.float().to(memory_format=torch.channels_last)
    episode, inner = episode._replace(support_x=images), InnerLoop(Adam(0.001), 40)
    args = Start(net.params(), inner.rule.init(net.params())), episode
    params, state, _ = inner.adapt(Problem(net, CLASSIFICATION), *args)
    assert 0 < state["v"]["features.0.bias"].max() < 1e-10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inner.adapt(Problem(with_programs(net), CLASSIFICATION), Start(params, state), episode)


def test_a_second_derivative_is_part_of_the_program() -> None:
    net, episode = small_net(), small_episode(steps=3)
    params, maml = net.params(), MAML(InnerLoop(Adam(0.01), 3))
    state = maml.inner.rule.init(params)
    want = maml.direction(Problem(net, REGRESSION), Start(params, state), episode)
    got = maml.direction(Problem(with_programs(net), REGRESSION), Start(params, state), episode)
    torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_views_of_views() -> None:
    def function(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
        made = x * 2
        part = made.permute(1, 0)[1:].reshape(-1, 2)[::2, 1]
        part += 1  # seen by every other view of it
        return made.t()[0], part.unsqueeze(0).expand(3, -1).sum(0)

    agree(function, torch.arange(12.0).view(4, 3))


def test_an_input_may_begin_anywhere_in_its_memory() -> None:
    """Rows of one tensor are its minibatches, and each begins elsewhere."""

    def function(net: Net, rows: Tensor) -> Tensor:
        first, second = rows.split(2)
        return rows.view(2, 2).t()[1] * second.view(2, 1).t()[0] + rows.unbind()[3] - first[1:]

    net, rows = with_programs(small_net()), torch.arange(12.0).view(3, 4)
    program = net.program(function, (), (rows[0],))
    for row in rows:
        assert torch.equal(program(row), function(net, row))


def test_two_inputs_may_share_their_memory() -> None:
    def function(net: Net, a: Tensor, b: Tensor) -> Tensor:
        return a.t()[0] * b.t()[1]

    whole = torch.arange(8.0).view(2, 2, 2)
    net = with_programs(small_net())
    program = net.program(function, (), (whole[0], whole[1]))
    for a, b in [(whole[0], whole[1]), (whole[1], whole[0]), (whole[0] + 1, whole[1] - 1)]:
        assert torch.equal(program(a, b), function(net, a, b))


def test_constants() -> None:
    table = torch.tensor([1.0, 2.0, 3.0])

    def function(net: Net, x: Tensor) -> Tensor:
        masked = torch.where(x > 0, x, float("-inf")).clamp(min=-1e3, max=float("inf"))
        return masked * table + torch.arange(3, dtype=torch.float64)

    agree(function, torch.tensor([1.0, -1.0, 2.0]))


def test_writing_into_an_argument() -> None:
    def function(net: Net, x: Tensor, y: Tensor) -> Tensor:
        x[1:] += y
        return x

    agree(function, torch.ones(3), torch.arange(2.0))


CALLS: list[int] = []
"""Global: a list of the function's own that grows would be another setting at every call."""


def test_one_program_for_each_shape() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        CALLS.append(len(x))
        return x + 1

    CALLS.clear()
    net = with_programs(small_net())
    for length in (2, 2, 3, 2, 3):
        assert torch.equal(net.run(function, (), torch.zeros(length)), torch.ones(length))
    assert CALLS == [2, 2, 2, 3, 3, 3]  # for each its trace, and two calls to compare with


def test_one_program_for_each_rule() -> None:
    """What a function reads besides its tensors is a constant of the program."""
    net, episode = with_programs(small_net()), small_episode(steps=1)
    for lr in (0.1, 0.2):
        inner, params = InnerLoop(SGD(lr), 1), net.params()
        got = inner.adapt(Problem(net, REGRESSION), Start(params, {}), episode).params
        want = inner.adapt(Problem(small_net(), REGRESSION), Start(params, {}), episode).params
        torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_threads_share_one() -> None:
    found, programs = [], Programs()
    CALLS.clear()

    def function(net: Net, x: Tensor) -> Tensor:
        CALLS.append(len(x))
        return x.cos()

    def work(net: Net) -> None:
        found.append(net.run(function, (), torch.ones(4)))

    nets = [Net(small_net().module, programs=programs) for _ in range(4)]
    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(CALLS) == 3  # its trace, and two calls to compare with
    assert all(torch.equal(x, torch.ones(4).cos()) for x in found)
    assert len(found) == 4


def test_another_thread_may_draw_random_numbers_meanwhile(monkeypatch) -> None:
    """It moves the same generators, now and then; a function that draws does so at every trace."""
    chances = iter([0, 1, 1, 1])
    monkeypatch.setattr(tracing, "chance", lambda: next(chances))
    agree(lambda net, x: x.sin(), torch.ones(2))
    assert next(chances, None) is None


def test_control_flow_that_depends_on_values_runs_as_it_is() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x * 3

    net = with_programs(small_net())
    with pytest.warns(UserWarning, match=r"function runs without a program, which is slower: .+"):
        program = net.program(function, (), (torch.ones(2),))
    assert torch.equal(program(torch.ones(2)), torch.full((2,), 2.0))
    assert torch.equal(program(-torch.ones(2)), torch.full((2,), -3.0))


def test_dropout_runs_as_it_is() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        return nn.functional.dropout(x)

    net = with_programs(small_net())
    with pytest.warns(UserWarning, match="it draws random numbers"):
        program = net.program(function, (), (torch.ones(100),))
    assert not torch.equal(program(torch.ones(100)), program(torch.ones(100)))


def reads_a_list(net: Net, x: Tensor) -> Tensor:
    return x * x.bincount(minlength=3).tolist()[1]


def reads_an_array(net: Net, x: Tensor) -> Tensor:
    return x * float(x.numpy().sum())


def draws(net: Net, x: Tensor) -> Tensor:
    return x * (2 if random.random() < 0.5 else 3)


def draws_like_numpy(net: Net, x: Tensor) -> Tensor:
    return x * np.random.randint(5)


def selects(net: Net, x: Tensor) -> Tensor:
    return x[x == 1].sum() / len(x[x == 1])


def prints(net: Net, x: Tensor) -> Tensor:
    return x * len(f"{x}")


def splits(net: Net, x: Tensor) -> Tensor:
    return torch.tensor_split(x, x[:1])[0].sum()


def finds_its_shape(net: Net, x: Tensor) -> Tensor:
    return x.sum() / torch.unique(x).shape[0]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (reads_a_list, "it reads values"),
        (reads_an_array, "it reads values"),
        (prints, "it reads values"),
        (splits, "it reads values"),
        (draws, "it draws random numbers"),
        (draws_like_numpy, "it draws random numbers"),
        (selects, "depends on values"),
        (finds_its_shape, "depends on values"),
    ],
)
def test_what_a_program_could_get_wrong_is_refused(function: Callable, reason: str) -> None:
    net, x = with_programs(small_net()), torch.tensor([1, 1, 2])
    with pytest.warns(UserWarning, match=rf"{function.__name__} runs without .*{reason}"):
        program = net.program(function, (), (x,))
    if not reason.startswith("it draws"):
        for other in (x, torch.tensor([1, 2, 2])):
            assert torch.equal(program(other), function(net, other))


def test_a_setting_that_changes_makes_another_program() -> None:
    """A task or a rule may have attributes of its own, whatever its class says is equal."""

    def function(net: Net, task: Any, x: Tensor) -> Tensor:
        return x * task.weight

    net, task = with_programs(small_net()), types.SimpleNamespace(weight=1.0)
    assert net.run(function, (task,), torch.ones(1)) == 1
    task.weight = 0.5
    assert net.run(function, (task,), torch.ones(1)) == 0.5


def test_every_way_of_holding_a_setting_is_seen_to_change() -> None:
    class Scale(nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def forward(self, x: Tensor) -> Tensor:
            return x * self.by

    class Slots:
        __slots__ = ("__by",)

        def __init__(self, by: float) -> None:
            self.__by = by

        def __call__(self, x: Tensor) -> Tensor:
            return x * self.__by

    class Base:
        pass

    class SlotsOfAnOrdinaryBase(Base, Slots):
        pass

    def of(by: float) -> list[Callable]:
        return [
            partial(torch.mul, other=by),
            lambda x: x * by,
            lambda x, by=by: x * by,
            Scale(by),
            Scale(by).forward,
            nn.Sequential(Scale(by)),
            Slots(by),
            SlotsOfAnOrdinaryBase(by),
            partial(lambda x, held: x * held["all"][0], held={"all": [by]}),
        ]

    def function(net: Net, task: Any, x: Tensor) -> Tensor:
        return task.scale(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for first, second in zip(of(2.0), of(3.0), strict=True):
            net, task = with_programs(small_net()), types.SimpleNamespace(scale=first)
            assert net.run(function, (task,), torch.ones(1)) == 2
            task.scale = second
            assert net.run(function, (task,), torch.ones(1)) == 3
            for by in range(4, 14):  # a new object may lie where an old one lay
                task.scale = lambda x, by=by: x * by
                assert net.run(function, (task,), torch.ones(1)) == by


def test_a_module_that_a_task_holds_may_be_switched() -> None:
    def function(net: Net, task: Any, x: Tensor) -> Tensor:
        return task.criterion(x) if task.criterion.training else -x

    net, task = with_programs(small_net()), types.SimpleNamespace(criterion=nn.Identity())
    assert net.run(function, (task,), torch.ones(1)) == 1
    task.criterion.eval()
    assert net.run(function, (task,), torch.ones(1)) == -1


@pytest.mark.parametrize(
    "held",
    [np.ones(2), random.Random(0), np.random.default_rng(0), torch.Generator(), bytearray(b"1")],
    ids=lambda held: type(held).__name__,
)
def test_what_may_change_without_a_sign_runs_as_it_is(held: Any) -> None:
    def function(net: Net, task: Any, x: Tensor) -> Tensor:
        return x + 1

    net, task = with_programs(small_net()), types.SimpleNamespace(held=held)
    with pytest.warns(UserWarning, match=f"holds a {type(held).__name__}, which may change"):
        assert net.run(function, (task,), torch.ones(1)) == 2


def test_a_task_that_holds_a_world_runs_as_it_is() -> None:
    def function(net: Net, task: Any, x: Tensor) -> Tensor:
        return x + 1

    net, task = with_programs(small_net()), types.SimpleNamespace(names=[[i] for i in range(2000)])
    task.itself = task
    with pytest.warns(UserWarning, match="more than 1000 values"):
        assert net.run(function, (task,), torch.ones(1)) == 2


def test_a_rule_may_remember_more_with_each_gradient() -> None:
    class Recent(Rule):
        """Divides by the mean of the last three gradient norms."""

        lr = 0.1

        def init(self, params: Params) -> State:
            return {"norms": torch.zeros(0, dtype=torch.float64)}

        def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
            norm = sum((g**2).sum() for g in grads.values()).sqrt()
            norms = torch.cat([state["norms"], norm[None]])[-3:]
            mean = norms.mean()
            return {n: p - self.lr * grads[n] / mean for n, p in params.items()}, {"norms": norms}

    net, inner, episode = small_net(), InnerLoop(Recent(), 5), small_episode(steps=5)
    args = Start(net.params(), inner.rule.init(net.params())), episode
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = inner.adapt(Problem(with_programs(net), REGRESSION), *args)
    torch.testing.assert_close(
        got, inner.adapt(Problem(net, REGRESSION), *args), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("scale", [1.0, 1e7])
def test_many_products_of_one_tensor(scale: float) -> None:
    """TorchScript would make one product of them, whose parts have other strides."""

    def function(net: Net, x: Tensor, weights: Tensor) -> list[Tensor]:
        products = [x @ weight for weight in weights.unbind()]
        return [torch.cat([p.t()[0] for p in products]), sum(p.t() for p in products)]

    agree(function, scale * torch.ones(3, 4), torch.arange(96.0).view(12, 4, 2))


def test_parts_that_do_not_say_that_they_are() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        return torch.unsafe_split(x, 2)[1].view(2).unsqueeze(0).t()[0] * 2

    net, rows = with_programs(small_net()), torch.arange(12.0).view(3, 4)
    program = net.program(function, (), (rows[0],))
    for row in rows:
        assert torch.equal(program(row), function(net, row))


def test_a_function_that_is_new_at_every_call_ends_as_it_is() -> None:
    net = with_programs(small_net())

    def call(i: int) -> None:
        assert net.run(lambda net, x: x + i, (), torch.zeros(1)) == i

    for i in range(LIMIT):
        call(i)
    with pytest.warns(UserWarning, match=f"there are {LIMIT} already"):
        call(LIMIT)
    call(LIMIT + 1)


def test_names_are_part_of_the_arguments() -> None:
    def function(net: Net, x: dict[str, Tensor]) -> Tensor:
        return x["a"] - x["b"]

    net, (a, b) = with_programs(small_net()), (torch.ones(1), torch.zeros(1))
    assert net.run(function, (), {"a": a, "b": b}) == 1
    assert net.run(function, (), {"b": b, "a": a}) == 1


def test_a_rule_may_begin_to_remember_with_its_first_gradient() -> None:
    class Momentum(Rule):
        lr = 0.1

        def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
            past = state.get("past", {name: torch.zeros_like(g) for name, g in grads.items()})
            moved = {name: 0.9 * past[name] + g for name, g in grads.items()}
            return {n: p - self.lr * moved[n] for n, p in params.items()}, {"past": moved}

    net, inner, episode = small_net(), InnerLoop(Momentum(), 3), small_episode()
    want = inner.adapt(Problem(net, REGRESSION), Start(net.params(), {}), episode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = inner.adapt(Problem(with_programs(net), REGRESSION), Start(net.params(), {}), episode)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


def test_what_asks_for_gradients_gets_them() -> None:
    net, x = with_programs(small_net()), torch.ones(2, requires_grad=True)
    (slope,) = torch.autograd.grad(net.run(lambda net, x: (x**2).sum(), (), x), x)
    assert torch.equal(slope, torch.full((2,), 2.0))


def test_a_parameter_that_nothing_uses_stays_where_it_is() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    net, inner = Net(Spare()), InnerLoop(SGD(0.1), 2)
    for one in (net, with_programs(net)):
        params = inner.adapt(
            Problem(one, REGRESSION), Start(net.params(), {}), small_episode()
        ).params
        assert torch.equal(params["spare.weight"], net.params()["spare.weight"])
        assert not torch.equal(params["used.weight"], net.params()["used.weight"])


def test_a_result_that_depends_on_nothing_is_new_at_every_call() -> None:
    def function(net: Net, x: Tensor) -> list[Tensor]:
        return [torch.zeros(2), x + 1]

    net = with_programs(small_net())
    for _ in range(3):
        result, other = net.run(function, (), torch.ones(1))
        assert torch.equal(result, torch.zeros(2))
        assert torch.equal(other, torch.full((1,), 2.0))
        result += 1
    assert len(net.programs._known) == 1


def test_memory_that_is_read_as_another_type_runs_as_it_is() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        return (x * 2).view(torch.int32).view(2, 2).t()[0] + 0

    net, x = with_programs(small_net()), torch.arange(4.0)
    with pytest.warns(UserWarning, match="function runs without a program"):
        program = net.program(function, (), (x,))
    assert torch.equal(program(x), function(net, x))


def test_results_in_a_given_place() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        b = torch.empty(4)
        torch.mul(x, 2, out=b)
        return b.view(2, 2).t()[1] + 0

    agree(function, torch.arange(4.0))


def test_rows_with_gaps_between_them() -> None:
    agree(lambda net, x: x[1:].t().reshape(-1) + 1, torch.arange(32.0).view(4, 8)[:, ::2])


def test_an_error_of_the_function_is_its_own() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        raise ValueError("no such class")

    with pytest.raises(ValueError, match="no such class"):
        with_programs(small_net()).run(function, (), torch.ones(1))
