"""Every way a generate job can fail: one sentence with code and field, nothing painted, and the next job runs as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import save_file

from sfumato.engine.memory import Loaded
from sfumato.protocol.errors import (
    DeviceLost,
    ImageUnreadable,
    Invalid,
    ModelIncomplete,
    ModelNotFound,
    NumbersInvalid,
    OutOfMemory,
    SfumatoError,
    Stopped,
)
from sfumato.protocol.requests.generate import Generate
from tests.support.painting import encoded
from tests.support.studio import Studio, box_mask, gradient
from tests.support.tiny_models import PIX2PIX, write_component

PICTURE = gradient()
MASK = box_mask((16, 16, 48, 40))


def refused(studio: Studio, *pictures: Image.Image | None, **fields: object) -> SfumatoError:
    """How a job fails; nothing was painted or sent, and no trace stands in the sentence."""
    with pytest.raises(SfumatoError) as caught:
        studio.paint(*pictures, **fields)
    assert studio.recording.artifacts == []
    assert "denoise" not in studio.recording.stages()
    assert "Traceback" not in caught.value.message
    assert caught.value.message.endswith(".")
    return caught.value


CANNOT: dict[str, tuple[dict[str, object], str, str]] = {
    "mask without image": ({"blobs": {"mask": encoded(MASK)}}, "mask", "image"),
    "loops without image": ({"loops": 2}, "loops", "Loopback"),
    "outpainting without image": ({"outpaint_left": 8, "outpaint_top": 8}, "outpaint_left,outpaint_top", "Outpainting"),
    "inversion without image": ({"alternative": True}, "alternative", "inverted"),
    "highres alone without image": ({"hr_only": True, "hr_scale": 2.0}, "hr_only", "alone"),
    "image not sent": ({"image": "abc"}, "image", "'abc'"),
    "mask not sent": ({"blobs": {"image": encoded(PICTURE)}, "mask": "abc"}, "mask", "'abc'"),
    "area not sent": ({"areas": ("abc",), "prompt": "a AND b"}, "areas.0", "'abc'"),
    "too many areas": ({"areas": ("abc", "abc"), "prompt": "a AND b", "blobs": {"abc": encoded(MASK)}}, "areas", "areas 2, such parts 1"),
    "sampler": ({"sampler": "Euler b"}, "sampler", "Closest: 'Euler"),
    "schedule": ({"schedule": "keras"}, "schedule", "Closest: 'karras'"),
    "highres alone without a size": ({"blobs": {"image": encoded(PICTURE)}, "hr_only": True}, "hr_only", "highres scale"),
    "two beginnings": ({"blobs": {"image": encoded(PICTURE)}, "alternative": True, "loops": 2}, "loops", "inverted noise"),
    "mask and outpainting": ({"blobs": {"image": encoded(PICTURE), "mask": encoded(MASK)}, "outpaint_left": 8}, "mask", "outpaint"),
    "style": ({"styles": ("photograf",)}, "styles", "'photograf'"),
    "no levels": ({"schedule": "custom"}, "sigmas", "custom"),
}


@pytest.mark.rule("E120", "E126", "R96")
@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_done_is_refused_before_a_model_is_read(studio: Studio, case: str) -> None:
    fields, path, words = CANNOT[case]
    error = refused(studio, **fields)
    assert (error.code, error.path) == ("invalid", path)
    assert words in error.message
    if case != "no levels":  # that depends on the model's table
        assert studio.recording.progress_made == []


@pytest.mark.rule("E120", "E126")
def test_all_bad_fields_are_named_at_once(studio: Studio) -> None:
    error = refused(studio, sampler="x", schedule="y", hr_scale=2.0, hr_upscaler="z", loops=3, areas=("none",))
    assert isinstance(error, Invalid)
    assert {problem.path for problem in error.problems} == {"sampler", "schedule", "hr_upscaler", "loops", "areas.0", "areas"}


@pytest.mark.rule("E120", "R32", "R96")
@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 0), ("steps", 151), ("strength", 1.01), ("hr_scale", 0.5), ("mask_blur", -1), ("loops", 33), ("seed", -2), ("no_such_field", 1)],
)
def test_R96_values_out_of_range_and_unknown_fields_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Generate(**{field: value})
    assert field in str(caught.value)


@pytest.mark.rule("E120", "E16", "E126")
def test_parameters_that_do_not_act_for_a_family_are_refused(studio: Studio) -> None:
    error = refused(studio, model=studio.model("sd1"), prompt_2="x", aesthetic=3.0)
    assert isinstance(error, Invalid)
    assert {problem.path for problem in error.problems} == {"prompt_2", "aesthetic"}
    # With a refiner that reads it the aesthetic score acts
    studio.one(model=studio.model("sdxl"), refiner=studio.model("refiner"), aesthetic=3.0, prompt_2="x")


@pytest.mark.rule("E120", "E126", "E25")
def test_a_model_that_changes_pictures_needs_one(studio: Studio) -> None:
    error = refused(studio, model=studio.model("sd1", PIX2PIX))
    assert (error.code, error.path) == ("invalid", "image")
    assert "tiny-sd1-8" in error.message
    error = refused(studio, PICTURE, model=studio.model("sd1", PIX2PIX), prompt="a AND b")
    assert (error.code, error.path) == ("invalid", "prompt")


@pytest.mark.rule("E120", "E126")
@pytest.mark.parametrize("field", ["model", "refiner", "hr_model", "vae", "clip"])
def test_absent_models_are_named_with_the_closest(studio: Studio, field: str) -> None:
    studio.model("sd1")
    error = refused(studio, **{field: "tiny-sd3", **({"hr_scale": 1.5} if field == "hr_model" else {})})
    assert isinstance(error, ModelNotFound)
    assert (error.code, error.path) == ("model_not_found", field)
    assert "tiny-sd3" in error.message
    if field in ("model", "refiner", "hr_model"):
        assert "Closest: 'tiny-sd" in error.message


@pytest.mark.rule("E120", "E126")
def test_a_component_of_another_kind_is_refused(studio: Studio) -> None:
    write_component(studio.files.modules("sd1"), "clip_l", studio.files.root / "vae" / "tower.safetensors")
    error = refused(studio, model=studio.model("sd1"), vae="tower")
    assert isinstance(error, ModelIncomplete)
    assert (error.code, error.path) == ("model_incomplete", "vae")
    assert "'tower" in error.message


@pytest.mark.rule("E120", "E126")
@pytest.mark.parametrize("field", ["image", "mask", "areas"])
def test_what_is_no_picture_is_unreadable(studio: Studio, field: str) -> None:
    blobs = {"image": encoded(PICTURE), "mask": encoded(MASK), "area": encoded(MASK)}
    blobs["area" if field == "areas" else field] = b"no picture at all"
    error = refused(studio, blobs=blobs, **({"areas": ("area",), "prompt": "a AND b"} if field == "areas" else {}))
    assert isinstance(error, ImageUnreadable)
    assert (error.code, error.path) == ("image_unreadable", field)
    assert studio.recording.progress_made == []
    blobs["area" if field == "areas" else field] = encoded(PICTURE)[:60]
    assert refused(studio, blobs=blobs, **({"areas": ("area",), "prompt": "a AND b"} if field == "areas" else {})).code == "image_unreadable"


@pytest.mark.rule("E120", "E108", "E126")
@pytest.mark.parametrize(("part", "stage"), [("first_stage_model.encoder.conv_in.bias", "encoding"), ("model.diffusion_model.out.2.bias", "denoising")])
def test_numbers_that_are_none_are_told(studio: Studio, part: str, stage: str) -> None:
    with safe_open(studio.files.single("sd1"), "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    tensors[part] = torch.full_like(tensors[part], float("nan"))
    save_file(tensors, studio.files.root / "checkpoints" / f"broken-{stage}.safetensors", metadata={"modelspec.resolution": "64x64"})
    with pytest.raises(NumbersInvalid, match=stage) as caught:
        studio.one(PICTURE, model=f"broken-{stage}")
    assert caught.value.code == "nan"
    assert studio.recording.artifacts == []


@pytest.mark.rule("E120", "E126", "E119", "R119")
@pytest.mark.parametrize(
    "error", [MemoryError("no more"), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 byte"), torch.OutOfMemoryError("CUDA")]
)
def test_R119_memory_that_runs_out_is_one_sentence_and_leaves_a_usable_engine(studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    expected = studio.one(PICTURE, MASK)
    import sfumato.engine.batch as batch

    def fail(*args: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(batch, "decode", fail)
        with pytest.raises(OutOfMemory) as caught:
            studio.one(PICTURE, MASK, width=64, height=64)
    assert (caught.value.code, "64x64" in caught.value.message) == ("out_of_memory", True)
    assert "Allocator" not in caught.value.message
    assert np.array_equal(studio.one(PICTURE, MASK), expected)


@pytest.mark.rule("E120", "E126", "R119")
def test_a_device_that_is_gone_is_one_sentence(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import sfumato.engine.batch as batch

    def fail(*args: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(batch, "decode", fail)
    with pytest.raises(DeviceLost) as caught:
        studio.one()
    assert caught.value.code == "device_lost"
    assert "illegal" not in caught.value.message
    assert "illegal" in caught.value.detail


MOMENTS: dict[str, tuple[dict[str, object], str, int]] = {
    "first pass": ({"steps": 6}, "denoise", 2),
    "second evaluation": ({"steps": 6, "sampler": "Heun"}, "denoise", 3),
    "pair": ({"steps": 6, "sampler": "Euler CFG++"}, "denoise", 2),
    "highres": ({"hr_scale": 1.5}, "denoise", 4),
    "upscale": ({"hr_scale": 1.5}, "upscale", 0),
    "decode between": ({"hr_scale": 1.5}, "decode", 0),
    "loop": ({"loops": 2, "strength": 0.9}, "denoise", 4),
    "inversion": ({"alternative": True, "alternative_steps": 5}, "denoise", 3),
    "refined": ({"refiner": "tiny-sd1", "refiner_switch_at": 0.2}, "denoise", 2),
    "patched": ({"tiling": "both", "pag_scale": 3.0, "seg_scale": 1.0, "freeu_b1": 1.2}, "denoise", 1),
    "encode": ({"prompt": "x " * 200}, "encode", 2),
    "save": ({"batch_size": 2}, "save", 0),
}


@pytest.mark.rule("E118", "E105", "E119")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_cancel_stops_at_the_next_unit_and_leaves_nothing_behind(studio: Studio, moment: str) -> None:
    fields, stage, done = MOMENTS[moment]
    picture = PICTURE if moment in ("loop", "inversion") else None
    expected = studio.one(PICTURE)
    model = studio.kept.get(Loaded).latest
    assert model is not None
    weights = {name: tensor.clone() for part in (model.unet, model.vae) for name, tensor in part.state_dict().items()}
    hooks = _hooks(studio)
    with pytest.raises(Stopped):
        studio.paint(picture, cancel_at=(stage, done), **fields)
    said = studio.recording.progress_made[-1]
    assert (said.stage, said.done) == (stage, done)
    assert studio.recording.artifacts == []
    # Then weights, hooks and the next picture are as before
    after = {name: tensor for part in (model.unet, model.vae) for name, tensor in part.state_dict().items()}
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    assert _hooks(studio) == hooks
    assert np.array_equal(studio.one(PICTURE), expected)


def _hooks(studio: Studio) -> list[tuple[int, int, object]]:
    model = studio.kept.get(Loaded).latest
    assert model is not None
    modules = [module for part in (model.unet, model.vae) for module in part.modules()]
    return [(len(module._forward_pre_hooks), len(module._forward_hooks), getattr(module, "padding", None)) for module in modules]


@pytest.mark.rule("E105", "E119")
def test_a_failing_call_undoes_every_patch(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = studio.one()
    hooks = _hooks(studio)
    import sfumato.engine.guidance as guidance

    with monkeypatch.context() as patch:

        def bomb(*args: object, **kwargs: object) -> None:
            raise ArithmeticError("a mistake of ours")

        patch.setattr(guidance.UNetNetwork, "__call__", bomb)
        with pytest.raises(ArithmeticError):
            studio.one(tiling="both", pag_scale=2.0, freeu_b1=1.3, deterministic=True)
    assert _hooks(studio) == hooks
    assert np.array_equal(studio.one(), expected)


@pytest.mark.rule("E119")
def test_a_model_changed_on_disk_is_read_again(studio: Studio, tmp_path: Path) -> None:
    path = studio.files.root / "checkpoints" / "swapped.safetensors"
    path.write_bytes(studio.files.single("sd1").read_bytes())
    before = studio.one(model="swapped")
    path.write_bytes(studio.files.single("sd2").read_bytes())
    after = studio.one(model="swapped")
    assert np.array_equal(after, studio.one(model=studio.model("sd2")))
    assert not np.array_equal(after, before)
    path.unlink()
    assert refused(studio, model="swapped").code == "model_not_found"
