"""From what `init` names to weights: a shipped initialization, a run directory or a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.messages.printable import printable
from fewstep.run.averaging import NETWORK, RULE, averaged
from fewstep.run.construction import parts
from fewstep.run.stored import checkpoint, pinned, shipped
from fewstep.run.stored.checkpoint_contents import trained_on
from fewstep.run.stored.weights import KEY, Weights


DIGEST = "init_sha256"
OTHER = "holds other weights", "this run is to start from", "those"


def stored(name: str, known: tuple[str, ...] = ()) -> tuple[dict[str, Any], Path | None]:
    """The contents of an initialization, and its file; None of one that comes with the package.

    Args:
        name: of a shipped one, a run directory, or a `.ckpt` file; a shipped name wins.
        known: what else the user may give in its place.

    Raises:
        ConfigError: there is no such thing, with near names; or it is damaged, or has diverged.
    """
    if name in shipped.names():
        return shipped.content(name), None
    path, choices = expanded(name, KEY), [*shipped.names(), *known]
    if not path.exists():
        raise ConfigError(
            f"{KEY}={printable(name)}: there is no such initialization, run or checkpoint."
            f"{did_you_mean(name, choices)} Choose {', '.join(choices)}, a run directory of "
            "fewstep train, or a .ckpt file"
        )
    file = checkpoint.find(path, KEY)
    content = checkpoint.read(file, KEY)
    checkpoint.check_finite(content, file, KEY)
    return content, file


def weights(config: Mapping[str, Any]) -> Weights | None:
    """What a checked configuration has a training start from: a network's weights as they were
    tested. None where that is random, and in a run that goes on from a checkpoint of its own.

    Raises:
        ConfigError: as `stored`.
    """
    name = config.get(KEY)
    if not name or config.get("resume"):
        return None
    content, file = stored(name)
    ours = content["fewstep"]
    seen = trained_on(ours) if file else parts.dataset_of(ours["config"]).trained_on
    tested = averaged(content)
    own = {n.removeprefix(NETWORK): t for n, t in tested.items() if n.startswith(NETWORK)}
    rest = {"/".join(n.split("/")[:2]) for n in tested if n.startswith(RULE)}
    return Weights(name, own, seen, sorted(n.removeprefix(RULE) for n in rest))


def for_run(config: Mapping[str, Any]) -> Weights | None:
    """What `init` names; in a run that goes on, which has its own weights, for baselines alone.

    Raises:
        ConfigError: it is not there, or is other than what the run began with; or `baselines.start`
            without it.
    """
    baselines = config["baselines"]
    if baselines.get("start") and not config.get("init"):
        raise ConfigError(
            f"baselines.start=true: tests the weights that init names, and init={config[KEY]} "
            "names none. Give init=RUN, or use baselines.start=false"
        )
    if config["resume"] and (baselines.get("start") or baselines["joint"]):
        config = {**config, "resume": None}
        sha256(config)
    return weights(config)


def sha256(config: Mapping[str, Any]) -> dict[str, str]:
    """`init_sha256` as the weights of a configuration have it, by which its run is hashed; nothing
    where a training starts from random ones.

    Raises:
        ConfigError: as `stored`, or weights that are not those that the run is to start from.
    """
    name, wanted, resume = (config.get(key) for key in (KEY, DIGEST, "resume"))
    if not name or not isinstance(name, str):
        pinned.check_named(f"{KEY}={name}", DIGEST, wanted, "weights")
        return {}
    if resume and resume != "auto":  # whose checkpoint wins: what it began with may be gone
        content = checkpoint.read(checkpoint.find(resume, "resume"), "resume")
        before = content["fewstep"]["config"].get(DIGEST)
        return {DIGEST: before} if before else {}
    made = weights({KEY: name})
    assert made is not None, "a name leads to weights"
    pinned.check(f"{KEY}={name}", made.sha256, DIGEST, wanted, OTHER)
    return {DIGEST: made.sha256}
