"""Do the fast tests notice a wrong program? `make gates` asks them, about some fifty.

    python -m mutation.run                     # all parts; benchmarks/results/mutants.json
    python -m mutation.run rules inner         # these parts anew, the others as they were
    python -m mutation.run named --dry         # what would be tried

Each mutant is a copy of the tree with one change, in which the tests of its part run until one
fails. One that survives is named with its key: kill it with a test, or say in equivalent.json why
no test can.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mutation.chosen import EACH, PARTS, ROOT, SEED, drawn, file_of, named
from mutation.operators import Mutant
from mutation.verdict import RESULTS, reasons, told


LIMIT = 400
"""Seconds of processor time after which a mutant counts as killed: it hangs. What passes takes a
quarter of them, however busy the machine is."""

FIRST = ("torchvision", "pytorch_lightning", "hydra", "hypothesis", "matplotlib.pyplot")
"""Imported once, before processes are forked; of fewstep nothing."""

OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Of pytest, which warns of what is imported before it begins."""


def main() -> int:
    """Try the mutants, write the record, print the verdict; the exit status is 1 if it is bad."""
    parser = argparse.ArgumentParser(prog="python -m mutation.run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(CHOICES)}")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--each", type=int, default=EACH, help="mutants drawn for a part")
    parser.add_argument("--dry", action="store_true", help="list them, run nothing")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(CHOICES):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    record = json.loads(RESULTS.read_text()) if given.parts and RESULTS.exists() else {}
    record |= {"command": f"python -m mutation.run --seed {given.seed} --each {given.each}"}
    record |= {"seed": given.seed, "each": given.each}
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}  # before torch is there
    for name in FIRST if not given.dry else ():
        importlib.import_module(name)
    for part in given.parts or CHOICES:
        chosen = named() if part == "named" else drawn(part, given.seed, given.each)
        if given.dry:
            print(*(f"{part}: {m.line}: {m.key}" for m in chosen), sep="\n")
            continue
        record.setdefault("mutants", {})[part] = [_tried(part, mutant) for mutant in chosen]
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    if given.dry:
        return 0
    lines, good = told(record, reasons())
    print(*lines, sep="\n")
    return 0 if good else 1


CHOICES = ["named", *PARTS]


def _tests(part: str, mutant: Mutant) -> list[str]:
    """Of a mutant by hand, those of the part that its file is in."""
    own = [p for n, p in PARTS.items() if part == n or mutant.path in p.files]
    names = own[0].tests if own else PARTS["learner"].tests
    return [file_of(name) for name in names]


def _tried(part: str, mutant: Mutant) -> dict[str, Any]:
    """What became of a mutant; its file's digest says of which text it was one."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as top:
        tree = Path(top, "tree")
        for name in ("src", "conf", "tests", "benchmarks", "docs"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, tree / name)
        file = tree / "src" / "fewstep" / f"{mutant.path}.py"
        text = file.read_bytes()
        file.write_bytes(mutant.applied(text))
        killed = _killed(tree, _tests(part, mutant))
    seconds = round(time.monotonic() - began, 1)
    print(f"{part}: {mutant.key!r}: {killed or 'SURVIVED'} ({seconds} s)", flush=True)
    digest = hashlib.sha256(text).hexdigest()[:12]
    fields = {n: v for n, v in mutant._asdict().items() if n != "start"}
    return {"key": mutant.key, **fields, "sha256": digest, "killed_by": killed, "seconds": seconds}


def _killed(tree: Path, tests: list[str]) -> str | None:
    """The test that failed, or what else ended them; None where all passed."""
    output = tree / "output.txt"
    child = os.fork()  # what the tests need is imported already, which takes longer than they do
    if not child:
        _run_tests(tree, tests, output)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}: a crash, or more than {LIMIT} seconds"
    if os.WEXITSTATUS(status) == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (tests/[^\s]+)", output.read_text(), re.M)
    if not failed:
        raise RuntimeError(f"pytest did not run:\n{output.read_text()[-3000:]}")
    return failed[1]


def _run_tests(tree: Path, tests: list[str], output: Path) -> NoReturn:
    """In the process of a mutant, which ends here."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree / "src")
    sys.path[:0] = [str(tree / "src"), str(tree / "tests")]
    try:
        code = int(pytest.main([*OPTIONS, *tests]))
    except BaseException:  # nothing of the parent's is to be cleaned up here
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
