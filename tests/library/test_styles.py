"""Style files: what is read from other programs' tables, and that saving loses nothing."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.imaging import writing
from sfumato.library.styles import parse_styles, read_styles, save_styles
from sfumato.prompts import Style
from sfumato.protocol.errors import NotWritable


@pytest.mark.rule("P57")
def test_tables_of_all_ages_are_read() -> None:
    assert parse_styles('name,prompt,negative_prompt\nOil,"{prompt}, oil, (thick:1.2)",photo\n#Heading,,\n,nameless,\n') == [
        Style("Oil", "{prompt}, oil, (thick:1.2)", "photo")
    ]
    assert parse_styles("name,text\r\nOld,a painting\r\n") == [Style("Old", "a painting", "")]
    assert parse_styles("name,prompt\nShort\n") == [Style("Short", "", "")]
    assert parse_styles('name,prompt,negative_prompt\nTwo,"line one\nline two",\n') == [Style("Two", "line one\nline two", "")]
    assert parse_styles("") == parse_styles("something else\nentirely\n") == []


@pytest.mark.rule("P57")
def test_several_files_with_and_without_a_mark_are_one_list(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_bytes(b"\xef\xbb\xbfname,prompt,negative_prompt\nA,one,\nB,two,\n")
    second.write_text("name,prompt,negative_prompt\nB,newer,\nC,três,\n", encoding="utf-8")
    assert read_styles([first, tmp_path / "absent.csv", second]) == (Style("A", "one"), Style("B", "newer"), Style("C", "três"))


@pytest.mark.rule("P58")
def test_saving_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    save_styles(path, [Style("A", "one")])
    assert not (tmp_path / "styles.csv.bak").exists()
    old = path.read_bytes()
    save_styles(path, [Style("A", 'two, "quoted"\nlines', "n")])
    assert (tmp_path / "styles.csv.bak").read_bytes() == old
    assert read_styles([path]) == (Style("A", 'two, "quoted"\nlines', "n"),)


@pytest.mark.rule("P58")
def test_a_disk_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "styles.csv"
    save_styles(path, [Style("A", "one")])
    old = path.read_bytes()

    def fail(*_: object) -> int:
        raise PermissionError(13, "not now")

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(NotWritable):
        save_styles(path, [Style("B", "two")])
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["styles.csv"]


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(lambda name: name and not name.startswith("#"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


@pytest.mark.rule("P58")
@given(st.lists(st.builds(Style, NAMES, TEXTS, TEXTS), unique_by=lambda style: style.name, max_size=5))
@settings(max_examples=25, deadline=None)
def test_what_is_saved_is_read(tmp_path_factory: pytest.TempPathFactory, styles: list[Style]) -> None:
    path = tmp_path_factory.mktemp("styles") / "styles.csv"
    save_styles(path, styles)
    assert read_styles([path]) == tuple(styles)
