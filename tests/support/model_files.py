"""Model files for tests of lists: real headers before a few bytes, without torch."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any


def header_bytes(tensors: dict[str, tuple[str, tuple[int, ...]]] | None = None, metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file of these tensors (name -> dtype, shape), all zeros."""
    sizes = {"F16": 2, "BF16": 2, "F32": 4, "I64": 8}
    entries: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    place = 0
    for name, (dtype, shape) in (tensors or {"weight": ("F16", (2, 2))}).items():
        count = sizes[dtype]
        for side in shape:
            count *= side
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + bytes(place)


def write_model(path: Path, tensors: dict[str, tuple[str, tuple[int, ...]]] | None = None, metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header_bytes(tensors, metadata))
    return path


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._marker,))


def write_bomb(path: Path, marker: Path) -> Path:
    """A pickle that would leave `marker` behind if anything opened it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(Bomb(marker), 2))
    return path
