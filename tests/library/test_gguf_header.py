"""Headers of GGUF files: what is whole passes, and every lie is refused before anything reads further."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.library.gguf_header import check_gguf
from sfumato.protocol.errors import CorruptFile

TENSORS = (("a.weight", (32, 2), 0, 0), ("b.weight", (32, 4), 8, 256))


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def gguf_bytes(
    *,
    version: int = 3,
    tensors: tuple[tuple[str, tuple[int, ...], int, int], ...] = TENSORS,
    counts: tuple[int, int] | None = None,
    extra: bytes = b"",
    pairs: int = 0,
    alignment: int | None = None,
    data: int = 256 + 34 * 4,
) -> bytes:
    """A file of tensors (name, shape, type, offset)."""
    values = text("general.architecture") + struct.pack("<I", 8) + text("flux")
    values += text("names") + struct.pack("<IIQ", 9, 8, 2) + text("x") + text("y")
    values += text("sizes") + struct.pack("<IIQ", 9, 4, 2) + bytes(8) + extra
    if alignment is not None:
        values += text("general.alignment") + struct.pack("<II", 4, alignment)
    total = counts or (len(tensors), 3 + pairs + (alignment is not None))
    head = b"GGUF" + struct.pack("<IQQ", version, *total) + values
    for name, shape, kind, offset in tensors:
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", side) for side in shape) + struct.pack("<IQ", kind, offset)
    head += bytes(-len(head) % (alignment or 32))
    return head + bytes(data)


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.gguf"
    path.write_bytes(data)
    return path


@pytest.mark.rule("X3")
def test_a_whole_file_is_read_up_to_its_tensors(tmp_path: Path) -> None:
    for data in (gguf_bytes(), gguf_bytes(version=2), gguf_bytes(alignment=64), gguf_bytes(data=256 + 136 + 24)):
        found = check_gguf(written(tmp_path, data))
        assert found.tensors == ("a.weight", "b.weight")
        assert found.data_start % 32 == 0


@pytest.mark.rule("X3")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GGUX" + gguf_bytes()[4:], "begin"),
        (gguf_bytes(version=1), "version"),
        (gguf_bytes(version=1 << 24), "version"),
        (gguf_bytes(counts=(1 << 60, 3)), "more than any"),
        (gguf_bytes(counts=(2, 1 << 40)), "more than any"),
        (gguf_bytes(counts=(3, 3)), "damaged"),
        (gguf_bytes(data=256 + 100), "behind the end"),
        (gguf_bytes(data=4096), "belong to none"),
        (gguf_bytes(alignment=24), "alignment"),
        (gguf_bytes(alignment=0), "alignment"),
        (gguf_bytes(tensors=(("a", (32, 2), 99, 0),)), "type"),
        (gguf_bytes(tensors=(("a", (33,), 8, 0),)), "multiple"),
        (gguf_bytes(tensors=(("a", (1 << 40, 1 << 40), 0, 0),)), "too large"),
        (gguf_bytes(tensors=(("a", (1,) * 9, 0, 0),)), "dimensions"),
        (gguf_bytes(tensors=(("a", (32, 2), 0, 0), ("b", (32, 4), 8, 224))), "overlaps"),
        (gguf_bytes(tensors=(("a", (32, 2), 0, 0), ("b", (32, 4), 8, 288)), data=600), "hole"),
        (gguf_bytes(tensors=(("a", (32, 2), 0, 0), ("b", (32, 4), 8, 257))), "aligned"),
        (gguf_bytes(tensors=(("a", (32, 2), 0, 0), ("a", (32, 4), 8, 256))), "twice"),
        (gguf_bytes(extra=text("names") + struct.pack("<IB", 0, 1), pairs=1), "twice"),
        (gguf_bytes(extra=text("odd") + struct.pack("<I", 77), pairs=1), "type 77"),
        (gguf_bytes(extra=text("odd") + struct.pack("<IIQ", 9, 9, 1), pairs=1), "not known"),
        (gguf_bytes(extra=text("odd") + struct.pack("<IIQ", 9, 8, 1 << 60), pairs=1), "not known"),
        (gguf_bytes(extra=text("odd") + struct.pack("<IIQ", 9, 4, 1 << 60), pairs=1), "inside its header"),
        (gguf_bytes(extra=text("odd") + struct.pack("<IQ", 8, 1 << 62), pairs=1), "inside its header"),
        (gguf_bytes(extra=text(b"\xff") + struct.pack("<IB", 0, 1), pairs=1), "UTF-8"),
        (gguf_bytes(extra=text("x" * 2000) + struct.pack("<IB", 0, 1), pairs=1), "2000 bytes"),
    ],
    ids=range(26),
)
def test_every_lie_is_refused_with_its_rule(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(CorruptFile, match=words):
        check_gguf(written(tmp_path, data))


@pytest.mark.rule("X3")
def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = gguf_bytes()
    for length in range(len(whole)):
        with pytest.raises(CorruptFile):
            check_gguf(written(tmp_path, whole[:length]))


@pytest.mark.rule("X3")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_passes_or_is_refused_and_does_nothing_else(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    whole = bytearray(gguf_bytes())
    whole[place % len(whole)] = value
    path = tmp_path_factory.getbasetemp() / "changed.gguf"
    path.write_bytes(whole)
    with contextlib.suppress(CorruptFile):
        check_gguf(path)
