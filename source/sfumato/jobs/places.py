"""The folders a process works with, handed to every job; `sfumato.config` finds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """`data` holds what the program keeps; `outputs` the pictures, named by the pattern `naming`, with `sidecars` beside; `models` are searched in order.

    `download_hosts`: hosts of this machine's own network that models may be fetched from, with commas between.
    """

    data: Path
    outputs: Path
    models: tuple[Path, ...]
    naming: str = ""
    sidecars: str = ""
    download_hosts: str = ""

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def to_json(self) -> str:
        """One line for another process of this program."""
        return json.dumps({"data": str(self.data), "outputs": str(self.outputs), "models": [str(path) for path in self.models]})

    @staticmethod
    def from_json(text: str) -> Places:
        values = json.loads(text)
        return Places(Path(values["data"]), Path(values["outputs"]), tuple(Path(path) for path in values["models"]))
