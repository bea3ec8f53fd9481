"""Reading checkpoints, without running anything that is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fewstep.config.checks import flatten
from fewstep.config.renamed import current
from fewstep.core.rules import State
from fewstep.core.types import Params
from fewstep.disk.homes import expanded
from fewstep.disk.plain import plain_json
from fewstep.disk.torch_files import check_file
from fewstep.messages.errors import ConfigError, first_line
from fewstep.messages.printable import printable
from fewstep.messages.words import typed
from fewstep.records.identity import NOT_HASHED, NOT_HASHED_OF_DATASET
from fewstep.records.older import BEFORE
from fewstep.records.outcome import END
from fewstep.records.run_folders import no_checkpoint, run_folder
from fewstep.run.construction.build import fit_of
from fewstep.run.experiment import Experiment
from fewstep.run.learner import MetaLearner
from fewstep.run.stored import shipped
from fewstep.run.stored.checkpoint_contents import check_contents, check_finite, difference


REFUSED = "Weights only load failed"
"""How torch begins over what it does not unpickle, before it advises to run that after all."""
FOREIGN = "it holds Python objects, and only tensors and plain values are ever made of a file"


def find(path: str | Path, key: str = "checkpoint") -> Path:
    """The checkpoint that a path names: a file, or one of a run directory; a run's name alone, as
    outputs/runs/NAME, means its newest.

    To resume, that is its last one; to evaluate, the one whose results the run reported, and the
    name of an initialization that comes with the package is its file.

    Raises:
        ConfigError: there is none.
    """
    if key == "checkpoint" and str(path) in shipped.names():
        return shipped.file(str(path))
    path = expanded(path, key)
    if path.is_dir():
        folder = run_folder(path, key)
        names = ["last", "best"] if key == "resume" else ["best", "last"]
        there = [file for n in names if (file := folder / "checkpoints" / f"{n}.ckpt").exists()]
        if len(there) == 2 and key != "resume":
            there.sort(key=lambda file: file.stem != _reported(folder))
        if there:
            return there[0]
        raise ConfigError(f"{key}={path}: {no_checkpoint(path, folder)}")
    if not path.exists():
        more = f", or {' or '.join(shipped.names())}" if key == "checkpoint" else ""
        raise ConfigError(f"{key}={path}: no such file. Name a .ckpt file or a run directory{more}")
    return path


def _reported(folder: Path) -> str | None:
    """The checkpoint that a run was tested with; of one that did not finish, what it was to be."""
    try:
        return plain_json(folder / "results.json")["results"][0]["checkpoint"]
    except (OSError, ValueError, LookupError, TypeError):
        pass
    try:
        content = read(folder / "checkpoints" / "last.ckpt")
        return content["fewstep"]["config"].get("eval")["checkpoint"]
    except (ConfigError, LookupError, TypeError):
        return None


def read(path: Path, key: str = "checkpoint") -> dict[str, Any]:
    """A checkpoint's contents, on the CPU; only tensors and plain values are ever unpickled. One
    that comes with the package is read as if it were a checkpoint.

    Raises:
        ConfigError: a file that is truncated, or that fewstep did not write as it is.
    """
    if path.parent == shipped.FOLDER:
        return shipped.training(path.stem)
    try:
        check_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler or zip reader does
        reason = FOREIGN if REFUSED in str(error) else printable(first_line(error)[:200])
        raise ConfigError(
            f"{key}={path}: cannot be read as a checkpoint, it may be truncated ({reason}). Use "
            "another one of the run, such as last.ckpt or best.ckpt"
        ) from None
    ours = content.get("fewstep") if isinstance(content, dict) else None
    if not isinstance(ours, dict) or "config" not in ours or "state_dict" not in content:
        raise ConfigError(f"{key}={path}: was not written by fewstep train. Name one that was")
    check_contents(content, path, key)
    return {**content, "fewstep": {**ours, "config": current(ours["config"])}}


def restore(learner: MetaLearner, path: Path) -> dict[str, Any]:
    """Give a learner the parameters and the inner rule's state of a checkpoint; its contents.

    Raises:
        ConfigError: the checkpoint is of another network, or of another number of ways, or of a
            training that has diverged.
    """
    content = read(path, "checkpoint")
    match(learner, content, path, "checkpoint")
    check_finite(content, path, "checkpoint")
    adopt(learner, content)
    return content


def adopt(learner: MetaLearner, content: dict[str, Any]) -> None:
    """Give a learner what a checkpoint of its own network holds."""
    learner.load_state_dict(content["state_dict"])
    learner.on_load_checkpoint(content)


def match(learner: MetaLearner, content: dict[str, Any], path: Path, key: str) -> None:
    """Refuse a checkpoint whose tensors are not those of the learner's network.

    Raises:
        ConfigError: naming both models or both numbers of ways.
    """
    found = difference(learner.state_dict(), content["state_dict"])
    if not found:
        _match_state(learner, content, path, key)
        return
    config = content["fewstep"]["config"]
    (here, model), (there, other) = fit_of(learner.config), fit_of(config)
    if there != here:
        raise ConfigError(
            f"{key}={path}: was trained for {there} ways, but shots.ways={here} is asked for: the "
            f"last layer would not fit. Use shots.ways={there}, or train one for {here}"
        )
    name, ours, theirs = found
    if name.startswith("learned."):
        mine, its = (c["algorithm"]["inner"]["rule"] for c in (learner.config, config))
        raise ConfigError(
            f"{key}={path}: is of another inner rule ({its}, {printable(name)} {theirs}) than "
            f"{mine} ({ours}). Use the algorithm.inner.rule it was trained with"
        )
    raise ConfigError(
        f"{key}={path}: is of another model ({other}, {name} {theirs}) than {model} ({name} "
        f"{ours}). Use the model it was trained with"
    )


def _match_state(learner: MetaLearner, content: dict[str, Any], path: Path, key: str) -> None:
    """A rule that begins with no state may have one later, and it alone knows which."""
    found = learner.state and difference(learner.state, content["fewstep"]["inner_state"])
    if found:
        name, ours, theirs = found
        raise ConfigError(
            f"{key}={path}: its inner_state has {printable(name)} {theirs}, and this inner loop "
            f"has {ours}. Use the algorithm.inner.rule and the model it was trained with"
        )


FREE = {*NOT_HASHED, "trainer", *END}
PATHS = {*(f"dataset.{name}" for name in NOT_HASHED_OF_DATASET), "algorithm.checkpoint_steps"}
"""What a resumed run may do otherwise than before."""


def same_recipe(experiment: Experiment, content: dict[str, Any], path: Path) -> None:
    """Refuse to continue a run as another one.

    Raises:
        ConfigError: naming what differs, or that there is nothing left to do.
    """
    theirs = content["fewstep"]["config"]
    here, there = (
        BEFORE | {k: v for k, v in flatten(c) if k.partition(".")[0] not in FREE and k not in PATHS}
        for c in (experiment.config, theirs)
    )
    for key in sorted({*here, *there}):
        if here.get(key) != there.get(key) and not key.startswith("algorithm.eval."):
            raise ConfigError(
                f"resume={path}: {key} was {there.get(key)} in that run, but {key}="
                f"{here.get(key)} is asked for. Resume with {typed(key, there.get(key))}, or start "
                "a new run"
            )
    done, end = content["fewstep"]["meta_iteration"], experiment.schedule.max_meta_iterations
    if done > end:
        raise ConfigError(
            f"max_meta_iterations={end}: resume={path} has done {done} already. Give more than "
            f"{done}, or use fewstep evaluate"
        )


def weights(learner: MetaLearner) -> tuple[Params, State]:
    """A copy of the initialization as it is tested, on the CPU, and the inner rule's state."""
    params = {name: p.detach().cpu().clone() for name, p in learner.tested().params.items()}
    return params, learner.state
