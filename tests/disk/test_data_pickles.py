"""Pickles of arrays: what is read, and what is refused without anything run."""

from __future__ import annotations

import contextlib
import copyreg
import functools
import os
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fewstep.disk.pickles import pickled
from made_files import python2


CONTENT = {
    "image_data": np.arange(40 * 40 * 3 * 30, dtype=np.uint32).astype(np.uint8).reshape(-1, 40, 3),
    "class_dict": {"n01": [0, 1, 300, 70000, -5, 2**40], "café": list(range(3))},
    "labels": [np.int64(5), np.uint8(7), 2**63, True, None, 0.5, (1, 2, 3, 4), (), [[]]],
    "names": np.array(["apple", "fox"]),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(3, dtype=">i4"),
    "empty": np.zeros((0, 3), dtype=np.int32),
    "long": "x" * 70000,
}


def same(a: object, b: object) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    return a == b


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(protocol):
    read = pickled.read(pickle.dumps(CONTENT, protocol), "here")
    assert read.pop("long") is not None  # it may stay undecoded
    assert same({k: v for k, v in CONTENT.items() if k != "long"}, read)


def test_python_2():
    content = {k: v for k, v in CONTENT.items() if k not in ("long", "names")}
    assert same(content, pickled.read(python2(content), "here"))


def test_one_array_in_two_places_stays_one():
    images = np.ones((2, 3), dtype=np.uint8)
    a, b = pickled.read(pickle.dumps([images, images]), "here")
    assert a is b


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_are_views_of_the_file(protocol, tmp_path):
    """An array of 64 MB takes no memory; those of the usual copies have 0.8 GB."""
    images = np.zeros((1 << 26,), dtype=np.uint8)
    images[-1] = 7
    path = tmp_path / "images.pkl"
    path.write_bytes(pickle.dumps({"data": images}, protocol))
    tracemalloc.start()
    try:
        read = pickled.read_file(path)["data"]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert read[-1] == 7
    assert not read.flags.writeable


class Call:
    """Pickled as the call of a function."""

    def __init__(self, function: object, *values: object) -> None:
        self.function, self.values = function, values

    def __reduce__(self) -> tuple:
        return self.function, self.values


class State(Call):
    """Pickled as the call of a function and a state for what comes of it."""

    def __reduce__(self) -> tuple:
        return self.function, self.values[:-1], self.values[-1]


RECONSTRUCT = np.zeros(0).__reduce__()[0]
MARKER = "ran"

RUNNING = {
    "os.mkdir": (Call(os.mkdir, MARKER), "posix.mkdir"),
    "os.system": (Call(os.system, f"mkdir {MARKER}"), "posix.system"),
    "builtins.eval": (Call(eval, f"__import__('os').mkdir('{MARKER}')"), "__builtin__.eval"),
    "builtins.exec": (Call(exec, f"import os; os.mkdir('{MARKER}')"), "__builtin__.exec"),
    "functools.reduce": (Call(functools.reduce, os.mkdir, [MARKER, 0o777]), "reduce"),
    "a call in an array": ([np.zeros(2), {"a": Call(os.mkdir, MARKER)}], "posix.mkdir"),
    "a call for a key": ({"image_data": {1: (Call(os.mkdir, MARKER),)}}, "posix.mkdir"),
    "a call in a shape": (Call(RECONSTRUCT, np.ndarray, (Call(os.mkdir, MARKER),), b"b"),
                          "posix.mkdir"),
    "INST": (b"(X\x03\x00\x00\x00ranios\nmkdir\n.", "os.mkdir"),
    "OBJ": (b"(cposix\nmkdir\nX\x03\x00\x00\x00rano.", "posix.mkdir"),
    "a name from the stack": (b"\x80\x04\x8c\x05posix\x8c\x05mkdir\x93(\x8c\x03rantR.",
                              "posix.mkdir"),
}  # fmt: skip

OTHERS = {
    "a dotted name": (b"\x80\x04\x8c\x16numpy._core.multiarray\x8c\x15_reconstruct.__call__\x93.",
                      "numpy._core.multiarray._reconstruct.__call__"),
    "a dotted way to os": (b"\x80\x04\x8c\x0anumpy.core\x8c\x08os.mkdir\x93(\x8c\x03rantR.",
                           "numpy.core.os.mkdir"),
    "numpy.load": (Call(np.load, "x.npy", None, True), "numpy.load"),
    "numpy.fromfile": (Call(np.fromfile, "/etc/passwd"), "numpy.fromfile"),
    "numpy.frombuffer": (Call(np.frombuffer, b"abcd"), "numpy.frombuffer"),
    "getattr": (b"c__builtin__\ngetattr\n.", "__builtin__.getattr"),
    "partial": (functools.partial(print, "ran"), "functools.partial"),
    "copyreg": (Call(copyreg._reconstructor, Path, object, None), "copy_reg._reconstructor"),
    "an object": (pickle.dumps(Path("a"), 4), "pathlib"),
    "a set": (pickle.dumps({1}, 4), "EMPTY_SET"),
    "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
    "EXT2": (b"\x80\x02\x83\x01\x00.", "EXT2"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
    "a persistent id": (b"Pid\n.", "PERSID"),
    "a binary persistent id": (b"X\x01\x00\x00\x00aQ.", "BINPERSID"),
    "a buffer from elsewhere": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "NEWOBJ": (b"\x80\x02cnumpy\nndarray\n(K\x09t\x81.", "NEWOBJ"),
    "ndarray called": (Call(np.ndarray, (1 << 40,), "u1"), "calls numpy.ndarray"),
    "another codec": (Call(__import__("_codecs").encode, "a", "zlib"), "calls _codecs.encode"),
    "text called": (b"X\x01\x00\x00\x00a)R.", "calls a str"),
    "an array of objects": (np.array([{}, None], dtype=object), "an array of type 'O8'"),
    "an array of records": (np.zeros(2, dtype=[("a", "u1")]), "an array of type 'V1'"),
    "a state with fields": (State(np.dtype, "u1", False, True, (3, "|", None, ("a",), {"a": 1},
                                                               9, 1, 0)), "state of a Type"),
    "a state of a list": (b"]}b.", "state of a list"),
    "a state of text": (b"X\x01\x00\x00\x00a}b.", "state of a str"),
    "a matrix for an array": (Call(RECONSTRUCT, np.matrix, (0,), b"b"), "numpy.matrix"),
    "a shape of floats": (State(RECONSTRUCT, np.ndarray, (0,), b"b",
                                (1, (2.0,), np.dtype("u1"), False, b"ab")), "without a shape"),
    "a tuple for a key": ({((1,),): 2}, "a tuple for a key"),
    "a number of megabytes": (1 << (1 << 23), "more than 64 bits"),
    "a name in disguise": (b"cos\x1b[2J\nsystem\n.", "'os\\x1b[2J.system'"),
}  # fmt: skip

HUGE = {
    "an array larger than its data": (1, (1 << 40,), np.dtype("u1"), False, b"ab"),
    "an array of nothing": (1, (1 << 62, 1 << 62), np.dtype("u8"), False, b""),
}

CUT = {
    "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"a.",
    "text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"a.",
    "a bytearray": b"\x80\x05\x96" + struct.pack("<Q", (1 << 64) - 1) + b"a.",
    "old bytes": b"\x80\x03B\xff\xff\xff\xffa.",
    "a number": b"\x80\x02\x8b\xff\xff\xff\x7fa.",
    "no end": b"\x80\x02]",
    "no line": b"\x80\x02I12",
    "nothing to take": b"\x80\x020.",
    "no mark": b"\x80\x02t.",
    "no memory of it": b"\x80\x02h\x07.",
    "no pickle": b"PK\x03\x04",
}


def dumped(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else pickle.dumps(payload, 2)


@pytest.mark.parametrize("name", [*RUNNING, *OTHERS])
def test_hostile_pickles_are_refused_by_name_and_run_nothing(name, tmp_path, monkeypatch):
    payload, asked = (RUNNING | OTHERS)[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mini-imagenet-cache-train.pkl"
    path.write_bytes(dumped(payload))
    with pytest.raises(ValueError, match="is refused: it") as error:
        pickled.read_file(path)
    assert str(error.value).startswith(f"{path} is refused: it ")
    assert asked in str(error.value)
    assert str(error.value).isprintable()
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("name", RUNNING)
def test_they_would_have_run(name, tmp_path, monkeypatch):
    """Python's own reader runs them; were one harmless, the test above would hold nothing."""
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(Exception):  # some fail once they have run
        pickle.loads(dumped(RUNNING[name][0]))
    assert (tmp_path / MARKER).exists()


@pytest.mark.parametrize("name", [*HUGE, *CUT])
def test_lengths_that_the_file_does_not_have_take_no_memory(name):
    state = HUGE.get(name)
    data = CUT[name] if state is None else dumped(State(RECONSTRUCT, np.ndarray, (0,), b"b", state))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"here is (no whole pickle|refused)"):
            pickled.read(data, "here")
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_deep_and_many(monkeypatch):
    """What would overrun the C stack or fill the memory a byte at a time."""
    deep = b"\x80\x02)" + b"\x85" * 50_000
    assert pickled.read(deep + b".", "here") is not None
    with pytest.raises(ValueError, match="a tuple for a key"):
        pickled.read(b"\x80\x02}" + deep[2:] + b"K\x01s.", "here")
    monkeypatch.setattr(pickled, "MOST", 1000)
    with pytest.raises(ValueError, match=r"here is refused: it has more than 1,000 steps"):
        pickled.read(b"\x80\x02" + b"}" * 1000 + b".", "here")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.pkl is empty; fetch it again"):
        pickled.read_file(tmp_path / "a.pkl")
