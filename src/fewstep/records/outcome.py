"""Whether a run has finished: results.json, whole and of this version or a later one, of what the
run was last asked for.

An empty or a cut file, as a full disk or a copy that broke off leaves it, is no result, and neither
is a file of somebody else's by that name. Everybody who asks for a run's end asks here.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_json
from fewstep.messages.errors import first_line
from fewstep.records.identity import config_of, hashed
from fewstep.records.results import finite_only


RESULTS, CONFIG = "results.json", "config.yaml"
SCHEMA = 1
"""The version of results.json, which it says itself."""
END = ("max_meta_iterations", "eval", "manifest_sha256", "baselines")
"""What a run may be given otherwise when it goes on: where it ends, and how it is tested then."""


def finished(folder: Path) -> bool:
    """Whether a run directory has the results of what its run was last asked for."""
    return _seen(folder) == "" and not overtaken(folder)


def damage(folder: Path) -> str:
    """What is wrong with the results of a run directory, naming the file; empty where nothing is,
    or where there are none."""
    wrong = _seen(folder)
    return f"{folder / RESULTS}: is no results.json of a run ({wrong})" if wrong else ""


def _seen(folder: Path) -> str | None:
    """What is wrong with the results, empty where nothing is; None where there are none."""
    file = folder / RESULTS
    try:
        known = file.stat()
    except OSError:  # or they are behind a folder that nobody may look into
        return None
    return _wrong(file.absolute(), known.st_ino, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=10_000)
def _wrong(file: Path, *known: int) -> str:
    """What is wrong with a file, which is read once for as long as it stays `known`: a sweep of
    hundreds of jobs asks again and again."""
    try:
        content = plain_json(file)
    except OSError as error:
        return error.strerror or first_line(error)
    except ValueError as error:
        return "it is empty" if not known[-1] else first_line(error)
    if not isinstance(content, dict):
        return "it is no record"
    schema = content.get("schema")
    if type(schema) is int and schema > SCHEMA:
        return ""  # of a later version, whose results are not done again over
    if schema != SCHEMA:
        return f"schema={str(schema)[:60]}, and this version reads {SCHEMA}"
    results = content.get("results")
    return "" if isinstance(results, list) and results else "it has no results"


def overtaken(folder: Path) -> bool:
    """Whether a finished run has gone on since, to another end that it has not reached: its results
    are of the earlier one, and would stand for the later one in a sweep."""
    stamps = []
    for name in (RESULTS, CONFIG):
        try:
            known = (folder / name).stat()
        except OSError:  # results alone, as they are kept
            return False
        stamps += [known.st_ino, known.st_mtime_ns, known.st_size]
    return _ends(folder.absolute(), *stamps)


@lru_cache(maxsize=10_000)
def _ends(folder: Path, *known: int) -> bool:
    """Whether results and configuration say different ends; not where either does not say."""
    try:
        tested, asked = plain_json(folder / RESULTS)["config"], config_of(folder)
        return END[0] in asked and _end(tested) != _end(asked)
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        return False


def _end(config: dict[str, Any]) -> str:
    """As text, for in JSON what is not finite is null."""
    kept = hashed(config)
    return json.dumps(finite_only({name: kept.get(name) for name in END}), sort_keys=True)
