"""Files that are none of NumPy's: said so, and nobody is advised to unpickle them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from fewstep.data.conversations import Conversations
from fewstep.data.subject_files import SubjectFiles
from fewstep.disk.array_files import read_numbers


OBJECTS = "it holds Python objects, which are not read"
CONTENT = {
    "text": (b"1 2 3", "it is a text file"),
    "page": (b"<html>no such file</html>", "it is a web page (HTML), as a download that needs a"),
    "pickle": (pickle.dumps([1, 2]), "it is a Python pickle"),
}


def told(path: Path) -> list[str]:
    """What each reader says of a file."""
    found = []
    for read in (
        lambda: read_numbers(str(path), "dataset.file", "models"),
        Conversations(path).open,
        SubjectFiles(str(path.parent), voxels=(1, 1)).open,
    ):
        with pytest.raises(ValueError, match=re.escape(path.name)) as refused:
            read()
        found.append(str(refused.value))
    return found


@pytest.mark.parametrize("name", CONTENT)
def test_what_it_is_instead_is_said(name: str, tmp_path: Path) -> None:
    content, words = CONTENT[name]
    for file in ("a.npz", "b.npz"):
        (tmp_path / file).write_bytes(content)
    for text in told(tmp_path / "a.npz"):
        assert words in text
        assert "allow_pickle" not in text
        assert "trust" not in text


def test_the_whole_text(tmp_path: Path) -> None:
    (file := tmp_path / "a.npy").write_text("1 2 3")
    with pytest.raises(ValueError, match=r"^dataset\.file=") as refused:
        read_numbers(str(file), "dataset.file", "models in m/s")
    assert str(refused.value) == (
        f"dataset.file={file}: cannot be read as a .npy of models in m/s (it is a text file)"
    )


def test_objects_of_pythons_are_not_read(tmp_path: Path) -> None:
    objects = np.array([None, 1], dtype=object)
    np.save(file := tmp_path / "a.npy", objects)
    with pytest.raises(ValueError, match=re.escape(f"({OBJECTS})")):
        read_numbers(str(file), "dataset.file", "models")
    arrays = {name: objects for name in ("tokens", "responses", "betas", "embeddings")}
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, **arrays)
    assert all(f"({OBJECTS})" in text for text in told(tmp_path / "a.npz")[1:])
