"""A pickle read as data: its opcodes move values on a stack, and a closed list of names means something; every other name stays a word.

Source: CPython's `pickletools` documentation of the opcodes. No Python object named by the pickle is ever looked up, made or called.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

# An honest checkpoint has about ten opcodes for each tensor.
OPCODE_LIMIT = 20_000_000
DEPTH_LIMIT = 1000
_TEXT_LIMIT_BYTES = 64 << 20


class Refused(Exception):
    """The pickle does something that no weights need; the text says what."""


@dataclass(frozen=True)
class Named:
    """A global the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Inert:
    """What an unknown name would have made; it holds nothing and does nothing."""

    def __init__(self, named: str) -> None:
        self.named = named


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the container: `key` finds it, `kind` is the storage class's name."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True)
class TensorView:
    """A tensor as a view of a storage; offset and strides count elements. `dtype` is set where the storage does not tell it."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str = ""


class Parameters(dict[Any, Any]):
    """A mapping of parameters, as torch.nn.ParameterDict; its content comes as the state of an object."""


class _Mark:
    pass


@dataclass
class Reading:
    """What a pickle was: its value, how many bytes it took, and the names that meant nothing."""

    value: Any
    length: int
    placeholders: list[str] = field(default_factory=list)


def read_pickle(data: memoryview) -> Reading:
    """The value of the first pickle in `data`. Raises `Refused`."""
    machine = _Machine(data)
    try:
        value = machine.run()
    except (IndexError, struct.error, UnicodeDecodeError, ValueError, TypeError, OverflowError, KeyError) as error:
        raise Refused(f"it is damaged at byte {machine.place} ({type(error).__name__})") from error
    return Reading(value, machine.place, sorted(machine.placeholders))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise Refused("a size or an offset of a tensor is no natural number")
    return value


def _numbers(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) > 16:
        raise Refused("the shape of a tensor is no list of numbers")
    return tuple(_whole(number) for number in value)


def _tensor(arguments: tuple[Any, ...]) -> TensorView:
    """torch._utils._rebuild_tensor(storage, offset, size, stride), and _v2, which has more behind."""
    storage, offset, size, stride = arguments[:4]
    if not isinstance(storage, Storage):
        raise Refused("a tensor is made of something that is no storage")
    return TensorView(storage, _whole(offset), _numbers(size), _numbers(stride))


def _tensor_with_dtype(arguments: tuple[Any, ...]) -> TensorView:
    """torch._utils._rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, ...)."""
    plain, dtype = _tensor(arguments), arguments[6]
    if not isinstance(dtype, Named) or dtype.module != "torch":
        raise Refused("a tensor has no known number format")
    return TensorView(plain.storage, plain.offset, plain.size, plain.stride, dtype.name)


def _parameter(arguments: tuple[Any, ...]) -> TensorView:
    if not isinstance(arguments[0], TensorView):
        raise Refused("a parameter is made of something that is no tensor")
    return arguments[0]


def _mapping(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pair in arguments[0] if arguments else ():
        key, value = pair
        made[_key(key)] = value
    return made


def _key(value: Any) -> Any:
    """Keys of a mapping: words and numbers. Others cannot name a tensor."""
    return value if isinstance(value, str | int | float | bool | bytes | tuple | None) and _is_plain(value) else f"<{type(value).__name__}>"


def _is_plain(value: Any) -> bool:
    return not isinstance(value, tuple) or (len(value) < 16 and all(isinstance(item, str | int | float | bool) for item in value))


# The whole list of names whose call means something. All of them make data.
_CALLS: dict[tuple[str, str], Callable[[tuple[Any, ...]], Any]] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_with_dtype,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("collections", "OrderedDict"): _mapping,
    ("torch.nn.modules.container", "ParameterDict"): lambda arguments: Parameters(),
    ("torch", "Size"): lambda arguments: tuple(arguments[0]) if arguments else (),
}


def _subclass(arguments: tuple[Any, ...]) -> Any:
    """torch._tensor._rebuild_from_type_v2(function, type, arguments, state): a tensor of a subclass, of which only the numbers are kept."""
    named, _, inner = arguments[:3]
    call = _CALLS.get((named.module, named.name)) if isinstance(named, Named) else None
    if call is None or call is _subclass:
        raise Refused("a tensor is made by something unknown")
    return call(inner)


_CALLS["torch._tensor", "_rebuild_from_type_v2"] = _subclass


class _Machine:
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.place = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.placeholders: set[str] = set()
        self._text_bytes = 0

    def run(self) -> Any:
        for _ in range(OPCODE_LIMIT):
            opcode = self._data[self.place]
            self.place += 1
            if opcode == 0x2E:  # STOP
                return self._stack.pop()
            action = _OPCODES.get(opcode)
            if action is None:
                self._refuse(f"it uses the operation {chr(opcode)!r}, which weights do not need")
            action(self)
        self._refuse("it has too many operations")

    def _refuse(self, what: str) -> NoReturn:
        raise Refused(f"{what} (at byte {self.place})")

    # -- reading -----------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        end = self.place + count
        if count < 0 or end > len(self._data):
            self._refuse("it ends in the middle")
        self._text_bytes += count
        if self._text_bytes > _TEXT_LIMIT_BYTES:
            self._refuse("it holds too much text")
        found = bytes(self._data[self.place : end])
        self.place = end
        return found

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        start = self.place
        limit = min(len(self._data), start + (1 << 20))
        while self.place < limit:
            if self._data[self.place] == 0x0A:
                self.place += 1
                return bytes(self._data[start : self.place - 1])
            self.place += 1
        self._refuse("a line does not end")

    # -- the stack ---------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        value = self._stack.pop()
        if isinstance(value, _Mark):
            self._refuse("its stack is in disorder")
        return value

    def top(self) -> Any:
        return self._stack[-1]

    def since_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if isinstance(self._stack[index], _Mark):
                found = self._stack[index + 1 :]
                del self._stack[index:]
                return found
        self._refuse("its stack is in disorder")

    def remember(self, index: int) -> None:
        self._memo[index] = self.top()

    def remember_next(self) -> None:
        self._memo[len(self._memo)] = self.top()

    def recall(self, index: int) -> None:
        self.push(self._memo[index])

    # -- meaning -----------------------------------------------------------------------------------

    def inert(self, named: Any) -> Inert:
        word = str(named) if isinstance(named, Named) else named.named if isinstance(named, Inert) else "something nameless"
        self.placeholders.add(word[:200])
        return Inert(word)

    def call(self, named: Any, arguments: Any) -> Any:
        if isinstance(named, Named) and isinstance(arguments, tuple):
            meaning = _CALLS.get((named.module, named.name))
            if meaning is not None:
                return meaning(arguments)
        return self.inert(named)

    def set_items(self, target: Any, items: list[Any]) -> None:
        if isinstance(target, dict):
            if len(items) % 2:
                self._refuse("a mapping has a key without a value")
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[_key(key)] = value

    def extend(self, target: Any, items: list[Any]) -> None:
        if isinstance(target, list):
            target.extend(items)

    def persistent(self) -> None:
        """torch's only persistent id: ("storage", class, key, device, count), with the view of a storage behind it in the old format."""
        found = self.pop()
        if not (isinstance(found, tuple) and len(found) >= 5 and found[0] == "storage" and isinstance(found[1], Named) and isinstance(found[2], str | int)):
            self._refuse("it refers to something that is no storage")
        if found[1].module not in ("torch", "torch.storage", "torch.cuda"):
            self._refuse(f"it refers to a storage of the unknown kind {found[1]}")
        if len(found) > 5 and found[5] is not None:
            self._refuse("it has views of storages, which only files of 2017 have")
        self.push(Storage(str(found[2]), found[1].name, _whole(found[4])))


def _long(machine: _Machine, count: int) -> None:
    if count > 64:
        raise Refused("it holds a number of absurd length")
    machine.push(int.from_bytes(machine.take(count), "little", signed=True))


def _integer_line(machine: _Machine) -> None:
    text = machine.line()
    machine.push(text == b"01" if text in (b"00", b"01") else _decimal(text))


def _decimal(text: bytes) -> int:
    if len(text) > 64:
        raise Refused("it holds a number of absurd length")
    return int(text.decode("ascii"))


def _quoted_line(machine: _Machine) -> None:
    """STRING: a Python 2 text between quotes; escapes stay as they are, since no name of a tensor has any."""
    text = machine.line().decode("latin-1").strip()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"":
        raise Refused("a text is not between quotes")
    machine.push(text[1:-1])


def _global_line(machine: _Machine) -> None:
    module, name = machine.line().decode("utf-8"), machine.line().decode("utf-8")
    machine.push(_named(module, name))


def _global_of_stack(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise Refused("a name is no text")
    machine.push(_named(module, name))


def _named(module: str, name: str) -> Named:
    # Names with dots walk through attributes of a module: nothing of torch's needs them.
    return Named(module, name) if "." not in name else Named(module, f"({name})")


def _reduce(machine: _Machine) -> None:
    arguments, named = machine.pop(), machine.pop()
    machine.push(machine.call(named, arguments))


def _new_object(machine: _Machine) -> None:
    arguments, named = machine.pop(), machine.pop()
    machine.push(machine.call(named, arguments))


def _new_object_with_keywords(machine: _Machine) -> None:
    machine.pop()
    _new_object(machine)


def _build(machine: _Machine) -> None:
    """State of an object: attributes of a mapping (such as `_metadata`) and of inert things are of no use, but parameters are in theirs."""
    state, target = machine.pop(), machine.top()
    if isinstance(target, Parameters) and isinstance(state, dict) and isinstance(held := state.get("_parameters"), dict):
        target.update(held)


def _append(machine: _Machine) -> None:
    value = machine.pop()
    machine.extend(machine.top(), [value])


def _appends(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.extend(machine.top(), items)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(), [key, value])


def _set_items(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.set_items(machine.top(), items)


def _dict_since_mark(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.push({})
    machine.set_items(machine.top(), items)


def _tuple_of(count: int) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(items)))

    return make


def _text_of(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.take(machine.number(form)).decode("utf-8", "surrogatepass"))


def _bytes_of(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.take(machine.number(form)))


def _old_text_of(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.take(machine.number(form)).decode("latin-1"))


# The whole list of operations. EXT1 to EXT4, INST, OBJ and PERSID are left out: torch writes none of them.
_OPCODES: dict[int, Callable[[_Machine], Any]] = {
    0x80: lambda machine: machine.take(1),  # PROTO
    0x95: lambda machine: machine.take(8),  # FRAME
    ord("("): lambda machine: machine.push(_Mark()),
    ord("0"): lambda machine: machine.pop(),
    ord("1"): lambda machine: machine.since_mark(),
    ord("2"): lambda machine: machine.push(machine.top()),
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("I"): _integer_line,
    ord("J"): lambda machine: machine.push(machine.number("<i")),
    ord("K"): lambda machine: machine.push(machine.number("<B")),
    ord("M"): lambda machine: machine.push(machine.number("<H")),
    ord("L"): lambda machine: machine.push(_decimal(machine.line().rstrip(b"L"))),
    0x8A: lambda machine: _long(machine, machine.number("<B")),
    0x8B: lambda machine: _long(machine, machine.number("<i")),
    ord("F"): lambda machine: machine.push(float(machine.line().decode("ascii"))),
    ord("G"): lambda machine: machine.push(machine.number(">d")),
    ord("S"): _quoted_line,
    ord("T"): _old_text_of("<i"),
    ord("U"): _old_text_of("<B"),
    ord("V"): lambda machine: machine.push(machine.line().decode("utf-8")),
    ord("X"): _text_of("<I"),
    0x8C: _text_of("<B"),
    0x8D: _text_of("<Q"),
    ord("B"): _bytes_of("<I"),
    ord("C"): _bytes_of("<B"),
    0x8E: _bytes_of("<Q"),
    0x96: _bytes_of("<Q"),
    ord("]"): lambda machine: machine.push([]),
    ord("a"): _append,
    ord("e"): _appends,
    ord("l"): lambda machine: machine.push(machine.since_mark()),
    ord(")"): lambda machine: machine.push(()),
    ord("t"): lambda machine: machine.push(tuple(machine.since_mark())),
    0x85: _tuple_of(1),
    0x86: _tuple_of(2),
    0x87: _tuple_of(3),
    ord("}"): lambda machine: machine.push({}),
    ord("d"): _dict_since_mark,
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x8F: lambda machine: machine.push([]),  # EMPTY_SET: as a list, nothing asks for more
    0x90: _appends,  # ADDITEMS
    0x91: lambda machine: machine.push(tuple(machine.since_mark())),  # FROZENSET
    ord("c"): _global_line,
    0x93: _global_of_stack,
    ord("R"): _reduce,
    ord("b"): _build,
    0x81: _new_object,
    0x92: _new_object_with_keywords,
    ord("p"): lambda machine: machine.remember(_decimal(machine.line())),
    ord("q"): lambda machine: machine.remember(machine.number("<B")),
    ord("r"): lambda machine: machine.remember(machine.number("<I")),
    0x94: lambda machine: machine.remember_next(),
    ord("g"): lambda machine: machine.recall(_decimal(machine.line())),
    ord("h"): lambda machine: machine.recall(machine.number("<B")),
    ord("j"): lambda machine: machine.recall(machine.number("<I")),
    ord("Q"): lambda machine: machine.persistent(),
}
