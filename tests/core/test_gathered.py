"""The rule that keeps the gradients it meets."""

from __future__ import annotations

import torch
from torch.utils._pytree import tree_map

from fewstep.core.rules import SGD, Adam, Prox
from fewstep.core.rules.gathered import Gathered


def test_it_adds_up_weighted_gradients_and_steps_as_its_rule_does() -> None:
    weights, params = (0.0, 0.5, 2.0), {"w": torch.tensor([1.0, -2.0])}
    grads = [{"w": torch.tensor(g)} for g in ([1.0, 0.5], [0.25, -1.0], [3.0, 2.0])]
    for rule in (SGD(0.1), Adam(0.01)):
        gathered, there, state = Gathered(rule, weights), params, rule.init(params)
        here, kept = params, gathered.gathering(params, rule.init(params))
        for grad in grads:
            there, state = rule.step(there, grad, state)
            here, kept = gathered.step(here, grad, kept)
        total, left = gathered.gathered(kept)
        assert torch.equal(here["w"], there["w"])
        assert left.keys() == state.keys()
        assert torch.equal(total["w"], torch.tensor([0.125 + 6.0, -0.5 + 4.0]))


def test_its_step_in_place_is_its_step() -> None:
    """Written for speed: of a combination it takes as long as Reptile's."""
    params = {"w": torch.tensor([1.0, -2.0])}
    for rule in (SGD(0.1), Adam(0.01), Prox(0.1, 2.0)):
        gathered = Gathered(rule, (0.0, 0.5, 2.0))
        first = rule.begin(params, rule.init(params), torch.tensor(0))[1]
        here, kept = params, gathered.gathering(params, first)
        there = {"w": params["w"].clone()}
        state = tree_map(torch.clone, kept)
        for g in ([1.0, 0.5], [0.25, -1.0], [3.0, 2.0]):
            grad = {"w": torch.tensor(g)}
            here, kept = gathered.step(here, grad, kept)
            gathered.step_(there, {"w": grad["w"].clone()}, state)
            torch.testing.assert_close((there, state), (here, kept))


def test_a_rule_that_stays_still_meets_the_gradients() -> None:
    rule, params = Adam(0.01), {"w": torch.tensor([1.0, -2.0])}
    still = Gathered(rule, (1.0, 1.0), moves=False)
    state = still.gathering(params, rule.init(params))
    here = {"w": params["w"].clone()}
    for _ in range(2):
        still.step_(here, {"w": torch.tensor([1.0, 2.0])}, state)  # as an inner loop calls it
    assert torch.equal(here["w"], params["w"])
    total, left = still.gathered(state)
    assert torch.equal(total["w"], torch.tensor([2.0, 4.0]))
    assert int(left["t"]) == 2
