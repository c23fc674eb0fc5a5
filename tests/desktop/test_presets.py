"""Presets of the window, and what is remembered with a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt, QUrl

from sfumato.library.own_presets import read_presets
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter
from tests.support.window import OpenWindow, accessible, until

CTRL = Qt.ControlModifier


def names(window: OpenWindow) -> list[str]:
    return [row["name"] for row in window.studio.presets.property("rows")]


def save(window: OpenWindow, name: str) -> None:
    """Ctrl+S, the name, Enter."""
    window.key(Qt.Key_S, CTRL)
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Name of the preset", "the form")
    window.type(name)
    window.key(Qt.Key_Return)
    until(lambda: name in names(window), "the preset")
    window.key(Qt.Key_Escape)


@pytest.mark.rule("D101")
def test_a_preset_is_saved_by_keys_taken_as_one_step_and_undone(shown: OpenWindow, tmp_path: Path) -> None:
    form = shown.studio.parameters
    form.commit("steps", "31")
    form.commit("sampler", "Euler")
    form.commit("attention", "sdpa")
    save(shown, "quick sketch")
    stored = json.loads((tmp_path / "data" / "presets" / "quick sketch.json").read_text(encoding="utf-8"))
    assert stored == {"name": "quick sketch", "values": {"steps": 31, "sampler": "Euler"}}, "how the machine works is not in it"

    form.resetAll()
    form.commit("width", "640")
    shown.studio.act("presets")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Search presets")
    shown.type("sketch")
    shown.key(Qt.Key_Return)
    assert form.set_values() == {"steps": 31, "sampler": "Euler", "width": 640}
    shown.studio.act("undo")
    assert form.set_values() == {"width": 640}


@pytest.mark.rule("D101")
def test_a_preset_with_a_prompt_sets_both_and_says_what_it_could_not(shown: OpenWindow, tmp_path: Path) -> None:
    file = tmp_path / "shared.json"
    file.write_text(json.dumps({"name": "from a friend", "values": {"prompt": "a fox", "steps": 9, "warp_drive": 1, "guidance": "much"}, "author": "f"}))
    shown.studio.presets.importFrom(QUrl.fromLocalFile(str(file)))
    until(lambda: names(shown) == ["from a friend"])
    shown.type("a hare")
    shown.studio.presets.take("from a friend")
    assert shown.studio.prompts.property("text") == "a fox"
    assert shown.studio.parameters.set_values() == {"steps": 9}
    assert all(word in shown.studio.notices.property("sentence") for word in ("warp_drive", "guidance"))
    shown.studio.act("undo")
    assert shown.studio.prompts.property("text") == "a hare" and shown.studio.parameters.set_values() == {}
    # What a newer version wrote into the file is kept.
    shown.studio.presets.update("from a friend")
    until(lambda: read_presets(tmp_path / "data")[0][0].values.get("prompt") == "a hare")
    assert read_presets(tmp_path / "data")[0][0].others == {"author": "f"}


@pytest.mark.rule("D101")
def test_a_preset_is_renamed_deleted_and_brought_back(shown: OpenWindow) -> None:
    presets = shown.studio.presets
    shown.studio.parameters.commit("steps", "5")
    save(shown, "one")
    save(shown, "two")
    assert not presets.rename("one", "two") and "already" in presets.property("problem")
    assert not presets.rename("one", "a/b") and "characters" in presets.property("problem")
    assert presets.rename("one", "three")
    until(lambda: names(shown) == ["three", "two"])
    presets.remove("two")
    until(lambda: names(shown) == ["three"])
    until(lambda: "two" in shown.studio.edits.property("undoWords"))
    shown.studio.act("undo")
    until(lambda: names(shown) == ["three", "two"])


@pytest.mark.rule("D101")
def test_a_preset_at_the_start_is_taken_by_the_next_window(shown: OpenWindow, open_window: Open, tmp_path: Path) -> None:
    shown.studio.parameters.commit("steps", "7")
    save(shown, "mine")
    shown.studio.presets.takeAtStart("mine")
    shown.studio.parameters.commit("steps", "50")
    shown.close()
    again = open_window(data=tmp_path / "data")
    until(lambda: again.studio.parameters.value("steps") == 7)


@pytest.mark.rule("D53")
def test_how_the_machine_works_is_a_setting_and_no_preset_or_import_changes_it(shown: OpenWindow, open_window: Open, tmp_path: Path) -> None:
    form = shown.studio.parameters
    form.commit("attention", "sdpa")
    form.apply({"attention": "sliced", "steps": 8}, "Import", reset_others=True)
    assert (form.value("attention"), form.value("steps")) == ("sdpa", 8)
    form.resetAll()
    assert form.value("attention") == "sdpa"
    shown.close()
    assert json.loads((tmp_path / "data" / "settings.json").read_text(encoding="utf-8"))["operation"] == {"attention": "sdpa"}
    assert "attention" not in json.loads((tmp_path / "data" / "session.json").read_text(encoding="utf-8"))["parameters"]
    assert open_window(data=tmp_path / "data").studio.parameters.value("attention") == "sdpa"


@pytest.mark.rule("D52")
def test_what_belongs_to_a_checkpoint_comes_back_with_its_bytes_under_any_name(open_window: Open, tmp_path: Path) -> None:
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    one.write_bytes(b"the weights of one")
    other.write_bytes(b"the weights of the other")

    def models(**paths: Path) -> dict[str, object]:
        rows = [{"value": name, "label": name, "family": "SD1", "width": 64, "height": 64, "state": "ready", "path": str(path)} for name, path in paths.items()]
        return {**CHOICES, "models": rows}

    window = open_window(painter=Painter(models(one=one, other=other)))
    form, remembered = window.studio.parameters, window.studio._keeping.remembered
    until(lambda: remembered.digest, "the checksum")
    form.commit("clip_skip", "2")
    form.commit("steps", "44")
    form.commit("model", "other")
    until(lambda: remembered.digest, "the checksum of the other")
    assert (form.value("clip_skip"), form.value("steps")) == (0, 44), "what belongs to a file goes with it, taste stays"
    window.studio.act("undo")
    assert form.value("clip_skip") == 2
    window.close()

    renamed = tmp_path / "renamed.safetensors"
    one.rename(renamed)
    again = open_window(painter=Painter(models(renamed=renamed, other=other)), data=tmp_path / "data")
    form, remembered = again.studio.parameters, again.studio._keeping.remembered
    form.commit("model", "other")
    until(lambda: remembered.digest)
    form.reset("clip_skip")
    form.commit("model", "renamed")
    until(lambda: form.value("clip_skip") == 2, "what was used with these bytes")


@pytest.mark.rule("D52")
def test_one_undo_takes_back_a_model_with_what_it_brought_and_is_not_remembered_for_it(open_window: Open, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("one", "other")}
    for name, path in paths.items():
        path.write_bytes(name.encode())
    rows = [{"value": name, "label": name, "family": "SD1", "width": 64, "height": 64, "state": "ready", "path": str(path)} for name, path in paths.items()]
    window = open_window(painter=Painter({**CHOICES, "models": rows}))
    form, remembered = window.studio.parameters, window.studio._keeping.remembered

    def choose(name: str) -> None:
        form.commit("model", name)
        until(lambda: remembered.digest, "the checksum")

    until(lambda: remembered.digest, "the checksum")
    choose("other")
    form.commit("clip_skip", "2")
    choose("one")
    assert form.value("clip_skip") == 0
    form.commit("steps", "30")
    choose("other")
    assert form.value("clip_skip") == 2
    window.studio.act("undo")
    assert (form.value("model"), form.value("clip_skip")) == ("one", 0)
    until(lambda: remembered.digest, "the checksum")
    window.studio.act("redo")
    until(lambda: remembered.digest, "the checksum")
    assert (form.value("model"), form.value("clip_skip")) == ("other", 2), "what was made again is as it was"
    form.apply({"model": "one", "clip_skip": 2, "steps": 25}, "Import")
    until(lambda: remembered.digest, "the checksum")
    assert form.value("clip_skip") == 2, "an import is as it says"
