"""Other numbers of classes than were trained: which head to start from.

    python -m hands.heads glyphs val     # chooses: on meta-validation classes
    python -m hands.heads omniglot val --from outputs/runs/NAME  # of a run that left some out

The shipped Omniglot initialization has met every character that is not a test character.

Every head adapts to the same tasks, in the protocol `support`; five queries a class. Writes
benchmarks/results/hands_heads_INIT.json.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from fewstep.adapters.heads import HEADS
from fewstep.use.learning import Learner
from fewstep.use.loading import load
from hands import report
from hands.measured import SEED, accuracies, spec_of, split_of


WAYS, SHOTS, QUERIES, TASKS = (2, 10, 20), (1, 5), 5, 100


def main() -> None:
    """Measure one initialization on one split."""
    parser = argparse.ArgumentParser(prog="python -m hands.heads", description=__doc__)
    parser.add_argument("init", choices=("glyphs", "omniglot"))
    parser.add_argument("split", choices=("val", "test"))
    parser.add_argument("--from", dest="path", help="a run or checkpoint in place of the shipped")
    parser.add_argument("--tasks", type=int, default=TASKS)
    given = parser.parse_args()
    split = split_of(given.init, given.split)
    learner = load(given.path or given.init).learner
    rows = []
    for ways in WAYS:
        for shots in SHOTS:
            spec = spec_of(learner, ways, shots, QUERIES)
            each = {head: _with_head(learner, head) for head in HEADS}
            found = {h: accuracies(o, split, spec, given.tasks)["support"] for h, o in each.items()}
            rows += report.rows(found, ways, shots)
            print(*rows[-len(HEADS) :], sep="\n", flush=True)
    command = f"python -m hands.heads {given.init} {given.split} --tasks {given.tasks}"
    if given.path:
        command += f" --from {given.path}"
    about = {"init": given.init, "split": given.split, "tasks": given.tasks, "seed": SEED}
    report.write(f"heads_{given.init}", command, {**about, "queries": QUERIES}, rows)


def _with_head(learner: Learner, head: str) -> Learner:
    return replace(learner, inner=replace(learner.inner, head=head))


if __name__ == "__main__":
    main()
