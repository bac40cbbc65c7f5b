"""Arrays of arrays in .npy files, read without running what is in them.

NumPy stores an array of objects as a pickle, and unpickling a stranger's file runs whatever it says. Here the pickle's
opcodes are read one by one, as a list of words: names of functions stay names, and calls are written down and not made.
What is left is recognised only if it is what NumPy writes for arrays of floats; all else is refused.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unsee.errors import InputError

Floats = np.ndarray[Any, np.dtype[np.float64]]

_BROKEN = (ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError, SyntaxError, RecursionError)

_ALWAYS = 4096  # numbers and lists that any file may hold

_ARRAYS = {f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")}
_BUFFERS = {f"numpy.{core}.numeric _frombuffer" for core in ("core", "_core")}
_SCALARS = {f"numpy.{core}.multiarray scalar" for core in ("core", "_core")}
_FLOATS = ("f8", "f4", "f2")


@dataclass
class _Noted:
    """A call that the pickle asks for, and the state that it would set."""

    function: Any
    arguments: Any
    state: Any = field(default=None)


class _RefusedError(ValueError):
    """The pickle holds something else."""


def read_ragged(path: Path) -> list[Floats]:
    """The rows of an array of arrays of numbers; also of a plain two-dimensional array.

    Raises:
        InputError: the file cannot be read, or holds anything but numbers.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return _rows(content)
    except _BROKEN as error:
        raise InputError(f"{path}: not an .npy file of numbers ({error}); nothing in it was run") from error


class _Budget:
    """How much may still be made of a file. Lists may be named again and again in a few bytes; numbers take some each.

    Args:
        size: of the file, bytes.
    """

    def __init__(self, size: int) -> None:
        self.most = self.left = max(size, _ALWAYS)

    def spend(self, count: int) -> None:
        """Take away so many numbers or lists.

        Raises:
            _RefusedError: there are more than any file of this size needs.
        """
        self.left -= count
        if self.left < 0:
            raise _RefusedError(f"more than {self.most} numbers and lists in so few bytes")


def _rows(content: bytes) -> list[Floats]:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if not dtype.hasobject:
        return [row.astype(np.float64) for row in np.atleast_1d(np.load(io.BytesIO(content), allow_pickle=False))]
    values = _values(_note(file.read()))
    if len(shape) == 2:  # lists of one length become one array of numbers
        return [np.array(values[at : at + shape[1]], dtype=np.float64) for at in range(0, len(values), shape[1] or 1)]
    if shape != (len(values),):
        raise _RefusedError(f"{len(values)} rows where its header says {shape}")
    budget = _Budget(len(content))
    return [np.atleast_1d(np.asarray(_number_or_array(value, budget), dtype=np.float64)) for value in values]


def _values(array: Any) -> list[Any]:
    """The list of objects in a noted array."""
    if not isinstance(array, _Noted) or array.function not in _ARRAYS or not isinstance(array.state, tuple):
        raise _RefusedError("no array in it")
    values = array.state[4]
    if not isinstance(values, list):
        raise _RefusedError("no list of arrays in it")
    return values


def _number_or_array(value: Any, budget: _Budget) -> Any:
    """A noted array of floats as one; numbers and lists of them as they are."""
    budget.spend(1)
    if isinstance(value, _Noted):
        floats = _floats(value)
        budget.spend(floats.size)
        return floats
    if isinstance(value, list):
        return [_number_or_array(item, budget) for item in value]
    if isinstance(value, (int, float)):
        return value
    raise _RefusedError(f"{type(value).__name__} where numbers are expected")


def _floats(noted: _Noted) -> Floats:
    if noted.function in _ARRAYS:
        _, shape, dtype, _, content = noted.state
    elif noted.function in _BUFFERS:
        content, dtype, shape, _ = noted.arguments
    elif noted.function in _SCALARS:
        (dtype, content), shape = noted.arguments, ()
    else:
        raise _RefusedError(f"a call of {noted.function}")
    if isinstance(content, _Noted):  # bytes in old protocols: _codecs.encode(text, "latin1")
        content = _bytes(content)
    kind = dtype.arguments[0] if isinstance(dtype, _Noted) and dtype.function == "numpy dtype" else None
    if kind not in _FLOATS:
        raise _RefusedError(f"values of kind {kind}")
    order = dtype.state[1] if isinstance(dtype.state, tuple) and dtype.state[1] in ("<", ">") else "<"
    return np.frombuffer(bytes(content), np.dtype(order + kind)).reshape(shape).astype(np.float64)


def _bytes(noted: _Noted) -> bytes:
    """Bytes as protocols before the third write them."""
    if noted.function == "__builtin__ bytes" and noted.arguments == ():
        return b""
    if noted.function != "_codecs encode" or noted.arguments[1] != "latin1":
        raise _RefusedError(f"a call of {noted.function}")
    return str(noted.arguments[0]).encode("latin1")


_MARK = object()

_NOTHING = {"PROTO", "FRAME"}
_CONSTANTS = {
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8", "SHORT_BINSTRING", "BINSTRING"),
}
_WORDS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _Notes:
    """A stack machine that writes down what a pickle would do."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """One opcode.

        Raises:
            _RefusedError: NumPy does not use it for arrays of numbers.
        """
        if name in _NOTHING:
            return
        if name in _CONSTANTS:
            self.stack.append(_WORDS.get(name, argument) if name in _WORDS else argument)
            return
        action: Callable[[Any], None] | None = getattr(self, f"_{name.lower()}", None)
        if action is None:
            raise _RefusedError(f"the opcode {name}")
        action(argument)

    def _mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _above_mark(self) -> list[Any]:
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        above = self.stack[at + 1 :]
        del self.stack[at:]
        return above

    def _global(self, argument: str) -> None:
        self.stack.append(argument)

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(f"{module} {name}")

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(_Noted(function, arguments))

    def _build(self, _: Any) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Noted):
            raise _RefusedError("a state for something that has none")
        self.stack[-1].state = state

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _empty_tuple(self, _: Any) -> None:
        self.stack.append(())

    def _tuples(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _tuple1(self, _: Any) -> None:
        self._tuples(1)

    def _tuple2(self, _: Any) -> None:
        self._tuples(2)

    def _tuple3(self, _: Any) -> None:
        self._tuples(3)

    def _empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _list(self, _: Any) -> None:
        self.stack.append(self._above_mark())

    def _append(self, _: Any) -> None:
        value = self.stack.pop()
        self.stack[-1].append(value)

    def _appends(self, _: Any) -> None:
        values = self._above_mark()
        self.stack[-1].extend(values)

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _put(self, argument: int) -> None:
        self._memo[int(argument)] = self.stack[-1]

    _binput = _long_binput = _put

    def _get(self, argument: int) -> None:
        self.stack.append(self._memo[int(argument)])

    _binget = _long_binget = _get


def _note(content: bytes) -> Any:
    """What a pickle describes, with calls as notes."""
    notes = _Notes()
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "STOP":
            break
        notes.step(opcode.name, argument)
    if len(notes.stack) != 1:
        raise _RefusedError("no single value in it")
    return notes.stack[0]
