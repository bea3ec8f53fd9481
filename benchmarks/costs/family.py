"""What the algorithms between first-order MAML and MAML cost on one task: time, memory, products.

One task of 5 ways on the Omniglot net, five inner steps, its steps taken as they are written. All
of one table are measured in turns in one process, so that their ratios do not hang on the machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from costs.record import MIB, in_own_process, table
from fewstep.bench.memory import tensor_peak
from fewstep.bench.subject import open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.run.construction.assembly import assemble


STEPS, LONG = 5, 20
"""Inner steps, and those at which memory is measured again."""
ROUNDS, QUICK = 15, 2
ROWS = {
    "MAML": ["algorithm=maml"],
    "MAML, checkpoints": ["algorithm=maml", "algorithm.checkpoint_steps=1"],
    "FOMAML": ["algorithm=fomaml"],
    "truncated 1": ["algorithm=truncated"],
    "truncated 2": ["algorithm=truncated", "algorithm.order=2"],
    "binomial 1": ["algorithm=binomial"],
    "binomial 2": ["algorithm=binomial", "algorithm.order=2"],
    "binomial, order = steps": ["algorithm=binomial", "algorithm.order=${algorithm.inner.steps}"],
    "implicit": ["algorithm=imaml"],
    "Hessian-free": ["algorithm=hessian_free"],
    "MAML++": ["algorithm=mamlpp"],
    "Meta-SGD": ["algorithm=metasgd"],
    "Sign-MAML": ["algorithm=sign_maml"],
    "ANIL": ["algorithm=anil"],
    "BOIL": ["algorithm=boil"],
    "Eigen-Reptile": ["algorithm=eigen_reptile", "algorithm.inner.batch_size=null"],
    "Reptile": ["algorithm=reptile", "algorithm.inner.batch_size=null"],
}
GATES = {"ANIL": 1 / 1.5}
"""The most of MAML's time that a row may take."""


def measure(quick: bool) -> dict[str, Any]:
    """A row for each algorithm, of 1 and of 5 shots, and memory at more inner steps."""
    rounds = QUICK if quick else ROUNDS
    found = {}
    for shots in (1, 5):
        words = (str(shots), str(STEPS), str(rounds))
        found[str(shots)] = in_own_process("costs.family", *words, KINETO_LOG_LEVEL="99")
    found["long"] = in_own_process("costs.family", "5", str(LONG), "0", KINETO_LOG_LEVEL="99")
    return {"rows": found}


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether each gate holds, by what was measured."""
    rows: dict[str, dict[str, Any]] = figures["rows"]
    found = {
        f"{name} takes at most {most:.2f} of MAML's time, {shots}-shot": _share(
            rows[shots], name, "seconds"
        )
        <= most
        for name, most in GATES.items()
        for shots in ("1", "5")
    }
    short, long = rows["5"], rows["long"]
    for name in ("truncated 1", "FOMAML", "implicit"):
        same = long[name]["tensor_peak"] <= 1.01 * short[name]["tensor_peak"]
        found[f"the memory of {name} does not hang on the inner steps"] = same
    graph, params = long["truncated 1"]["tensor_peak"], long["truncated 1"]["params_bytes"]
    for order in (1, 2):  # one step's graph, the path, and the sums
        most = graph + (LONG + order + 2) * params
        held = long[f"binomial {order}"]["tensor_peak"] <= most
        found[f"binomial {order} holds a step's graph and (C + L + 2) sets of parameters"] = held
    return found


def markdown(figures: dict[str, Any]) -> str:
    """Shares of MAML's time, peaks and products."""
    rows = figures["rows"]
    head = ["one task of", "Hessian products", "CPU time of MAML's, 1-shot", "5-shot",
            "tensors at peak, MiB, 5-shot", f"with {LONG} inner steps"]  # fmt: skip
    body = [
        [
            name,
            str(rows["5"][name]["hessian_products"]),
            f"{_share(rows['1'], name, 'seconds'):.2f}",
            f"{_share(rows['5'], name, 'seconds'):.2f}",
            f"{rows['5'][name]['tensor_peak'] / MIB:.1f}",
            f"{rows['long'][name]['tensor_peak'] / MIB:.1f}",
        ]
        for name in ROWS
    ]
    return f"## Between first and second order\n\n{table(head, body)}\n"


def _share(rows: dict[str, Any], name: str, of: str) -> float:
    return rows[name][of] / rows["MAML"][of]


def all_of(shots: int, steps: int, rounds: int) -> dict[str, Any]:
    """Least CPU time, peak and products of each, in turns; without rounds no time."""
    work = {name: _direction(words, shots, steps) for name, words in ROWS.items()}
    rows = {}
    for name, (direction, about) in work.items():
        direction()
        rows[name] = about | {"tensor_peak": tensor_peak(direction, torch.device("cpu"))}
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, (direction, _) in work.items():
            began = time.process_time()
            direction()
            times[name].append(time.process_time() - began)
    return {n: row | {"seconds": min(times[n], default=None)} for n, row in rows.items()}


def _direction(words: list[str], shots: int, steps: int) -> tuple[Callable[[], Any], Any]:
    given = [f"algorithm.inner.steps={steps}", f"shots=5w{shots}s", "shots.queries=15"]
    given += ["trainer=cpu", "execution=serial", "meta_batch=1", f"shots.train_shots={shots}"]
    subject = open_subject(assemble(plain(compose_config("train", [*words, *given]))))
    learner, recipe = subject.learner, subject.experiment.recipe
    episode, start = subject.split.episode(recipe.spec, 0, 0), learner.start()
    params = sum(p.nbytes for p in learner.net.params().values())
    products = recipe.algorithm.hessian_products()
    about = {"hessian_products": products, "params_bytes": params}
    return lambda: recipe.algorithm.direction(learner.problem, start, episode), about


if __name__ == "__main__":
    print(json.dumps(all_of(*map(int, sys.argv[1:]))))
