"""The header of a model file as a tree that is opened node by node: what is in it, what is embedded in its texts as JSON, and the tags it was trained on.

`serve` runs it as a process that answers questions line by line: a header may hold a hundred megabytes, and parsing them would stop a window. Rule: D119.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from sfumato.imaging.bounded_json import NotJson, read_json
from sfumato.library.model_facts import training_tags
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import SfumatoError

PAGE = 200
SHOWN_CHARACTERS = 300
FOUND_AT_MOST = 500
COPIED_AT_MOST = 128 << 20
_EMBEDDED_AT_MOST = 64 << 20


@dataclass(frozen=True)
class Node:
    """One line: `count` children, or a value; `whole` is False for a value that is longer than what is shown."""

    key: str
    value: str
    count: int
    whole: bool = True


class Tree:
    """A header as nested values. A node is named by the numbers of the children that lead to it."""

    def __init__(self, path: Path) -> None:
        """Raises the errors of `read_header`."""
        header = read_header(path)
        self._metadata = header.metadata
        tensors = {name: {"dtype": info.dtype, "shape": list(info.shape), "bytes": info.end - info.begin} for name, info in header.tensors.items()}
        self._root: dict[str, Any] = {"metadata": dict(header.metadata), "tensors": tensors}
        self._opened: dict[tuple[int, ...], Any] = {}

    def children(self, place: Sequence[int], start: int = 0, count: int = PAGE) -> list[Node]:
        """Children of a node from `start` on. Raises `LookupError` if there is no such node."""
        value = self._at(place)
        return [_node(key, self._unfolded((*place, start + index), child)) for index, (key, child) in enumerate(_pairs(value, start, count))]

    def find(self, text: str) -> list[list[int]]:
        """The places of the nodes whose key or value holds a text, in order, at most `FOUND_AT_MOST`; embedded JSON is found by its node."""
        wanted = text.casefold()
        found: list[list[int]] = []
        for place, key, value in _walk((), self._root):
            if wanted in key.casefold() or (not isinstance(value, dict | list) and wanted in str(value).casefold()):
                found.append(list(place))
                if len(found) == FOUND_AT_MOST:
                    break
        return found

    def text(self, place: Sequence[int]) -> str:
        """A node as JSON, a text as itself. Raises `LookupError`."""
        value = self._at(place, unfold=False) if place else self._root
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)

    def tags(self) -> list[tuple[str, int]]:
        """Tags of the captions it was trained on with their counts, the most frequent first."""
        return training_tags(self._metadata)

    def _at(self, place: Sequence[int], unfold: bool = True) -> Any:
        value: Any = self._root
        for depth, number in enumerate(place):
            pairs = _pairs(value, number, 1)
            if number < 0 or not pairs:
                raise LookupError("there is no such node")
            value = pairs[0][1]
            if unfold or depth < len(place) - 1:
                value = self._unfolded(tuple(place[: depth + 1]), value)
        return value

    def _unfolded(self, place: tuple[int, ...], value: Any) -> Any:
        """What a text holds if it is an object or list in JSON; read once."""
        if not isinstance(value, str) or not 2 <= len(value) <= _EMBEDDED_AT_MOST or value[0] not in "{[":
            return value
        if place not in self._opened:
            try:
                self._opened[place] = read_json(value)
            except NotJson:
                self._opened[place] = value
        return self._opened[place]


def _pairs(value: Any, start: int, count: int) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        keys = list(value)[start : start + count]
        return [(str(key), value[key]) for key in keys]
    if isinstance(value, list):
        return [(str(start + index), child) for index, child in enumerate(value[start : start + count])]
    return []


def _node(key: str, value: Any) -> Node:
    if isinstance(value, dict | list):
        return Node(key[:SHOWN_CHARACTERS], "", len(value))
    text = value if isinstance(value, str) else json.dumps(value)
    return Node(key[:SHOWN_CHARACTERS], text[:SHOWN_CHARACTERS], 0, len(text) <= SHOWN_CHARACTERS)


def _walk(place: tuple[int, ...], value: Any) -> Iterator[tuple[tuple[int, ...], str, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for number, (key, child) in enumerate(pairs):
        here = (*place, number)
        yield here, str(key), child
        yield from _walk(here, child)


def answer(tree: Tree, question: Mapping[str, Any]) -> Any:
    """What a question asks: {"ask": "children" | "find" | "text" | "tags", ...}."""
    match question["ask"]:
        case "children":
            return [asdict(node) for node in tree.children(question["place"], question["start"])]
        case "find":
            return tree.find(question["text"])
        case "text":
            return tree.text(question["place"])[:COPIED_AT_MOST]
        case _:
            return tree.tags()


def serve(path: Path, lines: IO[str], say: Callable[[str], Any]) -> None:
    """Answer each line of questions with a line, until they end."""
    tree: Tree | None = None
    problem = ""
    try:
        tree = Tree(path)
    except SfumatoError as error:
        problem = error.message
    for line in lines:
        question = json.loads(line)
        reply: dict[str, Any] = {"id": question["id"]}
        try:
            reply |= {"problem": problem} if tree is None else {"answer": answer(tree, question)}
        except LookupError:
            reply["answer"] = None
        say(json.dumps(reply) + "\n")


if __name__ == "__main__":

    def _say(line: str) -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    serve(Path(sys.argv[1]), sys.stdin, _say)
