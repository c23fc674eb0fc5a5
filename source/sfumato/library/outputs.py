"""Finished pictures on disk: numbered, whole or not at all, never over another file.

Whoever receives an `Artifact` (window, command line) keeps it here, so that local and remote jobs leave the same files.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from sfumato.imaging.naming import save_numbered
from sfumato.imaging.writing import remove_stale
from sfumato.protocol.errors import NotWritable

# job kind -> folder under outputs/; a kind without a row gets a folder of its own name
FOLDERS = {"generate": "txt2img"}


def folder_of(outputs: Path, kind: str) -> Path:
    """The folder that pictures of a job kind go to."""
    return outputs / FOLDERS.get(kind, kind)


@cache
def _tidy(folder: Path) -> None:
    """Once per folder and process: remove what writers that died left there a day ago or longer."""
    remove_stale(folder)


def save_picture(outputs: Path, kind: str, data: bytes, suffix: str = ".png") -> Path:
    """Write `data` as the next numbered picture of its kind and return the file.

    Raises:
        DiskFull, NotWritable: nothing is left behind; the caller still holds the picture.
    """
    folder = folder_of(outputs, kind)
    _tidy(folder)
    try:
        # Names carry the person's own time of day.
        return save_numbered(folder, data, datetime.now().astimezone(), suffix=suffix)
    except FileExistsError as error:
        raise NotWritable(str(folder), "500 numbers in a row are taken by another program") from error
