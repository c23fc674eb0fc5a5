"""What a file that arrived is, by its first bytes, and whether it may have the name it was given. Rules: X2, X3 of security.

A pickle is kept only under a name that says so: nothing ever opens it, and the conversion reads it behind a door of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sfumato.library.file_kind import FIRST_BYTES, FileKind, kind_of_bytes
from sfumato.library.gguf_header import check_gguf
from sfumato.library.model_kinds import category_of_header
from sfumato.library.models import CHECKPOINT, SUFFIXES
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelUnsupported, PickleRefused, UnsafeName

ENDINGS: dict[FileKind, frozenset[str]] = {
    "safetensors": frozenset({".safetensors", ".sft"}),
    "gguf": frozenset({".gguf"}),
    "pickle": frozenset({".ckpt", ".pt", ".pth", ".bin"}),
}
_WORDS: dict[FileKind, str] = {"safetensors": "a safetensors file", "gguf": "a GGUF file", "unknown": "no model file that is known"}


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file is: its kind by its first bytes, and the category of models its header speaks of ("" if it does not)."""

    kind: FileKind
    category: str


def ending_of(name: str) -> str:
    """The ending of a model file's name. Raises `UnsafeName` for a name that no model file has, or that scans would pass over."""
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        raise UnsafeName(name[:80], "it is hidden", path="name")
    if path.suffix.casefold() not in SUFFIXES:
        raise UnsafeName(name[:80], f"a model's name ends in one of {', '.join(sorted(SUFFIXES))}", path="name")
    return path.suffix.casefold()


def check_beginning(first: bytes, name: str) -> FileKind:
    """The kind of a file of which the first `FIRST_BYTES` have come.

    Raises:
        PickleRefused: it is a pickle that calls itself something else.
        CorruptFile: it is too short for anything.
        ModelUnsupported: it is of no known kind, or its name says another.
    """
    kind = kind_of_bytes(first)
    ending = ending_of(name)
    if ending in ENDINGS.get(kind, ()):
        return kind
    if kind == "pickle":
        raise PickleRefused(name, path="name")
    if len(first) < FIRST_BYTES:
        raise CorruptFile(name, f"it has only {len(first)} bytes", path="name")
    if kind == "unknown":
        raise ModelUnsupported(name, _WORDS[kind], use="keep it among the models", path="name")
    raise ModelUnsupported(name, _WORDS[kind], use=f"keep it under a name that ends in {ending}", path="name")


def look(path: Path, first: bytes, name: str) -> Looked:
    """The same of a whole file, its header read and checked. Raises as `check_beginning`, and `CorruptFile` for a broken header."""
    kind = check_beginning(first, name)
    if kind == "safetensors":
        return Looked(kind, category_of_header(read_header(path, name), PurePosixPath(name).stem))
    if kind == "gguf":
        check_gguf(path, name)
        return Looked(kind, CHECKPOINT)
    return Looked(kind, "")
