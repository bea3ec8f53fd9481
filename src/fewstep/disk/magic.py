"""What a file is, by its first bytes: for messages about files that are something else."""

from __future__ import annotations


STARTS = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"PK\x07\x08": "a part of a split zip",
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\x04\x22\x4d\x18": "an LZ4 file",
    b"MSCF": "a Windows cabinet",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"II+\x00": "a BigTIFF image",
    b"8BPS": "a Photoshop document",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (.h5, .hdf5, .mat)",
    b"\x93NUMPY": "a NumPy array",
    b"MATLAB 5.0": "a MATLAB file",
    b"PAR1": "a Parquet table",
    b"ARROW1": "an Arrow table",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"version https://git-lfs": "a Git LFS pointer, which stands for the file (`git lfs pull`)",
    b"/annex/objects/": "a git-annex pointer, which stands for the file (`git annex get`)",
    b"\x7fELF": "a program",
    b"MZ": "a Windows program",
}
"""What the first bytes say."""

PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
HEIC = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


def kind(start: bytes) -> str:
    """What a file is that begins with these bytes (some 512 of them), with its article."""
    if not start:
        return "an empty file"
    for mark, name in STARTS.items():
        if start.startswith(mark):
            return name
    if start.startswith(PICKLES):
        return "a Python pickle"
    if start[257:262] == b"ustar":
        return "a tar archive"
    if start[4:8] == b"ftyp":
        return "an HEIC photo" if start[8:12] in HEIC else "an MP4 film"
    if start[:4] == b"RIFF":
        return "a WebP image" if start[8:12] == b"WEBP" else "a RIFF film or sound"
    if not start.strip(b"\x00"):
        return "nothing but zero bytes"
    return _text(start) or "of no kind that is known here"


def _text(start: bytes) -> str | None:
    if b"\x00" in start:
        return None
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page (HTML), as a download that needs a login gives it"
    if head.startswith(b"<?xml"):
        return "an XML file"
    try:
        start[:-3].decode("utf-8") if len(start) > 3 else start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 8:
            return None
    return "a text file"
