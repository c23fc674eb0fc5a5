"""Rows of the model list are remembered, never stale, and never cost a start more than its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.engine.model_rows import BUDGET_S, FILE_NAME, Row, rows
from sfumato.library.models import ModelEntry


class Reading:
    """Reads headers that take half the budget each, by a clock of its own."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.now = 0.0

    def rows(self, data: Path, entries: list[ModelEntry]) -> list[str]:
        self.read.clear()
        return [row["family"] for row in rows(entries, data, self._read, lambda entry: {"value": entry.name, "family": ""}, clock=lambda: self.now)]

    def _read(self, entry: ModelEntry) -> Row:
        self.read.append(entry.name)
        self.now += BUDGET_S / 2
        return {"value": entry.name, "family": "sd1"}


def entries(count: int, mtime_ns: int = 1) -> list[ModelEntry]:
    return [ModelEntry(f"m{number}", Path(f"m{number}.safetensors"), "safetensors", 10, mtime_ns) for number in range(count)]


def test_a_start_reads_what_its_budget_allows_and_the_next_goes_on(tmp_path: Path) -> None:
    reading = Reading()
    assert reading.rows(tmp_path, entries(5)) == ["sd1", "sd1", "", "", ""]
    assert reading.rows(tmp_path, entries(5)) == ["sd1", "sd1", "sd1", "sd1", ""]
    assert reading.read == ["m2", "m3"]
    assert reading.rows(tmp_path, entries(5)) == ["sd1"] * 5
    assert reading.rows(tmp_path, entries(5)) == ["sd1"] * 5
    assert reading.read == []


def test_a_changed_file_is_read_again_and_a_removed_one_forgotten(tmp_path: Path) -> None:
    reading = Reading()
    reading.rows(tmp_path, entries(2))
    reading.rows(tmp_path, entries(1, mtime_ns=2))
    assert reading.read == ["m0"]
    assert "m1" not in (tmp_path / FILE_NAME).read_text()


def test_a_row_is_made_anew_when_more_is_known(tmp_path: Path) -> None:
    made: list[str] = []

    def row(note: str) -> list[Row]:
        return rows(entries(1), tmp_path, lambda entry: made.append(note) or {"value": entry.name}, lambda entry: {}, note=lambda entry: note)

    for note in ("", "", "eps", "eps"):
        assert row(note) == [{"value": "m0"}]
    assert made == ["", "eps"]


@pytest.mark.parametrize("content", ["{bad", "[]", '{"version": "0", "rows": {}}', '{"rows": 3}'])
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, content: str) -> None:
    reading = Reading()
    (tmp_path / FILE_NAME).write_text(content)
    assert reading.rows(tmp_path, entries(1)) == ["sd1"]
    assert reading.read == ["m0"]
