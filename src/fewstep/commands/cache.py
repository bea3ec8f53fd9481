"""`fewstep cache`: what decoded datasets there are on this machine, and clearing them away."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from fewstep.config.room import size
from fewstep.disk.cache.cache import cache_dir
from fewstep.disk.cache.contents import Kept, clear, contents
from fewstep.messages.columns import padded
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError, did_you_mean


HELP = """\
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


def help_text() -> str:
    """What `fewstep cache --help` prints."""
    return HELP


def main(words: Sequence[str] | None = None) -> int:
    """List or clear as the words say; the exit status."""
    try:
        wanted = _wanted(sys.argv[1:] if words is None else words)
        found = contents(cache_dir())
        if wanted is None:
            print(_listed(found))
        else:
            print(_cleared(found, wanted))
    except ConfigError as error:
        return complain(error)
    except OSError as error:
        return complain(f"{cache_dir()}: {error.strerror or error}", status=1)
    return 0


def _wanted(words: Sequence[str]) -> str | None:
    """What to clear; None to list."""
    if not words:
        return None
    key, _, value = words[0].partition("=")
    if key != "clear" or not value or len(words) > 1:
        hint = "" if key == "clear" else did_you_mean(key, ["clear"])
        raise ConfigError(
            f"{' '.join(words)}: fewstep cache takes nothing, or one word: clear=NAME, "
            f"clear=invalid or clear=all.{hint}"
        )
    return value


def _listed(found: Sequence[Kept]) -> str:
    if not found:
        return f"{cache_dir()}: nothing is cached"
    rows = [("entry", "size", "age", "state", "made from")]
    rows += [(k.name, size(k.size), _age(k.made), k.state, k.source) for k in found]
    total = f"{cache_dir()}: {size(sum(kept.size for kept in found))}"
    return "\n".join([*padded(rows), "", total])


def _cleared(found: Sequence[Kept], wanted: str) -> str:
    chosen = [kept for kept in found if kept.called(wanted)]
    if not chosen and wanted not in ("all", "invalid"):
        known = sorted({name for kept in found for name in (kept.name, kept.dataset)})
        hint = did_you_mean(wanted, known)
        raise ConfigError(
            f"clear={wanted}: there is no such entry in {cache_dir()}.{hint} `fewstep cache` lists "
            "them"
        )
    lines = [f"cleared {kept.name}" if clear(kept) else _busy(kept) for kept in chosen]
    return "\n".join(lines or [f"{cache_dir()}: nothing to clear"])


def _busy(kept: Kept) -> str:
    return f"left {kept.name}: a process is making it"


def _age(made: float) -> str:
    """`3 days`, `5 minutes`: in the largest unit of which there is one."""
    seconds = max(0, time.time() - made)
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "now"
