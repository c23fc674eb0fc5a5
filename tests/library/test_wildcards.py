"""Wildcard files, as they lie in folders."""

import os
from pathlib import Path

import pytest

from sfumato.library.wildcards import Wildcards
from sfumato.library.words import WordFiles
from sfumato.prompts import read_prompt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wildcards"
    (folder / "animals" / "wild").mkdir(parents=True)
    (folder / "colour.txt").write_bytes("\ufeffred\r\n\r\n# no colour\r\n2::grün,1234\r\n".encode())
    (folder / "animals" / "cats.csv").write_text("tabby,10\nlynx\n", encoding="utf-8")
    (folder / "animals" / "dogs.txt").write_text("beagle\n", encoding="utf-8")
    (folder / "animals" / "wild" / "wolves.txt").write_text("grey wolf\n", encoding="utf-8")
    (folder / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"caf\xe9\n")
    (folder / "readme.md").write_text("not a list\n", encoding="utf-8")
    return folder


@pytest.mark.rule("P50")
def test_lines_are_read_as_people_write_them(folder: Path) -> None:
    lines = Wildcards([folder]).lines("colour")
    assert lines is not None
    assert (lines.texts, lines.cumulative) == (("red", "grün"), (1.0, 3.0))


@pytest.mark.rule("P50")
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("animals/cats", ("tabby", "lynx")),
        ("Animals/CATS", ("tabby", "lynx")),
        ("animals/*", ("tabby", "lynx", "beagle")),
        ("*/wild/w*s", ("grey wolf",)),
        ("animals/wild/*ol*ves*", ("grey wolf",)),
        ("latin", ("caf\N{REPLACEMENT CHARACTER}",)),
        ("cats", None),
        ("animals", None),
        ("empty", None),
        ("readme", None),
        ("../wildcards/colour", None),
        ("*" * 60 + "x", None),
    ],
)
def test_names_are_paths_in_which_asterisks_stand_for_anything(folder: Path, name: str, texts: tuple[str, ...] | None) -> None:
    lines = Wildcards([folder]).lines(name)
    assert (lines and lines.texts) == texts


def test_names_are_listed_and_files_read_again_after_a_change(folder: Path) -> None:
    wildcards = Wildcards([folder, folder.parent / "absent"])
    assert list(wildcards.files()) == ["animals/cats", "animals/dogs", "animals/wild/wolves", "colour", "empty", "latin"]
    before = wildcards.lines("animals/dogs")
    assert wildcards.lines("animals/dogs") is before
    path = folder / "animals" / "dogs.txt"
    path.write_text("collie\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    after = wildcards.lines("animals/dogs")
    assert after is not None
    assert after.texts == ("collie",)


@pytest.mark.rule("R22")
def test_R22_a_file_that_names_itself_ends_and_says_so(folder: Path) -> None:
    (folder / "loop.txt").write_text("a __animals/../loop__ __loop__\n", encoding="utf-8")
    (folder / "first.txt").write_text("__second__\n", encoding="utf-8")
    (folder / "second.txt").write_text("deep __first__\n", encoding="utf-8")
    library = WordFiles().library(folder.parent, [])
    prompt = read_prompt("x __first__ y", library=library)
    assert prompt.text == "x deep  y"
    assert [span.message for span in prompt.spans if span.message] == ["This name contains itself (first > second > first): nothing is put in its place."]
    assert read_prompt("__loop__", library=library).text == "a __animals/../loop__ "
