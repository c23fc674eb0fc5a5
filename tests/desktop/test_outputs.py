"""The strip of pictures and the full view, driven as a person drives them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PyQt5.QtCore import QPointF, Qt, QUrl
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtTest import QTest

from sfumato.desktop.outputs import KEPT, Picture
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.picture import read_picture
from sfumato.imaging.saying import Facts
from sfumato.protocol.messages import Artifact
from sfumato.protocol.requests.generate import Generate
from tests.support.painting import emerging, encoded, scene
from tests.support.window import OpenWindow, until

CTRL, SHIFT = Qt.ControlModifier, Qt.ShiftModifier


def made(colour: str = "red", seed: int = 5, prompt: str = "a circle", side: int = 64) -> bytes:
    """A picture with its texts, as the engine makes it."""
    request = Generate(prompt=prompt, seed=seed, steps=7)
    facts = Facts("Euler a", 64, 64, seed, prompt=prompt)
    image = {"index": 0, "seed": seed, "width": side, "height": side}
    own = own_document("generate", request.model_dump(mode="json"), image, datetime(2026, 11, 21, tzinfo=UTC), resolved={"prompt": prompt})
    return encode(scene(colour, side=side), write_infotext(prompt, "", pairs_of(request, facts)), own).data


def begin(window: OpenWindow) -> str:
    """Ctrl+Enter, and wait until the engine has the job."""
    before = len(window.painter.submits)
    window.key(Qt.Key_Return, CTRL)
    until(lambda: len(window.painter.submits) > before, "the request")
    return window.painter.job


def paint(window: OpenWindow, data: bytes | None = None) -> Picture:
    """One whole job."""
    begin(window)
    window.painter.picture(data or made())
    window.painter.finish()
    until(lambda: window.studio.jobs.running is None, "the end of the job")
    until(lambda: window.studio.outputs.picture(0).state == "saved", "the file")
    return window.studio.outputs.picture(0)


def extra(window: OpenWindow, name: str, data: bytes, index: int = 0) -> None:
    job = window.painter.job
    window.painter.say(Artifact(job=job, seq=window.painter._next(job), name=name, media_type="image/png", data=data, info={"index": index}))


def shown_now(window: OpenWindow) -> dict[str, Any]:
    return window.studio.outputs.property("shown")


@pytest.mark.slow
@pytest.mark.rule("R50", "R64", "R129", "D196")
def test_every_picture_of_every_job_is_a_file_with_the_very_bytes_and_its_own_texts(shown: OpenWindow) -> None:
    sent = []
    for number in range(50):
        shown.studio.prompts.text = f"picture {number}"
        shown.studio.parameters.commit("seed", str(number * 10))
        begin(shown)
        data = made(seed=number * 10, prompt=f"picture {number}")
        sent.append(data)
        shown.painter.picture(data)
        shown.painter.finish()
        until(lambda: shown.studio.jobs.running is None, "the end of the job")
    strip = shown.studio.outputs
    until(lambda: all(strip.picture(row).state == "saved" for row in range(50)), "the files")
    for number, data in enumerate(sent):
        row = strip.picture(49 - number)
        assert Path(row.path).read_bytes() == data
        reading = read_picture(Path(row.path))
        assert (reading.fields["prompt"], reading.fields["seed"]) == (row.prompt, int(row.seed)) == (f"picture {number}", number * 10)
    assert len(list(Path(strip.picture(0).path).parent.iterdir())) == 50


@pytest.mark.rule("D73")
def test_the_preview_stands_where_the_picture_will_be_and_results_come_while_another_page_is_shown(shown: OpenWindow) -> None:
    begin(shown)
    shown.painter.stage("denoise", 3, 10, preview=(emerging(scene(), 0.4),))
    until(lambda: shown_now(shown).get("state") == "preview" and shown_now(shown).get("source"), "the preview")
    key = shown_now(shown)["key"]
    other = next(tab["id"] for tab in shown.studio.property("tabs") if tab["id"] != "generate")
    shown.studio.show(other)
    shown.painter.picture(made())
    shown.painter.finish()
    until(lambda: shown_now(shown).get("state") == "saved", "the picture")
    assert (shown_now(shown)["key"], shown.studio.outputs.property("count")) == (key, 1)
    assert shown.studio.property("tab") == other


@pytest.mark.rule("D73")
def test_the_strip_keeps_its_last_entries_and_clearing_deletes_no_file(shown: OpenWindow, tmp_path: Path) -> None:
    file = Path(paint(shown).path)
    records = [{"path": str(file), "seed": str(number)} for number in range(KEPT + 50)]
    shown.studio.outputs.restore(records)
    assert shown.studio.outputs.property("count") == KEPT + 1
    paint(shown)
    assert shown.studio.outputs.property("count") == KEPT
    shown.studio.outputs.choose(1)
    shown.studio.act("view_clear_right")
    assert shown.studio.outputs.property("count") == 2
    shown.studio.act("view_clear")
    assert (shown.studio.outputs.property("count"), file.exists()) == (1, True)


@pytest.mark.rule("D74")
def test_the_full_view_follows_the_newest_until_the_user_moves_away_and_a_button_returns(shown: OpenWindow) -> None:
    first = paint(shown)
    shown.studio.act("view_open")
    second = paint_from_view(shown)
    assert shown_now(shown)["key"] == second.key
    shown.key(Qt.Key_Right)
    assert shown_now(shown)["key"] == first.key
    third = paint_from_view(shown)
    assert shown_now(shown)["key"] == first.key
    until(lambda: [item for item in [shown.item("Follow newest")] if item], "the button")
    shown.click(shown.item("Follow newest"))
    assert shown_now(shown)["key"] == third.key
    assert paint_from_view(shown).key == shown_now(shown)["key"]


def paint_from_view(window: OpenWindow) -> Picture:
    before = window.studio.outputs.property("count")
    window.studio.act("generate")
    until(lambda: window.studio.outputs.property("count") > before and window.studio.jobs.running is not None, "the slot")
    until(lambda: window.painter.job == window.studio.jobs.running.wire, "the request")
    window.painter.picture(made())
    window.painter.finish()
    until(lambda: window.studio.jobs.running is None, "the end of the job")
    until(lambda: window.studio.outputs.picture(0).state == "saved", "the file")
    return window.studio.outputs.picture(0)


@pytest.mark.rule("D75")
def test_what_belongs_to_a_picture_cycles_in_place_and_can_be_copied_and_used(shown: OpenWindow, tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    source.write_bytes(encoded(scene("blue", side=32)))
    shown.studio.inputs.add(str(source), "image")
    begin(shown)
    shown.painter.picture(made())
    extra(shown, "base", encoded(scene("green", side=48)))
    shown.painter.finish()
    until(lambda: shown.studio.jobs.running is None, "the end of the job")
    row = shown.studio.outputs.picture(0)
    until(lambda: row.state == "saved" and len(row.parts) == 2, "the parts")
    assert shown.studio.outputs.property("count") == 1
    shown.studio.act("view_open")
    titles = []
    for _ in range(3):
        titles.append(shown_now(shown)["partTitle"])
        shown.key(Qt.Key_Down)
    assert (titles[0], sorted(titles[1:])) == ("Output", ["Base", "Input"])
    assert shown_now(shown)["partTitle"] == "Output"
    while shown_now(shown)["partTitle"] != "Base":
        shown.key(Qt.Key_Up)
    shown.key(Qt.Key_C, CTRL)
    until(lambda: QGuiApplication.clipboard().mimeData().hasImage() and QGuiApplication.clipboard().image().width() == 48, "the clipboard")
    before = shown.studio.inputs.property("count")
    shown.studio.act("use_image")
    until(lambda: shown.studio.inputs.property("count") == before + 1, "the input")
    shown.studio.pictures.saveAs(str(tmp_path / "kept.png"))
    until(lambda: (tmp_path / "kept.png").exists(), "the copy")
    with Image.open(tmp_path / "kept.png") as kept:
        assert kept.size == (48, 48)


@pytest.mark.rule("D77")
def test_copying_offers_file_picture_and_text_at_once_and_decodes_elsewhere(shown: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.desktop import outputs_desk

    threads: list[str] = []
    real = outputs_desk._copied

    def noting(path: str, data: bytes) -> Any:
        threads.append(threading.current_thread().name)
        return real(path, data)

    monkeypatch.setattr(outputs_desk, "_copied", noting)
    QGuiApplication.clipboard().clear()
    row = paint(shown)
    shown.studio.act("view_copy")
    until(lambda: QGuiApplication.clipboard().mimeData().hasUrls(), "the clipboard")
    mime = QGuiApplication.clipboard().mimeData()
    assert mime.urls() == [QUrl.fromLocalFile(row.path)]
    assert QGuiApplication.clipboard().image().width() == 64
    assert mime.text().startswith("a circle")
    assert threads == ["disk"]
    # Dragging out offers the same file.
    assert shown_now(shown)["fileAddress"] == QUrl.fromLocalFile(row.path).toString()


@pytest.mark.rule("D76")
def test_deleting_moves_the_file_to_the_trash_and_undo_brings_both_back(shown: OpenWindow) -> None:
    row = paint(shown)
    file = Path(row.path)
    shown.studio.act("view_trash")
    until(lambda: not file.exists(), "the trash")
    assert shown.studio.outputs.property("count") == 0
    shown.studio.act("undo")
    until(lambda: shown.studio.outputs.property("count") == 1, "the picture")
    assert file.exists()
    shown.studio.act("redo")
    until(lambda: not file.exists(), "the trash")
    assert shown.studio.outputs.property("count") == 0


@pytest.mark.rule("D76")
def test_seed_parameters_variation_and_copies_from_the_menu(shown: OpenWindow, tmp_path: Path) -> None:
    paint(shown, made(seed=4242))
    shown.studio.outputs.picture(0).seed = "4242"
    shown.studio.act("use_seed")
    assert shown.studio.parameters.value("seed") == 4242
    shown.studio.act("undo")
    assert shown.studio.parameters.value("seed") == -1

    shown.studio.act("use_parameters")
    until(lambda: shown.studio.importer.property("state") == "choosing", "the import dialog")
    shown.key(Qt.Key_Escape)
    until(lambda: shown.studio.importer.property("state") == "", "the end of the dialog")

    shown.studio.pictures.copyTo(str(tmp_path / "mine"))
    shown.studio.pictures.copyTo(str(tmp_path / "mine"))
    until(lambda: (tmp_path / "mine").is_dir() and len(list((tmp_path / "mine").glob("*.png"))) == 2, "two copies")

    before = len(shown.painter.submits)
    shown.studio.act("vary")
    until(lambda: len(shown.painter.submits) > before, "the request")
    asked = shown.painter.submits[-1].params
    assert (asked["prompt"], asked["seed"], asked["batch_size"], asked["variation_strength"]) == ("a circle", 4242, 1, 0.15)
    assert asked["variation_seed"] >= 0


@pytest.mark.rule("D76")
def test_upscaling_is_a_job_from_a_small_form_and_its_result_has_its_original(shown: OpenWindow) -> None:
    row = paint(shown)
    shown.studio.act("upscale")
    until(lambda: shown.window.activeFocusItem() is not None and shown.item("Scale", "Slider"), "the form")
    assert shown.studio.pictures.upscaling.commit("scale", "3")
    before = len(shown.painter.submits)
    shown.click(shown.item("Upscale"))
    until(lambda: len(shown.painter.submits) > before, "the request")
    asked = shown.painter.submits[-1]
    assert (asked.kind, asked.params["scale"], asked.params["upscaler"]) == ("upscale", 3.0, "Lanczos")
    assert asked.blobs[asked.params["images"][0]] == Path(row.path).read_bytes()
    shown.painter.picture(made(side=192), side=192)
    shown.painter.finish()
    strip = shown.studio.outputs
    until(lambda: strip.property("count") == 2 and strip.picture(0).state == "saved", "the larger picture")
    assert Path(strip.picture(0).path).parent.name == "upscale"
    until(lambda: [part.title for part in strip.picture(0).parts] == ["Original"], "the original")


@pytest.mark.rule("D78")
@pytest.mark.parametrize("keeps", [False, True])
def test_a_cancelled_job_keeps_its_finished_pictures_and_the_unfinished_one_by_setting(shown: OpenWindow, keeps: bool) -> None:
    if keeps:
        shown.studio._shell.set("incomplete", "keep")
    shown.studio.prompts.text = "a circle"
    shown.studio.parameters.commit("batch_count", "3")
    begin(shown)
    shown.painter.picture(made())
    shown.painter.stage("denoise", 4, 10, preview=(emerging(scene(), 0.4),))
    strip = shown.studio.outputs
    until(lambda: strip.picture(0).state == "preview", "the preview")
    shown.studio.act("cancel")
    until(lambda: shown.painter.cancels, "the cancelling")
    shown.painter.cancelled()
    until(lambda: shown.studio.jobs.running is None, "the end of the job")
    until(lambda: all(strip.picture(row).state == "saved" for row in range(strip.property("count"))), "the files")
    assert strip.property("count") == (2 if keeps else 1)
    if keeps:
        reading = read_picture(Path(strip.picture(0).path))
        assert strip.picture(0).incomplete
        assert (reading.own["image"]["incomplete"], reading.infotext.pairs["Incomplete"]) == ([4, 10], "4/10")
        assert reading.fields["prompt"] == "a circle"


@pytest.mark.rule("D97")
def test_pictures_from_pictures_and_the_users_pattern_have_their_folders(shown: OpenWindow, tmp_path: Path) -> None:
    assert Path(paint(shown).path).parent.name == "txt2img"
    source = tmp_path / "source.png"
    source.write_bytes(encoded(scene("blue", side=32)))
    shown.studio.inputs.add(str(source), "image")
    assert Path(paint(shown).path).parent.name == "img2img"
    shown.studio._shell.set("output_folder", "%mode%/%seed%")
    path = Path(paint(shown).path)
    assert (path.parent.name, path.parent.parent.name, path.parent.parent.parent.name) == ("5", "img2img", "outputs")


@pytest.mark.rule("D76")
def test_the_full_view_lays_parameters_and_another_picture_over_the_one_that_is_shown(shown: OpenWindow) -> None:
    first, second = paint(shown), paint(shown, made("blue"))
    shown.studio.act("view_open")
    shown.key(Qt.Key_I)
    until(lambda: shown.studio.pictures.property("details").get("prompt") == "a circle", "the parameters")
    rows = {row["key"]: row["value"] for row in shown.studio.pictures.property("details")["rows"]}
    assert (rows["Steps"], rows["Seed"]) == ("7", "5")
    shown.key(Qt.Key_C)
    assert shown_now(shown)["key"] == first.key
    line = shown.item("Line between the two pictures")
    until(lambda: line.x() > 100, "the line")
    middle = line.mapToScene(QPointF(line.width() / 2, line.height() / 2)).toPoint()
    x = line.x()
    QTest.mousePress(shown.window, Qt.LeftButton, Qt.NoModifier, middle)
    for step in range(1, 9):
        QTest.mouseMove(shown.window, middle + QPointF(step * 10, 0).toPoint())
    QTest.mouseRelease(shown.window, Qt.LeftButton, Qt.NoModifier, middle + QPointF(80, 0).toPoint())
    until(lambda: line.x() > x + 60, "the moved line")
    shown.key(Qt.Key_Escape)
    assert not line.isVisible()
    assert second.key != first.key
