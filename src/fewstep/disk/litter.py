"""What desktops, network drives, clouds and editors leave among people's files.

None of it is a class or an image, wherever it lies: in a folder, a zip file or a tar.
"""

from __future__ import annotations

from pathlib import PurePath


LITTER = frozenset(
    {
        # macOS, also on the drives of others; its `.DS_Store` and `._x` begin with a dot
        "__macosx",
        "icon\r",
        "icon\uf00d",  # the same on a drive that allows no carriage return
        "network trash folder",
        "temporary items",
        "thefindbycontentfolder",
        "thevolumesettingsfolder",
        # Windows
        "$extend",
        "$recycle.bin",
        "albumartsmall.jpg",
        "desktop.ini",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "system volume information",
        "thumbs.db",
        "thumbs.db:encryptable",
        # Linux
        "lost+found",
        # network drives: Synology, QNAP
        "#recycle",
        "#snapshot",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@sharebin",
        "@tmp",
        # programs
        "__pycache__",
        "picasa.ini",
        "pspbrwse.jbf",
        "zbthumbnail.info",
    }
)
"""Names in small letters. What begins with a dot is litter without being named."""

STARTS = (".", "~$")
"""Hidden files and folders of any kind (`.Trash-1000`, `.nfs0000`), and Office's lock files."""
ENDS = ("~", ":zone.identifier", ".zone.identifier", ":com.dropbox.attributes")
"""Editors' backups, and the marks that Windows and Dropbox put on a file, copied as files."""


def is_hidden(path: PurePath) -> bool:
    """Whether a relative path, or a folder on its way, is litter."""
    return any(is_litter(part) for part in path.parts)


def is_litter(name: str) -> bool:
    """Whether a file's or folder's own name is litter's. Capitals and small letters are one."""
    name = name.lower()
    return name in LITTER or name.startswith(STARTS) or name.endswith(ENDS)
