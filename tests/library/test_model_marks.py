"""Favourites and times of use: what a person marked is never lost to a file that cannot be understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.library.model_marks import FILE, Marks
from sfumato.protocol.errors import NotWritable


def test_a_damaged_file_is_set_aside_before_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"favourites": ["a', encoding="utf-8")
    marks = Marks(tmp_path)
    marks.load()
    marks.favourites.add("b")
    marks.save()
    assert [path.read_text(encoding="utf-8") for path in tmp_path.glob("model_marks.damaged-*")] == ['{"favourites": ["a']
    again = Marks(tmp_path)
    again.load()
    assert again.favourites == {"b"}


def test_a_file_that_cannot_be_read_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Marks(tmp_path)
    before.favourites.add("a")
    before.save()

    def out_of_reach(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    blind = Marks(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", out_of_reach)
        blind.load()
    blind.favourites.add("b")
    with pytest.raises(NotWritable):
        blind.save()
    before.load()
    assert before.favourites == {"a"}
