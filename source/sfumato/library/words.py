"""The words that a prompt may name, as they lie on disk: styles, wildcards, networks and embeddings.

`WordFiles` remembers what it read from one job to the next; `Words`, made for each job, is the `Library` that prompts are read with and does not change while
they are. Files are listed and their headers read, weights never. Rules: P38, P45, P46, P57; P50 is `wildcards`'.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from sfumato.library.embedding_files import bundled_words, key_of, other_base, words_of
from sfumato.library.embedding_pictures import SUFFIX, picture_header
from sfumato.library.hashes import Hashes
from sfumato.library.models import EMBEDDING, FOLDERS, HYPERNETWORK, LORA, ModelEntry, scan
from sfumato.library.safetensors_header import Header, read_header
from sfumato.library.styles import read_styles
from sfumato.library.wildcards import Wildcards
from sfumato.prompts.names import Embedding, Lines, NetworkIndex, NetworkKind, NetworkRecord, Style
from sfumato.protocol.errors import SfumatoError

STYLES_FILE = "styles.csv"
STYLES_FOLDER = "styles"
WILDCARDS_FOLDER = "wildcards"
BLOCK_WEIGHTS_FILE = "block_weights.txt"

_CATEGORIES: Mapping[NetworkKind, str] = MappingProxyType({"lora": LORA, "hypernet": HYPERNETWORK})
_OUTPUT_NAME = "ss_output_name"  # under which trainers of the kohya family write what they called the file


def style_files(data: Path) -> list[Path]:
    """The style files of a data folder, the first being the one that is saved to."""
    folder = data / STYLES_FOLDER
    try:
        others = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    except OSError:
        others = []
    return [data / STYLES_FILE, *others]


class WordFiles:
    """What was read of word files, kept for the next job; one object serves all threads of a process."""

    def __init__(self) -> None:
        self._headers: dict[Path, tuple[tuple[int, int], Header | None]] = {}
        self._wildcards: dict[Path, Wildcards] = {}

    def library(self, data: Path, models: Sequence[Path], widths: Sequence[int] = ()) -> "Words":
        """What a job may name.

        Args:
            data: the data folder: styles, wildcards and block weights are in it.
            models: models folders.
            widths: of the model's text encoders, in their order; embeddings of others are unfit. Empty if the model is not known.
        """
        wildcards = self._wildcards.setdefault(data, Wildcards([data / WILDCARDS_FOLDER]))
        return Words(data, tuple(models), tuple(widths), wildcards, self.header)

    def header(self, entry: ModelEntry) -> Header | None:
        """The header of a safetensors file, or what an embedding in a picture would have for one; None if it has none that can be read."""
        version = entry.mtime_ns, entry.size
        known = self._headers.get(entry.path)
        if known is None or known[0] != version:
            try:
                known = version, _read(entry)
            except (SfumatoError, OSError):
                known = version, None
            self._headers[entry.path] = known
        return known[1]


def _read(entry: ModelEntry) -> Header | None:
    if entry.path.suffix.lower() == SUFFIX:
        return picture_header(entry.path)
    return read_header(entry.path) if entry.kind == "safetensors" else None


@dataclass(frozen=True, eq=False)
class Words:
    """The `Library` of one job; each kind of file is looked at when it is first named."""

    data: Path
    models: tuple[Path, ...]
    widths: tuple[int, ...]
    wildcards: Wildcards
    header: Callable[[ModelEntry], Header | None]

    def style(self, name: str) -> Style | None:
        return self._styles.get(name)

    def wildcard(self, name: str) -> Lines | None:
        if name not in self._lines:
            self._lines[name] = self.wildcards.lines(name, self._wildcard_files)
        return self._lines[name]

    def networks(self, kind: NetworkKind) -> NetworkIndex:
        if kind not in self._networks:
            hashes = Hashes(self.data)
            records = [self._record(entry, _CATEGORIES[kind], hashes) for entry in scan(self.models, _CATEGORIES[kind])]
            # A pickle stays where it was when it is converted.
            usable = {record.path for record in records if not record.unfit}
            self._networks[kind] = NetworkIndex(record for record in records if not record.unfit or record.path not in usable)
        return self._networks[kind]

    def embeddings(self) -> Sequence[Embedding]:
        return self._embeddings

    def block_weights(self, name: str) -> str | None:
        return self._presets.get(name)

    @cached_property
    def _styles(self) -> dict[str, Style]:
        return {style.name: style for style in read_styles(style_files(self.data))}

    @cached_property
    def _wildcard_files(self) -> dict[str, Path]:
        return self.wildcards.files()

    @cached_property
    def _lines(self) -> dict[str, Lines | None]:
        return {}

    @cached_property
    def _networks(self) -> dict[NetworkKind, NetworkIndex]:
        return {}

    @cached_property
    def _embeddings(self) -> tuple[Embedding, ...]:
        pictures = [entry for entry in scan(self.models, EMBEDDING, {SUFFIX}) if self.header(entry) is not None]
        read = [self._embeddings_of(entry) for entry in (*scan(self.models, EMBEDDING), *pictures)]
        usable = {words[0].name for words in read if not words[0].unfit}
        read = [words for words in read if not words[0].unfit or words[0].name not in usable]
        # A file's name is taken before what other files call themselves inside.
        return (*(words[0] for words in read), *(word for words in read for word in words[1:]))

    @cached_property
    def _presets(self) -> dict[str, str]:
        """The user's block weights: a file of lines `NAME:numbers`, as the LoRA Block Weight extension keeps them."""
        try:
            lines = (self.data / BLOCK_WEIGHTS_FILE).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            return {}
        pairs = [line.partition(":") for line in lines if not line.lstrip().startswith("#")]
        return {name.strip(): numbers.strip() for name, colon, numbers in pairs if colon and name.strip()}

    def _record(self, entry: ModelEntry, category: str, hashes: Hashes) -> NetworkRecord:
        header = self.header(entry)
        return NetworkRecord(
            self._path_in_folder(entry.path, category),
            str(entry.path),
            header.metadata.get(_OUTPUT_NAME, "") if header else "",
            hashes.known(entry.path) or "",
            entry.reason,
            tuple(word.embedding(entry.path) for word in bundled_words(header)) if header else (),
        )

    def _path_in_folder(self, path: Path, category: str) -> str:
        for root in self.models:
            for folder in FOLDERS[category]:
                if path.is_relative_to(root / folder):
                    return path.relative_to(root / folder).with_suffix("").as_posix()
        return path.stem

    def _embeddings_of(self, entry: ModelEntry) -> list[Embedding]:
        """The words of a file, at least one: that which its name is."""
        name = entry.path.stem
        header = self.header(entry)
        if header is None:
            return [Embedding(name, 0, key_of(entry.path, name), entry.reason or f"'{name}' is no embedding that can be read.")]
        words = words_of(header, name)
        if not words:
            return [Embedding(name, 0, key_of(entry.path, name), f"'{name}' is no embedding: it has no table of vectors.")]
        return [self._fitting(word.embedding(entry.path)) for word in words]

    def _fitting(self, embedding: Embedding) -> Embedding:
        is_fit = not self.widths or tuple(width for _, width in embedding.widths) == self.widths
        return embedding if is_fit else replace(embedding, unfit=other_base(embedding))
