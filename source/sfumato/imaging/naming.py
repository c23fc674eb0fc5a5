"""Names of picture files: `00000042-11210258.png` is number 42, of November 21st at 02:58. Rules: M25, M27, M28 of metadata."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from itertools import count, islice
from pathlib import Path

from sfumato.imaging.writing import OnStep, make_folder, save_new

NUMBER_DIGITS = 8
PART_CHARACTERS = 128
PART_BYTES = 200  # file systems take 255; a number, a suffix and the mark of a temporary file come on top
TRIES = 500

_NUMBER = re.compile(r"([0-9]{8,18})(?=[^0-9]|$)")
_FORBIDDEN = re.compile(r'[#<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(\.|$)", re.IGNORECASE)


def default_name(number: int, when: datetime, suffix: str = ".png") -> str:
    """The name of picture `number` finished at `when`: eight digits of number, then month, day, hour and minute."""
    return f"{number:0{NUMBER_DIGITS}d}-{when:%m%d%H%M}{suffix}"


def highest_number(folder: Path) -> int:
    """The highest number any file of `folder` begins with, 0 if there is none or no folder. Temporary files do not count."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return max((int(found[1]) for name in names if (found := _NUMBER.match(name))), default=0)


def free_names(folder: Path, when: datetime, suffix: str = ".png", known: int = 0) -> Iterator[Path]:
    """Paths to try in turn, at most 500, from the number after the highest one that is on the disk or `known` to an index."""
    start = max(highest_number(folder), known) + 1
    return (folder / default_name(number, when, suffix) for number in islice(count(start), TRIES))


def save_numbered(folder: Path, data: bytes, when: datetime, *, suffix: str = ".png", known: int = 0, on_step: OnStep = lambda _: None) -> Path:
    """Write a picture under the next free name and return its path. However many writers there are, each gets a name of its own and replaces nothing.

    Args:
        folder: made if it does not exist.
        data: the encoded picture.
        when: local time the picture was finished.
        suffix: of the file, with its dot.
        known: the highest number an index knows of.
        on_step: see `writing`.

    Raises:
        DiskFull, NotWritable: nothing is left behind.
        FileExistsError: 500 numbers in a row were taken while this was tried.
    """
    make_folder(folder)
    return save_new(free_names(folder, when, suffix, known), data, on_step=on_step)


def sanitised(text: str) -> str:
    """Text from a person or a model as one part of a path that every system takes: never empty, a separator, a device or a climb out of the folder."""
    part = _cut(_FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).lstrip(" ")).rstrip(". ")
    if not part:
        return "_"
    return f"_{part}" if _DEVICES.match(part) else part


def _cut(part: str) -> str:
    """At most `PART_CHARACTERS` characters and `PART_BYTES` bytes of a text, not ending between a letter and its accent."""
    length = min(len(part), PART_CHARACTERS)
    while len(part[:length].encode()) > PART_BYTES:
        length -= 1
    while 0 < length < len(part) and unicodedata.combining(part[length]):
        length -= 1
    return part[:length]
