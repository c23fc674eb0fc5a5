"""The index: each file read once, found by everything it says, and nothing of the person's lost with it."""

from __future__ import annotations

import json
import os
import string
import time
from pathlib import Path

import pytest

from sfumato.library.history.index import FILE, Index, Scope
from sfumato.library.history.opinions import Opinion, Opinions, clean_tag
from sfumato.library.history.query import parse
from sfumato.library.history.record import read_record
from sfumato.library.history.scanning import Scanner
from sfumato.protocol.errors import NotWritable
from tests.support.history import a_picture, fill


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    base = tmp_path / "outputs"
    a_picture(base / "txt2img/1.png", 1000, prompt='A Red Fox, it\'s "a" \\ %', negative="blurry", steps=20, seed=7, sampler="Euler", model="dream")
    a_picture(
        base / "txt2img/deep/er/2.png", 2000, "red", prompt="un café, <lora:ink:0.8>", steps=30, seed=8, sampler="DPM++ 2M", model="dream two", guidance=7.5
    )
    a_picture(base / "img2img/3.png", 3000, "blue", prompt="blue house", steps=40, seed=9, image="a" * 64, strength=0.4, model="ink")
    (base / "img2img/notes.txt").write_text("no picture")
    (base / "img2img/.hidden.png.tmp").write_text("not finished")
    return base


@pytest.fixture
def index(tmp_path: Path, outputs: Path) -> Index:
    made = Index(tmp_path / "history")
    Scanner(made).look(str(outputs))
    return made


def found(index: Index, text: str, **how: object) -> list[str]:
    numbers = index.search(parse(text), **how)  # type: ignore[arg-type]
    cells = index.cells(numbers)
    return [cells[number].name for number in numbers]


@pytest.mark.rule("D123", "D125")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["3.png", "2.png", "1.png"]),
        ("fox", ["1.png"]),
        ("RED", ["1.png"]),
        ("ed Fo", ["1.png"]),
        ("cafe", ["2.png"]),
        ("CAFÉ", ["2.png"]),
        ("un", ["2.png"]),
        ("-fox", ["3.png", "2.png"]),
        ("fox OR house", ["3.png", "1.png"]),
        ("fox house", []),
        ('"blue house"', ["3.png"]),
        ("negative:blur", ["1.png"]),
        ("blurry", []),
        ("steps>20", ["3.png", "2.png"]),
        ("steps:>20", ["3.png", "2.png"]),
        ("steps:20..30", ["2.png", "1.png"]),
        ("steps!=20", ["3.png", "2.png"]),
        ("seed:8", ["2.png"]),
        ("scale:7.5", ["2.png"]),
        ("model:dream", ["2.png", "1.png"]),
        ("model=dream", ["1.png"]),
        ("-model:dream", ["3.png"]),
        ("lora:ink", ["2.png"]),
        ("sampler:euler", ["1.png"]),
        ("mode:img2img", ["3.png"]),
        ("strength<0.5", ["3.png"]),
        ("has:input", ["3.png"]),
        ("has:lora", ["2.png"]),
        ("has:negative", ["1.png"]),
        ("folder:deep", ["2.png"]),
        ("folder=img2img", ["3.png"]),
        ("size:16x16 width:16 height<=16", ["3.png", "2.png", "1.png"]),
        ("is:square -is:portrait", ["3.png", "2.png", "1.png"]),
        ("date:1970", ["3.png", "2.png", "1.png"]),
        ("date>1971", []),
        ("name:2.p", ["2.png"]),
        ("it's", ["1.png"]),
        ("%", ["1.png"]),
        ("\\ %", ["1.png"]),
    ],
)
def test_pictures_are_found_by_what_they_say(index: Index, text: str, names: list[str]) -> None:
    assert found(index, text) == names


@pytest.mark.rule("R63")
def test_every_printable_character_is_data(index: Index) -> None:
    for sign in [*string.printable, "é", "日", "\U0001f98a", "\u202e"]:
        for text in (sign, sign * 3, f"a{sign}b", f"model:{sign}", f"-{sign}x", f"tag={sign}{sign}"):
            index.search(parse(text))
            index.facets(parse(text))
    assert index.count() == 3


@pytest.mark.rule("D124")
def test_folders_and_orders(index: Index, outputs: Path) -> None:
    assert found(index, "", scope=Scope(str(outputs / "txt2img"))) == ["2.png", "1.png"]
    assert found(index, "", sort="name", reverse=True) == ["3.png", "2.png", "1.png"]
    assert found(index, "", sort="time", reverse=True, limit=2) == ["1.png", "2.png"]
    assert len(found(index, "", sort="size")) == 3
    assert sorted(path.rpartition("/")[2] for path, _ in index.folders()) == ["er", "img2img", "txt2img"]


@pytest.mark.rule("D123", "R127")
def test_a_second_start_opens_no_unchanged_file(tmp_path: Path, outputs: Path, index: Index) -> None:
    index.close()
    again = Scanner(Index(tmp_path / "history"))
    assert not again.look(str(outputs))
    assert again.opened == 0
    os.utime(outputs / "txt2img/1.png", (5000, 5000))
    assert again.look(str(outputs)).put == [str(outputs / "txt2img/1.png")]
    assert again.opened == 1


@pytest.mark.rule("R126", "R71")
@pytest.mark.parametrize("there", [10, 3000])
def test_a_new_picture_costs_one_insert_and_opens_one_file(tmp_path: Path, there: int) -> None:
    index = Index(tmp_path / "history")
    fill(index, there)
    scanner, before = Scanner(index), index.inserts
    statements: list[str] = []
    index._write.set_trace_callback(statements.append)  # counted, not trusted
    a_picture(tmp_path / "new.png", prompt="new")
    assert scanner.put(str(tmp_path / "new.png")) is not None
    index._write.set_trace_callback(None)
    assert (scanner.opened, index.inserts - before) == (1, 1)
    own = [statement for statement in statements if not statement.startswith("--")]
    assert len(own) <= 24
    assert found(index, "new", limit=1) == ["new.png"]


@pytest.mark.rule("D132")
def test_a_file_that_vanished_is_greyed_and_comes_back(index: Index, outputs: Path) -> None:
    file = outputs / "img2img/3.png"
    away = file.rename(outputs.parent / "away.png")
    assert Scanner(index).look(str(outputs)).gone == [str(file)]
    assert found(index, "is:missing") == ["3.png"]
    away.rename(file)
    assert Scanner(index).look(str(file.parent), deep=False).back == [str(file)]
    assert found(index, "is:missing") == []
    file.unlink()
    Scanner(index).look(str(outputs))
    index.drop_gone()
    assert found(index, "") == ["2.png", "1.png"]


@pytest.mark.rule("D132")
def test_a_folder_that_is_away_changes_nothing(index: Index, outputs: Path) -> None:
    outputs.rename(outputs.parent / "elsewhere")
    assert not Scanner(index).look(str(outputs))
    assert index.count() == 3


@pytest.mark.rule("D127", "D123")
def test_ratings_and_tags_survive_the_index_and_follow_a_moved_file(tmp_path: Path, outputs: Path, index: Index) -> None:
    digest = read_record(outputs / "txt2img/1.png").hash
    index.think({digest: Opinion(4, True, ("animal", "keep"))})
    assert found(index, "rating:>=4") == found(index, "is:favourite") == found(index, "tag:anim") == found(index, "is:tagged") == ["1.png"]
    index.opinions.save()
    index.close()
    assert json.loads((tmp_path / "history/ratings.json").read_text())["pictures"][digest]["rating"] == 4
    for file in (tmp_path / "history").glob(f"{FILE}*"):
        file.unlink()
    (outputs / "txt2img/1.png").rename(outputs / "img2img/renamed.png")
    anew = Index(tmp_path / "history")
    Scanner(anew).look(str(outputs))
    assert found(anew, "rating:4 tag=keep") == ["renamed.png"]
    anew.think({digest: Opinion()})
    assert found(anew, "rating:>0 OR has:tag") == []


def test_a_damaged_index_is_made_anew_and_damaged_ratings_are_set_aside(tmp_path: Path, outputs: Path, index: Index) -> None:
    index.close()
    (tmp_path / "history" / FILE).write_bytes(b"no database" * 1000)
    (tmp_path / "history/ratings.json").write_text("{")
    anew = Index(tmp_path / "history")
    assert anew.count() == 0
    assert "ratings.damaged" in anew.opinions.complaint
    assert list((tmp_path / "history").glob("ratings.damaged*"))
    assert Opinions(tmp_path / "history").complaint == ""
    assert clean_tag("  a,\n b ") == "a b"


def test_ratings_that_cannot_be_read_are_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Opinions(tmp_path)
    before.set([("a" * 64, Opinion(5))])
    before.save()

    def out_of_reach(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", out_of_reach)
        blind = Opinions(tmp_path)
    assert "could not be read" in blind.complaint
    blind.set([("b" * 64, Opinion(1))])
    with pytest.raises(NotWritable):
        blind.save()
    assert Opinions(tmp_path).of("a" * 64).rating == 5


@pytest.mark.rule("D126")
def test_facets_count_what_is_found(index: Index) -> None:
    facets = index.facets(parse(""))
    assert dict(facets["model"]) == {"dream": 1, "dream two": 1, "ink": 1}
    assert facets["lora"] == [("ink", 1)]
    assert facets["day"] == [("1970-01-01", 3)]
    assert dict(index.facets(parse("fox"))["model"]) == {"dream": 1}


@pytest.mark.rule("R62")
def test_prompts_are_kept_as_written(index: Index) -> None:
    [number] = index.search(parse("fox"))
    assert index.cells([number])[number].prompt == 'A Red Fox, it\'s "a" \\ %'


@pytest.mark.slow
@pytest.mark.rule("D130")
def test_a_hundred_thousand_pictures_are_searched_in_150_ms(tmp_path: Path) -> None:
    index = Index(tmp_path / "history")
    fill(index, 100_000)
    for text in ("", "steps>30 sampler:euler model:7 red fox", "portrait", "portrait -masterpiece", "fo", "model:7 steps>30", "rating:0"):
        query = parse(text)
        index.search(query, limit=400)
        took = []
        for _ in range(3):
            began = time.perf_counter()
            first = index.search(query, limit=400)
            index.cells(first[:100])
            took.append(time.perf_counter() - began)
        assert min(took) < 0.15, (text, took)
    assert len(index.search(parse("red fox"))) == 100
