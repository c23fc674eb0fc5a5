"""Ratios of benchmarks are kept, and what rose is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import stored
from measuring import Row


def row(name: str, ratio: float) -> Row:
    return Row(name, "1 ms", "1 ms", ratio)


@pytest.mark.rule("E125")
def test_rows_that_rose_by_more_than_a_twentieth_are_named(tmp_path: Path) -> None:
    file = tmp_path / "last.json"
    assert stored.recall(file, "here") == {}
    stored.keep(file, "here", [row("a", 1.0), row("b", 2.0)])
    stored.keep(file, "here", [row("b", 1.0)])
    last = stored.recall(file, "here")
    assert last == {"a": 1.0, "b": 1.0}
    assert stored.slower([row("a", 1.049), row("b", 1.06), row("new", 9.0)], last) == ["b: 1.060, the last run had 1.000"]


@pytest.mark.rule("E125")
def test_another_machine_begins_anew_and_a_damaged_file_is_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "last.json"
    stored.keep(file, "here", [row("a", 1.0)])
    assert stored.recall(file, "there") == {}
    for damaged in ("", "[]", '{"here": 3}', '{"here": {"a": "b"}}'):
        file.write_text(damaged)
        assert stored.recall(file, "here") == {}


@pytest.mark.rule("E125")
def test_versions_are_told() -> None:
    assert "torch 2." in stored.versions()
    assert "torch 2." in stored.machine()
