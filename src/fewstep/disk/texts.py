"""Text files as people have them: in any encoding that editors and spreadsheets write."""

from __future__ import annotations

import codecs
import re
from pathlib import Path


MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""What a file may begin with, and the encoding that it tells. A file without one is UTF-8."""

WESTERN = "cp1252"
"""Windows' encoding for western Europe; Latin-1 but for some quotes and dashes."""

ENDS = re.compile("\r\n|\r|\n")


class NotUtf8Error(ValueError):
    """A file without a byte order mark that holds a byte which UTF-8 does not know."""


def read_lines(path: Path, where: str, western: bool = False) -> list[str]:
    """The lines of a text file, without their ends, which may be those of any system.

    Args:
        path: the file.
        where: the key and its value, for messages.
        western: read a file without a byte order mark as `WESTERN` instead of UTF-8. Any byte is
            a letter there, so whoever asks for it has to hold what comes out against something.

    Raises:
        NotUtf8Error: naming the line, see `western`.
        ValueError: naming the line, if the file is no text.
    """
    data = path.read_bytes()
    mark, encoding = next(
        ((mark, name) for mark, name in MARKS if data.startswith(mark)),
        (b"", WESTERN if western else "utf-8"),
    )
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding, errors="ignore")
        line = len(ENDS.findall(before)) + 1
        kind = ValueError if mark else NotUtf8Error
        raise kind(
            f"{where}, line {line}: byte 0x{error.object[error.start]:02x} is not "
            f"{encoding.upper()}; save the file as UTF-8"
        ) from None
    lines = ENDS.split(text)
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise ValueError(
                f"{where}, line {number}: holds a zero byte, as UTF-16 without its byte order "
                f"mark does, or a file that is no text; save it as UTF-8 text"
            )
    return [line.removeprefix("\ufeff") for line in lines]  # a mark left by joining files
