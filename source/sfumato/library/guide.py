"""The guide that comes with the program: a Markdown page cut into headings, words and pictures, so that a list can show it. Knows no window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sfumato.protocol.errors import CorruptFile

HEADING, WORDS, PICTURE = "heading", "words", "picture"
_HEADING = re.compile(r"(#{1,3}) +(.+)")
_CODE = re.compile(r"`([^`]+)`")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


@dataclass(frozen=True)
class Block:
    """A part of the page.

    Attributes:
        kind: "heading", "words" (Markdown) or "picture".
        text: the heading, the Markdown, or what the picture shows.
        level: of a heading, 1 to 3.
        path: of a picture; None where its file is not there.
    """

    kind: str
    text: str
    level: int = 0
    path: Path | None = None


def blocks(text: str, folder: Path) -> list[Block]:
    """Cut a page whose pictures lie below `folder`."""
    found: list[Block] = []
    held: list[str] = []

    def close() -> None:
        words = "\n".join(held).strip()
        held.clear()
        if words:
            found.append(Block(WORDS, _CODE.sub(_bold, words)))

    for line in text.splitlines():
        if heading := _HEADING.fullmatch(line):
            close()
            found.append(Block(HEADING, heading[2], len(heading[1])))
        elif picture := _PICTURE.fullmatch(line.strip()):
            close()
            path = folder / picture[2]
            found.append(Block(PICTURE, picture[1], path=path if path.is_file() else None))
        else:
            held.append(line)
    close()
    return found


def _bold(code: re.Match[str]) -> str:
    """What stands as code on the page, in letters of the size around it."""
    return "**" + re.sub(r"([\\*_<>\[\]~])", r"\\\1", code[1]) + "**"


def read_guide(page: Path) -> list[Block]:
    """Read a page.

    Raises:
        CorruptFile: it is not there, or is no text.
    """
    try:
        return blocks(page.read_text(encoding="utf-8"), page.parent)
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptFile(page.name, "the guide cannot be read", path="guide", detail=str(error)) from error
