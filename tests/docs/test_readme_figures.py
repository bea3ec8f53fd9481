"""Every figure of the README and of the pages follows from a file that is here."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from fewstep import report
from fewstep.records.statistics.two_way import holm
from fewstep.report.reproduction import orderings, overlap
from fewstep.report.statistics.contrast import contrast
from peers.report import SIDES, least, loads, ratios, sittings


ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALL = "\n\n".join(page.read_text() for page in PAGES)
PROSE = re.sub(r"\s+", " ", ALL)


def test_the_table_of_peers_is_what_was_measured() -> None:
    (table,) = re.findall(r"<!-- benchmarks/results/peers -->\n((?:\|.*\n)+)", ALL)
    found = sittings()
    assert table.strip() == ratios(found)
    assert len({sitting["rounds"] for sitting in found}) == 1
    assert all(sitting["machine"]["before"]["load"] <= 0.3 for sitting in found)
    assert loads(found) in PROSE
    beside = {row["key"]: least(found, row["key"]) for row in found[0]["rows"]}
    libraries = [least(found, key, SIDES) for key in beside if key != "meta_test"]
    of_libraries, of_all = (
        f"{min(x):.1f} to {max(x):.1f} times" for x in (libraries, beside.values())
    )
    assert f"{of_libraries} as fast as the fastest of them" in PROSE
    assert f"{of_all} as fast as that loop" in PROSE
    readme = re.sub(r"\s+", " ", PAGES[0].read_text())
    assert f"{of_libraries} as fast as the fastest of learn2learn" in readme
    assert f"{of_all} as fast as a compiled loop" in readme


def test_every_table_of_figures_follows_from_a_file() -> None:
    """A table with a decimal number stands under a comment that names where it comes from, or
    under the head of one that does."""
    inside = False
    for block in ALL.split("\n\n"):
        if "<!-- " in block:
            inside = "<!-- end" not in block.splitlines()[-1]
        if any(line.startswith("|") and re.search(r"\d\.\d", line) for line in block.splitlines()):
            assert inside or "<!-- " in block, block[:200]


@cache
def found(folder: str) -> list[report.Row]:
    return report.rows(report.read([ROOT / "docs" / "results" / folder]))


def ordering(*names: str, folder: str = "gradient_combinations") -> str:
    """`4.7 ± 1.1`: how far the first curve, or sum of curves, is above the others."""
    weights = {name.strip("-"): -1 if name.startswith("-") else 1 for name in names}
    value = contrast(weights, orderings.curves(found(folder)))
    assert value.basis == "paired: one seed, 1,000 tasks"
    return f"{abs(value.mean):.1f} ± {value.half_width:.1f}"


def panel(place: int, method: str) -> dict[float, str]:
    """A line of Figure 4, in points."""
    line = overlap.lines(overlap.PANELS[place], found("overlap"))[method]
    return {x: f"{figure.mean:.1f}" for x, figure in line.items()}


def below_joint(folder: str) -> float:
    losses = {row["init"]: row.cells["transductive"][0]["loss"] for row in found(folder)}
    return losses["joint"] / losses["trained"]


def above_joint(folder: str) -> str:
    """`3.67 ± 0.21`: how far joint training's error is above Reptile's, task by task."""
    errors = {row["init"]: row.cells["transductive"] for row in found(folder)}
    value = contrast({"joint": 1, "trained": -1}, errors)
    assert value.basis == "paired: one seed, 1,000 tasks"
    return f"{value.mean:.2f} ± {value.half_width:.2f}"


def cost(part: str) -> dict:
    return json.loads((ROOT / "benchmarks" / "results" / f"costs_{part}.json").read_text())


def test_the_orderings_that_are_told_are_those_of_the_files() -> None:
    sums = "g1+g2+g3+g4", "-g1+g2"
    told = [
        f"g1 alone is the worst (by {ordering('(g1+g2)/2', '-g1')})",
        f"g1+g2 is below g2 ({ordering('g2', '-g1+g2')})",
        f"more minibatches help the sum ({ordering(*sums)})",
        f"and the average ({ordering('(g1+g2+g3+g4)/4', '-(g1+g2)/2')})",
        f"gains more than the last gradient ({ordering(*sums, '-g4', 'g2')})",
        f"g4 and g2 differ by {ordering('g4', '-g2')}",
        f"g4 is above g2 by {ordering('g4', '-g2', folder='gradient_combinations_40000')}",
    ]
    assert [sentence for sentence in told if sentence not in PROSE] == []
    verdicts = [
        line[1] for line in orderings.grid(orderings.curves(found("gradient_combinations")))
    ]
    assert verdicts[1:] == ["holds", "holds", "cannot be told", "holds", "holds", "holds"]
    worst = min(orderings.curves(found("gradient_combinations")).items(), key=_accuracy)
    assert worst[0] == "g1"


def _accuracy(curve: tuple) -> float:
    return curve[1][0]["acc"]


def test_what_is_told_of_figure_4_is_in_the_files() -> None:
    cycle, anew, apart, reptile = (
        *("shared tail, cycle", "shared tail, replacement"),
        *("separate tail", "Reptile"),
    )
    by_steps = {method: panel(0, method) for method in overlap.METHODS}
    by_batch = {method: panel(1, method) for method in overlap.METHODS}
    by_rate = {method: panel(2, method) for method in overlap.METHODS}
    later = [by_steps[reptile][x] for x in (4, 5, 6, 8)]
    told = [
        f"falls from {by_steps[cycle][4]} to {by_steps[cycle][5]} as soon as",
        f"({by_steps[anew][2]} to {by_steps[anew][8]})",
        f"between {min(by_steps[apart].values())} and {max(by_steps[apart].values())}",
        f"Reptile between {min(later)} and {max(later)} from 4 iterations on",
        f"too few for it here: {by_steps[reptile][2]})",
        f"both shared tails fall to {by_batch[cycle][100]}",
        f"({by_batch[reptile][25]} with 25 examples, {by_batch[reptile][50]} with 50, "
        f"{by_batch[reptile][100]} with 100)",
        "{} at 0.25, {} at 0.5 and {} at 1".format(*by_rate[cycle].values()),
        "the separate tail has {}, {} and {}".format(*by_rate[apart].values()),
        "Reptile {}, {} and {}".format(*by_rate[reptile].values()),
    ]
    assert [sentence for sentence in told if sentence not in PROSE] == []
    assert by_batch[anew][100] == by_batch[cycle][100]
    assert by_rate[anew] == by_rate[cycle]
    assert min(map(float, by_batch[apart].values())) > 80
    pairs = [(shared, other) for shared in (cycle, anew) for other in (apart, reptile)]
    told_apart = [
        contrast({shared: 1, other: -1}, at_rate(rate)) for rate in RATES for shared, other in pairs
    ]
    assert all(one.mean < 0 for one in told_apart)
    assert max(holm([one.p for one in told_apart])) < 0.05


RATES = (0.25, 0.5, 1.0)


def at_rate(rate: float) -> dict[str, list]:
    """The results of Figure 4's last panel at one outer step, by method."""
    (*_, last) = overlap.PANELS
    asked = {**last.held, last.x: rate}
    return {
        row["label"]: row.cells["inductive"]
        for row in found("overlap")
        if asked.items() <= row.runs[0].config["point"].items()
    }


def test_what_is_told_of_the_longer_figure_4_is_in_the_files() -> None:
    accuracies = {
        (row["label"], row.runs[0].config["point"]["batch_size"]): 100
        * row.cells["inductive"][0]["acc"]
        for row in found("overlap_10000")
    }
    spread = accuracies["Reptile", 25] - accuracies["Reptile", 100]
    ends = [accuracies["shared tail, cycle", size] for size in (25, 100)]
    assert f"{spread:.1f} points lie between 25 and 100" in PROSE
    assert "the shared tail falls from {:.1f} to {:.1f}".format(*ends) in PROSE


def test_the_other_figures_that_are_told_are_in_the_files() -> None:
    peak = {
        (row["name"], row["steps"]): row["tensor_peak"] / 2**20 for row in cost("memory")["rows"]
    }
    maml = [f"{peak['MAML', steps]:,.0f}" for steps in (5, 50, 500)]
    assert len({peak["Reptile", steps] for steps in (5, 50, 500)}) == 1
    low, added, high = (f"{100 * share:.1f}" for share in cost("overhead")["added"])
    ranks = cost("ranks")
    assert ranks["ratio"][1] < ranks["at_least"]
    gpu = (ROOT / "benchmarks" / "results" / "gpu_h200.md").read_text()
    columns = re.findall(r"^\| ([^|]+?) +\| ([\d.]+) ", gpu, re.M)
    ways = {name: f"{float(value):.1f}" for name, value in columns}
    recorded = next(value for name, value in columns if "recorded (a CUDA graph)" in name)
    told = [
        f"Reptile's is {below_joint('sine'):.0f} times below joint training's",
        f"the ratio is {below_joint('sine_relu'):.1f}",
        f"task by task the difference is {above_joint('sine')}",
        f"and the difference {above_joint('sine_relu')}",
        f"a task of Reptile takes {peak['Reptile', 5]:.1f} MiB of tensors at 5, 50 and 500 steps",
        f"one of MAML {maml[0]}, {maml[1]} and {maml[2]}",
        f"({peak['MAML, checkpoints', 500]:.0f} MiB at 500 steps)",
        f"{added} % of a meta-iteration, quartiles {low} to {high})",
        f"{ranks['ratio'][1]:.2f} times as fast, which misses the {ranks['at_least']} that was",
        f"{float(recorded):.1f} ms on an H200",
        f"plain `vmap` took {ways['`vmap`, grouped convolutions']} and one task after another "
        f"{ways['one task after another']}",
    ]
    assert [sentence for sentence in told if sentence not in PROSE] == []


def test_what_is_told_of_where_the_runs_come_from_is_in_their_files() -> None:
    """Commits, and commands but for what a resumed one adds."""
    for folder in sorted((ROOT / "docs" / "results").glob("[!t]*")):
        for file in folder.glob("*.json"):
            commit = json.loads(file.read_text())["git_commit"]
            assert commit[:7] in PROSE, file
    (row, *_) = found("omniglot_5w_reptile_2000")
    assert row["tasks"] == 1000
    assert {run.content["command"] for run in row.runs} == {
        "fewstep train -m experiment=omniglot_5w_reptile dataset.root=DATA "
        "max_meta_iterations=2000 eval.tasks=1000 seed=0,1,2 trainer=cpu"
    }
    assert row.runs[0].content["command"] in PROSE
