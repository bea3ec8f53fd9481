"""python -m family.run               # what the committed results say
python -m family.run anew [seed=0]  # train the tables anew into outputs/sweeps, and judge those

The trainings take about an hour on two cores; the same command again goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

from family.verdict import PARTS, Verdict, kept, langevin, lines, waves
from fewstep.commands import train


SWEEPS = {"estimators": waves, "lgd": langevin}


def anew(words: list[str]) -> list[Verdict]:
    """Train each sweep, with further words, and judge what it comes to."""
    found = []
    for name, judge in SWEEPS.items():
        if train.main([f"sweep={name}", *words]):
            raise SystemExit(f"sweep={name} has not finished")
        found += judge(Path("outputs/sweeps") / name)
    return found


def main(words: list[str]) -> int:
    """Judge; the exit status is 0 where every claim holds."""
    if words[:1] == ["anew"]:
        found = anew(words[1:])
    else:
        found = [verdict for name in kept() for verdict in PARTS[name]()]
    print(*lines(found), sep="\n")
    return int(not all(verdict.holds for verdict in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
