"""The last run of each row on this machine, to see what became slower: ratios, since bare times are of a minute.

Kept in `benchmarks/last.json`, which is no part of the repository. A row that is more than `SLOWER` above its last ratio fails; after a change of machine,
processor or torch rows begin anew.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from measuring import Row

FILE = Path(__file__).with_name("last.json")
SLOWER = 1.05
_PACKAGES = ("torch", "diffusers", "transformers", "PyQt5")


def versions() -> str:
    """What was measured with, in one line."""
    found = [f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def machine() -> str:
    """What must be the same for a ratio to be comparable."""
    import torch

    card = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no card"
    return f"{platform.node()}, {platform.machine()}, {card}, torch {version('torch')}"


def slower(rows: Iterable[Row], last: Mapping[str, float]) -> list[str]:
    """A sentence for each row whose ratio rose by more than `SLOWER`."""
    return [f"{row.name}: {row.ratio:.3f}, the last run had {last[row.name]:.3f}" for row in rows if row.name in last and row.ratio > SLOWER * last[row.name]]


def recall(file: Path, here: str) -> dict[str, float]:
    """Ratios of the last run on this machine; none if there was none, or if what was kept cannot be read."""
    try:
        kept: Any = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): float(ratio) for name, ratio in kept[here].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep(file: Path, here: str, rows: Iterable[Row]) -> None:
    """Keep these ratios beside those of rows that were not run."""
    content = {here: recall(file, here) | {row.name: row.ratio for row in rows}}
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")
