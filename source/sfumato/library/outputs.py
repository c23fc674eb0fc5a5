"""Finished pictures on disk: named by a pattern, whole or not at all, never over another file.

Whoever receives an `Artifact` (window, command line) keeps it here, so that local and remote jobs leave the same files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from sfumato.imaging.document import written
from sfumato.imaging.encoding import FORMATS
from sfumato.imaging.naming import DEFAULT_PATTERN, PRESETS, RECORD, SIDECARS, TEXT, save_named
from sfumato.imaging.naming_values import values_of
from sfumato.imaging.picture import read_picture
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


def save_picture(outputs: Path, kind: str, data: bytes, *, pattern: str = "", sidecars: str = "", beside: Mapping[str, str] | None = None) -> Path:
    """Write `data` as the next picture of its kind and return the file; its ending and its name come from what it tells itself.

    Args:
        outputs: the folder of all pictures.
        kind: of the job; "" writes into `outputs` itself.
        pattern: of the name, or the name of one of `naming.PRESETS`; "" is the default.
        sidecars: a key of `naming.SIDECARS`.
        beside: texts by ending that did not fit into the picture and must stand beside it.

    Raises:
        DiskFull, NotWritable, UnsafeName: nothing is left behind; the caller still holds the picture.
    """
    folder = folder_of(outputs, kind)
    _tidy(folder)
    reading = read_picture(data)
    suffix = FORMATS[reading.format].suffixes[0] if reading.format in FORMATS else ".png"
    told = {TEXT: f"{reading.text}\n" if reading.text else "", RECORD: written(reading.own) if reading.own else ""}
    texts = {ending: told[ending] for ending in SIDECARS.get(sidecars, ())} | dict(beside or {})
    # Names carry the person's own time of day.
    values = values_of(reading, data, datetime.now().astimezone(), folder.name)
    try:
        path = save_named(
            folder,
            data,
            PRESETS.get(pattern, pattern) or DEFAULT_PATTERN,
            values,
            suffix=suffix,
            beside={ending: text.encode("utf-8", "replace") for ending, text in texts.items() if text},
        )
    except FileExistsError as error:
        raise NotWritable(str(folder), "500 names in a row are taken by another program") from error
    # The pattern may have named a folder inside.
    _tidy(path.parent)
    return path
