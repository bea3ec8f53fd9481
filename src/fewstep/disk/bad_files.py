"""Files that cannot be used, and how to say so: all of a folder at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


MEGABYTE = 2**20
MOST = 512 * MEGABYTE
"""Bytes of a file, unpacked, where nobody says how many there may be."""
SHOWN = 20
"""How many bad files an error names; of the others it gives the number."""


class BadFile(ValueError):
    """One file that cannot be used.

    Args:
        where: the file, or the member and its archive.
        reason: what is wrong, as the rest of a sentence that begins with `where`.
        fix: what to do about it, in the imperative.
    """

    def __init__(self, where: str, reason: str, fix: str) -> None:
        super().__init__(f"{where} {reason}; {fix}")
        self.where, self.reason, self.fix = where, reason, fix


class BadFiles(ValueError):
    """The bad files among those that were asked for, the first `SHOWN` of them by name.

    Args:
        bad: at least one.
        of: how many files were asked for.
        endings: those of the bad files that no image has.
    """

    def __init__(self, bad: Sequence[BadFile], of: int, endings: Iterable[str] = ()) -> None:
        lines = [f"  {file.where} {file.reason}" for file in bad[:SHOWN]]
        lines += [f"  and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        fixes = "; or ".join(dict.fromkeys(file.fix for file in bad[:SHOWN]))
        several = [f"{len(bad)} of {of} files cannot be used:", *lines, f"  For each: {fixes}"]
        super().__init__(str(bad[0]) if len(bad) == 1 else "\n".join(several))
        self.endings = sorted(endings)


def too_large(where: str, size: int, most: int) -> BadFile:
    """A file of more bytes than are allowed."""
    mb = -(-size // MEGABYTE)
    return BadFile(
        where,
        f"has {mb} MB unpacked, more than dataset.max_file_mb={most / MEGABYTE:g}",
        f"leave it out, or allow dataset.max_file_mb={mb}",
    )
