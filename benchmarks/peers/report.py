"""The results as a table for people and a file for machines."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import fewstep


LIBRARIES = ("torch", "numpy", "learn2learn", "higher", "torchopt")
NET = "4 x {3x3 convolution, 64 channels, stride 2, SAME padding, batch norm, ReLU}, linear"


def circumstances(threads: int) -> dict[str, Any]:
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
            "load_before": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            "fewstep": fewstep.__version__,
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
        "net": NET,
    }


def markdown(results: dict[str, Any]) -> str:
    """The table of one run."""
    machine, rate = results["machine"], results["matmul_gflops"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        f"`{results['command']}`, {results['date'][:10]}, {results['rounds']} interleaved rounds.",
        f"{machine['cpu']}, {machine['threads']} threads for every side, load before the run "
        f"{machine['load_before']}. {versions}; commit {results['git_commit']}.",
        "Matrix products of 1024 x 1024 in float32: "
        + ", ".join(f"{v:.0f} GFLOP/s with {n} thread(s)" for n, v in rate.items())
        + ".",
        f"Net: {results['net']}.",
        "Milliseconds a meta-iteration (or a meta-test), medians. The ratio is the fastest peer's "
        "time over fewstep's, the median of the rounds' ratios with its quartiles; the share is "
        "that of the measured rate of matrix products.",
        "",
    ]
    sides = list(dict.fromkeys(name for row in results["rows"] for name in row["sides"]))
    lines += _table(
        ["work", *(f"{side}, ms" for side in sides), "ratio", "at least", "aim", "share"],
        [[*_cells(row, sides)] for row in results["rows"]],
    )
    lines += ["", "Each peer ran with the settings that were fastest for it:", ""]
    for row in results["rows"]:
        settings = "; ".join(f"{n}: {side['settings']}" for n, side in row["sides"].items())
        lines.append(f"- {row['key']}: {settings}")
    lines += ["", "Agreement, the largest relative difference from fewstep in float64:", ""]
    for row in results["rows"]:
        found = ", ".join(f"{kind} {value:.0e}" for kind, value in row["agreement"].items())
        lines.append(f"- {row['key']}: {found}")
    return "\n".join(lines) + "\n"


def ratios(results: dict[str, Any]) -> str:
    """A row a work: how many times fewstep's time the fastest peer took, and what was asked."""
    head = ["work", "ratio", "at least", "aim"]
    names = ("title", "ratio", "at_least", "aim")
    return "\n".join(_table(head, [[str(row[name]) for name in names] for row in results["rows"]]))


def write(results: dict[str, Any], folder: Path) -> None:
    """`peers.json` and `peers.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "peers.md").write_text("# fewstep and its peers\n\n" + markdown(results))


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
