"""Programs compute what their functions do, and say so when they cannot."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fewstep.algorithms.maml import MAML
from fewstep.inner import InnerLoop
from fewstep.models import MiniImagenetConv, OmniglotConv
from fewstep.net import Net
from fewstep.programs import Programs
from fewstep.rules import SGD, Adam, Rule
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
        ours, theirs = [a * scale for a in args], [a * scale for a in args]
        got, want = program(*ours), function(net, *fixed, *theirs)
        torch.testing.assert_close(got, want, rtol=0, atol=0)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)  # what it wrote into them


@pytest.mark.parametrize("rule", [SGD(0.05), Adam(0.002)])
@pytest.mark.parametrize("model", [OmniglotConv, MiniImagenetConv])
def test_an_inner_loop_is_the_same(model: Callable, rule: Rule) -> None:
    torch.manual_seed(0)
    net = Net(model(3, in_channels=1, size=12, channels=8).double())
    params, inner, episode = net.params(), InnerLoop(rule, 3), image_episode(size=12)
    state = rule.init(params)
    want = inner.adapt(net, params, state, episode, CLASSIFICATION)
    got = inner.adapt(with_programs(net), params, state, episode, CLASSIFICATION)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-10)


def test_a_second_derivative_is_part_of_the_program() -> None:
    net, episode = small_net(), small_episode(steps=3)
    params, maml = net.params(), MAML(InnerLoop(Adam(0.01), 3))
    state = maml.inner.rule.init(params)
    want = maml.direction(net, params, state, episode, REGRESSION)
    got = maml.direction(with_programs(net), params, state, episode, REGRESSION)
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


def test_one_program_for_each_shape() -> None:
    calls = []

    def function(net: Net, x: Tensor) -> Tensor:
        calls.append(len(x))
        return x + 1

    net = with_programs(small_net())
    for length in (2, 2, 3, 2, 3):
        assert torch.equal(net.run(function, (), torch.zeros(length)), torch.ones(length))
    assert calls == [2, 2, 3, 3]  # the function itself and its trace, once for each


def test_one_program_for_each_rule() -> None:
    """What a function reads besides its tensors is a constant of the program."""
    net, episode = with_programs(small_net()), small_episode(steps=1)
    for lr in (0.1, 0.2):
        inner, params = InnerLoop(SGD(lr), 1), net.params()
        got = inner.adapt(net, params, {}, episode, REGRESSION).params
        want = inner.adapt(small_net(), params, {}, episode, REGRESSION).params
        torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_threads_share_one() -> None:
    calls, found, programs = [], [], Programs()

    def function(net: Net, x: Tensor) -> Tensor:
        calls.append(None)
        return x.cos()

    def work() -> None:
        net = Net(small_net().module, programs=programs)
        found.append(net.run(function, (), torch.ones(4)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 2
    assert all(torch.equal(x, torch.ones(4).cos()) for x in found)
    assert len(found) == 4


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
    with pytest.warns(UserWarning, match="two calls with the same inputs differ"):
        program = net.program(function, (), (torch.ones(100),))
    assert not torch.equal(program(torch.ones(100)), program(torch.ones(100)))


def test_an_error_of_the_function_is_its_own() -> None:
    def function(net: Net, x: Tensor) -> Tensor:
        raise ValueError("no such class")

    with pytest.raises(ValueError, match="no such class"):
        with_programs(small_net()).run(function, (), torch.ones(1))
