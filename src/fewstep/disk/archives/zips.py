"""Zip files, read in place and with care: any name, and no more bytes than a member says it has."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from bz2 import BZ2Decompressor
from collections.abc import Sequence
from copy import copy
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from fewstep.disk.archives.member_names import placed
from fewstep.disk.bad_files import BadFile, too_large


UTF8 = 0x800
"""The flag of a name in UTF-8; without it zipfile takes a name for cp437."""
UNICODE_PATH = 0x7075
"""The extra field in which a zip program gives a name again, in UTF-8."""
LOCAL_HEADER = 30
"""Bytes before a member's data, besides its name."""
PIECE = 4096
"""How much is read at a time of LZMA: zipfile unpacks all of it that it has read."""


class Zip:
    """The files in a zip file. Raises zipfile.BadZipFile if it is not one, or not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except UnicodeDecodeError as error:
            reason = "the name of a member is marked as UTF-8 and is none"
            raise zipfile.BadZipFile(reason) from error
        infos = [info for info in self._file.infolist() if not _is_folder(info)]
        if _overlap(infos, self._file.start_dir):
            self.close()
            raise zipfile.BadZipFile("its members overlap, as in a zip bomb")
        names = dict(zip(_readable(infos), infos, strict=True))  # of two the same, the last counts
        paths, outside = placed(names)
        links = [name for name in paths if _is_link(names[name])]
        self._members = {p: names[name] for name, p in paths.items() if name not in set(links)}
        self.left_out = [*outside, *links]
        """Names that point outside of the archive, and symbolic links: none is followed."""

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def paths(self) -> list[PurePosixPath]:
        """Where the files are, sorted."""
        return sorted(self._members)

    def read(self, path: PurePosixPath, most: int) -> bytes:
        """A file's bytes, `most` at the most; for several threads at once. Raises BadFile."""
        info = self._members[path]
        where = f"{path} in {self.path}"
        if (size := max(info.file_size, info.compress_size)) > most:
            raise too_large(where, size, most)
        try:
            return self._bytes(info)
        except RuntimeError as error:  # NotImplementedError, or without a class of its own
            raise BadFile(
                where,
                f"is encrypted or compressed in a way that Python's zipfile cannot read ({error})",
                "unpack the archive and zip it again, without a password",
            ) from error
        except Exception as error:  # BadZipFile, zlib.error, EOFError, ...: whatever it comes to
            raise BadFile(where, f"is damaged ({error})", "copy or fetch the zip again") from error

    def _bytes(self, info: ZipInfo) -> bytes:
        if info.compress_type == zipfile.ZIP_BZIP2:
            return self._unbzipped(info)
        with self._file.open(info) as file:
            if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                return file.read(info.file_size)  # with a number: never more than that is unpacked
            assert isinstance(file, zipfile.ZipExtFile)
            pieces = []
            while piece := file.read1(PIECE):
                pieces.append(piece)
            return b"".join(pieces)

    def _unbzipped(self, info: ZipInfo) -> bytes:
        """zipfile would unpack without a limit what some bytes of bzip2 stand for: gigabytes."""
        packed = copy(info)
        packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
        del packed.CRC  # that of the unpacked bytes
        with self._file.open(packed) as file:
            data = BZ2Decompressor().decompress(file.read(info.compress_size), info.file_size + 1)
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("Bad CRC-32")
        return data


def _readable(infos: Sequence[ZipInfo]) -> list[str]:
    """The members' names as they were meant, with slashes between folders.

    Many programs write UTF-8 without saying so, or give it in an extra field. Names in another
    encoding stay as zipfile has them, in cp437: no two of them become one.
    """
    slashes = any("/" in info.filename for info in infos)
    return [_name(info, slashes) for info in infos]


def _name(info: ZipInfo, slashes: bool) -> str:
    if info.flag_bits & UTF8 or info.filename.isascii():
        return info.filename
    try:
        raw = info.filename.encode("cp437")
    except UnicodeEncodeError:  # from Python 3.13 on zipfile itself has read the extra field
        return info.filename
    for text in (_unicode_path(info.extra, raw), raw):
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            continue
    if slashes or _decodes(raw, "shift_jis"):
        # The second byte of a letter, as in Shift-JIS, may look like a backslash: not a separator.
        raw = re.sub(rb"(?<=[\x81-\xfe])\\", b"_", raw)
    return raw.decode("cp437")


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name in the extra field, if it belongs to the name in the header; else that one."""
    while len(extra) >= 4:
        field, length = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if field == UNICODE_PATH and len(body) > 5:
            version, checksum = struct.unpack("<BL", body[:5])
            if version == 1 and checksum == zlib.crc32(raw):
                return body[5:]
    return raw


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_folder(info: ZipInfo) -> bool:
    dos_folder = info.external_attr & 0x10 and not info.file_size
    return info.filename.endswith(("/", "\\")) or bool(dos_folder)


def _is_link(info: ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _overlap(infos: Sequence[ZipInfo], end: int) -> bool:
    """Whether two members share bytes of the archive: a small one can be made to unpack to much."""
    spans = sorted(
        (i.header_offset, i.header_offset + LOCAL_HEADER + len(i.filename) + i.compress_size)
        for i in infos
    )
    starts = [start for start, _ in spans[1:]] + [end] * bool(spans)
    return any(stop > start for (_, stop), start in zip(spans, starts, strict=True))
