"""What the header of one model file tells to everybody: precision, number of weights, the words its maker wrote. Families are the engine's to tell.

Only headers are read; a pickle is never opened beyond its first bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.library.models import ModelEntry
from sfumato.library.safetensors_header import DTYPE_BITS, Header, read_header
from sfumato.protocol.errors import SfumatoError

# What people call the number formats of weights.
PRECISIONS: Mapping[str, str] = {
    "F64": "FP64",
    "F32": "FP32",
    "F16": "FP16",
    "BF16": "BF16",
    "F8_E4M3": "FP8",
    "F8_E5M2": "FP8",
    "F8_E4M3FNUZ": "FP8",
    "F8_E5M2FNUZ": "FP8",
    "F8_E8M0": "FP8",
    "F4": "FP4",
    "I8": "INT8",
    "U8": "INT8",
}
# A longer header is not read for a list: it would hold up everything else; the inspector shows it.
LISTED_HEADER_BYTES = 8 << 20
_MOSTLY = 0.9
_TEXT_LIMIT = 4000
_WORDS_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Facts:
    """Attributes: precision: of at least nine tenths of the weights, "mixed", or "" if nothing tells; weights: how many numbers the file holds."""

    precision: str = ""
    weights: int = 0
    title: str = ""
    description: str = ""
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def told(self) -> list[Any]:
        """What its maker wrote, as plain data; empty if nothing."""
        return [self.title, self.description, self.words, self.tags] if self.title or self.description or self.words or self.tags else []

    @staticmethod
    def of(precision: str, weights: int, told: Sequence[Any]) -> Facts:
        """Facts with what `told` gave."""
        title, description, words, tags = told
        return Facts(precision, weights, title, description, tuple(words), tuple(tags))


def facts_of(entry: ModelEntry) -> tuple[Facts, str]:
    """The facts of a listed file, and why it cannot be used ("" if it may be)."""
    if entry.kind != "safetensors" or entry.reason:
        return Facts(), entry.reason
    try:
        if _header_bytes(entry.path) > LISTED_HEADER_BYTES:
            return Facts(), ""
        header = read_header(entry.path)
    except SfumatoError as error:
        return Facts(), error.message
    return told(header), ""


def _header_bytes(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return int.from_bytes(file.read(8), "little")
    except OSError:
        return 0


def told(header: Header) -> Facts:
    """What a header tells."""
    bits: Counter[str] = Counter()
    weights = 0
    for info in header.tensors.values():
        size = info.end - info.begin
        bits[PRECISIONS.get(info.dtype, "")] += size
        weights += size * 8 // DTYPE_BITS[info.dtype]
    whole = sum(bits.values())
    most = bits.most_common(1)
    precision = "" if not most or not whole else most[0][0] if most[0][1] >= _MOSTLY * whole else "mixed"
    metadata = header.metadata
    return Facts(
        precision,
        weights,
        _legible(metadata.get("modelspec.title") or metadata.get("ss_output_name", ""))[:200],
        _legible(metadata.get("modelspec.description", ""))[:_TEXT_LIMIT],
        split(metadata.get("modelspec.trigger_phrase", "")),
        split(metadata.get("modelspec.tags", "")),
    )


def training_tags(metadata: Mapping[str, str]) -> list[tuple[str, int]]:
    """The captions' tags that a trainer of the kohya family counted over all its folders, the most frequent first."""
    counts: Counter[str] = Counter()
    with suppress(NotJson):
        for folder in read_object(metadata.get("ss_tag_frequency", "{}") or "{}").values():
            if isinstance(folder, dict):
                for tag, count in folder.items():
                    if type(count) is int and count > 0 and tag.strip():
                        counts[_legible(tag).strip()] += count
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def split(text: str) -> tuple[str, ...]:
    """Words between commas, each once."""
    words = (_legible(word).strip() for word in text.split(","))
    return tuple(dict.fromkeys(word for word in words if word))[:_WORDS_LIMIT]


def _legible(text: str) -> str:
    """Text from a file as text that can be shown."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text.encode("utf-8", "replace").decode())


def folder_bytes(path: Path) -> int:
    """The size of a diffusers folder with everything in it."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
