"""Names of picture files by a pattern: `00000042-11210258.png` is number 42, of November 21st at 02:58. Rules: M25-M28 of metadata.

A pattern holds text and tokens, `[number:8]-[datetime<%m%d%H%M>]`; "/" in it makes folders. What tokens are worth for a picture is said in `naming_values`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from sfumato.imaging.writing import OnStep, make_folder, save_new
from sfumato.protocol.errors import UnsafeName

DEFAULT_PATTERN = "[number:8]-[datetime<%m%d%H%M>]"
# name -> pattern; "AUTOMATIC1111" is how that program names pictures, in a folder for each day.
PRESETS: Mapping[str, str] = {"default": DEFAULT_PATTERN, "AUTOMATIC1111": "[date]/[number:5]-[seed]"}
# What may be written beside each picture (rule M3): the infotext, the whole record, or both; by the setting's value.
TEXT, RECORD = ".txt", ".json"
SIDECARS: Mapping[str, tuple[str, ...]] = {"": (), "txt": (TEXT,), "json": (RECORD,), "both": (TEXT, RECORD)}
NUMBER_DIGITS = 8
PART_CHARACTERS = 128
PART_BYTES = 200  # file systems take 255; a number, a suffix and the mark of a temporary file come on top
PATH_CHARACTERS = 240 if os.name == "nt" else None
TRIES = 500

# A token's worth, given what stands in its angle brackets; None drops it and the text before it.
Token = Callable[[tuple[str, ...]], str | None]
Values = Mapping[str, Token]

_TOKEN = re.compile(r"\[(?P<name>[A-Za-z_]+)(?::(?P<digits>[0-9]{1,2}))?(?P<arguments>(?:<[^<>]*>)*)\]|%(?P<percent>[a-z]+)%")
_PERCENT = {"index": "number", "date": "date", "time": "time", "model": "model_name", "seed": "seed", "prompt": "prompt", "mode": "mode"}
_FORBIDDEN = re.compile(r'[#<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The text before a token, and the token; `name` is empty at the end of a part."""

    text: str
    name: str = ""
    digits: int = 0
    arguments: tuple[str, ...] = ()


def _pieces(part: str, values: Values) -> list[_Piece]:
    """One part of a pattern cut at its tokens; tokens that nobody knows are text."""
    found, start, text = [], 0, ""
    for token in _TOKEN.finditer(part):
        name = _PERCENT.get(token["percent"], "") if token["percent"] else token["name"]
        if name != "number" and name not in values:
            continue
        text = part[start : token.start()]
        digits = NUMBER_DIGITS if token["percent"] else int(token["digits"] or 1)
        found.append(_Piece(text, name, digits, tuple(re.findall(r"<([^<>]*)>", token["arguments"] or ""))))
        start = token.end()
    return [*found, _Piece(part[start:])]


def _parts(pattern: str) -> list[str]:
    """A pattern cut at its separators, but not inside of a token."""
    parts, depth = [""], 0
    for character in pattern[:1000]:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character in "/\\" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _expanded(pieces: list[_Piece], number: int, values: Values) -> str:
    written = ""
    for piece in pieces:
        if not piece.name:
            written += piece.text
        elif piece.name == "number":
            written += f"{piece.text}{number:0{piece.digits}d}"
        elif value := values[piece.name](piece.arguments):
            # A prompt may be a million characters; no name holds more than this.
            written += piece.text + value[: 2 * PART_CHARACTERS]
    return written


def _numbers(pieces: list[_Piece]) -> re.Pattern[str]:
    """What finds the number in a name that such pieces made; a token before it may have been dropped with its text."""
    before = ""
    for piece in pieces:
        text = re.escape(_FORBIDDEN.sub("_", piece.text))
        if piece.name == "number":
            return re.compile(f"{before}{text}([0-9]{{{piece.digits},18}})(?=[^0-9]|$)")
        before = f"(?:{before}{text}.*?)?"
    return re.compile(r"(?!)")


def highest_number(folder: Path, pattern: str = DEFAULT_PATTERN, values: Values | None = None) -> int:
    """The highest number of any file of `folder` that the pattern may have named, 0 if there is none or no folder. Temporary files do not count."""
    try:
        names = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    number = _numbers(_pieces(_parts(pattern)[-1], values if values is not None else _ANY))
    return max((int(found[1]) for name in names if (found := number.match(name))), default=0)


class _AnyValues(dict[str, Token]):
    """For reading names: every token is known."""

    def __contains__(self, name: object) -> bool:
        return True


_ANY = _AnyValues()


def free_names(
    folder: Path, pattern: str, values: Values, *, suffix: str = ".png", known: int = 0, path_characters: int | None = PATH_CHARACTERS
) -> Iterator[Path]:
    """Paths to try in turn, at most 500, from the number after the highest one that is on the disk or `known` to an index.

    A pattern without a number has its name tried first, then with -2, -3 ... behind it; one that yields nothing is the number alone.
    """
    *_, last = parts = _parts(pattern)
    pieces = _pieces(last, values)
    target = folder.joinpath(*folder_parts(parts[:-1], values))
    room = None if path_characters is None else max(16, path_characters - len(str(target)) - 1 - len(suffix))
    is_numbered = any(piece.name == "number" for piece in pieces)
    # Without a number of its own a name that yields nothing is numbered as by default.
    is_nothing = not _expanded(pieces, 0, values).strip(". ")
    start = max(highest_number(target, DEFAULT_PATTERN if is_nothing else pattern, _ANY if is_nothing else values), known) + 1
    for number in islice(count(start if is_numbered or is_nothing else 1), TRIES):
        if is_nothing:
            name = f"{number:0{NUMBER_DIGITS}d}"
        elif is_numbered:
            name = sanitised(_expanded(pieces, number, values))[:room]
        else:
            ending = "" if number == 1 else f"-{number}"
            name = sanitised(_expanded(pieces, 0, values))
            name = name[: min(PART_CHARACTERS, room or PART_CHARACTERS) - len(ending)] + ending
        yield target / f"{name}{suffix}"


def folder_parts(parts: list[str], values: Values) -> list[str]:
    """The folders of a pattern as they are made: those that yield nothing are left out."""
    written = (_expanded(_pieces(part, values), 0, values) for part in parts)
    return [sanitised(part) for part in written if part.strip(". ")]


def save_named(
    folder: Path,
    data: bytes,
    pattern: str,
    values: Values,
    *,
    suffix: str = ".png",
    known: int = 0,
    beside: Mapping[str, bytes] | None = None,
    on_step: OnStep = lambda _: None,
) -> Path:
    """Write a picture under the next free name and return its path. However many writers there are, each gets a name of its own and replaces nothing.

    Args:
        folder: of all pictures of a kind, made if it does not exist; the pattern may name folders inside.
        data: the encoded picture.
        pattern: see above.
        values: of its tokens (see `naming_values`).
        suffix: of the file, with its dot.
        known: the highest number an index knows of.
        beside, on_step: see `writing.save_new`.

    Raises:
        DiskFull, NotWritable: nothing is left behind.
        UnsafeName: a link leads out of the folder.
        FileExistsError: 500 numbers in a row were taken while this was tried.
    """
    make_folder(folder)
    target = folder.joinpath(*folder_parts(_parts(pattern)[:-1], values))
    base, real = Path(os.path.realpath(folder)), Path(os.path.realpath(target))
    if real != base and base not in real.parents:
        raise UnsafeName(target.name, "it leads outside the folder for pictures")
    make_folder(target)
    return save_new(free_names(folder, pattern, values, suffix=suffix, known=known), data, beside=beside, on_step=on_step)


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
