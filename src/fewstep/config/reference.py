"""The configuration reference: every key with its type and limits, its default and what it does.

    python -m fewstep.config.reference      # Markdown

Limits are those that a run is checked against; defaults and descriptions stand beside the keys in
the files of `conf/`. Nothing is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fewstep.config.evaluation import EVALUATE
from fewstep.config.groups import conf_dir
from fewstep.config.limits import EVAL, GROUPS, MAML, MODEL, RUN, TRAIN


LIMITS = {**EVALUATE, **MAML, **MODEL, **TRAIN, **RUN, **EVAL}
TITLE = "# Configuration reference"
HEAD = "| key | type and limits | default | what it does |\n|---|---|---|---|"
ENVIRONMENT = {
    "FEWSTEP_CACHE": "folder for prepared and downloaded data",
    "XDG_CACHE_HOME": "folder of all caches of the user, where FEWSTEP_CACHE is not given",
    "WANDB_MODE": "`online`, `offline` or `disabled`, for `logger=wandb`; wins over its default",
}
"""Variables that a user may set."""
LINE = re.compile(
    r"""^(?P<indent>\ *)(?P<name>[\w.]+):\s*
    (?P<value>"[^"]*"|'[^']*'|[^#]*?)\s*(?:\#\ *(?P<doc>.*))?$""",
    re.VERBOSE,
)
"""A key of one of our files, with its value and the comment beside it."""
HIDDEN = ("defaults", "hydra")
"""Parts of a file that are no keys of a run."""


@dataclass(frozen=True)
class Key:
    """One key of a file."""

    name: str
    default: str
    doc: str

    @property
    def row(self) -> str:
        """Of the table."""
        check = LIMITS.get(self.name)
        limit = check.limit if check else ""
        cells = (f"`{self.name}`", limit, f"`{self.default}`" if self.default else "", self.doc)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def keys(file: Path, group: str = "") -> Iterator[Key]:
    """The keys of a file by their whole names, those of `group` without it in the file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    inside = "" if not group or "# @package _global_" in lines else f"{group}."
    path: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        found = LINE.match(line)
        if not found:
            continue
        depth = len(found["indent"])
        path = [*(step for step in path if step[0] < depth), (depth, found["name"])]
        name = inside + ".".join(part for _, part in path)
        if name.removeprefix(inside).split(".")[0] in HIDDEN or _is_parent(lines, number, depth):
            continue
        yield Key(name, found["value"] or "a list", found["doc"] or "")


def _is_parent(lines: list[str], number: int, depth: int) -> bool:
    after = next((line for line in lines[number + 1 :] if line.strip()), "")
    indent = len(after) - len(after.lstrip())
    return indent > depth and not after.lstrip().startswith(("#", "-"))


def reference() -> str:
    """The page, in Markdown."""
    parts = [TITLE, "", "## fewstep train", "", *_table(conf_dir() / "train.yaml")]
    for group in GROUPS:
        for file in sorted((conf_dir() / group).glob("*.yaml")):
            parts += ["", f"## {group}={file.stem}", "", *_about(file), *_table(file, group)]
    parts += ["", "## fewstep evaluate", "", *_table(conf_dir() / "evaluate.yaml")]
    parts += ["", "## Environment variables", "", "| variable | what it does |", "|---|---|"]
    parts += [f"| `{name}` | {what} |" for name, what in ENVIRONMENT.items()]
    return "\n".join(parts) + "\n"


def _about(file: Path) -> list[str]:
    """What a file says of itself."""
    lines = [
        line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("# @")
    ]
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return [" ".join(line.lstrip("# ") for line in lines[:count]), ""] if count else []


def _table(file: Path, group: str = "") -> list[str]:
    found = [key.row for key in keys(file, group)]
    return [HEAD, *found] if found else ["No keys of its own."]


if __name__ == "__main__":
    print(reference(), end="")
