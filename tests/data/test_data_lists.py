"""Class lists as people write, export and save them, and what is wrong with them by line."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

import pytest

from fewstep.data.classes import class_lists


COMPOSED = unicodedata.normalize("NFC", "café")
DECOMPOSED = unicodedata.normalize("NFD", "café")
CLASSES = ["C", "C#", "#1", "cat", "dog", "007", "7up", COMPOSED, "golden retriever", "it's",
           "retriever, golden", "label", "Straße", "名前", '12" pipe']  # fmt: skip


def read(path: Path, present: list[str] = CLASSES) -> list[str]:
    return class_lists.from_files({"train": path}, present, "photos")["train"]


def u(text: str) -> bytes:
    return text.encode()


WESTERN = "café\nStraße\n".encode("cp1252")

LISTS = {
    "a name a line": (u("cat\ndog\n"), ["cat", "dog"]),
    "the order of the list": (u("dog\ncat"), ["dog", "cat"]),
    "UTF-8 with a mark": (codecs.BOM_UTF8 + u("cat\ncafé\n"), ["cat", COMPOSED]),
    "UTF-16 little-endian": (codecs.BOM_UTF16_LE + "cat\r\n名前\r\n".encode("utf-16-le"),
                             ["cat", "名前"]),
    "UTF-16 big-endian": (codecs.BOM_UTF16_BE + "café\ndog".encode("utf-16-be"),
                          [COMPOSED, "dog"]),
    "UTF-32": (codecs.BOM_UTF32_LE + "café\ndog".encode("utf-32-le"), [COMPOSED, "dog"]),
    "two files with marks joined": (codecs.BOM_UTF8 + u("cat\n") + codecs.BOM_UTF8 + u("dog"),
                                    ["cat", "dog"]),
    "Latin-1, which the classes prove": (WESTERN, [COMPOSED, "Straße"]),
    "Latin-1 in a comment alone": ("cat # très bien\n".encode("latin-1"), ["cat"]),
    "letters and accents apart": (u(DECOMPOSED), [COMPOSED]),
    "lines of Windows": (u("cat\r\ndog\r\n"), ["cat", "dog"]),
    "lines of an old Mac": (u("cat\rdog\r"), ["cat", "dog"]),
    "blank lines": (u("\n\ncat\n \t\n\ndog\n\n"), ["cat", "dog"]),
    "spaces around": (u("  cat\t\n dog \u00a0\n"), ["cat", "dog"]),
    "comments": (u("# mine\ncat # the first\n# dog\n  # dog\n"), ["cat"]),
    "a comment without a space, as before": (u("cat#first"), ["cat"]),
    "a class called C#": (u("C#\ncat"), ["C#", "cat"]),
    "C# and a comment": (u("C# # not C\n"), ["C#"]),
    "C and a comment": (u("C # not C#\n"), ["C"]),
    "a class called #1": (u("# header\n#1\n# 1\n"), ["#1"]),
    "a slash after the name": (u("cat/\ndog/\n"), ["cat", "dog"]),
    "paths": (u("./cat\nimages/dog/\n"), ["cat", "dog"]),
    "Windows' paths": (u("cat\\\r\n.\\dog\r\nC:\\photos\\7up\r\n"), ["cat", "dog", "7up"]),
    "quoted, with a comma": (u('"retriever, golden"\n"cat"\n'), ["retriever, golden", "cat"]),
    "a comma without quotes": (u("cat\nretriever, golden\n"), ["cat", "retriever, golden"]),
    "quotes within": (u("it's\n12\" pipe\n\"12\"\" pipe\"\n"), ["it's", '12" pipe']),
    "a table": (u("filename,label\na.jpg,cat\nb.jpg,cat\nc.jpg,dog\n"), ["cat", "dog"]),
    "a semicolon table": (u("Filename;Label\na.jpg;cat\nb.jpg;retriever, golden\n"),
                          ["cat", "retriever, golden"]),
    "a table of Excel": (codecs.BOM_UTF8 + u("sep=;\r\nCLASS;n\r\ncat;5\r\n007;6\r\n"),
                         ["cat", "007"]),
    "a tab table": (u("Class Name\tfile\ngolden retriever\ta.jpg\n"), ["golden retriever"]),
    "a quoted table": (u('"File","Label"\n"a,b.jpg","retriever, golden"\n'),
                       ["retriever, golden"]),
    "a header alone": (u("CLASS\ncat\ndog"), ["cat", "dog"]),
    "a class called label": (u("label\ncat"), ["label", "cat"]),
    "a table without titles": (u("1;cat\n2;dog\n"), ["cat", "dog"]),
    "a numbered table of numbers": (u("id\tlabel\n7\t007\n"), ["007"]),
    "numbers as names": (u("007\n7up\n"), ["007", "7up"]),
    "a name twice": (u("cat\ndog\ncat/\n"), ["cat", "dog"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_lists_as_people_have_them(name, tmp_path):
    data, expected = LISTS[name]
    (tmp_path / "train.txt").write_bytes(data)
    assert read(tmp_path / "train.txt") == expected


def test_the_name_is_the_folders(tmp_path):
    """macOS gives folders' names with accents apart; a list typed elsewhere has them in one."""
    (tmp_path / "train.txt").write_text(COMPOSED, "utf-8")
    assert read(tmp_path / "train.txt", [DECOMPOSED, "cat"]) == [DECOMPOSED]
    assert read(tmp_path / "train.txt", [DECOMPOSED, COMPOSED]) == [COMPOSED]


def test_a_comment_without_a_space(tmp_path):
    """It is one, unless there are classes that begin so: then it may be one that is missing."""
    (tmp_path / "train.txt").write_text("cat\n#dog\n")
    assert read(tmp_path / "train.txt", ["cat", "dog"]) == ["cat"]
    with pytest.raises(ValueError, match=r"missing \(#dog\)"):
        read(tmp_path / "train.txt", ["cat", "dog", "#1"])


def test_spaces_of_a_folder(tmp_path):
    (tmp_path / "train.txt").write_text("cat \n cat\n")
    assert read(tmp_path / "train.txt", ["cat ", "cat"]) == ["cat ", "cat"]


WRONG = {
    "empty": (b"", "train='{path}' names no class"),
    "comments alone": (b"# cat\n\n", "train='{path}' names no class"),
    "another case": (b"dog\nCat\n", "1 of the 2 train classes are missing (Cat) in "
                     "dataset.split_files.train='{path}', line 2 (did you mean 'cat'?); complete"),
    "a missing zero": (b"7", "(7) in dataset.split_files.train='{path}', line 1 (did you mean "
                       "'007'?)"),
    "a typing error": (b"goldenretreiver", "(did you mean 'golden retriever'?)"),
    "underscores": (b"golden_retriever", "(did you mean 'golden retriever'?)"),
    "no accent": (b"cafe", "(did you mean 'caf\u00e9'?)"),
    "nothing like it": (b"zebra", "missing (zebra) in dataset.split_files.train='{path}', line 1; "
                        "complete the data, or correct the list"),
    "another number": (b"#2", "missing (#2) in"),
    "Latin-1 that names nothing": (b"cat\ncaf\xe9s\n", "train='{path}', line 2: byte 0xe9 is not "
                                   "UTF-8; save the file as UTF-8"),
    "no encoding": (b"cat\r\n\x81\xff", "train='{path}', line 2: byte 0x81 is not UTF-8; save"),
    "cut UTF-16": (codecs.BOM_UTF16_LE + "cat\ndog".encode("utf-16-le")[:-1],
                   "train='{path}', line 2: byte 0x67 is not UTF-16-LE; save the file as UTF-8"),
    "UTF-16 without its mark": ("cat\ndog".encode("utf-16-be"), "train='{path}', line 1: holds a "
                                "zero byte, as UTF-16 without its byte order mark does"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "train='{path}', line 1: byte 0x89 is not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_line(name, tmp_path):
    data, expected = WRONG[name]
    path = tmp_path / "train.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"dataset\.(split_files|root)") as error:
        read(path)
    assert expected.format(path=path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_class_in_two_lists(tmp_path):
    (tmp_path / "train.txt").write_text(f"cat\n{COMPOSED}\n", "utf-8")
    (tmp_path / "test.txt").write_text(f"# new\ndog\n\n{DECOMPOSED}/\n", "utf-8")
    paths = {split: tmp_path / f"{split}.txt" for split in ("train", "test")}
    with pytest.raises(ValueError, match="again in the test list") as error:
        class_lists.from_files(paths, CLASSES, "photos")
    assert str(error.value) == (
        f"class '{COMPOSED}' is in the train list and again in the test list "
        f"('{paths['test']}', line 4); keep it in one, or test tasks would not be new"
    )


@pytest.mark.parametrize("dataset", ["cifar_fs", "miniimagenet"])
def test_the_published_lists(dataset, real_data):
    parts = class_lists.published(dataset)
    present = sorted(name for part in parts.values() for name in part)
    paths = {s: real_data / "splits" / f"{dataset}_{s}.txt" for s in parts}
    assert class_lists.from_files(paths, present, "here") == parts


def test_a_list_that_is_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"^dataset\.split_files\.train=None: must be the path"):
        class_lists.from_files({"train": None}, CLASSES, "photos")
    with pytest.raises(FileNotFoundError, match=r"train='.+' is no plain file; name a text"):
        read(tmp_path)
