"""Textual inversion: vectors from files stand in a text tower's input where a word stood. Rules: E30; P34, P45-P47 of the prompt language; R27.

Neither tower nor tokenizer is changed: a `Vocabulary`, made for one model in one job, finds the words, and hands out their vectors, which the tower is given
in place of its own (`text_encoding.read_chunk`). Files are kept between jobs by `KeptEmbeddings`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sfumato.engine.checkpoint import weights_of
from sfumato.engine.family import TextEncoder
from sfumato.engine.kept_files import KeptFiles
from sfumato.engine.layouts.place import Place
from sfumato.engine.reading import Reader
from sfumato.library.embedding_files import bundled_words, other_base, place_of, tables_for, words_of
from sfumato.library.embedding_pictures import SUFFIX, picture_header, picture_tables
from sfumato.library.safetensors_header import Header, read_header
from sfumato.prompts import Chunk, ClipTokenizer, Piece, Segment, lay_out
from sfumato.prompts.chunks import CHUNK_LENGTH, Placed
from sfumato.prompts.embeddings import EmbeddingTable
from sfumato.prompts.names import Embedding
from sfumato.protocol.errors import CorruptFile, SfumatoError
from sfumato.protocol.requests import JobWarning

KEPT_BYTES = 64 << 20
_NOTHING = Header({}, {}, 0, 0)


@dataclass(frozen=True, eq=False)
class EmbeddingFile:
    """A file that was read.

    Attributes:
        identity: path, size and modification time (ns): with a word's name, what its vectors are.
        vectors: word -> role -> (k, width), float32.
    """

    identity: Hashable
    vectors: Mapping[str, Mapping[str, Tensor]]

    @property
    def nbytes(self) -> int:
        # Words of one file may share their vectors.
        return sum({id(tensor): tensor.nbytes for roles in self.vectors.values() for tensor in roles.values()}.values())


class KeptEmbeddings(KeptFiles[EmbeddingFile]):
    """The files read last; one for a process, by `context.shared(KeptEmbeddings)`."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        super().__init__(limit_bytes)

    def open(self, path: Path) -> EmbeddingFile:
        """All words of a file. Raises the errors of `open_embeddings`."""
        try:
            return self.get(path, open_embeddings)
        except OSError as error:
            raise CorruptFile(path.name, f"it cannot be read ({error.strerror or type(error).__name__})", path="prompt") from error


def open_embeddings(path: Path) -> EmbeddingFile:
    """Read the words of a file, of a picture that carries some, or those that a network file bundles.

    Raises:
        PickleRefused: it has to be converted first.
        CorruptFile: its header is damaged, or its vectors hold what is no number.
    """
    status = path.stat()
    is_picture = path.suffix.lower() == SUFFIX
    header = (picture_header(path) or _NOTHING) if is_picture else read_header(path)
    words = [*words_of(header, path.stem), *bundled_words(header)]
    keys = {key for word in words for keys in word.tables.values() for key in keys}
    tensors = _pictured(path) if is_picture else _stored(path, header, keys)
    for key, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CorruptFile(path.name, f"the vectors '{key}' hold what is no number", path="prompt")
    tables = {keys: _table(tensors, keys) for word in words for keys in word.tables.values()}
    vectors = {word.word: {role: tables[keys] for role, keys in word.tables.items()} for word in reversed(words)}
    return EmbeddingFile((str(path), status.st_size, status.st_mtime_ns), vectors)


def _stored(path: Path, header: Header, keys: Iterable[str]) -> dict[str, Tensor]:
    with Reader(path.name) as reader:
        return reader.read(weights_of(path, header, {key: Place(key) for key in keys}), torch.float32, torch.device("cpu"))


def _pictured(path: Path) -> dict[str, Tensor]:
    found = picture_tables(path)
    return {key: torch.tensor(rows, dtype=torch.float32) for key, rows in found[0].items()} if found else {}


def _table(tensors: Mapping[str, Tensor], keys: tuple[str, ...]) -> Tensor:
    """(k, width) of all rows of the tensors. A copy: what was read shares one block of memory."""
    return torch.cat([tensors[key].reshape(-1, tensors[key].shape[-1]) for key in keys]).clone()


class Vocabulary:
    """The embeddings that texts may name, for the text encoders of one model; lays texts out with them.

    Args:
        known: those of the embeddings folders.
        files: keeper of what is read.
    """

    def __init__(self, known: Sequence[Embedding], files: KeptEmbeddings, encoders: Sequence[TextEncoder], tokenizer: ClipTokenizer) -> None:
        self._known = tuple(known)
        self._files = files
        self._encoders = [(encoder.part, encoder.width) for encoder in encoders]
        self._tokenizer = tokenizer
        self._tables: dict[tuple[Embedding, ...], tuple[EmbeddingTable, EmbeddingTable]] = {}
        self._opened: dict[Path, EmbeddingFile | None] = {}
        self.warnings: list[JobWarning] = []  # what was named in the texts laid out so far and cannot be used as it is

    def lay_out(self, pieces: Sequence[Piece], backtrack: int, bundled: tuple[Embedding, ...] = ()) -> tuple[Chunk, ...]:
        """The chunks of a text, at least one.

        Args:
            bundled: embeddings that the networks at hand bring along.
        """
        fit, unfit = self._table(bundled)
        if unfit:
            for embedding in self._named(pieces, unfit):
                self._warn(f"{other_base(embedding)} The name stays text.")
        chunks = lay_out(pieces, self._tokenizer, backtrack=backtrack, embeddings=fit).chunks
        named = list(dict.fromkeys(placed.embedding for chunk in chunks for placed in chunk.embeddings))
        if any([not self._is_open(embedding) for embedding in named]):  # noqa: C419  each is to be looked at, and said
            # A file that can be listed but not read is found when it is first named.
            self._tables.clear()
            return self.lay_out(pieces, backtrack, bundled)
        for embedding in named:
            if embedding.vectors > CHUNK_LENGTH:
                self._warn(f"'{embedding.name}' has {embedding.vectors} vectors; the first {CHUNK_LENGTH} were used, as many as a chunk has places.")
        return chunks

    def vectors(self, encoder: TextEncoder, placed: Sequence[Placed]) -> list[tuple[int, Tensor]]:
        """(place, (k, width)) of each embedding of a chunk for one encoder; places count the chunk's tokens without the one that starts it."""
        return [(each.start, self._role(each.embedding, encoder)) for each in placed]

    def identities(self, placed: Sequence[Placed]) -> tuple[Hashable, ...]:
        """What the embeddings of a chunk are, and where."""
        return tuple((each.start, place_of(each.embedding.key)[1], self._open(each.embedding).identity) for each in placed)

    def _role(self, embedding: Embedding, encoder: TextEncoder) -> Tensor:
        tables = tables_for(embedding, self._encoders)
        assert tables is not None  # others are not placed
        return self._open(embedding).vectors[place_of(embedding.key)[1]][tables[encoder.part]][:CHUNK_LENGTH]

    def _open(self, embedding: Embedding) -> EmbeddingFile:
        found = self._opened[place_of(embedding.key)[0]]
        assert found is not None
        return found

    def _is_open(self, embedding: Embedding) -> bool:
        """Whether an embedding can be used; it is read when it is first asked for, and then the same for the whole job."""
        path, word = place_of(embedding.key)
        if path not in self._opened:
            self._opened[path] = None
            try:
                self._opened[path] = self._files.open(path)
            except SfumatoError as error:
                self._warn(f"{error.message} '{embedding.name}' stays text.")
        opened = self._opened[path]
        if opened is None:
            return False
        widths = {role: tuple(tensor.shape) for role, tensor in opened.vectors.get(word, {}).items()}
        if widths != {role: (embedding.vectors, width) for role, width in embedding.widths}:
            self._opened[path] = None
            self._warn(f"'{path.name}' changed while its words were looked up. '{embedding.name}' stays text.")
            return False
        return True

    def _table(self, bundled: tuple[Embedding, ...]) -> tuple[EmbeddingTable, EmbeddingTable]:
        """Those that fit the model, and those that are for another."""
        if bundled not in self._tables:
            usable = [each for each in (*bundled, *self._known) if not each.unfit and self._opened.get(place_of(each.key)[0], 1) is not None]
            fit = [each for each in usable if tables_for(each, self._encoders) is not None]
            names = {each.name for each in fit}
            unfit = [each for each in usable if tables_for(each, self._encoders) is None and each.name not in names]
            self._tables[bundled] = EmbeddingTable(fit, self._tokenizer), EmbeddingTable(unfit, self._tokenizer)
        return self._tables[bundled]

    def _named(self, pieces: Iterable[Piece], table: EmbeddingTable) -> list[Embedding]:
        texts = [piece.text for piece in pieces if isinstance(piece, Segment)]
        return [item for text in texts for item in table.read(text, self._tokenizer) if isinstance(item, Embedding)]

    def _warn(self, sentence: str) -> None:
        if all(warning.message != sentence for warning in self.warnings):
            self.warnings.append(JobWarning(code="embedding", message=sentence, path="prompt"))
