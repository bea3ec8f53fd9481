"""The stack machine that a pickle is a program for, without the parts that run anything."""

from __future__ import annotations

import mmap
from typing import Any

from fewstep.disk.pickles import arrays
from fewstep.disk.pickles.arrays import Array, Refused


KEYS = (str, bytes, int, float, type(None))
"""What may be a key of a dictionary; to hash a deep tuple could overrun the C stack."""


class Machine:
    """The pickle's stack, its memo and where it is being read."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data, self.view, self.at = data, memoryview(data), 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def take(self, n: int) -> memoryview:
        """The next n bytes, as a view; a length that the file does not have takes no memory."""
        if not 0 <= n <= len(self.view) - self.at:
            raise ValueError("it ends too early")
        self.at += n
        return self.view[self.at - n : self.at]

    def line(self) -> bytes:
        """The bytes to the end of the line, and past it."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise ValueError("it ends too early")
        text = bytes(self.take(end - self.at))
        self.at += 1
        return text

    def number(self, size: int, signed: bool = False) -> int:
        """The whole number in the next bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def counted(self, size: int) -> memoryview:
        """Bytes with their number before them in `size` bytes."""
        return self.take(self.number(size))

    def push(self, value: Any) -> None:
        """Lay a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take a value from the stack, none from below the last mark."""
        if self.marks and self.marks[-1] == len(self.stack):
            raise ValueError("a value is missing")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """The list or dictionary on the stack that is about to be changed."""
        if type(self.stack[-1]) is not kind:
            raise Refused(f"it changes a {type(self.stack[-1]).__name__} as if it were another")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """Take all values from the last mark on."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def append(self, values: list[Any]) -> None:
        """Append to the list on the stack."""
        self.top(list).extend(values)

    def update(self, values: list[Any]) -> None:
        """Add keys and values, which alternate, to the dictionary on the stack."""
        for key in values[::2]:
            if not isinstance(key, KEYS):
                raise Refused(f"it has a {type(key).__name__} for a key")
        self.top(dict).update(zip(values[::2], values[1::2], strict=True))

    def put(self, index: int) -> None:
        """Remember what lies on the stack."""
        self.memo[index] = value = self.stack[-1]
        if isinstance(value, Array):
            value.places.append(index)

    def build(self) -> None:
        """Fill what was made empty; an array then takes the place of what stood for it."""
        state, made = self.pop(), self.stack[-1]
        filled = arrays.filled(made, state)
        self.stack[-1] = filled
        for index in made.places if isinstance(made, Array) else ():
            self.memo[index] = filled

    def drop(self) -> None:
        """Take a value or a mark off the stack."""
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def name(self, module: Any, name: Any) -> None:
        """Lay a known name on the stack."""
        self.push(arrays.named(module, name))

    def reduce(self) -> None:
        """Put what a call would give in the place of the function and its arguments."""
        values, function = self.pop(), self.pop()
        self.push(arrays.called(function, values))
