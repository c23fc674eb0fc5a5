"""A style file as a table that is edited: every row and column stays, also those that mean nothing here. Rules: P57, P58; reading for jobs is `styles`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.styles import BACKUP, COLUMNS
from sfumato.library.words import style_files
from sfumato.protocol.errors import CorruptFile

NOTES = "notes"
_NAME, _PROMPT, _NEGATIVE = COLUMNS
_OLD_PROMPT = "text"


@dataclass(frozen=True, slots=True)
class StyleRow:
    """A style as a person edits it."""

    name: str
    prompt: str = ""
    negative: str = ""
    notes: str = ""


@dataclass(frozen=True)
class StyleTable:
    """Headings, and the cells of all rows as they were read."""

    columns: tuple[str, ...] = COLUMNS
    rows: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def read(cls, text: str) -> StyleTable:
        """A file's text. Raises `csv.Error` for what is no table."""
        first, *rows = csv.reader(io.StringIO(text.replace("\0", "").lstrip("\r\n"), newline="")) if text.strip() else [COLUMNS]
        return cls(tuple(cell.strip() for cell in first), tuple(tuple(row) for row in rows if row))

    @property
    def styles(self) -> list[StyleRow]:
        """The rows that are styles: with a name that does not begin with `#`."""
        found = []
        for row in self.rows:
            cells = dict(zip(self.columns, row))
            name = cells.get(_NAME, "").strip()
            if name and not name.startswith("#"):
                prompt = cells.get(_PROMPT, cells.get(_OLD_PROMPT, ""))
                found.append(StyleRow(name, prompt, cells.get(_NEGATIVE, ""), cells.get(NOTES, "")))
        return found

    def with_style(self, style: StyleRow, before: str = "") -> StyleTable:
        """The table with a style in the place of the one called `before`, or at its end."""
        prompt = _OLD_PROMPT if _PROMPT not in self.columns and _OLD_PROMPT in self.columns else _PROMPT
        values = {_NAME: style.name, prompt: style.prompt, _NEGATIVE: style.negative, NOTES: style.notes}
        columns = (*self.columns, *(name for name, value in values.items() if name not in self.columns and (value or name != NOTES)))
        place = self._place(before) if before else None
        cells = dict(zip(self.columns, self.rows[place])) if place is not None else {}
        row = tuple((cells | values).get(name, "") for name in columns)
        rows = [*self.rows, row] if place is None else [*self.rows[:place], row, *self.rows[place + 1 :]]
        return replace(self, columns=columns, rows=tuple(rows))

    def without(self, name: str) -> StyleTable:
        """The table without a style."""
        place = self._place(name)
        return self if place is None else replace(self, rows=self.rows[:place] + self.rows[place + 1 :])

    def text(self) -> str:
        written = io.StringIO(newline="")
        table = csv.writer(written)
        table.writerow(self.columns)
        table.writerows((*row, *[""] * (len(self.columns) - len(row))) for row in self.rows)
        return written.getvalue()

    def _place(self, name: str) -> int | None:
        if _NAME not in self.columns:
            return None
        column = self.columns.index(_NAME)
        # Of several of one name the last is in force.
        return next(
            (place for place in reversed(range(len(self.rows))) if self.rows[place][column : column + 1] and self.rows[place][column].strip() == name), None
        )


def read_rows(paths: Sequence[Path]) -> tuple[StyleRow, ...]:
    """The styles of several files; a name that comes again is the later file's."""
    found: dict[str, StyleRow] = {}
    for path in paths:
        found.update((style.name, style) for style in _table(path).styles)
    return tuple(found.values())


def save_style(data: Path, style: StyleRow, before: str = "") -> None:
    """Write a style into the file that has it, else into the first; what was there stays beside it with `.bak` behind its name.

    Args:
        data: the data folder.
        before: its name until now; "" for a new one.

    Raises:
        DiskFull, NotWritable: the file is as it was.
    """
    path = _file_of(data, before or style.name)
    _write(path, _whole(path).with_style(style, before or style.name))


def remove_style(data: Path, name: str) -> None:
    """Take a style out of the file that has it. Raises as `save_style`."""
    path = _file_of(data, name)
    _write(path, _whole(path).without(name))


def _file_of(data: Path, name: str) -> Path:
    files = style_files(data)
    return next((path for path in reversed(files) if any(style.name == name for style in _table(path).styles)), files[0])


def _table(path: Path) -> StyleTable:
    """What a file tells; nothing, if it cannot be read."""
    try:
        return StyleTable.read(path.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except (OSError, csv.Error):
        return StyleTable()


def _whole(path: Path) -> StyleTable:
    """A file that is to be written anew, with all that is in it. Raises `CorruptFile`."""
    try:
        return StyleTable.read(path.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except FileNotFoundError:
        return StyleTable()
    except OSError as error:
        raise CorruptFile(path.name, f"it cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise CorruptFile(path.name, f"it is no table ({error}), and was left as it is") from error


def _write(path: Path, table: StyleTable) -> None:
    make_folder(path.parent)
    if path.is_file():
        replace_file(path.with_name(path.name + BACKUP), path.read_bytes())
    replace_file(path, table.text().encode("utf-8", errors="surrogateescape"))
