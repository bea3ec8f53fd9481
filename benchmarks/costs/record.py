"""Results as files: one JSON and one page a part, with what the figures depend on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import fewstep
from fewstep.records.identity import git_commit
from fewstep.records.results import write_json
from fewstep.run.testing.results import device_name


RESULTS = Path(__file__).parents[1] / "results"
MIB = 2**20


def circumstances(part: str) -> dict[str, Any]:
    """What the figures depend on and the code does not say."""
    return {
        "command": f"python -m costs.run {part}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "versions": {"fewstep": fewstep.__version__, "torch": str(torch.__version__)},
        "device": device_name(torch.device("cpu")),
        "load_before": round(os.getloadavg()[0], 2),
    }


def told(held: Mapping[str, bool]) -> str:
    """What is asked of a part, with whether it holds."""
    lines = [f"- {claim}: {'yes' if holds else 'no'}\n" for claim, holds in held.items()]
    return "".join(["\n", *lines]) if lines else ""


def write(part: str, about: Mapping[str, Any], figures: Mapping[str, Any], text: str) -> None:
    """`costs_PART.json` and `costs_PART.md`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(RESULTS / f"costs_{part}.json", {**about, **figures})
    (RESULTS / f"costs_{part}.md").write_text(page(about, text))


def page(about: Mapping[str, Any], text: str) -> str:
    """A part's tables and verdicts, and below them what they depend on."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    origin = f"`{about['command']}`, {about['date'][:10]}, {about['device']}, {versions}, commit "
    origin += f"{(about['git_commit'] or 'unknown')[:7]}, load before {about['load_before']}."
    return f"{text}\n{origin}\n"


def in_own_process(module: str, *words: str, **environment: str) -> dict[str, Any]:
    """The JSON that `python -m MODULE WORDS` prints as its last line."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(words)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))} |" for line in lines
    )
