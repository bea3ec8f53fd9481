"""Which run `resume=` means: one that is named, or with `auto` the newest one that was cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fewstep.config.arguments import Arguments, parsed
from fewstep.config.budget import superseded
from fewstep.config.compose import compose_run, own_part, plain
from fewstep.config.evaluation import answered
from fewstep.config.ranks import outside
from fewstep.config.stored_overrides import check_added, read_overrides
from fewstep.disk.files import replacing
from fewstep.disk.homes import expanded
from fewstep.disk.lock import check_free, in_use
from fewstep.disk.reading import reading
from fewstep.launch.job_folders import Following, nothing_follows
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.messages.words import quoted, typed
from fewstep.records.asked import FILES
from fewstep.records.identity import config_hash, config_of, hash_of
from fewstep.records.outcome import finished
from fewstep.records.run_folders import DATED, OVERRIDES, command_of, goes_on, run_folder


def keep(folder: Path, config: dict[str, Any], overrides: Sequence[str]) -> None:
    """Leave in a run directory what it takes to go on with it, each file whole.

    Hydra writes its own in place at every start, and a kill at that moment leaves them empty.

    Raises:
        CannotWrite: naming the file.
    """
    for name, content in (("config.yaml", config), (OVERRIDES, list(overrides))):
        with replacing(folder / name) as aside:
            aside.write_text(OmegaConf.to_yaml(content), encoding="utf-8")


def cut_off(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """What a job of a sweep goes on from, though nobody said so: a cluster that took its node away,
    or its time, starts it again as it was started at first, and its folder has a checkpoint."""
    own = str(folder.resolve())
    begun = any((folder / "checkpoints").glob("*.ckpt"))
    return {"resume": own} if begun and config.get("resume", own) != own else {}


def resumed(
    command: str, arguments: Arguments, following: Following = nothing_follows
) -> Arguments:
    """The arguments of a command with the run that they resume, and with its overrides, which
    theirs win over.

    `resume=auto` becomes the run directory, or nothing where there is none to go on with, and says
    which. A sweep resumes its jobs itself.

    Raises:
        ConfigError: a run that is not there, at work, or another command's.
    """
    given = {parsed(word).get_key_element(): word for word in arguments.overrides}
    if "resume" not in given or arguments.sweep or arguments.shows:
        return arguments
    value, others = parsed(given["resume"]).value(), outside()
    if not value:
        return arguments  # nothing is resumed, or the check says what is missing
    path = str(value)
    if path == "auto":
        if others:
            raise ConfigError(
                f"resume=auto: {others.starter} has started {others.ranks} processes, which might "
                "choose different runs. Name the one to continue: resume=outputs/runs/NAME/DATE"
            )
        rest = [word for word in arguments.overrides if word != given["resume"]]
        folder = unfinished(command, rest, "hydra.run.dir" in given, following)
        return replace(arguments, overrides=[*rest, *_resume(folder)])
    with reading([f"resume={path}"]):
        folder = _run_of(expanded(path, "resume"))
    if (own := command_of(folder)) != command:
        raise ConfigError(
            f"resume={printable(path)}: is a run of fewstep {own}. Continue it with: fewstep {own} "
            f"{typed('resume', path)}"
        )
    if not others or others.rank == 0:  # which is at work in it for all of them
        check_free(folder)
    file = next((file for name in FILES if (file := folder / name).is_file()), None)
    if not file:
        return arguments
    stored = read_overrides(file)
    old = {*given, *superseded(stored, given, config_of(folder)), *answered(given.values())}
    added = [word for key, word in stored.items() if key not in old]
    check_added(command, added, arguments.overrides, file)
    return replace(arguments, overrides=[*added, *arguments.overrides])


def place(resume: str | None) -> dict[str, str]:
    """The override that has an evaluation go on in the folder where it was stopped.

    Raises:
        ConfigError: it is finished, and its results would be written over.
    """
    if not resume:
        return {}
    folder = run_folder(expanded(resume, "resume"), "resume")
    if finished(folder):
        raise ConfigError(f"resume={resume}: is finished. Leave resume out to test again")
    return {"hydra.run.dir": str(folder.resolve())}


def _resume(folder: Path | None) -> list[str]:
    return [f"resume={quoted(str(folder))}"] if folder else []


def unfinished(
    command: str, overrides: Sequence[str], in_place: bool, following: Following = nothing_follows
) -> Path | None:
    """The newest run of the configuration that was cut off and has no results; says what it found.

    It lies where runs of this name go, or, if the user said `in_place`, just there.

    Raises:
        ConfigError: it is at work in another process.
    """
    composed = compose_run(command, overrides)
    config, here = plain(own_part(composed)), Path(str(composed.hydra.run.dir))
    config |= following(config, [])
    folders = [here] if in_place else sorted(here.parent.glob("*/"), key=_newer, reverse=True)
    same = [f for f in folders if hash_of(f) == config_hash(config)]
    for folder in same:
        if finished(folder):
            continue
        if goes_on(folder) or in_use(folder):
            check_free(folder)
            print(f"resume=auto: going on with {printable(folder)}")
            return folder
    nothing = "no checkpoint" if command == "train" else "nothing of its test"
    found = f"{same[0]} has {nothing}" if same else f"no run of this configuration in {here.parent}"
    if any(map(finished, same)):
        found = f"{same[0]} is finished"
    print(f"resume=auto: {printable(found)}; starting a new run")
    return None


def _newer(folder: Path) -> tuple[bool, str]:
    """Sorts runs by their dates, behind whatever a user calls a folder, as a copy of one."""
    return bool(DATED.fullmatch(folder.name)), folder.name


def _run_of(path: Path) -> Path:
    """The run directory that a path to resume from lies in.

    Raises:
        ConfigError: a folder in which no run is.
    """
    return run_folder(path, "resume") if path.is_dir() else path.parent.parent
