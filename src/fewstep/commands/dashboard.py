"""`fewstep dashboard`: the comparison dashboard of a W&B project, and sweeps as one run each."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fewstep.disk.files import CannotWrite, replacing
from fewstep.disk.reading import reading
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError, first_line
from fewstep.messages.options import Options
from fewstep.messages.printable import printable
from fewstep.report.sections import Section


HELP = """\
fewstep dashboard [ENTITY/]PROJECT [SWEEP ...] [--offline FILE.json]

Writes the comparison dashboard of a W&B project as a workspace: meta-test and meta-validation over
meta-iterations, tasks and time, gathered by algorithm and shots; adaptation curves; final figures;
training. Each SWEEP that is named (outputs/sweeps/NAME) becomes one run beside those of its jobs:
means over seeds with their intervals, and its adaptation curves, which the dashboard draws in one
chart. Running it again updates the same run.

  --offline FILE.json   neither account nor network: the workspace goes into the file, and the runs
                        of sweeps under SWEEP/wandb, for wandb sync

  fewstep dashboard fewstep
  fewstep dashboard my-team/fewstep outputs/sweeps/mine
  fewstep dashboard fewstep outputs/sweeps/mine --offline dashboard.json
"""

UNSENT = ("offline", "dryrun", "disabled")
"""Values of WANDB_MODE in which nothing is sent."""


def help_text() -> str:
    """What `fewstep dashboard --help` prints."""
    return HELP


def main(words: Sequence[str] | None = None) -> int:
    """Write what the words ask for; the exit status."""
    try:
        given = options(sys.argv[1:] if words is None else words)
        with reading():
            entity, project = _project(given.project)
            _check(given)
            swept = _sweeps(given.sweeps)
        said = [_write(entity, project, swept, given.offline)]
        said += [_sum_up(section, entity, project, bool(given.offline)) for section in swept]
    except ConfigError as error:
        return complain(error)
    except CannotWrite as error:
        return complain(error, status=1)
    print("\n".join(said))
    return 0


def options(words: Sequence[str]) -> argparse.Namespace:
    """`project`, `sweeps` and `offline` of a command line.

    Raises:
        ConfigError: an option that there is not, or no project.
    """
    parser = Options(prog="fewstep dashboard", add_help=False, allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--offline", type=Path, metavar="FILE.json")
    given = parser.parse_intermixed_args(words)
    if not given.names:
        raise ConfigError("name the W&B project: fewstep dashboard [ENTITY/]PROJECT [SWEEP ...]")
    given.project, *given.sweeps = given.names
    return given


def _project(word: str) -> tuple[str, str]:
    entity, _, project = word.rpartition("/")
    if not project or "/" in entity or Path(word).is_dir():
        raise ConfigError(
            f"{printable(word)}: is no W&B project, which comes first, as [ENTITY/]PROJECT. For "
            "example fewstep dashboard fewstep outputs/sweeps/NAME"
        )
    return entity, project


def _check(given: argparse.Namespace) -> None:
    """Refuse what could not be written, before anything is."""
    if not find_spec("wandb_workspaces"):
        raise ConfigError(
            "fewstep dashboard: W&B's package for workspaces is missing. Install it: pip install "
            "'fewstep[dashboard]'"
        )
    mode, file = os.environ.get("WANDB_MODE", ""), given.offline
    if not file and mode in UNSENT:
        raise ConfigError(
            f"WANDB_MODE={mode}: a workspace is kept by W&B alone, and nothing is sent to it. Give "
            "--offline FILE.json, or unset WANDB_MODE"
        )
    if file and file.exists():
        from fewstep.loggers.layout import NAME

        if not file.is_file() or NAME not in file.read_text(encoding="utf-8", errors="replace"):
            raise ConfigError(
                f"--offline {file}: is there already and is no dashboard of fewstep. Name another"
            )


def _sweeps(paths: Sequence[str]) -> list[Section]:
    """The sweeps at these paths.

    Raises:
        ConfigError: a path that is no sweep, or of which no job has finished.
    """
    if not paths:
        return []
    from fewstep.report.runs.gather import read
    from fewstep.report.sections import sections

    found = sections(read(paths))
    for section in found:
        if not section.runs[0].sweep:
            raise ConfigError(
                f"{section.runs[0].folder}: is no sweep, whose runs are summed up. Name sweeps, as "
                "outputs/sweeps/NAME"
            )
        if not section.rows:
            raise ConfigError(
                f"{section.runs[0].sweep}: no job has finished, there is nothing to sum up. Wait "
                "for one"
            )
    return found


def _write(entity: str, project: str, swept: Sequence[Section], file: Path | None) -> str:
    """The workspace, to W&B or into a file; what there is to say of it."""
    from fewstep.loggers.layout import as_json, layout
    from fewstep.report.statistics.aggregate import figures

    metrics = sorted({f.metric for section in swept for f in figures(section)}) or ["acc"]
    keys = list(dict.fromkeys(key for section in swept for key in section.swept))
    if file:
        text = as_json(layout(entity, project, metrics, keys))
        with replacing(file) as aside:
            aside.write_text(text, encoding="utf-8")
        return f"{printable(file)}: the workspace as W&B would be sent it"
    return f"the workspace: {_saved(entity, project, metrics, keys)}"


def _saved(entity: str, project: str, *more: Any) -> str:
    import wandb

    from fewstep.loggers.layout import layout

    try:
        entity = entity or wandb.Api().default_entity or ""
        return layout(entity, project, *more).save().url
    except Exception as error:  # of W&B, its network, its answer: no common class
        raise ConfigError(
            f"{printable(project)}: W&B has not taken the workspace "
            f"({printable(first_line(error))}). Without account or network: --offline FILE.json"
        ) from None


def _sum_up(section: Section, entity: str, project: str, offline: bool) -> str:
    from fewstep.loggers.sweep_run import log_sweep
    from fewstep.report.statistics.aggregate import figures

    folder, found = section.runs[0].sweep, figures(section)
    assert folder  # checked before
    where = {"project": project, "entity": entity or None, "offline": offline or None}
    unsent = log_sweep(folder, found, where)
    later = f"; upload it: wandb sync {folder}/wandb/offline-run-*" if unsent else ""
    return f"{printable(folder)}: {len(found)} figures as one run{printable(later)}"
