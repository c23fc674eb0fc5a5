"""What comes back after a restart, and what happens when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt

from sfumato.desktop import session
from tests.desktop.conftest import Open
from tests.support.painting import Painter, encoded, scene
from tests.support.window import until


def kept(data: Path) -> dict[str, object]:
    try:
        values = json.loads((data / session.FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    assert isinstance(values, dict)
    return values


@pytest.mark.rule("D98", "D21")
def test_prompts_parameters_pictures_and_geometry_come_back(open_window: Open, tmp_path: Path) -> None:
    data = tmp_path / "data"
    window = open_window(data=data)
    window.type("a blue star")
    window.key(Qt.Key_Tab)
    window.type("blurry")
    window.studio.parameters.commit("steps", "33")
    window.studio.parameters.commit("model", "landscape-v2")
    window.studio.act("advanced")
    window.window.setGeometry(140, 90, 1200, 700)
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    window.painter.picture(encoded(scene()))
    window.painter.finish()
    until(lambda: window.studio.outputs.property("shown").get("state") == "saved")
    until(lambda: window.studio.recall("width", 0) == 1200)
    window.close()

    again = open_window(Painter(), data)
    studio = again.studio
    assert (studio.prompts.property("text"), studio.prompts.property("negative")) == ("a blue star", "blurry")
    assert (studio.parameters.value("steps"), studio.parameters.value("model")) == (33, "landscape-v2")
    assert (again.window.x(), again.window.y(), again.window.width(), again.window.height()) == (140, 90, 1200, 700)
    assert studio.recall("advanced", False) is True
    assert studio.outputs.rowCount() == 1
    assert studio.outputs.property("shown")["prompt"] == "a blue star"
    assert str(again.item("Prompt").property("text")) == "a blue star"


@pytest.mark.rule("D98", "D99")
def test_a_change_is_on_disk_within_two_seconds_without_closing(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    assert session.DELAY_MS <= 1500
    window.type("tree")
    until(lambda: kept(tmp_path / "data").get("prompt") == "tree")


@pytest.mark.rule("D98")
@pytest.mark.parametrize("damage", ["{", "[]", "\x00\x01", '{"prompt": "a', "9" * 5000, '"\ud800"'])
def test_a_damaged_session_is_set_aside_and_reported_and_the_window_starts(open_window: Open, tmp_path: Path, damage: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / session.FILE).write_text(damage, encoding="utf-8", errors="surrogatepass")
    (data / session.OLDER).write_text('{"prompt": "the one before"}', encoding="utf-8")
    window = open_window(data=data)
    assert window.studio.prompts.property("text") == "the one before"
    assert "damaged" in window.studio.notices.property("sentence")
    (aside,) = data.glob("session.damaged-*.json")
    assert aside.read_text(encoding="utf-8", errors="surrogatepass") == damage


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": 5, "negative": None, "parameters": {"steps": "many", "no_such": 1, "guidance": True}, "window": [], "outputs": {"a": 1}, "last_seed": "x"},
        {"parameters": {"steps": 10_000, "width": 1, "sampler": 7, "emphasis": "loud"}, "outputs": [5, {"path": "/no/such.png"}, {}]},
        {"window": {"x": "left", "y": None, "width": 1e308, "height": -5, "promptHeight": "tall", "advanced": "yes"}},
        {"window": {"x": 99999, "y": 99999, "width": 99999, "height": 99999}},
    ],
)
def test_values_of_a_wrong_kind_fall_back_and_the_window_is_on_the_screen(open_window: Open, tmp_path: Path, values: dict[str, object]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / session.FILE).write_text(json.dumps(values), encoding="utf-8")
    window = open_window(data=data)
    assert window.studio.parameters.request()["steps"] == 25
    assert window.studio.outputs.rowCount() == 0
    assert window.window.screen().availableGeometry().contains(window.window.geometry())


@pytest.mark.rule("D202")
def test_what_a_newer_version_wrote_is_kept(open_window: Open, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / session.FILE).write_text('{"prompt": "x", "cards": [1, 2]}', encoding="utf-8")
    window = open_window(data=data)
    window.type("y")
    until(lambda: kept(data).get("prompt") in ("xy", "yx"))
    assert kept(data)["cards"] == [1, 2]


@pytest.mark.rule("D98")
def test_one_older_copy_is_kept(tmp_path: Path) -> None:
    session.save(tmp_path, {"prompt": "one"})
    session.save(tmp_path, {"prompt": "two"})
    session.save(tmp_path, {"prompt": "two"})
    assert json.loads((tmp_path / session.OLDER).read_text())["prompt"] == "one"
    assert {path.name for path in tmp_path.iterdir()} == {session.FILE, session.OLDER}


@pytest.mark.rule("D144")
def test_what_is_not_restored_is_what_was_made_and_not_what_a_person_keeps(tmp_path: Path) -> None:
    held = {"prompt": "a fox", "parameters": {"steps": 3}, "inputs": [1], "outputs": [2], "history": {"saved": [{"name": "mine"}]}, "window": {}, "other": 1}
    kept = {"history", "window", "other"}
    assert session.chosen(held, "everything") == held
    assert set(session.chosen(held, "parameters")) == kept | {"prompt", "parameters"}
    assert set(session.chosen(held, "nothing")) == kept
