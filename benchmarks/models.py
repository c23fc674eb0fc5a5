"""The list of models: 5,000 and 10,000 files from a warm index to the first page in its order, a search in them, and the look through unchanged folders.

The references are the goals of the specification: a second for 5,000 models, 300 ms for the first page of 10,000, 50 ms for a search. The look through the
folders, which runs behind the page, is held against a bare walk that asks every file for its size and time. All of it is the work of one thread, so its own
time on the processor is measured: what else runs on the machine does not count.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Row, compare, measure

from sfumato.desktop.models.browsing import Stock, View
from sfumato.library.models_index import ModelsIndex

_ROUNDS = 7


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """`work` as a candidate: the seconds of the processor that one call takes."""

    def candidate() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return candidate


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = _listed(folder, 5000, "5,000 models from the index / 1 s", 1.0)
        found += _listed(folder, 10_000, "10,000 models, first page from the index / 300 ms", 0.3)
        found += _searched(folder)
        found += _looked(folder)
    return found


def _listed(folder: Path, count: int, name: str, goal_s: float) -> list[Row]:
    _fill(folder / "models" / "loras", count)
    index = ModelsIndex(folder / "data", [folder / "models"])
    index.rescan()
    index.close()

    def first_page() -> None:
        index = ModelsIndex(folder / "data", [folder / "models"])
        assert len(Stock(index.rows()).listing(View(category="loras")).rows) == count
        index.close()

    found = measure({"page": timed(first_page)}, _ROUNDS)
    return [compare(name, found["page"], [goal_s] * _ROUNDS, 1.0)]


def _searched(folder: Path) -> list[Row]:
    index = ModelsIndex(folder / "data", [folder / "models"])
    stock = Stock(index.rows())
    index.close()
    view = View(category="loras", query="model 77; brush")
    assert stock.listing(view).rows
    found = measure({"search": timed(lambda: stock.listing(view))}, _ROUNDS)
    return [compare("search in 10,000 models / 50 ms", found["search"], [0.05] * _ROUNDS, 1.0)]


def _looked(folder: Path) -> list[Row]:
    index = ModelsIndex(folder / "data", [folder / "models"])

    def bare() -> None:
        for place, _, files in os.walk(folder / "models"):
            for file in files:
                os.stat(os.path.join(place, file))

    def look() -> None:
        assert not index.rescan()

    found = measure({"look": timed(look), "bare": timed(bare)}, _ROUNDS)
    index.close()
    return [compare("look through 10,000 unchanged files / bare walk", found["look"], found["bare"])]


def _fill(folder: Path, count: int) -> None:
    """Files with real headers, a hundred to a folder."""
    for number in range(count):
        place = folder / f"shelf {number // 100}"
        path = place / f"model {number}.safetensors"
        if path.exists():
            continue
        place.mkdir(parents=True, exist_ok=True)
        tensors = {"lora_unet_x.lora_down.weight": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}
        header = json.dumps({"__metadata__": {"modelspec.trigger_phrase": "brush, ink"}, **tensors}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
