"""What one user knows of other machines, in a file that the window and the command line share."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any, cast

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import SfumatoError
from sfumato.transport.known_servers import Remembered

log = logging.getLogger(__name__)

FILE = Path("remote") / "known.json"


class KnownFile:
    """The file of one data folder, read anew at every call: another program of the same user may have learned something meanwhile. Any thread."""

    def __init__(self, data: Path) -> None:
        self._path = data / FILE
        self._lock = threading.Lock()

    def recall(self, server: str) -> Remembered:
        """What is remembered of `server`, "host:port"; what cannot be understood is not known."""
        with self._lock:
            return _remembered(self._read().get(server))

    def remember(self, server: str, remembered: Remembered) -> None:
        """Write it down; what cannot be written is asked about anew next time."""
        with self._lock:
            held = self._read()
            row = {"salt": remembered.salt.hex(), "fingerprint": remembered.fingerprint}
            if held.get(server) == row:
                return
            try:
                make_folder(self._path.parent)
                replace_file(self._path, json.dumps(held | {server: row}, indent=1).encode() + b"\n", private=True)
            except SfumatoError as error:
                log.warning("what is known of other machines could not be kept: %s", error.message)

    def _read(self) -> dict[str, Any]:
        try:
            held: Any = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            held = None
        if not isinstance(held, dict):
            log.warning("%s cannot be understood; other machines are asked about anew", self._path.name)
            return {}
        return cast("dict[str, Any]", held)


def _remembered(row: Any) -> Remembered:
    try:
        return Remembered(bytes.fromhex(row["salt"]), str(row["fingerprint"]))
    except (ValueError, KeyError, TypeError):
        return Remembered()
