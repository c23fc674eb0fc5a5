"""Embeddings that travel in a picture: a PNG whose text `sd-ti-embedding` holds the vectors as JSON in Base64, as AUTOMATIC1111 saves them. Rule: E9.

Only what stands before the pixels is read, and only numbers are taken from it.
"""

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_json
from sfumato.imaging.png_text import CHUNK_LIMIT_BYTES, SIGNATURE, read_png_text
from sfumato.library.pickles.tensors import VALUES
from sfumato.library.safetensors_header import Header, TensorInfo
from sfumato.protocol.errors import CorruptFile

SUFFIX = ".png"
_KEYWORD = "sd-ti-embedding"
_TENSOR = "TORCHTENSOR"
_PARAMETERS = "string_to_param"
_CHUNKS_LIMIT = 1000

Rows = Sequence[Sequence[float]]


def picture_tables(path: Path) -> tuple[dict[str, Rows], dict[str, str]] | None:
    """The tables of vectors by the keys that a converted file has for them, and a header's metadata; None for a picture that carries none.

    Raises `CorruptFile` for one that says it does and holds something else, `OSError`.
    """
    text = read_png_text(_before_pixels(path)).texts.get(_KEYWORD)
    if text is None:
        return None
    try:
        value = read_json(base64.b64decode(text, validate=True).decode("utf-8"))
    except (binascii.Error, ValueError, NotJson) as error:
        raise CorruptFile(path.name, "the embedding that it carries is not readable", path="prompt") from error
    tables = dict(_tables(value)) if isinstance(value, dict) else {}
    if not tables or not all(_is_table(rows) for rows in tables.values()):
        raise CorruptFile(path.name, "the embedding that it carries has no table of numbers", path="prompt")
    name = value.get("name")
    return tables, {VALUES: json.dumps({"name": name})} if isinstance(name, str) else {}


def picture_header(path: Path) -> Header | None:
    """What a safetensors file of the same vectors would say of itself. Arguments and errors as `picture_tables`."""
    found = picture_tables(path)
    if found is None:
        return None
    tables, metadata = found
    return Header({key: TensorInfo("F32", (len(rows), len(rows[0])), 0, 0) for key, rows in tables.items()}, metadata, 0, 0)


def _before_pixels(path: Path) -> bytes:
    """The chunks of a PNG up to its pixels, at most as many bytes as its texts may have."""
    parts = [SIGNATURE]
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return b""
        total = 0
        for _ in range(_CHUNKS_LIMIT):
            head = file.read(8)
            if len(head) < 8:
                break
            length, kind = struct.unpack(">I4s", head)
            total += length
            if kind == b"IDAT" or total > CHUNK_LIMIT_BYTES:
                break
            parts += [head, file.read(length + 4)]
    return b"".join(parts)


def _tables(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Tensors are objects with one special key, lists of lists inside."""
    for key, item in value.items():
        if isinstance(item, dict) and _TENSOR in item:
            yield key, item[_TENSOR]
        elif key == _PARAMETERS and isinstance(item, dict):
            for name, inner in item.items():
                if isinstance(inner, dict) and _TENSOR in inner:
                    yield f"{key}.{name}", inner[_TENSOR]


def _is_table(rows: Any) -> bool:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows) or len({len(row) for row in rows}) != 1:
        return False
    return all(isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) for row in rows for number in row)
