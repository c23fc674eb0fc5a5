"""Where the numbers lie in a file that torch.save wrote: the zip format of 2020 on, and the bare pickles before it. Nothing is unpacked, no name is used."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from sfumato.library.pickles.machine import Reading, Refused, Storage, read_pickle

_PICKLE_LIMIT_BYTES = 256 << 20
_ENTRIES_LIMIT = 200_000
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_LOCAL_HEADER_BYTES = 30
_BLOCK = 1 << 20

# Storage class -> (safetensors number format, bytes of an element).
ITEM: Mapping[str, tuple[str, int]] = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
    "UntypedStorage": ("U8", 1),
}


@dataclass(frozen=True)
class Place:
    """Bytes of a storage in the file; `crc` is the container's checksum of all of them, None if it has none."""

    begin: int
    size: int
    crc: int | None


@dataclass(frozen=True)
class Container:
    """`places`: storage key -> its bytes."""

    reading: Reading
    places: Mapping[str, Place]


def open_container(file: BinaryIO, size: int) -> Container:
    """Find everything in a file of `size` bytes. Raises `Refused`."""
    file.seek(0)
    return _zip(file, size) if file.read(4) == b"PK\x03\x04" else _legacy(file, size)


def _zip(file: BinaryIO, size: int) -> Container:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise Refused(f"its archive is damaged ({error})") from error
    if len(entries) > _ENTRIES_LIMIT:
        raise Refused("its archive has too many entries")
    places: dict[str, Place] = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise Refused("an entry of its archive is packed or locked, which torch never does")
        if entry.filename in places:
            raise Refused("its archive holds two entries of one name")
        places[entry.filename] = Place(_data_begin(file, entry.header_offset), entry.file_size, entry.CRC)
    if any(place.begin + place.size > size for place in places.values()):
        raise Refused("an entry of its archive ends behind the end of the file")
    roots = [name for name in places if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise Refused("it is an archive, but torch did not write it (no data.pkl in it)")
    root = roots[0].removesuffix("data.pkl")
    if f"{root}byteorder" in places and _bytes(file, places[f"{root}byteorder"], 16) != b"little":
        raise Refused("its numbers are stored in the order of big-endian machines")
    reading = read_pickle(memoryview(_bytes(file, places[roots[0]], _PICKLE_LIMIT_BYTES)))
    data = f"{root}data/"
    return Container(reading, {name.removeprefix(data): place for name, place in places.items() if name.startswith(data)})


def _data_begin(file: BinaryIO, header: int) -> int:
    file.seek(header)
    local = file.read(_LOCAL_HEADER_BYTES)
    if len(local) < _LOCAL_HEADER_BYTES or local[:4] != b"PK\x03\x04":
        raise Refused("an entry of its archive is not where it should be")
    name, extra = struct.unpack("<HH", local[26:30])
    return header + _LOCAL_HEADER_BYTES + name + extra


def _bytes(file: BinaryIO, place: Place, limit: int) -> bytes:
    if place.size > limit:
        raise Refused("its description is too large")
    file.seek(place.begin)
    data = file.read(place.size)
    if len(data) != place.size or (place.crc is not None and zlib.crc32(data) != place.crc):
        raise Refused("its checksum differs, so it is damaged; download it again")
    return data


def _legacy(file: BinaryIO, size: int) -> Container:
    """Pickles one after the other: magic number, protocol, facts about the machine, the value, the keys of storages; then count and bytes of each."""
    file.seek(0)
    data = memoryview(file.read(min(size, _PICKLE_LIMIT_BYTES)))
    start = 0
    readings: list[Reading] = []
    for _ in range(5):
        reading = read_pickle(data[start:])
        readings.append(reading)
        start += reading.length
        if len(readings) == 1 and reading.value != _LEGACY_MAGIC:
            raise Refused("it is a pickle that torch did not write")
        if len(readings) == 2 and reading.value != _LEGACY_PROTOCOL:
            raise Refused("it is of a version of torch's format that is not known")
    facts = readings[2].value
    if isinstance(facts, dict) and facts.get("little_endian") is False:
        raise Refused("its numbers are stored in the order of big-endian machines")
    keys: Any = readings[4].value
    if not isinstance(keys, list):
        raise Refused("its list of storages is no list")
    kinds: dict[str, Storage] = {}
    _find_storages(readings[3].value, kinds)
    places: dict[str, Place] = {}
    for key in map(str, keys):
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            raise Refused("it ends in the middle")
        (count,) = struct.unpack("<q", head)
        # A storage no tensor uses cannot be stepped over without its kind; torch writes none.
        item = ITEM.get(kinds[key].kind) if key in kinds else None
        if item is None or count < 0 or start + 8 + count * item[1] > size:
            raise Refused("a storage ends behind the end of the file, or nothing uses it")
        places[key] = Place(start + 8, count * item[1], None)
        start += 8 + count * item[1]
    return Container(readings[3], places)


def _find_storages(value: Any, found: dict[str, Storage]) -> None:
    """Every storage below `value`; with a stack of its own, since nesting is the writer's choice."""
    waiting, seen = [value], set[int]()
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list | tuple):
            if id(item) in seen:
                continue
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)
        elif hasattr(item, "storage"):
            found[item.storage.key] = item.storage


def copy_whole(file: BinaryIO, place: Place, target: BinaryIO) -> None:
    """All bytes of a storage, in blocks, checked against the container's checksum."""
    file.seek(place.begin)
    left, crc = place.size, 0
    while left:
        block = file.read(min(_BLOCK, left))
        if not block:
            raise Refused("it ends in the middle")
        crc = zlib.crc32(block, crc)
        target.write(block)
        left -= len(block)
    if place.crc is not None and crc != place.crc:
        raise Refused("its checksum differs, so it is damaged; download it again")
