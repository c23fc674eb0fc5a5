"""What a prompt may name: styles, wildcards, networks and embeddings, as the reader asks for them.

The reader opens no file. Whoever knows the disk hands it a `Library`; `EmptyLibrary` knows nothing. Rules: P5, P38, P50 (lines of a file), P57.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Literal, Protocol

NetworkKind = Literal["lora", "hypernet"]

_HASH = re.compile(r"[0-9a-fA-F]{8,64}")
_LINE_WEIGHT = re.compile(r"\s*+(?P<weight>[0-9]++\.?[0-9]*+|\.[0-9]++)\s*+::")
# Of `difflib`: 1 is the same.
_ALIKE = 0.7
_LINE_COUNT = re.compile(r",[0-9]++\s*\Z")


@dataclass(frozen=True, slots=True)
class Style:
    """A named pair of texts that is put around a prompt."""

    name: str
    prompt: str = ""
    negative: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """What a wildcard may become.

    Attributes:
        texts: at least one.
        cumulative: running sum of their weights, as many.
    """

    texts: tuple[str, ...]
    cumulative: tuple[float, ...]

    @classmethod
    def read(cls, text: str) -> "Lines | None":
        """The lines of a wildcard file; None if there are none.

        Blank lines and those that begin with `#` are skipped, `,123` at the end (a count in lists of tags) is dropped, `2::text` has weight 2.
        """
        return cls.of(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Lines | None":
        """Lines one by one, as `read` reads them."""
        weighed = [weighed_option(_LINE_COUNT.sub("", line).strip()) for line in lines]
        total = list(accumulate(weight for weight, _ in weighed))
        return cls(tuple(text for _, text in weighed), tuple(total)) if weighed else None

    @classmethod
    def joined(cls, parts: "Sequence[Lines]") -> "Lines":
        """Several lists as one, weights kept."""
        texts = tuple(text for part in parts for text in part.texts)
        total = 0.0
        cumulative: list[float] = []
        for part in parts:
            cumulative += [total + reached for reached in part.cumulative]
            total = cumulative[-1]
        return cls(texts, tuple(cumulative))


def weighed_option(text: str) -> tuple[float, str]:
    """The weight and the text of `2::text`; without a number the weight is 1."""
    written = _LINE_WEIGHT.match(text)
    if written is None:
        return 1.0, text
    return min(float(written["weight"]), 1e9), text[written.end() :]


@dataclass(frozen=True, slots=True)
class Embedding:
    """A word whose vectors come from a file.

    Attributes:
        name: what stands in the prompt.
        vectors: how many places of the encoder it takes.
        key: by which its owner finds the vectors again; equal keys are equal vectors.
        unfit: why it cannot be used with the model at hand, one sentence; empty if it can.
        widths: numbers of each vector, by text encoder; under "" if it is the same for whichever there is.
    """

    name: str
    vectors: int
    key: str = ""
    unfit: str = ""
    widths: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """A network file that a tag may name.

    Attributes:
        path: in its models folder, with forward slashes and without the file's ending.
        key: by which its owner finds the file again.
        output_name: what its trainer called it; empty if the file does not say.
        sha256: of the file, hexadecimal, or any longer or shorter hash people use for it; empty if unknown.
        unfit: why it cannot be used with the model at hand, one sentence; empty if it can.
        embeddings: those the file brings along.
    """

    path: str
    key: str = ""
    output_name: str = ""
    sha256: str = ""
    unfit: str = ""
    embeddings: tuple[Embedding, ...] = ()

    @property
    def stem(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Found:
    """What a name means: the record, and the paths of all that it means equally well."""

    record: NetworkRecord
    candidates: tuple[str, ...]

    @property
    def is_ambiguous(self) -> bool:
        return len(self.candidates) > 1


class NetworkIndex:
    """Network files by all the names they go by. Made once for a listing, then asked for every tag."""

    def __init__(self, records: Iterable[NetworkRecord]) -> None:
        self.records = tuple(sorted(records, key=lambda record: record.path))
        # In the order in which they are tried; a record is entered under each name once.
        self._stages: tuple[dict[str, list[NetworkRecord]], ...] = ({}, {}, {})
        self._folded: dict[str, list[NetworkRecord]] = {}
        # A prompt is read anew at every key, and looking for likeness among thousands takes long.
        self._closest: dict[str, str] = {}
        for record in self.records:
            for stage, name in zip(self._stages, (record.stem, record.path, record.output_name)):
                if name:
                    stage.setdefault(name, []).append(record)
            self._folded.setdefault(record.stem.casefold(), []).append(record)

    def find(self, name: str) -> Found | None:
        """The file a tag means: by stem, path, trainer's name, the first 8 or more digits of the hash, or the stem without regard to case; None if none is.

        Where several files answer equally well the one in no folder is meant, else the first by path is taken.
        """
        wanted = name.replace("\\", "/")
        for stage in self._stages:
            if hits := stage.get(wanted):
                # A file in no folder has its stem for a path, and could not be named if others of that stem were meant as well.
                return _found([record for record in hits if record.path == wanted] or hits)
        if _HASH.fullmatch(wanted) and (hits := [record for record in self.records if record.sha256.lower().startswith(wanted.lower())]):
            return _found(hits)
        hits = self._folded.get(wanted.casefold())
        return _found(hits) if hits else None

    def names(self) -> list[str]:
        """All stems, for suggestions."""
        return [record.stem for record in self.records]

    def closest(self, name: str) -> str:
        """The stem most like a name that none has, "" where none is much like it."""
        if name not in self._closest:
            self._closest[name] = next(iter(difflib.get_close_matches(name, self.names(), 1, _ALIKE)), "")
        return self._closest[name]


def _found(hits: Sequence[NetworkRecord]) -> Found:
    return Found(hits[0], tuple(record.path for record in hits))


NO_NETWORKS = NetworkIndex(())


class Library(Protocol):
    """What can be named. Answers must not change while a job reads its prompts."""

    def style(self, name: str) -> Style | None:
        """The style of exactly this name."""
        ...

    def wildcard(self, name: str) -> Lines | None:
        """The lines of `name`, a path with forward slashes and without ending, in which `*` stands for any characters but a slash; None if there is none."""
        ...

    def networks(self, kind: NetworkKind) -> NetworkIndex:
        """All network files of a kind."""
        ...

    def embeddings(self) -> Sequence[Embedding]:
        """All embeddings, unfit ones too."""
        ...

    def block_weights(self, name: str) -> str | None:
        """The user's own block weight list of this name: numbers with commas."""
        ...


@dataclass(frozen=True)
class EmptyLibrary:
    """A library of what is given, by default nothing: for tests, previews and readers without a disk."""

    styles: Mapping[str, Style] = field(default_factory=lambda: MappingProxyType({}))
    wildcards: Mapping[str, Lines] = field(default_factory=lambda: MappingProxyType({}))
    loras: NetworkIndex = NO_NETWORKS
    hypernets: NetworkIndex = NO_NETWORKS
    words: tuple[Embedding, ...] = ()
    presets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def style(self, name: str) -> Style | None:
        return self.styles.get(name)

    def wildcard(self, name: str) -> Lines | None:
        return self.wildcards.get(name)

    def networks(self, kind: NetworkKind) -> NetworkIndex:
        return {"lora": self.loras, "hypernet": self.hypernets}[kind]

    def embeddings(self) -> Sequence[Embedding]:
        return self.words

    def block_weights(self, name: str) -> str | None:
        return self.presets.get(name)
