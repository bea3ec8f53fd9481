"""How near estimates of MAML's gradient are, and where which is nearer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path as Folder

import torch

from fewstep.adapters.curvature import largest_curvature
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Start
from fewstep.theory import figures
from fewstep.theory.estimators import STEPS, bend, of_task
from fewstep.theory.tables import markdown
from problems import REGRESSION, small_episode, small_net


NET = small_net()
EPISODE = small_episode()._replace(batches=torch.arange(6).repeat(STEPS, 1))
PROBLEM = Problem(NET, REGRESSION)


def test_errors_fall_with_the_order_and_with_the_rate() -> None:
    slow, fast = (of_task(PROBLEM, EPISODE, rate) for rate in (0.01, 0.1))
    for found in (slow, fast):
        for kind in ("binomial", "truncated"):
            errors = [found["first_order"], *found[kind]]
            assert errors == sorted(errors, reverse=True)
    assert slow["binomial"][0] < fast["binomial"][0]
    assert slow["binomial"][2] < 1e-3 * slow["truncated"][2]


def test_the_end_of_the_path_and_differences_of_gradients_tell_of_its_curvature() -> None:
    """Nearer than first order on a smooth network, the differences by far; with the rate the end
    of the path tells less of what lay before it."""
    slow, fast = (of_task(PROBLEM, EPISODE, rate) for rate in (0.01, 0.1))
    for found in (slow, fast):
        assert found["hessian_free"] < 1e-4 < found["implicit"] < 0.7 * found["first_order"]
    assert slow["implicit"] < fast["implicit"]


def test_the_largest_curvature_is_that_of_the_whole_hessian() -> None:
    path = Path(InnerLoop(SGD(0.1), STEPS), PROBLEM, Start(NET.params(), {}), EPISODE)
    at, rows = path.params[0], []
    for name, value in at.items():
        for entry in range(value.numel()):
            one = {n: torch.zeros_like(p) for n, p in at.items()}
            one[name].view(-1)[entry] = 1.0
            product = path.hessian(0, at, one)
            rows.append(torch.cat([product[n].flatten() for n in at]))
    exact = torch.linalg.eigvalsh(torch.stack(rows)).abs().max()
    torch.testing.assert_close(largest_curvature(path), exact, rtol=1e-2, atol=0.0)
    assert bend(PROBLEM, EPISODE) == float(largest_curvature(path))


def test_a_table_marks_the_nearer_one() -> None:
    row = {"case": "waves", "trained": False, "rate": 0.1, "tasks": 2, "curvature": 0.5}
    row |= {"first_order": 0.3, "hessian_free": 0.02, "implicit": 0.15}
    row |= {"binomial": [0.2, 0.1], "truncated": [0.1, 0.2]}
    table = markdown({"estimators": [row]})
    assert (
        "| waves, untrained | 0.1 | 0.5 | 0.3 | 0.02 | 0.15 | 0.2, **0.1** | **0.1**, 0.2 |"
        in table
    )


def test_the_numbers_below_a_panel_can_be_read(tmp_path: Folder, monkeypatch) -> None:
    """From a tenth to a few, where powers of ten and all between them would be on each other."""
    kept, bends = [], {"sine waves": (0.15, 0.77, 1.5, 3.1), "characters": (0.04, 0.2, 0.4, 1.6)}
    rows = [
        {"case": case, "trained": trained, "curvature": bend * (1.4 if trained else 1.0)}
        | {
            "first_order": 0.3 * bend,
            "hessian_free": 0.01,
            "implicit": 0.2,
            "binomial": [bend, bend**2, bend**3],
            "truncated": [0.1] * 3,
        }
        for case, bent in bends.items()
        for trained in (False, True)
        for bend in bent
    ]
    monkeypatch.setattr(figures.plt, "close", kept.append)
    assert figures.draw(tmp_path, {"estimators": rows}) == [tmp_path / "estimators.png"]
    monkeypatch.undo()
    (figure,) = kept
    figures.plt.close(figure)
    for axes in figure.axes:
        left, right = axes.get_window_extent().intervalx
        labels = [*axes.get_xticklabels(), *axes.get_xticklabels(minor=True)]
        boxes = [text.get_window_extent() for text in labels if text.get_text()]
        inside = sorted((b.x0, b.x1) for b in boxes if b.x1 > left and b.x0 < right)
        assert 3 <= len(inside) <= 6
        assert all(a[1] + 5 < b[0] for a, b in pairwise(inside))
