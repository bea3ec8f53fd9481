"""python -m systems.run [NAME ...]        # what the committed results say of the seven systems
python -m systems.run anew [NAME ...]   # train the sweeps anew into outputs/sweeps, and judge those

Words with `=` go to every training. `anew` takes several hours on two cores; the same command
again goes on where it was. Omniglot is looked for in $FEWSTEP_DATA.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fewstep import report
from fewstep.commands import train
from systems.claims import CLAIMS
from systems.further import FURTHER, go, name_of
from systems.verdict import Verdict, judged, surprises


SWEEPS = Path("outputs/sweeps")
BEFORE = {
    "ifwi": ["-m", "experiment=ifwi_mean", "seed=0,1,2"],
    "rf_prompt": ["-m", "experiment=rf_pretrain", "seed=0,1,2"],
    "focusft": ["experiment=recall_sft"],
}
"""What a sweep starts from."""

JUDGED = {"rf_prompt": ["rf_pretrain", "rf_prompt"]}
"""The sweeps whose results a claim is of, where that is not the system's alone."""

DRAWN = ("hebbian", "harmony")
"""Those on Omniglot."""


def anew(system: str, words: list[str]) -> list[Verdict]:
    """Train a system's sweep, with further words, test it further, and judge what it comes to."""
    root = os.environ.get("FEWSTEP_DATA")
    words = [*words, *([f"dataset.root={root}"] if root and system in DRAWN else [])]
    for command in (BEFORE.get(system), [f"sweep={system}"]):
        if command and train.main([*command, *words]):
            raise SystemExit(f"{' '.join(command)} has not finished")
    further = FURTHER.get(system, [])
    for line in further:
        if go(line, words):
            raise SystemExit(f"fewstep {line} has not finished")
    names = [*JUDGED.get(system, [system]), *map(name_of, further)]
    folders = [SWEEPS / name for name in names]
    return judged(system, report.rows(report.read(folders)))


def lines(system: str, found: list[Verdict]) -> list[str]:
    """A line for each claim, and one that counts what was not expected."""
    if not any(verdict.found for verdict in found):
        return [f"{system}: no files"]
    told = [f"{system}: {v.says}: {v.claim.text}: {v.figure} ({v.basis})" for v in found]
    return [*told, *(f"{system}: UNEXPECTED: {text}" for text in surprises(system, found))]


def main(words: list[str]) -> int:
    """Judge; the exit status is 0 where all is as it is said to be."""
    names = [word for word in words if "=" not in word and word != "anew"] or list(CLAIMS)
    settings = [word for word in words if "=" in word]
    unexpected = False
    for name in names:
        found = anew(name, settings) if "anew" in words else judged(name)
        print(*lines(name, found), sep="\n", flush=True)
        unexpected |= bool(surprises(name, found))
    return int(unexpected)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
