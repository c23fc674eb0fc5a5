"""The annotate job: a picture in, its map out, in every way the contract has; what the map tells of itself makes it again."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.annotators import Maps
from sfumato.engine.tasks.annotate import run
from sfumato.imaging.picture import read_picture
from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.errors import ImageUnreadable, Invalid, ModelNotFound, Stopped
from sfumato.protocol.messages import Artifact, Failed, Finished, Hello, Submit
from sfumato.protocol.requests.annotate import Annotate
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate
from sfumato.transport.endpoint import Endpoint, InProcess
from sfumato.transport.local import LocalInference
from tests.engine.annotators.conftest import png
from tests.engine.annotators.test_pose import as_bytes, keypoints
from tests.support.listening import Listening
from tests.support.recording import Recording

ROWS, COLUMNS = np.mgrid[:60, :80]
PICTURE = png(np.where(((COLUMNS - 40) ** 2 + (ROWS - 30) ** 2 < 400)[..., None], np.array([230, 200, 180]), np.array([20, 30, 60])).astype(np.uint8))
NAME = hashlib.sha256(PICTURE).hexdigest()


class Bench:
    """Runs annotate jobs in one process."""

    def __init__(self, tmp_path: Path) -> None:
        self.kept = Kept()
        self.places = Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",))

    def run(self, blobs: dict[str, bytes] | None = None, **fields: Any) -> tuple[Recording, Any]:
        recording = Recording()
        context = JobContext("a", self.places, recording, self.kept, {NAME: PICTURE} if blobs is None else blobs)
        return recording, run(validate(Annotate, {"image": NAME} | fields), context)


def seen(recording: Recording) -> NDArray[np.uint8]:
    """The pixels of the map that was sent."""
    with Image.open(io.BytesIO(recording.artifacts[0][2])) as image:
        return np.asarray(image)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.rule("E85", "R66")
def test_a_map_is_sent_as_a_png_that_tells_its_request(bench: Bench) -> None:
    recording, result = bench.run(threshold_a=0.2)
    ((name, mime, data, info),) = recording.artifacts
    assert (name, mime, result.artifact, result.width, result.height) == ("map", "image/png", "map", 80, 60)
    assert (info["width"], info["height"], recording.stages()) == (80, 60, ["annotate"])
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (80, 60) and np.asarray(image.convert("L")).max() == 255
    reading = read_picture(data)
    assert reading.own is not None and reading.own["kind"] == "annotate"
    assert Annotate.model_validate(reading.own["request"]) == Annotate(image=NAME, threshold_a=0.2)
    assert reading.own["inputs"] == [{"role": "image", "sha256": NAME, "width": 80, "height": 60, "name": ""}]
    # It says nothing of how a picture was painted.
    assert (dict(reading.fields), reading.unknown) == ({}, {})
    silent, _ = bench.run(metadata="none")
    assert read_picture(silent.artifacts[0][2]).own is None


@pytest.mark.rule("E85")
def test_a_second_job_and_a_generate_job_find_the_map_in_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = bench.run(width=64, height=64)
    looked: list[str] = []
    monkeypatch.setattr("sfumato.engine.annotators.making._Making.run", lambda self: looked.append("again"))
    second, _ = bench.run(width=64, height=64)
    assert not looked
    assert np.array_equal(seen(first), seen(second))
    from sfumato.engine.annotators import Workshop, annotate

    workshop = Workshop.of(JobContext("b", bench.places, Recording(), bench.kept, {}))
    annotate(ControlUnit(preprocessor="canny"), PICTURE, (64, 64), workshop)
    assert not looked and workshop.maps is bench.kept.get(Maps)


@pytest.mark.rule("D72", "E84")
def test_a_pose_comes_with_its_joints_and_the_png_is_drawn_again(bench: Bench) -> None:
    blobs = {"pose": as_bytes(keypoints())}
    recording, result = bench.run(blobs, image="pose", preprocessor="pose", width=64, height=96)
    data = recording.artifacts[0][2]
    assert json.loads(result.pose)["canvas_width"] == 64 and recording.artifacts[0][3]["pose"] == result.pose
    again, _ = bench.run({"map": data}, image="map", preprocessor="pose")
    assert np.array_equal(seen(recording), seen(again))
    assert not seen(bench.run(blobs, image="pose", preprocessor="pose", body=False)[0]).any()


@pytest.mark.parametrize(
    ("fields", "error", "path"),
    [
        ({"image": ""}, Invalid, "image"),
        ({"image": "absent", "mask": "none"}, Invalid, "image,mask"),
        ({"preprocessor": "cany", "resolution": 5}, Invalid, "preprocessor"),
        ({"preprocessor": "inpaint"}, Invalid, "mask"),
        ({"image": "text"}, ImageUnreadable, "image"),
        ({"image": "text", "preprocessor": "pose"}, Invalid, "image"),
        ({"image": "pose", "preprocessor": "pose", "width": 64}, Invalid, "height"),
    ],
)
def test_what_cannot_be_is_said_of_its_field(bench: Bench, fields: dict[str, Any], error: type[Exception], path: str) -> None:
    with pytest.raises(error) as caught:
        bench.run({NAME: PICTURE, "text": b"hello", "pose": as_bytes(keypoints())}, **fields)
    assert getattr(caught.value, "path", "") == path


def test_one_side_brings_the_other_and_a_mask_hides(bench: Bench) -> None:
    results = bench.run(width=40)[1], bench.run(height=40)[1]
    assert [(result.width, result.height) for result in results] == [(40, 30), (53, 40)]
    mask = png(np.where(COLUMNS < 40, 255, 0).astype(np.uint8))
    made, _ = bench.run({NAME: PICTURE, "mask": mask}, preprocessor="inpaint", mask="mask")
    pixels = seen(made)
    assert not pixels[:, :40].any() and pixels[:, 40:].all()
    reading = read_picture(made.artifacts[0][2])
    assert reading.own is not None and reading.own["request"]["mask"] == hashlib.sha256(mask).hexdigest()


def test_a_cancel_is_heard_before_and_while_it_looks(bench: Bench) -> None:
    for stage in (0, 1):
        recording = Recording()
        context = JobContext("a", bench.places, recording, Kept(), {NAME: PICTURE})
        recording.on_progress = lambda said, stage=stage, context=context: context.cancel() if said.done == stage else None
        if stage:
            run(Annotate(image=NAME), context)  # the last report comes when all is done
            continue
        with pytest.raises(Stopped):
            run(Annotate(image=NAME), context)
        assert not recording.artifacts


# -- on every transport ----------------------------------------------------------------------------

MAKERS: dict[str, Callable[[Places], Endpoint]] = {
    "in-process": lambda places: InProcess(filled([REGISTRAR]), places),
    "pipe": lambda places: LocalInference(places, [REGISTRAR]),
}


@pytest.fixture(params=["in-process", pytest.param("pipe", marks=pytest.mark.slow)])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Endpoint]:
    made = MAKERS[request.param](Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",)))
    yield made
    made.close()


@pytest.mark.rule("E85")
def test_the_job_is_offered_and_answered_on_every_transport(endpoint: Endpoint) -> None:
    client = Listening()
    endpoint.open(client.hear)
    hello = client.wait_for(Hello)
    offered = {row["name"] for row in hello.catalog["kinds"]["annotate"]["specs"]}
    assert offered == set(Annotate.model_fields) and hello.catalog["kinds"]["annotate"]["writes"] is False
    canny = next(row for row in hello.catalog["choices"]["preprocessors"] if row["value"] == "canny")
    assert [(setting["title"], setting["default"]) for setting in canny["settings"]] == [("Low threshold", 0.4), ("High threshold", 0.8)]
    (control,) = (row for row in hello.catalog["kinds"]["generate"]["specs"] if row["name"] == "control")
    assert [field["name"] for field in control["fields"]] == list(ControlUnit.model_fields)
    endpoint.send(Submit(job="a", kind="annotate", params={"image": NAME}, blobs={NAME: PICTURE}))
    endpoint.send(Submit(job="b", kind="annotate", params={"image": NAME, "threshold_a": 900, "preprocessor": "x" * 65}, blobs={NAME: PICTURE}))
    endpoint.send(Submit(job="c", kind="annotate", params={"image": NAME, "preprocessor": "softedge_hed"}, blobs={NAME: PICTURE}))
    done, bad, lacking = client.ending("a"), client.ending("b"), client.ending("c")
    assert isinstance(done, Finished) and done.result["artifact"] == "map"
    assert [event.name for event in client.of("a") if isinstance(event, Artifact)] == ["map"]
    assert isinstance(bad, Failed) and (bad.code, set(bad.path.split(","))) == ("invalid", {"threshold_a", "preprocessor"})
    assert isinstance(lacking, Failed) and (lacking.code, lacking.path) == (ModelNotFound.code, "preprocessor")
    assert "models/annotators" in lacking.message and "ControlNetHED.safetensors" in lacking.message


@pytest.mark.rule("R82", "R115", "R120")
def test_a_picture_that_was_not_sent_fails_its_job_also_where_a_file_has_that_name_and_the_next_runs(endpoint: Endpoint, tmp_path: Path) -> None:
    # Given a picture and a model that lie on the engine's disk, outside of its folders
    there, model = tmp_path / "there.png", tmp_path / "there.safetensors"
    there.write_bytes(PICTURE)
    model.write_bytes(b"x")
    (tmp_path / "models").mkdir(exist_ok=True)
    client = Listening()
    endpoint.open(client.hear)
    client.wait_for(Hello)
    # When a client names them in place of sending them
    for name in (NAME, str(there), there.as_uri(), "../there.png", f"..\\{there.name}", "http://127.0.0.1/there.png"):
        for kind, field, value in (("annotate", "image", name), ("generate", "image", name), ("upscale", "images", [name])):
            job = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:16]
            endpoint.send(Submit(job=job, kind=kind, params={field: value}))
            failed = client.ending(job)
            # Then they are not opened
            assert isinstance(failed, Failed) and (failed.code, failed.path) == ("invalid", field), (kind, name, failed)
            assert "was not sent" in failed.message
    for number, name in enumerate((str(model), str(model.with_suffix("")), "../there", "../../there.safetensors")):
        endpoint.send(Submit(job=f"model-{number}", kind="generate", params={"model": name}))
        failed = client.ending(f"model-{number}")
        assert isinstance(failed, Failed) and (failed.code, failed.path) == (ModelNotFound.code, "model"), (name, failed)
    # And the engine goes on
    endpoint.send(Submit(job="next", kind="annotate", params={"image": NAME}, blobs={NAME: PICTURE}))
    assert isinstance(client.ending("next"), Finished)


@pytest.mark.rule("R66")
def test_a_generate_request_with_controls_comes_back_from_its_record(tmp_path: Path) -> None:
    from sfumato.engine.device import choose
    from sfumato.engine.record import Made, Recorder, Settled, inputs_of_controls
    from sfumato.library.hashes import Hashes

    blobs = {NAME: PICTURE, "own name": PICTURE[:-1] + b"\x83", "pose": as_bytes(keypoints())}
    request = Generate(
        seed=3,
        control=(  # type: ignore[arg-type]  as a client sends it
            {"image": NAME, "mask": "own name", "preprocessor": "canny", "threshold_a": 0.3, "model": "canny", "weight": 0.7, "start": 0.1, "mode": "prompt"},
            {"image": "pose", "preprocessor": "pose", "hands": False, "model": "pose", "resize_mode": "fill", "guess": True},
        ),
    )
    used = inputs_of_controls(request, blobs)
    assert [(each.role, each.width, each.height) for each in used] == [("control.0.image", 80, 60), ("control.0.mask", 80, 60), ("control.1.image", 0, 0)]
    settled = Settled("Euler a", "Automatic", frozenset(), 64, 64)
    recorder = Recorder(request, settled, [], choose("fp32", "cpu"), Hashes(tmp_path), used)
    encoded, infotext = recorder.record(np.zeros((64, 64, 3), np.uint8), Made(0, 3))
    assert 'ControlNet 1: "Module: pose' in infotext
    reading = read_picture(encoded.data)
    by_content = {name: hashlib.sha256(data).hexdigest() for name, data in blobs.items()}
    sent = [unit.model_copy(update={"image": by_content[unit.image], "mask": by_content.get(unit.mask, "")}) for unit in request.control]
    assert reading.request() == request.model_copy(update={"control": tuple(sent)})
    assert {each["role"]: each["sha256"] for each in (reading.own or {})["inputs"]}["control.1.image"] == by_content["pose"]


def test_short_memory_lets_other_models_go_and_tries_once_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.engine.annotators import making
    from sfumato.protocol.errors import OutOfMemory

    run_ = making._Making.run
    left = [1]

    def short(self: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise MemoryError
        return run_(self)

    monkeypatch.setattr(making._Making, "run", short)
    bench.kept.get(Maps).get("other", lambda: making.Map(np.zeros((4, 4, 3), np.uint8)))
    recording, result = bench.run()
    assert result.width == 80 and len(recording.artifacts) == 1
    assert bench.kept.get(Maps).nbytes == 80 * 60 * 3  # the other one is gone
    bench.kept.get(Maps).clear()
    left[0] = 2
    with pytest.raises(OutOfMemory, match="a map of this size"):
        bench.run()


@pytest.mark.rule("E84")
@pytest.mark.parametrize("field", ["resolution", "width"])
def test_a_side_that_follows_from_an_odd_aspect_has_an_end(bench: Bench, field: str) -> None:
    line = png(np.zeros((40_000, 2, 3), np.uint8))
    name = hashlib.sha256(line).hexdigest()
    with pytest.raises(Invalid, match="would have 512x10240000") as caught:
        bench.run({name: line}, image=name, **{field: 512})
    assert [problem.path for problem in caught.value.problems] == [field]
