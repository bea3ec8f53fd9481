"""python -m family.run               # what the committed results say
python -m family.run anew [seed=0]  # train the tables anew into outputs/, and judge those

Three seeds, unless words say otherwise: some two hours on two cores; the same command again goes
on where it was. Omniglot is looked for in $FEWSTEP_DATA.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from family.verdict import PARTS, Verdict, kept, lines
from fewstep.commands import theory, train


SEEDS = "seed=0,1,2"
ESTIMATES = Path("outputs/theory_estimators")


def anew(words: list[str]) -> list[Verdict]:
    """Make each part anew, the sweeps with further words, and judge what it comes to."""
    words = words if any(word.startswith("seed=") for word in words) else [*words, SEEDS]
    found = []
    for name in ("estimators", "lgd"):
        if train.main([f"sweep={name}", *words]):
            raise SystemExit(f"sweep={name} has not finished")
        found += PARTS[name](Path("outputs/sweeps") / name)
    return found + PARTS["theory_estimators"](_estimates() / "theory.json")


def _estimates() -> Path:
    """The errors of estimates, measured where they are not yet."""
    root = os.environ.get("FEWSTEP_DATA")
    data = ["dataset=omniglot", f"dataset.root={root}"] if root else []
    done = (ESTIMATES / "theory.json").is_file()
    if not done and theory.main(["estimators", *data, f"out={ESTIMATES}"]):
        raise SystemExit("the estimates have not been measured")
    return ESTIMATES


def main(words: list[str]) -> int:
    """Judge; the exit status is 0 where all is as it is said to be, and there is something."""
    if words[:1] == ["anew"]:
        found = anew(words[1:])
    else:
        found = [verdict for name in kept() for verdict in PARTS[name]()]
    print(*lines(found), sep="\n")
    return int(not found or not all(verdict.expected for verdict in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
