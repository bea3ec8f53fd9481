"""What Lightning and logging add to the bare engine, and what surrounds the inner loops."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from costs.record import table
from fewstep.bench.overhead import bare_loop, overhead
from fewstep.bench.subject import open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.run.construction.assembly import assemble
from fewstep.run.lightning import quiet_lightning
from fewstep.run.observers.stopwatch import WARM_UP


WORDS = ["trainer=cpu", "algorithm=reptile", "shots=5w1s"]
"""The paper's Reptile: 5 tasks, 5 inner steps on 10 images, Adam; as Hydra composes it."""
ROUNDS = 15
MOST = 0.05
"""Of a meta-iteration, added to a bare loop."""


def measure(quick: bool) -> dict[str, Any]:
    """Both shares of one configuration."""
    quiet_lightning()
    subject = open_subject(assemble(plain(compose_config("train", WORDS))))
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        (bare,) = bare_loop(subject, 2 * WARM_UP)
        shares = overhead(subject, bare, rounds=2 if quick else ROUNDS)
    return {"overrides": WORDS, "outside": shares.outside, "added": shares.added, "limit": MOST}


def markdown(figures: dict[str, Any]) -> str:
    """A row a share."""
    rows = {
        "outside the inner loops: tasks, outer step, Lightning, logging": figures["outside"],
        "added by Lightning, Hydra and logging to a bare loop of the same work": figures["added"],
    }
    body = [
        [name, f"{100 * middle:.1f} ({100 * low:.1f} to {100 * high:.1f})"]
        for name, (low, middle, high) in rows.items()
    ]
    text = table(["share of a meta-iteration", "% (quartiles)"], body)
    return f"## Overhead\n\n{text}\n\nThe paper's Reptile.\n"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether what is added keeps within `MOST`."""
    return {f"at most {100 * MOST:g} % are added to a bare loop": figures["added"][1] <= MOST}
