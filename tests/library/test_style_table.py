"""A style file that is edited: everything in it stays, and a file that is none is not written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.library.style_table import StyleRow, read_rows, remove_style, save_style
from sfumato.library.words import style_files
from sfumato.protocol.errors import CorruptFile


def test_a_file_that_is_no_table_is_left_as_it_is(tmp_path: Path) -> None:
    file = style_files(tmp_path)[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    # A cell beyond what a table's reader takes.
    text = 'name,prompt,negative_prompt\nlong,"' + "x" * 200_000 + '",\n'
    file.write_text(text, encoding="utf-8")
    assert read_rows([file]) == ()
    for change in (lambda: save_style(tmp_path, StyleRow("ink", "ink drawing")), lambda: remove_style(tmp_path, "long")):
        with pytest.raises(CorruptFile, match="left as it is"):
            change()
    assert file.read_text(encoding="utf-8") == text


def test_empty_lines_before_the_headings_do_not_hide_them(tmp_path: Path) -> None:
    file = style_files(tmp_path)[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n\nname,prompt,negative_prompt\nink,ink drawing,\n", encoding="utf-8")
    save_style(tmp_path, StyleRow("oil", "oil painting"))
    assert [style.name for style in read_rows([file])] == ["ink", "oil"]
