"""Langevin descent: its noise, its fixed points, its posterior, and Bayes' own answer."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.maml import MAML
from fewstep.core.net import Net
from fewstep.core.objectives import ChainMean
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Langevin, langevin
from fewstep.core.rules.gaussian import gaussian
from fewstep.core.types import Episode, EpisodeSpec, Params, Start
from fewstep.data.linear import Linear
from fewstep.data.posterior import PosteriorMean
from fewstep.models import LinearChains
from problems import finite_differences, largest_difference


KEY = torch.tensor(12345)
GRAM = torch.tensor([[1.0, 2], [0, 1], [1, -1]], dtype=torch.float64)
ANSWERS = torch.tensor([[1.0], [0.5], [-1]], dtype=torch.float64)
MIDDLE = torch.tensor([0.3, -0.2], dtype=torch.float64)
RIDGE = [-0.1914917127, 0.5672928177]


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def problem(chains: int = 2, d: int = 2) -> Problem:
    return Problem(Net(LinearChains(d, chains).double()), ChainMean())


def episode(steps: int, key: int = 7) -> Episode:
    one = torch.eye(2, dtype=torch.float64)
    rows = torch.arange(3).repeat(steps, 1)
    return Episode(GRAM, ANSWERS, one, double(0.1, 0.4)[:, None], rows, torch.tensor(key))


def test_the_noise_is_that_of_its_key_step_and_entry() -> None:
    first = gaussian(KEY, torch.tensor(0), 0, 4)
    wanted = double(0.6856093014, 0.9108715047, -0.8905115286, 0.5770227989)
    assert torch.allclose(first, wanted, atol=1e-9)
    second = gaussian(KEY, torch.tensor(1), 0, 2)
    assert torch.allclose(second, double(0.6127763625, 1.4014604431), atol=1e-9)
    assert torch.equal(gaussian(KEY, torch.tensor(0), 2, 2), first[2:])
    many = gaussian(KEY, torch.tensor(0), 0, 10**6)
    assert abs(float(many.mean())) < 1e-4
    assert float(many.var()) == pytest.approx(1.0001, abs=2e-4)
    assert float(many.pow(4).mean()) == pytest.approx(2.9988, abs=1e-4)  # a normal's is 3
    keys = torch.tensor([1, 2])
    each = torch.func.vmap(lambda key: gaussian(key, torch.tensor(0), 0, 3))(keys)
    assert torch.equal(each[1], gaussian(keys[1], torch.tensor(0), 0, 3))


def test_of_a_posterior_that_is_not_gaussian_it_finds_the_mean() -> None:
    """The quadrature's is 0.0830; at this rate the bias is 0.009, and the mode is at -0.08."""
    rule, params = skewed(0.02, burn_in=100), {"w": double(0.5).repeat(4096)[:, None]}
    state = begun(rule, params)
    for _ in range(400):
        params, state = rule.step(params, {"w": skewed_slope(params["w"])}, state)
    assert float(rule.finish(params, state)["w"].mean()) == pytest.approx(0.0951221540, rel=1e-9)


def skewed(rate: float, **more) -> Langevin:
    """The rule of a posterior that is not Gaussian, of one weight."""
    return Langevin(rate, prior="one_sided", lam=1.0, beta=2.0, kappa=10.0, **more)


def skewed_slope(w: Tensor) -> Tensor:
    """The derivative of half the squared errors at x = 1 and -1/2, for chains [N, 1]."""
    x, y = double(1, -0.5), double(0.2, 0.4)
    return ((w * x - y) * x).sum(1, keepdim=True)


def begun(rule: Langevin, params: Params) -> dict:
    """The state of a task."""
    found = rule.learned(params)
    state = {n: found[f"inner/{n}"] for n in ("log_lam", "log_beta", "log_kappa")}
    return rule.begin(params, {**state, "m": {"w": found["inner/m/w"]}}, torch.tensor(7))[1]


GRID = torch.linspace(-2.5, 4, 1301, dtype=torch.float64)


def moved(rate: float) -> Tensor:
    """Where a step without noise leads from each place of the grid."""
    rule, params = skewed(rate, temperature=0.0), {"w": GRID[:, None]}
    return rule.step(params, {"w": skewed_slope(GRID[:, None])}, begun(rule, params))[0]["w"][:, 0]


def posterior() -> tuple[Tensor, Tensor]:
    """exp(-U) on the grid and U, by summing up what the rule takes for U's derivative."""
    drift = (GRID - moved(0.01)) / 0.01
    energy = torch.cat([double(0), torch.cumulative_trapezoid(drift, GRID)])
    weight = (energy.min() - energy).exp()
    return weight / weight.sum(), energy


def test_the_posterior_that_the_drift_is_of() -> None:
    weight, energy = posterior()
    mean = (weight * GRID).sum()
    assert float(mean) == pytest.approx(0.0829868949, abs=1e-7)
    assert float(GRID[energy.argmin()]) == pytest.approx(-0.08, abs=1e-9)
    assert float((weight * (GRID - mean) ** 2).sum().sqrt()) == pytest.approx(0.41368, abs=1e-5)


def test_the_bias_of_finite_steps_goes_to_zero_with_them() -> None:
    """Of the distribution that steps with noise of N(0, 2 rate) keep, found without drawing any;
    drawn it is 0.01886, 0.00881 and 0.00434, each within 0.0004."""
    weight, _ = posterior()
    mean, places, found = float((weight * GRID).sum()), GRID[::2], []
    for rate in (0.04, 0.02, 0.01):
        step = (-((places - moved(rate)[::2, None]) ** 2) / (4 * rate)).exp()
        step, kept = step / step.sum(1, keepdim=True), weight[::2] / weight[::2].sum()
        for _ in range(round(8 / rate)):
            kept = kept @ step
        found.append(float((kept * places).sum()) - mean)
    assert found == pytest.approx([0.01886, 0.00881, 0.00434], abs=0.0004)
    assert all(1.8 < a / b < 2.4 for a, b in pairwise(found))


def test_the_mean_of_an_antithetic_pair_is_descent(monkeypatch) -> None:
    """Of a Gaussian posterior, whose drift is linear: the noise of one chain is the other's, turned
    around, and leaves their mean alone."""
    own, some = langevin.gaussian, problem(chains=2)

    def both_ways(key: Tensor, step: Tensor, entry: int, count: int) -> Tensor:
        noise = own(key, step, entry, count // 2)
        return torch.cat([noise, -noise])

    monkeypatch.setattr(langevin, "gaussian", both_ways)
    ends = []
    for temperature in (1.0, 0.0):
        rule = Langevin(0.02, temperature, 29, prior="gaussian", lam=1.5, beta=4.0)
        inner = InnerLoop(rule, 30, loss="sum", reset=("weight",))
        end = inner.adapt(some, start_of(rule, some.net.params()), episode(30))
        ends.append(inner.finish(end.start)["weight"])
    noisy, still = ends
    assert float((noisy[0] - noisy[1]).abs().min()) > 1e-3
    assert float((noisy.mean(0) - still[0]).abs().max()) < 4e-16


def start_of(rule: Langevin, params: Params) -> Start:
    learned = rule.learned(params)
    return Start({**params, **learned, "inner/m/weight": MIDDLE.clone()}, {})


def test_without_noise_it_is_descent_and_ends_at_ridge_regression() -> None:
    rule = Langevin(0.02, temperature=0.0, prior="gaussian", lam=1.5, beta=4.0)
    some = problem(chains=1)
    inner = InnerLoop(rule, 60, loss="sum", reset=("weight",))
    end = inner.adapt(some, start_of(rule, some.net.params()), episode(60))
    w = inner.finish(end.start)["weight"][0]
    assert (w - double(*RIDGE)).abs().max() == pytest.approx(8.2e-6, rel=0.02)
    x, y, at = GRAM, ANSWERS[:, 0], MIDDLE.clone()
    for _ in range(60):
        at = at - 0.02 * (4.0 * ((x @ at - y) @ x) + 1.5 * (at - MIDDLE))
    assert torch.allclose(w, at, rtol=0, atol=1e-14)


def test_without_noise_and_without_a_prior_it_is_plain_descent() -> None:
    rule = Langevin(0.02, temperature=0.0, lam=1e-300, beta=1.0)
    some = problem(chains=3)
    params = some.net.params()
    plain, task, at = InnerLoop(SGD(0.02), 5, loss="sum"), episode(5), params
    for rows in task.batches:
        slope = plain.gradient(some, at, some.minibatch(task, rows))[1]
        at, _ = plain.rule.step(at, slope, {})
    start = Start({**params, **rule.learned(params)}, {})
    own = InnerLoop(rule, 5, loss="sum").adapt(some, start, task)
    assert torch.equal(own.params["weight"], at["weight"])


@pytest.mark.parametrize(("clamp", "most"), [(None, 1e20), (1.0, 4.0)])
def test_a_task_that_bends_too_much_does_not_blow_up_where_moves_have_a_limit(clamp, most) -> None:
    """Curvature (6.85 of the data) times the rate and beta is 2.7: each step makes it 1.7 times as
    far. With the limit a step comes back by no more than that."""
    rule = Langevin(0.1, 0.0, prior="gaussian", beta=4.0, clamp=clamp)
    some = problem(chains=1)
    end = InnerLoop(rule, 150, loss="sum", reset=("weight",)).adapt(
        some, start_of(rule, some.net.params()), episode(150)
    )
    furthest = float(end.params["weight"].abs().max())
    assert furthest > most if clamp is None else furthest < most


def test_a_limit_that_nothing_reaches_changes_nothing() -> None:
    ends = []
    for clamp in (None, 1.0):
        rule = Langevin(0.02, burn_in=3, prior="one_sided", kappa=2.0, clamp=clamp)
        some = problem()
        inner = InnerLoop(rule, 20, loss="sum", reset=("weight",))
        ends.append(inner.adapt(some, start_of(rule, some.net.params()), episode(20)))
    assert torch.equal(*(end.params["weight"] for end in ends))


def test_the_derivative_by_what_it_learns_goes_through_the_noise() -> None:
    rule = Langevin(0.02, burn_in=3, prior="one_sided", kappa=2.0)
    some, task = problem(chains=4), episode(8)
    inner = InnerLoop(rule, 8, loss="sum", reset=("weight",))
    start = start_of(rule, some.net.params())
    found, _, _ = MAML(inner).direction(some, start, task)
    names = [n for n in start.params if n.startswith("inner/")]

    def after(learned: Params) -> Tensor:
        own = Start({**start.params, **learned}, {})
        end = inner.finish(inner.adapt(some, own, task).start)
        return some.objective.outer_loss(some.net(end, task.query_x), task.query_y).mean()

    slopes = finite_differences(after, {n: start.params[n] for n in names})
    assert largest_difference(slopes, {n: found[n] for n in names}) < 1e-6


def test_the_posterior_mean_in_closed_form_and_by_summing() -> None:
    x, y = GRAM, ANSWERS[:, 0]
    closed = PosteriorMean(2, 0.5, "gaussian")
    exact = torch.linalg.solve(x.T @ x / 0.25 + torch.eye(2).double(), x.T @ y / 0.25)
    assert torch.allclose(closed.mean(x, y), exact, atol=1e-12)
    summed = PosteriorMean(2, 0.5, "laplace")
    summed.prior = "gaussian"
    mean = PosteriorMean._summed(summed, x, y, 481)
    assert torch.allclose(mean, exact, atol=1e-5)
    one = PosteriorMean(1, 1.0, "exponential").mean(double(1.0)[:, None], double(2.0))
    # Of exp(-w) on w > 0 and one observation 2: a normal about 1, cut at 0.
    cut = 1 + float(torch.exp(torch.tensor(-0.5)) / (2 * torch.pi) ** 0.5) / 0.8413447460685429
    assert float(one) == pytest.approx(cut, abs=1e-4)


def test_tasks_ask_for_each_weight_and_hang_on_their_number_alone() -> None:
    family = Linear()
    split = family.open()["test"].to("cpu", torch.float64)
    spec = EpisodeSpec(1, 2, 1, 3)
    task, same = split.episode(spec, 0, 5), split.episode(spec, 0, 5)
    assert torch.equal(task.query_x, torch.eye(2, dtype=torch.float64))
    assert torch.equal(task.support_x, same.support_x)
    assert (task.query_y > 0).all()
    weights = torch.stack([split.episode(spec, 0, i).query_y for i in range(2000)])
    assert float(weights.mean()) == pytest.approx(1.0, abs=0.05)
    noise = [
        e.support_y - e.support_x @ e.query_y
        for e in (split.episode(spec, 1, i) for i in range(2000))
    ]
    assert float(torch.stack(noise).std()) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Langevin(0.1, temperature=-1.0), "temperature=-1.0: must be at least 0"),
        (
            lambda: Langevin(0.1, prior="flat"),
            r"^prior=flat: must be one of one_sided, laplace, gaussian, elastic. For example "
            r"prior=gaussian$",
        ),
        (
            lambda: Langevin(0.1, beta=50.0),
            r"^beta=50.0: must be above 0 and below 20, where what is learned is kept. For example "
            r"beta=1.0$",
        ),
        (lambda: Langevin(0.1, kappa=30.0), r"kappa=30.0: must be above 0 and below 30, where wh"),
        (lambda: Langevin(0.1, lam=0.0), r"^lam=0.0: must be above 0. For example lam=1.0$"),
        (
            lambda: Langevin(0.1, clamp=0.0),
            r"^clamp=0.0: must be above 0, or null for steps of any length. For example "
            r"clamp=1.0$",
        ),
        (lambda: Langevin(0.1, burn_in=-1), "burn_in=-1: must be at least 0"),
        (
            lambda: LinearChains(2, 0),
            r"model.chains=0: must be at least 1. For example model.chains=2$",
        ),
        (
            lambda: Linear(d=3).oracle(),
            r"dataset.d=3 weights with dataset.prior=exponential",
        ),
        (lambda: Linear(prior="flat"), r"dataset.prior=flat: must be one of exponential"),
    ],
)
def test_what_it_refuses(made, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made()
