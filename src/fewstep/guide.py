"""The long help of a command: its groups, its keys and examples, read from the files themselves."""

from __future__ import annotations

from fewstep.compose import conf_dir, groups, options
from fewstep.theory.command import HELP as THEORY


EXAMPLES = {
    "train": """\
  fewstep train                                          the default: Reptile on glyphs
  fewstep train algorithm=maml shots=5w5s                another recipe, another task
  fewstep train dataset=omniglot dataset.root=DATA       real data in DATA
  fewstep train dataset=image_folder dataset.root=PHOTOS your own pictures, a folder a class
  fewstep train algorithm.inner.lr=0.002 seed=1          any key of the configuration
  fewstep train experiment=omniglot_5w_reptile           a named experiment
  fewstep train -m algorithm=reptile,fomaml seed=1,2,3   a sweep
  fewstep train sweep=algorithms                         a named sweep: conf/sweep/algorithms.yaml
  fewstep train sweep=algorithms hydra/launcher=local_joblib    ... with jobs side by side
  fewstep train resume=outputs/runs/NAME/DATE            continue a run
  fewstep train seed=1 resume=auto                       continue the newest run of this command
""",
    "evaluate": """\
  fewstep evaluate checkpoint=outputs/runs/NAME/DATE
  fewstep evaluate checkpoint=last.ckpt eval.tasks=10000
  fewstep evaluate checkpoint=last.ckpt eval.steps=0     the initialization as it is
  fewstep evaluate checkpoint=last.ckpt eval.settings='[{shots: 5, steps: 50, batch_size: 5}]'
""",
    "bench": """\
  fewstep bench                                          the default configuration
  fewstep bench algorithm=maml shots=20w1s               any training that you have in mind
""",
}


REPORT = """\
fewstep report DIR... [--paper] [--out FOLDER]   run directories, sweeps, or results.json files

Prints a table: a row for each recipe and setting, its seeds gathered. Intervals are 95 %: over
tasks behind the ±, over seeds in brackets. A sweep is told by the keys that were swept, and what
failed or has not finished is named. The same goes into FOLDER (outputs/reports/<date>_<time>) as
report.md, report.csv, curves.png and report.html, one page that needs nothing else.

  --paper        beside each result the paper's, whether the intervals meet, and what the run did
                 otherwise; the orderings of Figure 3 for the curves that are there
  --out FOLDER   where the files go; those of an earlier report there are overwritten

  fewstep report outputs/runs/quickstart
  fewstep report outputs/sweeps/reptile_glyphs_5w1s
  fewstep report outputs/runs outputs/sweeps --paper --out paper_report
"""


CACHE = """\
fewstep cache [clear=NAME|invalid|all]   the decoded datasets of this machine

Without a word it lists them: size, age, whether an entry would be opened, and what it was made
from. An entry is made at the first start and again whenever it would not be opened, so that
nothing is ever lost by clearing one but that time. They are in $FEWSTEP_CACHE, else in
$XDG_CACHE_HOME/fewstep, else in ~/.cache/fewstep.

  clear=NAME       one entry, or all of a dataset: clear=glyphs, clear=glyphs-8a53c1d90b7e2f64;
                   or what was downloaded for a dataset: clear=omniglot-py, clear=cifar-100
  clear=invalid    what is damaged, of an older version, or left behind by a start that was killed
  clear=all        every entry; downloads stay

  fewstep cache
  fewstep cache clear=invalid
"""


def guide(command: str) -> str:
    """What `fewstep COMMAND --help` prints."""
    if command == "report":
        return REPORT
    if command == "cache":
        return CACHE
    if command == "theory":
        return THEORY
    own = "evaluate" if command == "evaluate" else "train"
    parts = [f"fewstep {command} [group=option ...] [key=value ...]\n", "Examples"]
    parts.append(EXAMPLES[command])
    if own == "train":
        parts.append("Groups (group=option swaps a part; your own go in ./conf/GROUP/NAME.yaml)")
        parts += [f"  {g:<15}{', '.join(options(g))}" for g in groups() if options(g)]
        parts.append("")
    parts.append(f"Keys (key=value; fewstep {own} --cfg job prints all, with the groups' own)")
    lines = (conf_dir() / f"{own}.yaml").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(("name:", "checkpoint:")))
    end = lines.index("hydra:")
    parts += [f"  {line}" for line in lines[start:end] if line.strip()]
    return "\n".join(parts) + "\n"
