"""The job `upscale`: pictures in, larger pictures out, with all that the first ones told."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from sfumato.engine.inputs.resizing import PIXEL_UPSCALERS
from sfumato.engine.tasks import upscale
from sfumato.engine.tasks.upscale import run
from sfumato.engine.upscalers.kept import KeptImageNetworks
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import read_pairs
from sfumato.imaging.picture import read_picture
from sfumato.jobs.builtin import register
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.jobs.registry import Registry
from sfumato.protocol.errors import CorruptFile, ImageUnreadable, Invalid, ModelNotFound, OutOfMemory, PickleRefused, Stopped
from sfumato.protocol.requests.upscale import Upscale, UpscaleResult
from sfumato.protocol.specs import specs
from tests.support.painting import encoded
from tests.support.recording import Recording
from tests.support.studio import Studio, gradient
from tests.support.tiny_upscalers import compact, rrdb, write


class Desk:
    """One process that enlarges."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.places = Places(folder, folder / "outputs", (self.models,))
        self.kept = Kept()
        self.recording = Recording()
        self.result = UpscaleResult()

    def run(self, *pictures: Image.Image | bytes, blobs: Mapping[str, bytes] | None = None, cancel_at: tuple[str, int] | None = None, **fields: Any) -> None:
        sent = {str(number): each if isinstance(each, bytes) else encoded(each) for number, each in enumerate(pictures)} if blobs is None else dict(blobs)
        self.recording = Recording()
        context = JobContext("job", self.places, self.recording, self.kept, sent)
        if cancel_at is not None:
            self.recording.on_progress = lambda said: context.cancel() if (said.stage, said.done) == cancel_at else None
        self.result = run(Upscale(**{"images": tuple(sent), **fields}), context)

    def one(self, picture: Image.Image | bytes, **fields: Any) -> Image.Image:
        self.run(picture, **fields)
        (image,) = self.pictures
        return image

    @property
    def files(self) -> list[bytes]:
        return [data for _, _, data, _ in self.recording.artifacts]

    @property
    def pictures(self) -> list[Image.Image]:
        return [Image.open(io.BytesIO(data)) for data in self.files]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    write(rrdb(4).state_dict(), made.models / "ESRGAN" / "4x-tiny.safetensors")
    write(compact(2).state_dict(), made.models / "upscalers" / "2x-compact.safetensors")
    return made


def same(first: Image.Image, second: Image.Image) -> bool:
    return np.array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.rule("E79", "E77")
@pytest.mark.parametrize("name", list(PIXEL_UPSCALERS))
def test_filters_enlarge_to_the_exact_size(desk: Desk, name: str) -> None:
    picture = gradient(30, 20)
    assert same(desk.one(picture, upscaler=name.upper(), scale=2.5), PIXEL_UPSCALERS[name](picture, (75, 50)))
    assert desk.recording.stages() == ["load", "upscale", "save"]


@pytest.mark.rule("E78", "E79")
def test_sizes_by_factor_by_one_side_and_by_both(desk: Desk) -> None:
    picture = gradient(30, 20)
    for fields, size in (
        ({"scale": 3}, (90, 60)),
        ({"scale": 1.37}, (41, 27)),
        ({"scale": 0.1}, (3, 2)),
        ({"width": 45}, (45, 30)),
        ({"height": 50}, (75, 50)),
        ({"width": 61, "height": 61}, (61, 61)),
        ({"width": 61, "height": 61, "crop": False}, (91, 61)),
    ):
        for upscaler in ("Nearest", "4x-tiny"):
            assert desk.one(picture, upscaler=upscaler, **fields).size == size
    # What is over is cut off on both sides alike
    whole = desk.one(picture, upscaler="Nearest", width=40, height=40, crop=False)
    left = (whole.width - 40) // 2
    assert same(desk.one(picture, upscaler="Nearest", width=40, height=40), whole.crop((left, 0, left + 40, 40)))


@pytest.mark.rule("E79")
def test_the_second_upscaler_is_laid_over_the_first_by_its_visibility(desk: Desk) -> None:
    picture = gradient(30, 20)
    first, second = (desk.one(picture, upscaler=name) for name in ("4x-tiny", "Nearest"))
    for visibility in (0.0, 0.25, 1.0):
        both = desk.one(picture, upscaler="4x-tiny", upscaler_2="Nearest", upscaler_2_visibility=visibility)
        assert same(both, Image.blend(first, second, visibility))
    assert "Postprocess upscaler 2" not in desk.one(picture, upscaler="4x-tiny", upscaler_2="Nearest", upscaler_2_visibility=0).info["postprocessing"]


@pytest.mark.rule("E79", "E8")
def test_a_batch_is_told_tile_by_tile_and_each_picture_is_the_one_it_is_alone(desk: Desk) -> None:
    given = [gradient(100, 40), gradient(50, 120, 7)]
    fields = {"upscaler": "4x-tiny", "scale": 4, "tile": 64, "overlap": 8}
    alone = [desk.one(picture, **fields) for picture in given]
    desk.run(*given, **fields)
    assert [same(one, other) for one, other in zip(desk.pictures, alone, strict=True)] == [True, True]
    assert [name for name, *_ in desk.recording.artifacts] == ["image-0", "image-1"]
    told = [(said.done, said.total) for said in desk.recording.progress_made if said.stage == "upscale"]
    assert told == [(0, 4), (1, 4), (2, 4), (2, 4), (3, 4), (4, 4)]
    assert [(image.width, image.height) for image in desk.result.images] == [(400, 160), (200, 480)]


@pytest.mark.rule("E118")
def test_cancel_comes_between_tiles_and_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(Stopped):
        desk.run(gradient(200, 200), upscaler="4x-tiny", tile=64, cancel_at=("upscale", 3))
    assert desk.recording.artifacts == []
    assert max(said.done for said in desk.recording.progress_made if said.stage == "upscale") == 3
    # and the network goes on as it was
    assert desk.one(gradient(20, 20), upscaler="4x-tiny").size == (40, 40)


def test_models_are_read_once_and_let_go_when_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.one(gradient(20, 20), upscaler="4x-tiny")
    kept = desk.kept.get(KeptImageNetworks)
    assert kept in JobContext("job", desk.places, desk.recording, desk.kept, {}).holders()
    with monkeypatch.context() as patch:
        patch.setattr("sfumato.engine.upscalers.kept.open_network", None)
        desk.one(gradient(20, 20), upscaler="4x-tiny")
    # A file that changed is another file
    path = write(rrdb(4, seed=9).state_dict(), desk.models / "upscalers" / "changing.safetensors")
    before = desk.one(gradient(20, 20), upscaler="changing")
    write(rrdb(4, seed=10, features=16).state_dict(), path)
    assert not same(desk.one(gradient(20, 20), upscaler="changing"), before)
    path.unlink()
    kept.clear()
    assert kept.nbytes == 0
    small = KeptImageNetworks(limit_bytes=1)
    for name in ("ESRGAN/4x-tiny", "upscalers/2x-compact"):
        small.network(desk.models / f"{name}.safetensors", upscale.devices.choose("fp32"), lambda: None)
    assert small.nbytes == small.network(desk.models / "upscalers/2x-compact.safetensors", upscale.devices.choose("fp32"), lambda: None).nbytes


# -- what a result remembers -----------------------------------------------------------------------


@pytest.mark.rule("M5", "E79")
def test_the_sources_texts_stay_and_what_was_done_is_added(desk: Desk, studio: Studio) -> None:
    studio.one(prompt="a 猫, <b>", seed=5)
    source = studio.recording.artifacts[0][2]
    desk.run(source, upscaler="4x-tiny", width=100, height=90, upscaler_2="Lanczos", upscaler_2_visibility=0.3)
    before, after = read_picture(source), read_picture(desk.files[0])
    # As one picture it still tells how it was painted
    assert after.text == before.text == desk.result.images[0].infotext
    assert (after.source, after.fields, after.hashes) == ("sfumato", before.fields, before.hashes)
    assert after.repeated() == before.repeated()
    assert after.warnings == ()
    # and how it was enlarged
    assert read_pairs(after.unknown["postprocessing"]) == {
        "Postprocess upscale to": "100x90",
        "Postprocess crop to": "100x90",
        "Postprocess upscaler": "4x-tiny",
        "Postprocess upscaler 2": "Lanczos",
        "Postprocess upscaler 2 visibility": "0.3",
    }
    own = after.own
    assert own is not None
    assert (own["kind"], own["source"], own["image"]["width"]) == ("upscale", before.own, 100)
    assert own["request"] == Upscale(upscaler="4x-tiny", width=100, height=90, upscaler_2="Lanczos", upscaler_2_visibility=0.3).model_dump(mode="json")
    assert [(used["role"], used["name"]) for used in own["models"]] == [("upscaler", "4x-tiny")]
    assert (own["inputs"][0]["width"], own["inputs"][0]["height"]) == (64, 64)
    # Enlarged twice, both are told
    desk.run(desk.files[0], scale=2)
    assert read_picture(desk.files[0]).fields == before.fields


@pytest.mark.rule("M5")
def test_a_foreign_picture_is_still_read_as_its_programs(desk: Desk) -> None:
    infotext = "a cat\nNegative prompt: blur\nSteps: 12, Sampler: Euler a, CFG scale: 6.5, Seed: 4, Size: 64x64"
    desk.run(encode(gradient(), infotext).data, scale=2)
    after = read_picture(desk.files[0])
    assert (after.source, after.fields["prompt"], after.fields["steps"]) == ("automatic1111", "a cat", 12)
    assert after.text == infotext
    # One that tells nothing tells what was done to it here
    desk.run(gradient(), scale=2)
    assert (read_picture(desk.files[0]).source, read_picture(desk.files[0]).fields) == ("sfumato", {})


@pytest.mark.rule("M4")
@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "avif"])
def test_levels_of_metadata_hold_in_every_format(desk: Desk, studio: Studio, form: str) -> None:
    studio.one(prompt="a secret", seed=5)
    source = studio.recording.artifacts[0][2]
    for level, tells in (("full", True), ("prompt_free", False), ("none", False)):
        desk.run(source, scale=1.5, format=form, quality=80, metadata=level)
        assert desk.pictures[0].size == (96, 96)
        assert desk.recording.artifacts[0][1] == f"image/{form}"
        after = read_picture(desk.files[0])
        assert (after.fields.get("prompt") == "a secret") is tells
        assert (after.own is None) is (level == "none")
        assert (b"secret" in desk.files[0] or "secret" in after.text) is (tells and form != "avif") or form == "avif"
        assert ("Postprocess" in desk.result.images[0].postprocessing) is (level != "none")


def test_transparency_the_colour_profile_and_the_resolution_stay(desk: Desk) -> None:
    picture = gradient(20, 20)
    picture.putalpha(gradient(20, 20, 9).convert("L"))
    for upscaler in ("Lanczos", "4x-tiny"):
        made = desk.one(picture, upscaler=upscaler)
        assert made.mode == "RGBA"
        assert np.asarray(made)[..., 3].std() > (10 if upscaler == "Lanczos" else 0)
    # A format without transparency shows white behind it
    assert desk.one(picture, upscaler="Nearest", format="jpeg").mode == "RGB"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    gradient(20, 20).save(file, "PNG", icc_profile=profile, dpi=(300, 300))
    made = desk.one(file.getvalue())
    assert made.info["icc_profile"] == profile
    assert round(made.info["dpi"][0]) == 300
    desk.run(file.getvalue(), metadata="none")
    assert "postprocessing" not in desk.pictures[0].info


# -- what cannot be done ---------------------------------------------------------------------------


@pytest.mark.rule("E120")
def test_what_cannot_be_done_is_one_sentence_about_its_field(desk: Desk, tmp_path: Path) -> None:
    torch.save(rrdb(4).state_dict(), desk.models / "upscalers" / "pickled.pth")
    (desk.models / "upscalers" / "cut.safetensors").write_bytes((desk.models / "ESRGAN" / "4x-tiny.safetensors").read_bytes()[:-8])
    picture, huge = gradient(20, 20), encoded(Image.new("RGB", (1100, 1100)))
    for error, path, words, fields in (
        (ModelNotFound, "upscaler", "No upscaler named '4x-tinny' in the models folders. Closest: '4x-tiny'.", {"upscaler": "4x-tinny"}),
        (ModelNotFound, "upscaler_2", "No upscaler named 'Lanczoz' in the models folders. Closest: 'Lanczos'.", {"upscaler_2": "Lanczoz"}),
        # A finished picture has no latent
        (ModelNotFound, "upscaler", "No upscaler named 'Latent'", {"upscaler": "Latent"}),
        (PickleRefused, "upscaler", "sfumato convert", {"upscaler": "pickled"}),
        (CorruptFile, "upscaler", "'cut.safetensors' is damaged", {"upscaler": "cut"}),
        (ModelNotFound, "face_model", "No face restorer named 'GFPGANv1.4' in the models folders. Put GFPGANv1.4", {"face_model": "GFPGANv1.4"}),
        (Invalid, "scale", "The result would have", {"scale": 16}),
        (Invalid, "width", "The result would have", {"width": 32768}),
    ):
        given = huge if error is Invalid else picture
        with pytest.raises(error) as caught:
            desk.run(given, **fields)
        assert words in caught.value.message
        problems = getattr(caught.value, "problems", None)
        assert (problems[0].path if problems else caught.value.path) == path
        assert desk.recording.artifacts == []
    for path in ("pickled.pth", "cut.safetensors"):
        (desk.models / "upscalers" / path).unlink()


@pytest.mark.rule("E120")
def test_pictures_are_asked_for_and_checked(desk: Desk) -> None:
    for blobs, fields, words in (
        ({}, {}, "Pictures are required"),
        ({"a": encoded(gradient(8, 8))}, {"images": ("a", "b")}, "'b' was not sent"),
    ):
        with pytest.raises(Invalid, match=words):
            desk.run(blobs=blobs, **fields)
    with pytest.raises(ImageUnreadable, match="The picture 2 is not a picture") as unreadable:
        desk.run(gradient(8, 8), b"GIF89a nonsense")
    assert unreadable.value.path == "images"


@pytest.mark.rule("E120")
def test_want_of_memory_is_told_after_all_is_let_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.one(gradient(20, 20), upscaler="4x-tiny")

    def full(self: object, pixels: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    with monkeypatch.context() as patch:
        patch.setattr("sfumato.engine.upscalers.network.ImageNetwork.__call__", full)
        with pytest.raises(OutOfMemory, match=r"Not enough memory for enlarging") as caught:
            desk.run(gradient(300, 300), upscaler="4x-tiny")
    assert "CUDA" in caught.value.detail
    assert desk.kept.get(KeptImageNetworks).nbytes == 0
    assert desk.one(gradient(20, 20), upscaler="4x-tiny").size == (40, 40)


@pytest.mark.rule("E119")
def test_smaller_tiles_are_told_as_a_note_and_as_a_warning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.engine.upscalers.network import ImageNetwork

    whole, notes = desk.one(gradient(150, 100), upscaler="2x-compact"), list[str]()
    call = ImageNetwork.__call__

    def tight(self: ImageNetwork, pixels: torch.Tensor) -> torch.Tensor:
        if max(pixels.shape) > 80:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return call(self, pixels)

    monkeypatch.setattr(ImageNetwork, "__call__", tight)
    monkeypatch.setattr(Recording, "progress", lambda self, note, **rest: notes.append(note))
    made = desk.one(gradient(150, 100), upscaler="2x-compact")
    assert np.abs(np.asarray(made).astype(int) - np.asarray(whole)).mean() < 1
    assert [note for note in notes if note] == ["Memory ran out: the upscaler works in tiles of 75 pixels"]
    assert [(warning.code, warning.path) for warning in desk.result.warnings] == [("smaller_tiles", "tile")]


@pytest.mark.rule("E79")
def test_the_kind_is_known_and_writes_nothing_here() -> None:
    registry = Registry()
    register(registry)
    kind = registry.kind("upscale")
    assert (kind.request, kind.result, kind.writes) == (Upscale, UpscaleResult, False)
    assert {spec.choices_from for spec in specs(Upscale) if spec.choices_from} == {"picture_upscalers", "face_restorers", "face_detectors"}
