"""The header check: every rule of the format broken once, then thousands of mutated headers."""

import json
import math
import random
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sfumato.library.file_kind import kind_of_bytes
from sfumato.library.safetensors_header import DTYPE_BITS, Header, TensorInfo, read_header
from sfumato.protocol.errors import CorruptFile, PickleRefused


def written(path: Path, header: bytes | dict[str, Any], data: bytes = b"", length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)
    return path


def tensor(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {
        "dtype": dtype,
        "shape": list(shape) if isinstance(shape, tuple) else shape,
        "data_offsets": list(offsets) if isinstance(offsets, tuple) else offsets,
    }


@pytest.mark.rule("E10", "X3")
def test_a_sound_file_is_read_in_the_order_of_its_bytes(tmp_path: Path) -> None:
    header = {
        "b": tensor(offsets=(8, 16)),
        "a": tensor(),
        "scalar": tensor("U8", (), (16, 17)),
        "none": tensor("F16", (0, 5), (17, 17)),
        "__metadata__": {"k": "v"},
    }
    path = written(tmp_path / "m.safetensors", header, bytes(17))
    read = read_header(path)
    assert isinstance(read, Header)
    assert list(read.tensors) == ["a", "b", "scalar", "none"]
    assert read.tensors["b"] == TensorInfo("F32", (2,), 8, 16)
    assert read.metadata == {"k": "v"}
    assert read.data_start + 17 == read.file_bytes == path.stat().st_size


BREACHES: list[tuple[str, bytes | dict[str, Any], int, str]] = [
    ("no object", b"[1, 2]", 0, "no JSON object"),
    ("not json", b'{"a": }', 0, "not JSON"),
    ("not utf-8", b'{"a\xff": 1}', 0, "not UTF-8"),
    ("nested", b"{" + b'"a":{' * 5000, 0, "nested too deep"),
    ("long number", b'{"a": ' + b"1" * 6000 + b"}", 0, "too long"),
    (
        "duplicate tensor",
        b'{"a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        1,
        "'a' occurs twice",
    ),
    ("duplicate field", b'{"a": {"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1, "'dtype' occurs twice"),
    ("NaN", b'{"a": {"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', 1, "NaN"),
    ("unknown dtype", {"a.b": tensor("F33")}, 8, "dtype of tensor 'a.b' is 'F33'"),
    ("dtype is a number", {"a.b": {**tensor(), "dtype": 3}}, 8, "dtype of tensor 'a.b'"),
    ("negative size", {"a.b": tensor(shape=(-2,))}, 8, "shape of tensor 'a.b'"),
    ("fractional size", {"a.b": tensor(shape=(2.0,))}, 8, "shape of tensor 'a.b'"),
    ("boolean size", {"a.b": tensor("U8", (True,), (0, 1))}, 1, "shape of tensor 'a.b'"),
    ("nine dimensions", {"a.b": tensor("U8", (1,) * 9, (0, 1))}, 1, "shape of tensor 'a.b'"),
    ("overflow", {"a.b": tensor("F32", (1 << 40, 1 << 40), (0, 8))}, 8, "too large to count"),
    ("overflow beside zero", {"a.b": tensor("F32", (1 << 40, 1 << 40, 0), (0, 0))}, 0, "too large to count"),
    ("size differs", {"a.b": tensor(shape=(3,))}, 8, "span 8 bytes, its shape and dtype need 12"),
    ("half a byte", {"a.b": tensor("F4", (3,), (0, 2))}, 2, "span 2 bytes"),
    ("end before begin", {"a.b": tensor(offsets=(8, 0))}, 8, "data_offsets of tensor 'a.b'"),
    ("negative offset", {"a.b": tensor(offsets=(-8, 0))}, 8, "data_offsets of tensor 'a.b'"),
    ("three offsets", {"a.b": tensor(offsets=(0, 8, 8))}, 8, "data_offsets of tensor 'a.b'"),
    ("behind the end", {"a.b": tensor()}, 4, "'a.b' ends behind the end of the file"),
    ("overlap", {"a": tensor(), "b": tensor(offsets=(4, 12))}, 12, "'b' overlaps"),
    ("same bytes twice", {"a": tensor(), "b": tensor()}, 8, "'b' overlaps"),
    ("hole", {"a": tensor(), "b": tensor(offsets=(12, 20))}, 20, "hole of 4 bytes before tensor 'b'"),
    ("hole at the start", {"a": tensor(offsets=(4, 12))}, 12, "hole of 4 bytes"),
    ("tail", {"a": tensor()}, 9, "1 bytes behind the last tensor"),
    ("tail without tensors", {}, 5, "5 bytes behind the last tensor"),
    ("a field missing", {"a.b": {"dtype": "F32", "shape": [2]}}, 8, "tensor 'a.b' must have"),
    ("a field too many", {"a.b": {**tensor(), "code": "x"}}, 8, "tensor 'a.b' must have"),
    ("tensor is a list", {"a.b": [1]}, 0, "tensor 'a.b' must have"),
    ("metadata number", {"__metadata__": {"a": 1}}, 0, "__metadata__"),
    ("metadata list", {"__metadata__": ["a"]}, 0, "__metadata__"),
    ("name is a surrogate", b'{"\\ud800": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1, "is not text"),
    ("too many entries", b'{"a": [' + b"1," * 1_000_001 + b"1]}", 0, "more entries"),
]


@pytest.mark.rule("E10", "X3")
@pytest.mark.parametrize(("header", "data", "says"), [breach[1:] for breach in BREACHES], ids=[breach[0] for breach in BREACHES])
def test_each_broken_rule_is_named_with_file_and_field(tmp_path: Path, header: bytes | dict[str, Any], data: int, says: str) -> None:
    path = written(tmp_path / "model.safetensors", header, bytes(data))
    with pytest.raises(CorruptFile) as caught:
        read_header(path)
    assert "'model.safetensors' is damaged" in caught.value.message
    assert says in caught.value.message
    assert str(tmp_path) not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.rule("E10", "X3")
def test_a_lying_length_and_a_truncated_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for length, says in ((1 << 62, "more than the"), ((100 << 20) + 1, "more than the"), (500, "only 2 follow")):
        with pytest.raises(CorruptFile, match=says):
            read_header(written(path, b"{}", length=length))
    path.write_bytes(b"\x01\x02")
    with pytest.raises(CorruptFile, match="only 2 bytes long"):
        read_header(path)
    written(path, {"a": tensor()}, bytes(8))
    whole = path.read_bytes()
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        with pytest.raises(CorruptFile, match=r"model\.safetensors"):
            read_header(path)


@pytest.mark.rule("X3", "E126")
def test_a_missing_file_or_a_folder_is_a_sentence_too(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="cannot be read"):
        read_header(tmp_path / "none.safetensors")
    with pytest.raises(CorruptFile, match="cannot be read"):
        read_header(tmp_path)


@pytest.mark.rule("X2", "E11")
@pytest.mark.parametrize("first", [b"PK\x03\x04rest of a zip file", b"\x80\x02}q\x00(X\x05\x00\x00", b"\x80\x05\x95\x10\x00\x00\x00\x00\x00\x00\x00"])
def test_a_pickle_named_safetensors_is_refused_as_a_pickle(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(first + bytes(64))
    with pytest.raises(PickleRefused, match="Convert it"):
        read_header(path)


@pytest.mark.rule("X2")
@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_a_header_whose_length_looks_like_a_pickle_is_still_safetensors(tmp_path: Path, length: int) -> None:
    raw = json.dumps({"a": tensor()}).encode().ljust(length)
    path = written(tmp_path / "model.safetensors", raw, bytes(8))
    assert path.read_bytes()[0] == 0x80
    assert kind_of_bytes(path.read_bytes()[:9]) == "safetensors"
    assert list(read_header(path).tensors) == ["a"]


WORDS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b'"',
    b"null",
    b"true",
    b"-1",
    b"1e9",
    b"0",
    b"9223372036854775807",
    b"9" * 30,
    b"\\ud800",
    b"\xff",
    b'"dtype"',
    b'"F16"',
    b"NaN",
]


def mutated(random_: random.Random, sound: bytes) -> bytes:
    """The bytes of a whole file with one to four random edits, some of them in the length field."""
    file = bytearray(sound)
    for _ in range(random_.randint(1, 4)):
        place = random_.randrange(len(file)) if file else 0
        match random_.randrange(6):
            case 0 if file:
                file[place] = random_.randrange(256)
            case 1:
                file[place:place] = random_.choice(WORDS)
            case 2:
                del file[place : place + random_.randint(1, 12)]
            case 3:
                del file[place:]
            case 4:
                file[: min(8, len(file))] = struct.pack(
                    "<Q", random_.choice([0, 1, 7, len(file), len(file) - 8 & (1 << 64) - 1, random_.getrandbits(64), 1 << 63])
                )
            case _:
                file[place:place] = file[: random_.randint(1, 30)]
    return bytes(file)


def check_mutations(folder: Path, count: int, seed: int) -> None:
    random_ = random.Random(seed)
    path = folder / "m.safetensors"
    header = {
        "__metadata__": {"format": "pt"},
        "a.weight": tensor("F16", (2, 3), (0, 12)),
        "a.bias": tensor("BF16", (2,), (12, 16)),
        "n": tensor("I64", (), (16, 24)),
    }
    sound = written(path, header, bytes(24)).read_bytes()
    refused = 0
    for number in range(count):
        path.write_bytes(mutated(random_, sound))
        begin = time.perf_counter()
        try:
            read = read_header(path)
        except (CorruptFile, PickleRefused):
            refused += 1
        else:
            assert sum(info.end - info.begin for info in read.tensors.values()) == read.file_bytes - read.data_start, (seed, number)
            for info in read.tensors.values():
                assert info.end - info.begin == math.prod(info.shape) * DTYPE_BITS[info.dtype] // 8, (seed, number)
        assert time.perf_counter() - begin < 1, (seed, number)
    assert count * 0.7 < refused < count, "the mutations must break most headers, and leave some whole"


@pytest.mark.rule("E10")
def test_two_thousand_mutated_headers_raise_nothing_but_their_sentence(tmp_path: Path) -> None:
    check_mutations(tmp_path, 2000, seed=20)


@pytest.mark.slow
@pytest.mark.rule("E10")
def test_ten_thousand_mutated_headers_stay_within_memory_and_time(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        check_mutations(tmp_path, 10_000, seed=21)
        assert tracemalloc.get_traced_memory()[1] < 256 << 20
    finally:
        tracemalloc.stop()
