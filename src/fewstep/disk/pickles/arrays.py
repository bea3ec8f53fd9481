"""What the names in a pickle of arrays stand for: their meaning in our own words, never a call."""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np


LONG = 1 << 16
"""Longer bytes and texts stay where they are, as views of the file."""

DIMENSIONS = 8

TYPES = re.compile(r"([<>|=]?)(b1|[iu][1248]|f[248]|[SU][1-9]\d{0,3})")
"""The types of arrays that are read: truth values, numbers and short text."""


class Refused(Exception):
    """A pickle asks for something that is none of the types known here."""


@dataclass(frozen=True)
class Name:
    """A name that a pickle mentions. It is compared, and never looked up."""

    text: str


@dataclass
class LongText:
    """UTF-8 text, not decoded yet: Python 3 writes arrays so in Python 2's protocols."""

    data: memoryview


@dataclass
class Type:
    """A type of array elements whose byte order may still have to come."""

    code: str


@dataclass
class Array:
    """An array that has been announced and not filled."""

    places: list[int] = field(default_factory=list)
    """Where the memo has it."""


NDARRAY = Name("numpy.ndarray")
DTYPE = Name("numpy.dtype")
RECONSTRUCT = Name("numpy._core.multiarray._reconstruct")
SCALAR = Name("numpy._core.multiarray.scalar")
FROM_BUFFER = Name("numpy._core.numeric._frombuffer")
ENCODE = Name("_codecs.encode")
EMPTY = Name("__builtin__.bytes")
KNOWN = {n.text: n for n in (NDARRAY, DTYPE, RECONSTRUCT, SCALAR, FROM_BUFFER, ENCODE, EMPTY)}


def named(module: Any, name: Any) -> Name:
    """A name out of a pickle. Raises Refused, naming it, if it is none of `KNOWN`."""
    if not (isinstance(module, str) and isinstance(name, str)):
        raise Refused("it asks for a name that is no text")
    text = f"{module}.{name}"
    current = re.sub(r"^numpy\.core\.", "numpy._core.", text)  # its name before NumPy 2
    if current not in KNOWN:
        shown = text if text.isprintable() else ascii(text)
        raise Refused(f"it asks for {shown[:100]}")
    return KNOWN[current]


def called(function: Any, values: Any) -> Any:
    """What a call of a known function would give. Raises Refused for any other call."""
    match function, values:
        case Name("numpy._core.multiarray._reconstruct"), (Name("numpy.ndarray"), (0,), _):
            return Array()
        case Name("numpy.dtype"), (str(code) | bytes(code), *_):
            return Type(_type(code))
        case Name("numpy._core.multiarray.scalar"), (Type(code), data):
            return _array((), code, data, "C").item()
        case Name("numpy._core.numeric._frombuffer"), (data, Type(code), shape, order):
            return _array(shape, code, data, order)
        case Name("_codecs.encode"), (str() | LongText() as text, "latin1" | "latin-1"):
            return _encoded(text)
        case Name("__builtin__.bytes"), ():
            return b""
        case Name(text), _:
            raise Refused(f"it calls {text} as no array does")
    raise Refused(f"it calls a {type(function).__name__}")


def filled(made: Any, state: Any) -> Any:
    """What was announced, with its state. Raises Refused where none belongs."""
    match made, state:
        case Type(), (int(), str() | bytes() as order, None, None, None, *_):
            made.code = _type(_word(order) + made.code.lstrip("<>|="))
            return made
        case Array(), (int(), shape, Type(code), bool() | int() as fortran, data):
            return _array(shape, code, data, "F" if fortran else "C")
    raise Refused(f"it sets the state of a {type(made).__name__} as no array does")


def _word(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("latin-1")


def _type(code: str | bytes) -> str:
    code = _word(code)
    if not TYPES.fullmatch(code):
        raise Refused(f"it has an array of type {ascii(code)[:40]}")
    return code


def _array(shape: Any, code: str, data: Any, order: Any) -> np.ndarray:
    """A view of the data; a shape that it does not fill takes no memory."""
    if isinstance(data, str):  # of Python 2
        data = data.encode("latin-1")
    dtype = np.dtype(code)
    if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)):
        raise Refused("it has an array without a shape")
    if len(shape) > DIMENSIONS or not isinstance(data, bytes | bytearray | memoryview):
        raise Refused("it has an array that is none")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {shape} does not fit its {len(data)} bytes")
    return np.ndarray(shape, dtype, data, order="F" if order == "F" else "C")


def _encoded(text: str | LongText) -> bytes | bytearray:
    """Text whose letters are bytes, as these; the long one a piece at a time."""
    if isinstance(text, str):
        return text.encode("latin-1")
    decoder, whole = codecs.getincrementaldecoder("utf-8")(), bytearray()
    for start in range(0, len(text.data), 1 << 24):
        whole += decoder.decode(text.data[start : start + (1 << 24)]).encode("latin-1")
    return whole
