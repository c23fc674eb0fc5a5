"""Everything a prompt may name, read at one moment from the data folder, the models folders and the engine's catalog.

Knows no Qt; runs away from the GUI thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.prompts.colouring import EmbeddingWords
from sfumato.prompts.names import EmptyLibrary, Library, NetworkIndex, NetworkKind, NetworkRecord, Style
from sfumato.prompts.suggesting import Suggestion, Suggestions

if TYPE_CHECKING:
    from sfumato.library.models import ModelEntry
    from sfumato.library.safetensors_header import Header
    from sfumato.library.style_table import StyleRow
    from sfumato.library.wildcards import Wildcards
    from sfumato.library.words import WordFiles

# Kind of network -> its list in the catalog.
LISTS: Mapping[NetworkKind, str] = {"lora": "loras", "hypernet": "hypernetworks"}
EMBEDDINGS = "embeddings"
_WATCHED_AT_MOST = 2000
# Reading thousands of headers gives way to the window after each.
_BREATH_S = 0.002

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Snapshot:
    """What can be named.

    Attributes:
        library: answers from memory.
        embeddings, suggestions: made of it.
        wildcards: name -> file.
        styles: in the order of the files.
        watched: folders and files whose change makes this old.
        paths: (kind, name) -> file of a network, where it lies on this machine.
        families: (kind, name) -> the family of models it is for, where the engine said so.
    """

    library: Library = field(default_factory=EmptyLibrary)
    embeddings: EmbeddingWords = field(default_factory=lambda: EmbeddingWords(()))
    suggestions: Suggestions = field(default_factory=Suggestions)
    wildcards: Mapping[str, Path] = field(default_factory=dict)
    styles: tuple[StyleRow, ...] = ()
    watched: tuple[str, ...] = ()
    paths: Mapping[tuple[str, str], str] = field(default_factory=dict)
    families: Mapping[tuple[str, str], str] = field(default_factory=dict)


class Reading:
    """Reads snapshots and remembers headers from one to the next. One thread."""

    def __init__(self, data: Path, models: Sequence[Path], is_ended: Callable[[], bool] = lambda: False) -> None:
        self._data, self._models = data, tuple(models)
        self._is_ended = is_ended
        self._files: WordFiles | None = None

    def read(self, rows: Rows, vocabulary: Iterable[str], quick: bool) -> Snapshot:
        """The state of things now.

        Args:
            rows: lists of the engine's catalog, for families and for networks that lie elsewhere.
            vocabulary: names of the wildcard files whose lines are suggested.
            quick: headers of networks are not opened; what they bundle and what their trainers called them is then not known.
        """
        from sfumato.library.models import EMBEDDING, FOLDERS, HYPERNETWORK, LORA
        from sfumato.library.style_table import read_rows
        from sfumato.library.vocabulary import read_vocabulary
        from sfumato.library.words import STYLES_FOLDER, WILDCARDS_FOLDER, WordFiles, Words, style_files

        self._files = self._files or WordFiles()
        library = self._files.library(self._data, self._models)
        library = Words(library.data, library.models, library.widths, library.wildcards, self._no_header if quick else self._header)
        families = {
            (kind, str(row["value"])): str(row.get("family") or "") for kind, name in (*LISTS.items(), ("embedding", EMBEDDINGS)) for row in rows.get(name, ())
        }
        networks = {kind: _with_rows(library.networks(kind), rows.get(name, ())) for kind, name in LISTS.items()}
        embeddings = tuple(library.embeddings())
        wildcards = library.wildcards.files()
        styles = read_rows(style_files(self._data))
        known = _Known(library, networks, {style.name: Style(style.name, style.prompt, style.negative) for style in styles}, library.wildcards, wildcards)
        entries = [
            *(Suggestion(kind, name, 0, families.get((kind, name), ""), key) for kind, index in networks.items() for name, key in _named(index)),
            *(Suggestion("embedding", word.name, 0, families.get(("embedding", word.name), "")) for word in embeddings if word.vectors),
            *(Suggestion("wildcard", name) for name in wildcards),
            *(Suggestion("style", style.name) for style in styles),
        ]
        for name in vocabulary:
            if (path := wildcards.get(name)) is not None:
                entries += [Suggestion("word", word.text, word.count) for word in read_vocabulary(path)]
        folders = [self._data / WILDCARDS_FOLDER, self._data / STYLES_FOLDER, self._data]
        folders += [root / part for root in self._models for kind in (LORA, HYPERNETWORK, EMBEDDING) for part in FOLDERS[kind]]
        watched = [
            *_folders(folders[:2]),
            *_folders(folders[3:]),
            *map(str, wildcards.values()),
            *(str(path) for path in style_files(self._data) if path.is_file()),
        ]
        paths = {(kind, name): key for kind, index in networks.items() for name, key in _named(index) if key}
        return Snapshot(
            known,
            EmbeddingWords(embeddings),
            Suggestions(entries),
            wildcards,
            styles,
            tuple(dict.fromkeys([str(self._data), *watched]))[:_WATCHED_AT_MOST],
            paths,
            families,
        )

    def _no_header(self, entry: ModelEntry) -> Header | None:
        from sfumato.library.models import EMBEDDING, FOLDERS

        assert self._files is not None
        # Embeddings are small and few, and how many vectors they have is in the header alone.
        is_embedding = any(part in entry.path.parts for part in FOLDERS[EMBEDDING])
        return self._files.header(entry) if is_embedding else None

    def _header(self, entry: ModelEntry) -> Header | None:
        assert self._files is not None
        if self._is_ended():
            return None
        time.sleep(_BREATH_S)
        return self._files.header(entry)


@dataclass(frozen=True, eq=False)
class _Known:
    """A library that has looked at everything already; lines of wildcards are read when they are asked for."""

    words: Library
    index: Mapping[NetworkKind, NetworkIndex]
    by_name: Mapping[str, Style]
    files: Wildcards
    names: Mapping[str, Path]

    def style(self, name: str) -> Style | None:
        return self.by_name.get(name)

    def wildcard(self, name: str) -> Any:
        return self.files.lines(name, self.names)

    def networks(self, kind: NetworkKind) -> NetworkIndex:
        return self.index[kind]

    def embeddings(self) -> Sequence[Any]:
        return self.words.embeddings()

    def block_weights(self, name: str) -> str | None:
        return self.words.block_weights(name)


def _with_rows(index: NetworkIndex, rows: Sequence[Mapping[str, Any]]) -> NetworkIndex:
    """The networks of this machine, and those that only the engine has."""
    others = [NetworkRecord(str(row["value"])) for row in rows if index.find(str(row["value"])) is None]
    return NetworkIndex([*index.records, *others]) if others else index


def _named(index: NetworkIndex) -> Iterator[tuple[str, str]]:
    """The shortest name of each network that means it alone, and its file."""
    counts: dict[str, int] = {}
    for record in index.records:
        counts[record.stem] = counts.get(record.stem, 0) + 1
    for record in index.records:
        yield record.stem if counts[record.stem] == 1 or record.path == record.stem else record.path, record.key


def _folders(roots: Iterable[Path]) -> list[str]:
    found = []
    for root in roots:
        for folder, inner, _ in os.walk(root):
            found.append(folder)
            inner[:] = [name for name in inner if not name.startswith(".")]
            if len(found) >= _WATCHED_AT_MOST:
                return found
    return found
