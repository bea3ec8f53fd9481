"""The command `fewstep`. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from fewstep.processes import console


HELP = """\
fewstep: learn an initialization from which a few gradient steps learn a new task.

  fewstep train [overrides]                  train, then test; prints a table and a run directory
  fewstep train -m key=a,b [overrides]       sweep: one run for each combination
  fewstep train sweep=NAME [overrides]       a named sweep
  fewstep evaluate checkpoint=PATH [...]     test a checkpoint again, in other settings
  fewstep adapt pictures=PHOTOS [...]        a classifier from a few pictures a class
  fewstep predict classifier=DIR pictures=FILES   what is on other pictures, as a table
  fewstep export classifier=DIR to=FILE      the classifier as one ONNX file
  fewstep report DIR... [--paper]            many runs in one table, picture and page
  fewstep status DIR [--watch]               how far a sweep or a run is
  fewstep dashboard PROJECT [SWEEP ...]      a W&B workspace for comparing, a sweep as one run
  fewstep draw [init=omniglot] [port=0]      draw classes on a page, and see them learned
  fewstep bench [overrides]                  time a configuration in every execution
  fewstep episodes [to=FILE] [overrides]     the tasks of a test as a small file for anybody's code
  fewstep cache [clear=NAME|invalid|all]     the decoded datasets of this machine
  fewstep theory [PART ...] [key=value]      section 5 of the paper, computed and checked
  fewstep train --help                       the groups, the keys and examples
  eval "$(fewstep completion bash)"          tab completion in this shell

Start with
  fewstep train                              Reptile on procedural characters, nothing to download
  fewstep train dataset=omniglot algorithm=fomaml shots=5w5s
"""

COMMANDS = {
    "train": "fewstep.commands.train",
    "evaluate": "fewstep.commands.evaluate",
    "adapt": "fewstep.commands.adapt",
    "predict": "fewstep.commands.predict",
    "export": "fewstep.commands.export",
    "report": "fewstep.commands.report",
    "status": "fewstep.commands.status",
    "dashboard": "fewstep.commands.dashboard",
    "draw": "fewstep.commands.draw",
    "bench": "fewstep.commands.bench",
    "episodes": "fewstep.commands.episodes",
    "cache": "fewstep.commands.cache",
    "theory": "fewstep.commands.theory",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the first word names; the exit status."""
    if words is None:
        os.environ["MPLBACKEND"] = "agg"  # of this process and its own; nobody waits for a window
        return console.run(main)
    name, *rest = words or ["--help"]
    if name in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if name == "--version":
        from fewstep import __version__

        print(f"fewstep {__version__}")
        return 0
    if name == "completion":
        return _complete(rest)
    if name not in COMMANDS:
        known = ", ".join([*COMMANDS, "completion"])
        print(f"fewstep: there is no command {name!r}: choose one of {known}", file=sys.stderr)
        return 2
    try:
        os.getcwd()
    except OSError as error:  # removed, or out of reach: what is read and written is relative to it
        reason = (
            f"the current folder is out of reach ({error.strerror}). Change to one that is there"
        )
        print(f"fewstep: {reason}, as with cd ~", file=sys.stderr)
        return 2
    command = import_module(COMMANDS[name])
    if any(word in ("-h", "--help") for word in rest):
        print(command.help_text(), end="")
        return 0
    return command.main(rest)


BASH = """\
_fewstep() {
    local line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }"
    local IFS=$'\\n'
    COMPREPLY=($(fewstep completion query "$line" 2> /dev/null))
    # Bash takes what follows the last = for the word, unless = is no word break.
    if [[ "$COMP_WORDBREAKS" == *=* && "$word" == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%=*}="}")
    fi
}
complete -o nospace -o default -F _fewstep fewstep
"""
"""What every shell asks for when it starts."""


def _complete(words: list[str]) -> int:
    if words == ["bash"]:
        print(BASH, end="")
    elif words[:1] == ["query"]:
        from fewstep.commands.completion import query

        print("\n".join(query(" ".join(words[1:]), [*COMMANDS, "completion"])))
    else:
        print('fewstep: completion is for bash: eval "$(fewstep completion bash)"', file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
