"""On which scale a search proposed a parameter, as far as its run folders say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_yaml
from fewstep.report.runs.gather import Run


LOG = re.compile(r"\btag\(.*\blog\b.*,\s*(interval|range)\(")
"""An override that Optuna's sweeper proposes on a log scale."""
EVEN = re.compile(r"^(interval|range)\(|\btag\(.*\b(interval|range)\(")
"""One that it proposes evenly, where it is not of the above."""


def scales(runs: Sequence[Run]) -> dict[str, bool]:
    """Of each parameter that was proposed from an interval, whether on a log scale: by the command
    of the search, or the configuration of its sweeper. One that neither names is not there."""
    found: dict[str, bool] = {}
    for run in runs[:1]:  # all have the same
        for key, asked in (*_configured(run.folder), *_typed(run)):
            if LOG.search(asked):
                found[key] = True
            elif EVEN.search(asked):
                found[key] = False
    return found


def _typed(run: Run) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(str(run.content.get("command") or ""))
    except ValueError:
        return
    for word in words:
        key, _, asked = word.lstrip("+~").partition("=")
        yield key, asked


def _configured(folder: Path) -> Iterator[tuple[str, str]]:
    """`hydra.sweeper.params`, and its older form, in which a scale is a key of its own."""
    try:
        hydra = plain_yaml(folder / ".hydra" / "hydra.yaml")
        sweeper = hydra["hydra"]["sweeper"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    sweeper = sweeper if isinstance(sweeper, Mapping) else {}
    for key, asked in _entries(sweeper.get("params")):
        yield key, str(asked)
    for key, asked in _entries(sweeper.get("search_space")):
        if isinstance(asked, Mapping):
            yield key, f"{'tag(log, ' if asked.get('log') else ''}interval("


def _entries(part: Any) -> Iterator[tuple[str, Any]]:
    return iter(part.items() if isinstance(part, Mapping) else ())
