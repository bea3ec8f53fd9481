"""Pickles of arrays, read without running anything.

A pickle is a program, and Python's own reader calls what it names. This one knows dictionaries,
lists, tuples, numbers, text, bytes and NumPy arrays; of the few functions that such pickles name
it knows the meaning and calls none, and whatever else a pickle asks for is refused. Arrays are
views of the file: reading one of a gigabyte takes no memory to speak of.
"""

from __future__ import annotations

import codecs
import mmap
import pickle as codes
import pickletools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fewstep.disk.pickles.arrays import LONG, LongText, Refused
from fewstep.disk.pickles.machine import Machine


MOST = 5_000_000
"""Steps of the largest pickle that is read; CIFAR-100's has a quarter of a million."""


def read_file(path: Path) -> Any:
    """What a pickled file holds. Raises ValueError, naming the file, as `read` does."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty; fetch it again")
        # Never closed by hand: the arrays are views of it, and the last of them closes it.
        return read(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), str(path))


def read(data: bytes | mmap.mmap, where: str) -> Any:
    """What a pickle holds, arrays as read-only views of `data`. Text of Python 2 is Latin-1.

    Texts longer than `LONG` bytes, which no data set here has, stay undecoded.

    Raises ValueError, naming `where` and what was asked for, if it is damaged or holds anything
    but the types above.
    """
    try:
        return _run(Machine(data))
    except Refused as error:
        raise ValueError(
            f"{where} is refused: {error}; only numbers, text, bytes, lists, dictionaries and "
            f"NumPy arrays are read from pickles"
        ) from None
    except (ValueError, TypeError, LookupError, OverflowError, struct.error) as error:
        raise ValueError(f"{where} is no whole pickle ({error}); fetch it again") from None


def _run(machine: Machine) -> Any:
    for _ in range(MOST):
        code = bytes(machine.take(1))
        if code == codes.STOP:
            return machine.stack.pop()
        if (step := STEPS.get(code)) is None:
            names = {op.code: op.name for op in pickletools.opcodes}
            known = names.get(code.decode("latin-1"))
            raise Refused(f"it asks for {known}" if known else f"it has the code {code!r}")
        step(machine)
    raise Refused(f"it has more than {MOST:,} steps")


def _raw(data: memoryview) -> bytes | memoryview:
    return data if len(data) > LONG else bytes(data)


def _old(data: memoryview | bytes) -> str | memoryview | bytes:
    """A string of Python 2, which may be text or bytes."""
    return data if len(data) > LONG else str(data, "latin-1")


def _text(data: memoryview) -> str | LongText:
    return LongText(data) if len(data) > LONG else str(data, "utf-8", "surrogatepass")


def _integer(text: bytes) -> int | bool:
    return text == b"01" if text in (b"00", b"01") else _small(int(text.rstrip(b"L")))


def _small(number: int) -> int:
    if abs(number) >= 1 << 64:
        raise Refused("it has a number of more than 64 bits")
    return number


def _long(data: memoryview) -> int:
    return _small(int.from_bytes(data[:16], "little", signed=True) if len(data) <= 16 else 1 << 64)


def _quoted(text: bytes) -> bytes:
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in b"'\"":
        raise ValueError("a string without quotes")
    return codecs.escape_decode(text[1:-1])[0]


def _inst(m: Machine) -> None:
    m.name(m.line().decode(), m.line().decode())
    raise Refused("it asks for INST")


def _tuple(n: int) -> Callable[[Machine], None]:
    return lambda m: m.push(tuple([m.pop() for _ in range(n)][::-1]))


STEPS: dict[bytes, Callable[[Machine], Any]] = {
    codes.PROTO: lambda m: m.take(1),
    codes.FRAME: lambda m: m.take(8),
    codes.MARK: lambda m: m.marks.append(len(m.stack)),
    codes.POP: Machine.drop,
    codes.POP_MARK: Machine.marked,
    codes.DUP: lambda m: m.push(m.stack[-1]),
    codes.NONE: lambda m: m.push(None),
    codes.NEWTRUE: lambda m: m.push(True),
    codes.NEWFALSE: lambda m: m.push(False),
    codes.INT: lambda m: m.push(_integer(m.line())),
    codes.LONG: lambda m: m.push(_integer(m.line())),
    codes.BININT: lambda m: m.push(m.number(4, signed=True)),
    codes.BININT1: lambda m: m.push(m.number(1)),
    codes.BININT2: lambda m: m.push(m.number(2)),
    codes.LONG1: lambda m: m.push(_long(m.counted(1))),
    codes.LONG4: lambda m: m.push(_long(m.counted(4))),
    codes.FLOAT: lambda m: m.push(float(m.line())),
    codes.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    codes.STRING: lambda m: m.push(_old(_quoted(m.line()))),
    codes.BINSTRING: lambda m: m.push(_old(m.counted(4))),
    codes.SHORT_BINSTRING: lambda m: m.push(_old(m.counted(1))),
    codes.BINBYTES: lambda m: m.push(_raw(m.counted(4))),
    codes.SHORT_BINBYTES: lambda m: m.push(_raw(m.counted(1))),
    codes.BINBYTES8: lambda m: m.push(_raw(m.counted(8))),
    codes.BYTEARRAY8: lambda m: m.push(_raw(m.counted(8))),
    codes.UNICODE: lambda m: m.push(m.line().decode("raw-unicode-escape")),
    codes.BINUNICODE: lambda m: m.push(_text(m.counted(4))),
    codes.SHORT_BINUNICODE: lambda m: m.push(_text(m.counted(1))),
    codes.BINUNICODE8: lambda m: m.push(_text(m.counted(8))),
    codes.EMPTY_TUPLE: _tuple(0),
    codes.TUPLE1: _tuple(1),
    codes.TUPLE2: _tuple(2),
    codes.TUPLE3: _tuple(3),
    codes.TUPLE: lambda m: m.push(tuple(m.marked())),
    codes.EMPTY_LIST: lambda m: m.push([]),
    codes.LIST: lambda m: m.push(m.marked()),
    codes.APPEND: lambda m: m.append([m.pop()]),
    codes.APPENDS: lambda m: m.append(m.marked()),
    codes.EMPTY_DICT: lambda m: m.push({}),
    codes.DICT: lambda m: (values := m.marked(), m.push({}), m.update(values)),
    codes.SETITEM: lambda m: m.update([m.pop(), m.pop()][::-1]),
    codes.SETITEMS: lambda m: m.update(m.marked()),
    codes.GET: lambda m: m.push(m.memo[int(m.line())]),
    codes.BINGET: lambda m: m.push(m.memo[m.number(1)]),
    codes.LONG_BINGET: lambda m: m.push(m.memo[m.number(4)]),
    codes.PUT: lambda m: m.put(int(m.line())),
    codes.BINPUT: lambda m: m.put(m.number(1)),
    codes.LONG_BINPUT: lambda m: m.put(m.number(4)),
    codes.MEMOIZE: lambda m: m.put(len(m.memo)),
    codes.GLOBAL: lambda m: m.name(m.line().decode(), m.line().decode()),
    codes.STACK_GLOBAL: lambda m: m.name(*[m.pop(), m.pop()][::-1]),
    codes.INST: _inst,
    codes.REDUCE: Machine.reduce,
    codes.BUILD: Machine.build,
}
"""What each code of a pickle does here. Those that are missing make or call other things."""
