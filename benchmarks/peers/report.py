"""The results as tables for people and files for machines: a file a sitting."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import fewstep


RESULTS = Path(__file__).parents[1] / "results" / "peers"
QUOTED = 3
"""Sittings: the newest ones."""
LIBRARIES = ("torch", "numpy", "learn2learn", "higher", "torchopt")
SIDES = ("learn2learn", "higher", "TorchOpt")
"""The libraries among the peers: the plain loop is nobody's."""
NET = "4 x {3x3 convolution, 64 channels, stride 2, SAME padding, batch norm, ReLU}, linear"

Sitting = dict[str, Any]


def circumstances(threads: int) -> Sitting:
    """What the figures depend on and the code does not say."""
    return {
        "command": " ".join(["benchmarks/peers/run.sh", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": _commit(),
        "machine": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "threads": threads,
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {
            "python": platform.python_version(),
            "fewstep": fewstep.__version__,
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
        "net": NET,
    }


def sittings(folder: Path = RESULTS) -> list[Sitting]:
    """The newest `QUOTED` of a folder, in the order of time."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))[-QUOTED:]]


def write(sitting: Sitting, folder: Path = RESULTS) -> Path:
    """A file named after the minute it began in."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sitting['date'][:16].replace(':', '')}.json"
    path.write_text(json.dumps(sitting, indent=1) + "\n")
    return path


def least(found: list[Sitting], key: str, sides: tuple[str, ...] | None = None) -> float:
    """The ratio of one row in the sitting that was least favourable to fewstep; beside the fastest
    of some sides, or of all."""
    return min(_ratio(sitting, key, sides) for sitting in found)


def ratios(found: list[Sitting]) -> str:
    """A row a work: how many times fewstep's time the fastest peer took, and what was asked."""
    times = [f"{sitting['date'][11:16]}" for sitting in found]
    rows = [
        [
            row["title"],
            f"**{least(found, row['key']):.2f}**",
            *(f"{_ratio(sitting, row['key']):.2f}" for sitting in found),
            _beside_libraries(found, row),
            f"{row['at_least']}",
            f"{row['aim']}",
        ]
        for row in found[0]["rows"]
    ]
    head = ["work", "least", *times, "libraries alone, least", "at least", "aim"]
    return "\n".join(_table(head, rows))


def _beside_libraries(found: list[Sitting], row: dict[str, Any]) -> str:
    if not set(SIDES) & set(row["sides"]):
        return ""
    return f"{least(found, row['key'], SIDES):.2f}"


def loads(found: list[Sitting]) -> str:
    """`20:41 (load 0.12 before, 1.93 after; 181 and 183 GFLOP/s), ...`."""
    told = []
    for sitting in found:
        before, after = (sitting["machine"][when] for when in ("before", "after"))
        threads = str(sitting["machine"]["threads"])
        rates = " and ".join(f"{state['gflops'][threads]:.0f}" for state in (before, after))
        told.append(
            f"{sitting['date'][11:16]} (load {before['load']} before, {after['load']} after; "
            f"{rates} GFLOP/s; others {max(sitting['machine']['others'], 0):.2f} of a core)"
        )
    return ", ".join(told)


def measurements() -> str:
    """The page of all sittings that are quoted."""
    parts = [markdown(sitting) for sitting in sittings()]
    return "\n".join(["# fewstep and its peers", "", *parts])


def markdown(sitting: Sitting) -> str:
    """The table of one sitting."""
    machine = sitting["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sitting["versions"].items())
    lines = [
        f"`{sitting['command']}`, {sitting['date'][:10]} at {loads([sitting])}, "
        f"{sitting['rounds']} interleaved rounds.",
        f"{machine['cpu']}, {machine['threads']} threads for every side; rates are those of "
        f"products of 1024 x 1024 in float32. {versions}; commit {sitting['git_commit']}.",
        f"Net: {sitting['net']}.",
        "Milliseconds a meta-iteration (or a meta-test), medians. The ratio is the fastest peer's "
        "time over fewstep's, the median of the rounds' ratios with its quartiles; the share is "
        "that of the measured rate of matrix products.",
        "",
    ]
    sides = list(dict.fromkeys(name for row in sitting["rows"] for name in row["sides"]))
    lines += _table(
        ["work", *(f"{side}, ms" for side in sides), "ratio", "at least", "aim", "share"],
        [[*_cells(row, sides)] for row in sitting["rows"]],
    )
    lines += ["", "Each peer ran with the settings that were fastest for it:", ""]
    for row in sitting["rows"]:
        settings = "; ".join(f"{n}: {side['settings']}" for n, side in row["sides"].items())
        lines.append(f"- {row['key']}: {settings}")
    lines += ["", "Agreement, the largest relative difference from fewstep in float64:", ""]
    for row in sitting["rows"]:
        found = ", ".join(f"{kind} {value:.0e}" for kind, value in row["agreement"].items())
        lines.append(f"- {row['key']}: {found}")
    return "\n".join(lines) + "\n"


def _ratio(sitting: Sitting, key: str, sides: tuple[str, ...] | None = None) -> float:
    """The median over the rounds of the fastest side's time over fewstep's."""
    row = next(row for row in sitting["rows"] if row["key"] == key)
    if sides is None:
        return row["ratio"][1]
    fastest = min((n for n in sides if n in row["sides"]), key=lambda n: _median(row, n))
    theirs, ours = (row["sides"][name]["seconds"] for name in (fastest, "fewstep"))
    return statistics.median(one / other for one, other in zip(theirs, ours, strict=True))


def _median(row: dict[str, Any], side: str) -> float:
    return row["sides"][side]["median_s"]


def _cells(row: dict[str, Any], sides: list[str]) -> list[str]:
    times = row["sides"]
    low, middle, high = row["ratio"]
    return [
        row["title"],
        *(f"{1e3 * times[s]['median_s']:.1f}" if s in times else "" for s in sides),
        f"{middle:.2f} ({low:.2f} to {high:.2f})",
        f"{row['at_least']}",
        f"{row['aim']}",
        f"{100 * row['share']:.0f} %",
    ]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        for line in [head, rule, *rows]
    ]
    return [f"| {' | '.join(line)} |" for line in padded]


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else torch.backends.cpu.get_cpu_capability()
