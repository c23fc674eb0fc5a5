"""The guide is cut into parts that a list can show."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.desktop.guide import PAGE
from sfumato.library.guide import HEADING, PICTURE, WORDS, blocks, read_guide
from sfumato.protocol.errors import CorruptFile


@pytest.mark.rule("D30")
def test_a_page_is_cut_at_headings_and_pictures(tmp_path: Path) -> None:
    (tmp_path / "here.png").write_bytes(b"x")
    found = blocks("# One\nwords `a_b`\n- a\n- b\n\n![seen](here.png)\n![lost](there.png)\n## Two\n\nmore", tmp_path)
    assert [(block.kind, block.text, block.level) for block in found] == [
        (HEADING, "One", 1),
        (WORDS, "words **a\\_b**\n- a\n- b", 0),
        (PICTURE, "seen", 0),
        (PICTURE, "lost", 0),
        (HEADING, "Two", 2),
        (WORDS, "more", 0),
    ]
    assert [block.path for block in found if block.kind == PICTURE] == [tmp_path / "here.png", None]


@pytest.mark.rule("D30")
def test_the_guide_of_the_program_has_its_pictures_and_a_lost_one_is_said(tmp_path: Path) -> None:
    found = read_guide(PAGE)
    assert len([block for block in found if block.kind == HEADING]) > 8
    assert all(block.path for block in found if block.kind == PICTURE)
    with pytest.raises(CorruptFile, match=r"'window.md' is damaged"):
        read_guide(tmp_path / "window.md")
