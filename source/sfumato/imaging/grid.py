"""The picture of a grid: cells with their labels, put together piece by piece.

Labels are wrapped, never clipped: the column heads are as high and the row heads as wide as their words need. A sheet that would be longer than
`SIDE_LIMIT` is split into several, each with its heads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE_LIMIT = 16384
PAPER, INK, FAINT, EMPTY, FAILED = "#ffffff", "#1b1c1e", "#b6b9bf", "#eceef0", "#b3261e"
# Letters grow with the cells, so that a sheet seen as a whole can still be read.
LETTER_SHARE = 1 / 18
LETTER_LEAST, LETTER_MOST = 12, 48


@dataclass(frozen=True)
class Style:
    """Letters and distances in pixels."""

    font: ImageFont.FreeTypeFont
    margin: int
    gap: int

    @property
    def line(self) -> int:
        ascent, descent = self.font.getmetrics()
        return ascent + descent


def style_for(font: Path, cell: tuple[int, int]) -> Style:
    """The letters that suit cells of this size."""
    size = round(max(LETTER_LEAST, min(LETTER_MOST, min(cell) * LETTER_SHARE)))
    return Style(ImageFont.truetype(str(font), size), max(8, size // 2), max(4, min(cell) // 64))


def wrapped(text: str, style: Style, width: int) -> list[str]:
    """The lines of a text that fit into `width` pixels; a word that is longer than a line is broken."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if style.font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *whole, line = _broken(word, style, width)
            lines += whole
        lines.append(line)
    return lines


def _broken(word: str, style: Style, width: int) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and style.font.getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def tiles_of(count: int) -> tuple[int, int]:
    """Columns and rows of the pictures in one cell, as square as can be."""
    columns = max(1, math.ceil(math.sqrt(count)))
    return columns, max(1, math.ceil(count / columns))


@dataclass(frozen=True)
class Layout:
    """Where everything is on one sheet.

    Attributes:
        columns, rows: the labels of the heads; a single empty one leaves the head out.
        heading: over everything, "" for none.
        cell: size of a cell in pixels, its pictures tiled.
        first: the column and row of the whole grid this sheet begins with.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    heading: str
    cell: tuple[int, int]
    style: Style
    first: tuple[int, int] = (0, 0)

    @cached_property
    def side_head(self) -> int:
        """The width of the row heads."""
        if not any(self.rows):
            return 0
        widest = max(self.style.font.getlength(line) for row in self.rows for line in row.split("\n"))
        # Words are wrapped before they take more room than two thirds of a cell.
        return round(min(widest + 1, max(self.cell[0] * 2 / 3, self.style.font.size * 6))) + 2 * self.style.margin

    @cached_property
    def top_head(self) -> int:
        """The height of the column heads."""
        return self._height([wrapped(text, self.style, self.cell[0] - 2) for text in self.columns]) if any(self.columns) else 0

    @cached_property
    def title_height(self) -> int:
        return self._height([wrapped(self.heading, self.style, self.size_across - 2 * self.style.margin)]) if self.heading else 0

    @cached_property
    def row_heights(self) -> list[int]:
        """Each row is as high as its cell, or its head where that has more lines."""
        inside = self.side_head - 2 * self.style.margin
        return [max(self.cell[1], len(wrapped(text, self.style, inside)) * self.style.line) if text else self.cell[1] for text in self.rows]

    @property
    def size_across(self) -> int:
        return self.side_head + len(self.columns) * (self.cell[0] + self.style.gap) + self.style.gap

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        down = self.title_height + self.top_head + sum(self.row_heights) + (len(self.rows) + 1) * self.style.gap
        return self.size_across, down

    def place(self, column: int, row: int) -> tuple[int, int]:
        """The left upper corner of a cell, counted on this sheet."""
        x = self.side_head + self.style.gap + column * (self.cell[0] + self.style.gap)
        y = self.title_height + self.top_head + self.style.gap + sum(self.row_heights[:row]) + row * self.style.gap
        return x, y

    def _height(self, texts: Sequence[Sequence[str]]) -> int:
        return max(len(lines) for lines in texts) * self.style.line + 2 * self.style.margin


def layouts(columns: Sequence[str], rows: Sequence[str], heading: str, cell: tuple[int, int], style: Style, limit: int = SIDE_LIMIT) -> list[Layout]:
    """The sheets of a grid: one, or several where one would have more than `limit` pixels a side. A single cell always has its sheet."""
    whole = Layout(tuple(columns), tuple(rows), heading, cell, style)
    across = _fitting(whole.side_head + style.gap, cell[0] + style.gap, len(columns), limit)
    found: list[Layout] = []
    for left in range(0, len(columns), across):
        upper = 0
        while upper < len(rows):
            part = _part(whole, left, across, upper, len(rows) - upper)
            # From the height of the rows a first guess, then one less until it fits.
            while part.size[1] > limit and len(part.rows) > 1:
                part = _part(whole, left, across, upper, max(1, min(len(part.rows) - 1, len(part.rows) * limit // part.size[1])))
            found.append(part)
            upper += len(part.rows)
    return found


def _part(whole: Layout, left: int, across: int, upper: int, down: int) -> Layout:
    return Layout(whole.columns[left : left + across], whole.rows[upper : upper + down], whole.heading, whole.cell, whole.style, (left, upper))


def _fitting(head: int, each: int, count: int, limit: int) -> int:
    return max(1, min(count, (limit - head) // each))


def blank(layout: Layout) -> Image.Image:
    """A sheet with its labels and empty cells."""
    sheet = Image.new("RGB", layout.size, PAPER)
    draw = ImageDraw.Draw(sheet)
    style, (width, height) = layout.style, layout.cell
    if layout.heading:
        _write(draw, wrapped(layout.heading, style, layout.size[0] - 2 * style.margin), style, (0, 0, layout.size[0], layout.title_height))
    for number, text in enumerate(layout.columns):
        left, _ = layout.place(number, 0)
        if text:
            _write(draw, wrapped(text, style, width - 2), style, (left, layout.title_height, left + width, layout.title_height + layout.top_head))
    for number, text in enumerate(layout.rows):
        _, upper = layout.place(0, number)
        if text:
            lines = wrapped(text, style, layout.side_head - 2 * style.margin)
            _write(draw, lines, style, (0, upper, layout.side_head, upper + layout.row_heights[number]))
    for column, row in _places(layout):
        left, upper = layout.place(column, row)
        draw.rectangle((left, upper, left + width - 1, upper + height - 1), EMPTY)
    return sheet


def _places(layout: Layout) -> Iterator[tuple[int, int]]:
    for row in range(len(layout.rows)):
        for column in range(len(layout.columns)):
            yield column, row


def _write(draw: ImageDraw.ImageDraw, lines: Sequence[str], style: Style, box: tuple[int, int, int, int]) -> None:
    """Lines in the middle of a box."""
    left, upper, right, lower = box
    y = upper + (lower - upper - len(lines) * style.line) // 2
    for line in lines:
        draw.text((left + (right - left - style.font.getlength(line)) / 2, y), line, INK, style.font)
        y += style.line


def put_pictures(sheet: Image.Image, layout: Layout, column: int, row: int, pictures: Sequence[Image.Image | None], count: int) -> None:
    """Put the pictures of a cell on a sheet, `count` of them tiled; None is one that is not there yet. Others than of the tile's size are fitted in."""
    columns, rows = tiles_of(count)
    left, upper = layout.place(column, row)
    width, height = layout.cell[0] // columns, layout.cell[1] // rows
    for number, picture in enumerate(pictures[:count]):
        if picture is None:
            continue
        if picture.size != (width, height):
            share = min(width / picture.width, height / picture.height)
            picture = picture.resize((max(1, round(picture.width * share)), max(1, round(picture.height * share))), Image.Resampling.LANCZOS)
        x, y = left + number % columns * width, upper + number // columns * height
        sheet.paste(picture, (x + (width - picture.width) // 2, y + (height - picture.height) // 2))


def mark_failed(sheet: Image.Image, layout: Layout, column: int, row: int, sentence: str) -> None:
    """Mark a cell that could not be made, with the reason in it."""
    left, upper = layout.place(column, row)
    width, height = layout.cell
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, upper, left + width - 1, upper + height - 1), EMPTY, FAILED, max(2, layout.style.gap // 2))
    style = layout.style
    size = int(style.font.size)
    while size > 6:
        fitting = Style(style.font.font_variant(size=size), style.margin, style.gap)
        lines = wrapped(sentence, fitting, width - 2 * style.margin)
        if len(lines) * fitting.line <= height - 2 * style.margin:
            _write(draw, lines, fitting, (left, upper, left + width, upper + height))
            return
        size -= 2
    # No room for words: a cross says it.
    draw.line((left, upper, left + width, upper + height), FAILED, 2)
    draw.line((left, upper + height, left + width, upper), FAILED, 2)
