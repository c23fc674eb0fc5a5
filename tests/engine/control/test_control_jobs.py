"""Control in whole jobs: with every way to paint, refused before anything is read, and without a trace afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sfumato.engine.catalog import describe
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.memory import Loaded
from sfumato.protocol.errors import ImageUnreadable, Invalid, ModelIncompatible, ModelNotFound, SfumatoError, Stopped
from sfumato.protocol.requests.control import ControlUnit
from tests.support.control_files import adapter, control_lora, control_net, save, union_net
from tests.support.network_files import write_network
from tests.support.painting import encoded
from tests.support.small_device import small_device
from tests.support.studio import Pixels, SmallFiles, Studio, box_mask, gradient
from tests.support.tiny_models import INPAINTING

BLOBS = {"map": encoded(gradient()), "other": encoded(gradient(96, 48, 90)), "half": encoded(box_mask((0, 0, 32, 64)))}


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A process with tiny control models for tiny checkpoints: sd1, sd2, sdxl; xl-union, t2i, lora, and a diffusers folder."""
    files = SmallFiles(tmp_path_factory.mktemp("control"))
    folder = files.root / "controlnet"
    for kind in ("sd1", "sd2", "sdxl"):
        save(control_net(files.modules(kind).unet).state_dict(), folder / f"{kind}.safetensors")
    save(union_net(files.modules("sdxl").unet).state_dict(), folder / "xl-union.safetensors")
    save(adapter((32, 32)).state_dict(), files.root / "t2i_adapter" / "t2i.safetensors")
    save(control_lora(files.modules("sd1").unet)[0], folder / "lora.safetensors")
    write_network(files.modules("sd1"), files.root / "loras" / "moss.safetensors", rank=4, strength=1.0)
    save(control_net(files.modules("sd1").unet, 3).state_dict(), folder / "folder" / "diffusion_pytorch_model.safetensors", config={"norm_num_groups": 8})
    return Studio(files, tmp_path_factory.mktemp("data"))


def unit(model: str = "sd1", **fields: Any) -> ControlUnit:
    return ControlUnit(**{"image": "map", "model": model, **fields})


def paint(studio: Studio, *units: ControlUnit, **fields: Any) -> list[Pixels]:
    return studio.paint(blobs=BLOBS, control=units, **fields)


def one(studio: Studio, *units: ControlUnit, **fields: Any) -> Pixels:
    (made,) = paint(studio, *units, **fields)
    return made


def differs(picture: Pixels, other: Pixels) -> bool:
    return picture.shape != other.shape or float(np.abs(picture.astype(int) - other).mean()) > 0.5


@contextmanager
def watched(studio: Studio) -> Iterator[list[tuple[str, Tensor]]]:
    """("picture" or "network", what it was given) for each use of a control model that is held."""
    seen: list[tuple[str, Tensor]] = []
    hooks = []
    for held in studio.kept.get(ControlModels)._held.values():
        hooks.append(held.reader.register_forward_pre_hook(lambda _, given: seen.append(("picture", given[0].clone()))))
        if held.modules[0] is not held.reader:
            hooks.append(held.modules[0].register_forward_pre_hook(lambda _, given: seen.append(("network", given[0].clone()))))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def sizes(seen: list[tuple[str, Tensor]]) -> list[tuple[int, int]]:
    """(width, height) of the pictures that were read."""
    return [(given.shape[3], given.shape[2]) for what, given in seen if what == "picture"]


def weights(studio: Studio) -> dict[str, Tensor]:
    model = studio.kept.get(Loaded).latest
    assert model is not None
    return {name: tensor.clone() for name, tensor in model.unet.state_dict().items()}


@pytest.mark.rule("E81", "E82", "E105")
@pytest.mark.parametrize(("kind", "model"), [("sd1", "sd1"), ("sd1", "lora"), ("sd1", "folder"), ("sd1", "t2i"), ("sd2", "sd2"), ("sdxl", "sdxl")])
def test_a_control_changes_the_picture_and_leaves_no_trace(steered: Studio, kind: Any, model: str) -> None:
    checkpoint = steered.model(kind)
    plain = one(steered, model=checkpoint)
    before = weights(steered)
    assert differs(one(steered, unit(model), model=checkpoint), plain)
    after = weights(steered)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert np.array_equal(one(steered, model=checkpoint), plain)


@pytest.mark.rule("R10", "E82")
@pytest.mark.parametrize("mode", ["balanced", "prompt", "control"])
@pytest.mark.parametrize("guess", [False, True])
def test_an_sdxl_control_works_in_every_mode(steered: Studio, mode: str, guess: bool) -> None:
    model = steered.model("sdxl")
    assert differs(one(steered, unit("sdxl", mode=mode, guess=guess), model=model, steps=2), one(steered, model=model, steps=2))


@pytest.mark.rule("R10", "E82")
@pytest.mark.parametrize(
    ("kind", "model", "title"), [("sdxl", "sd1", "Stable Diffusion 1"), ("sd1", "sdxl", "Stable Diffusion XL"), ("sdxl", "t2i", "Stable Diffusion 1")]
)
def test_a_control_of_another_family_is_refused_before_anything_is_read(steered: Studio, kind: Any, model: str, title: str) -> None:
    steered.kept.get(Loaded).clear()
    wanted = {"sd1": "Stable Diffusion 1", "sdxl": "Stable Diffusion XL"}[kind]
    with pytest.raises(ModelIncompatible, match=f"'{model}.safetensors' is for {title}, the checkpoint is {wanted}") as refused:
        one(steered, unit("sd1" if kind == "sd1" else "sdxl"), unit(model), model=steered.model(kind))
    assert refused.value.path == "control.1.model"
    assert not steered.recording.progress_made
    assert steered.kept.get(Loaded).nbytes == 0


@pytest.mark.rule("R97", "E75")
def test_a_highres_pass_with_another_model_is_steered_or_refused_before_the_start(steered: Studio) -> None:
    highres = {"hr_scale": 1.5, "hr_upscaler": "Nearest", "hr_strength": 0.7}
    # Of the same construction: both passes are steered, each at its size
    inpainting = steered.model("sd1", INPAINTING)
    first = one(steered, unit(), **highres, hr_model=inpainting)
    assert differs(first, one(steered, **highres, hr_model=inpainting))
    with watched(steered) as seen:
        one(steered, unit(), **highres, hr_model=inpainting)
    assert {given.shape[-1] for what, given in seen if what == "network"} == {8, 12}
    # Of another: said before anything is done, and not where there is no highres pass
    with pytest.raises(ModelIncompatible, match=r"the checkpoint is Stable Diffusion 2 \('tiny-sd2.safetensors' of the highres pass\)") as refused:
        one(steered, unit(), **highres, hr_model=steered.model("sd2"))
    assert refused.value.path == "control.0.model"
    assert not steered.recording.progress_made
    one(steered, unit(), hr_model=steered.model("sd2"), steps=1)


@pytest.mark.rule("E75", "E62")
def test_maps_of_the_highres_pass_are_made_from_the_original(steered: Studio) -> None:
    fields = {"width": 64, "height": 64, "hr_scale": 1.5, "steps": 1, "hr_steps": 2}
    one(steered, unit("sd1", image="other", resize_mode="stretch"), **fields)
    with watched(steered) as seen:
        one(steered, unit("sd1", image="other", resize_mode="stretch"), **fields)
    assert sizes(seen) == [(64, 64), (96, 96)]
    original = Image.open(io.BytesIO(BLOBS["other"]))
    for (width, height), (_, given) in zip(sizes(seen), [each for each in seen if each[0] == "picture"], strict=True):
        expected = np.asarray(original.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255
        np.testing.assert_array_equal(given[0].permute(1, 2, 0).numpy(), expected)


@pytest.mark.rule("E83", "E112")
@pytest.mark.parametrize("model", ["sd1", "t2i"])
def test_a_picture_is_read_once_in_a_job_and_a_file_once_in_a_process(steered: Studio, model: str) -> None:
    paint(steered, unit(model), steps=1)
    held = dict(steered.kept.get(ControlModels)._held)
    with watched(steered) as seen:
        paint(steered, unit(model), batch_size=2, batch_count=2, steps=1)
    assert len(sizes(seen)) == 1
    assert dict(steered.kept.get(ControlModels)._held) == held


@pytest.mark.rule("E112")
def test_the_same_job_once_more_reads_no_file_and_makes_no_map(steered: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    units = unit(preprocessor="canny"), unit("t2i"), unit("lora")
    first = one(steered, *units, steps=1)

    def read(*told: object) -> None:
        raise AssertionError("read again")

    for place in ("control.kept.Reader", "control.files.read_header", "annotators.making._Making.run"):
        monkeypatch.setattr(f"sfumato.engine.{place}", read)
    assert np.array_equal(one(steered, *units, steps=1), first)


@pytest.mark.rule("E111")
def test_where_memory_runs_out_in_a_control_model_the_job_goes_on(steered: Studio) -> None:
    """The ladder's rung of fewer rows: the same picture, the control model asked again for fewer."""
    steered.kept.get(ControlModels).clear()
    expected = paint(steered, unit(), batch_size=2, steps=2)
    (net,) = {id(held.modules[0]): held.modules[0] for held in steered.kept.get(ControlModels)._held.values()}.values()
    rows: list[int] = []

    def short(module: torch.nn.Module, given: tuple[Tensor, ...]) -> None:
        rows.append(len(given[0]))
        if len(given[0]) > 2:
            raise torch.OutOfMemoryError("no room")

    hook = net.register_forward_pre_hook(short)
    try:
        found = paint(steered, unit(), batch_size=2, steps=2)
    finally:
        hook.remove()
    assert 4 in rows
    assert 2 in rows
    for one_, other in zip(found, expected, strict=True):
        assert float(np.abs(one_.astype(int) - other).max()) <= 1


@pytest.mark.rule("E81")
def test_all_images_of_a_batch_are_steered_as_alone(steered: Studio) -> None:
    together = paint(steered, unit(), batch_size=2)
    for number, picture in enumerate(together):
        alone = one(steered, unit(), seed=1 + number)
        assert float(np.abs(picture.astype(int) - alone).max()) <= 1


@pytest.mark.rule("E81")
def test_up_to_eight_units_act_together_and_weight_zero_is_off(steered: Studio) -> None:
    plain, single = one(steered, steps=2), one(steered, unit(weight=0.2), steps=2)
    eight = one(steered, *(unit(weight=0.2) for _ in range(8)), steps=2)
    assert differs(single, plain)
    assert differs(eight, single)
    # Eight times 0.2 are 1.6
    assert float(np.abs(eight.astype(int) - one(steered, unit(weight=1.6), steps=2)).max()) <= 2
    assert np.array_equal(one(steered, unit("missing", weight=0), steps=2), plain)
    with pytest.raises(ValueError, match="8"):
        one(steered, *(unit() for _ in range(9)))


@pytest.mark.rule("E81")
def test_a_control_acts_only_between_its_start_and_end(steered: Studio) -> None:
    one(steered, unit(), steps=1)
    with watched(steered) as seen:
        one(steered, unit(start=0.5), unit("t2i", start=0.2, end=0.3), steps=4)
    assert len([what for what, _ in seen if what == "network"]) == 2
    assert np.array_equal(one(steered, unit("t2i", start=0.3, end=0.4), steps=2), one(steered, steps=2))


@pytest.mark.rule("E81")
def test_without_a_picture_of_its_own_it_looks_at_the_one_the_job_starts_from(steered: Studio) -> None:
    start = gradient(phase=40)
    own = one(steered, unit(image=""), image=start, strength=0.7)
    blobs = {**BLOBS, "same": encoded(start)}
    (named,) = steered.paint(image=start, blobs=blobs, control=(unit(image="same"),), strength=0.7)
    assert np.array_equal(own, named)
    assert not np.array_equal(own, one(steered, unit(), image=start, strength=0.7))
    with pytest.raises(Invalid) as refused:
        one(steered, unit(image=""))
    assert refused.value.path == "control.0.image"


@pytest.mark.rule("E81")
def test_a_mask_keeps_a_control_to_its_area(steered: Studio) -> None:
    plain, whole, half = one(steered), one(steered, unit()), one(steered, unit(mask="half"))
    assert differs(half, plain)
    assert differs(half, whole)


@pytest.mark.rule("E82", "E84")
def test_an_inpainting_control_is_told_what_is_hidden(steered: Studio) -> None:
    mask = box_mask((16, 16, 48, 48))
    one(steered, unit(), steps=1)
    with watched(steered) as seen:
        one(steered, unit(image="", preprocessor="inpaint"), image=gradient(), mask=mask, mask_blur=0, steps=2)
    (given,) = (given for what, given in seen if what == "picture")
    assert float(given[0, :, 32, 32].max()) == -1
    assert float(given[0, :, 4, 4].min()) >= 0
    # With a mask of its own, on a picture of its own
    with watched(steered) as seen:
        one(steered, unit(mask="half", preprocessor="inpaint"), steps=1)
    (given,) = (given for what, given in seen if what == "picture")
    assert float(given[0, :, :, :30].max()) == -1
    assert float(given[0, :, :, 34:].min()) >= 0


@pytest.mark.rule("E82")
def test_a_union_model_and_an_adapter_see_hidden_places_black(steered: Studio) -> None:
    model = steered.model("sdxl")
    fields: dict[str, Any] = {"model": model, "image": gradient(), "mask": box_mask((16, 16, 48, 48)), "mask_blur": 0, "steps": 2}
    one(steered, unit("xl-union", union_type="canny"), model=model, steps=1)
    with watched(steered) as seen:
        one(steered, unit("xl-union", image="", preprocessor="inpaint"), **fields)
    (given,) = (given for what, given in seen if what == "picture")
    assert float(given.min()) == 0


@pytest.mark.rule("E82")
def test_a_union_model_wants_to_know_the_kind_of_map(steered: Studio) -> None:
    model = steered.model("sdxl")
    with pytest.raises(Invalid, match="understands several kinds of maps") as refused:
        one(steered, unit("xl-union"), model=model)
    assert refused.value.path == "control.0.union_type"
    canny = one(steered, unit("xl-union", union_type="canny"), model=model, steps=2)
    assert differs(canny, one(steered, unit("xl-union", union_type="pose"), model=model, steps=2))
    # The preprocessor says it, too
    one(steered, unit("xl-union", preprocessor="canny"), model=model, steps=1)


@pytest.mark.rule("E81", "E64")
def test_where_only_a_part_is_painted_the_same_part_of_the_map_is_read(steered: Studio) -> None:
    mask = box_mask((0, 0, 24, 24), 64, 64)
    one(steered, unit(), steps=1)
    with watched(steered) as seen:
        one(steered, unit(), image=gradient(), mask=mask, mask_blur=0, mask_padding=8, width=64, height=64, steps=2)
    (given,) = (given for what, given in seen if what == "picture")
    corner = gradient().crop((0, 0, 32, 32)).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_allclose(given[0].permute(1, 2, 0).numpy() * 255, np.asarray(corner), atol=1)


@pytest.mark.rule("E81")
def test_loops_are_steered_by_what_each_begins_with(steered: Studio) -> None:
    one(steered, unit(), steps=1)
    with watched(steered) as seen:
        one(steered, unit(image=""), image=gradient(), loops=2, steps=2, strength=0.6)
    pictures = [given for what, given in seen if what == "picture"]
    assert len(pictures) == 2
    assert not torch.equal(*pictures)


@pytest.mark.rule("E81")
def test_the_refiner_is_not_steered(steered: Studio) -> None:
    fields: dict[str, Any] = {
        "model": steered.model("sdxl"),
        "refiner": steered.model("refiner"),
        "refiner_switch_at": 0.5,
        "refiner_by_steps": True,
        "steps": 4,
    }
    one(steered, unit("sdxl"), **fields)
    with watched(steered) as seen:
        one(steered, unit("sdxl"), **fields)
    assert 0 < len([what for what, _ in seen if what == "network"]) < 4


@pytest.mark.rule("E105", "E118")
@pytest.mark.parametrize("stage", [("encode", 1), ("denoise", 2), ("denoise", 5)])
def test_a_cancelled_steered_job_leaves_the_model_as_it_was(steered: Studio, stage: tuple[str, int]) -> None:
    fields: dict[str, Any] = {"batch_size": 2, "hr_scale": 1.5, "steps": 3, "hr_steps": 3}
    expected = paint(steered, **fields)
    before = weights(steered)
    with pytest.raises(Stopped):
        paint(steered, unit(), unit("t2i"), cancel_at=stage, **fields)
    assert not steered.recording.artifacts
    assert all(np.array_equal(*each) for each in zip(paint(steered, **fields), expected, strict=True))
    after = weights(steered)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.rule("E81", "E105")
def test_control_and_a_network_act_together_over_a_batch_and_a_highres_pass(steered: Studio) -> None:
    """Whole and cancelled in the highres pass; each adds what it adds, and nothing remains of either."""
    fields: dict[str, Any] = {"batch_size": 2, "hr_scale": 1.5, "hr_steps": 3}
    plain, prompt = paint(steered, **fields), "a red circle <lora:moss:[0.5:1:0.5]>"
    before = weights(steered)
    controlled, networked = paint(steered, unit(), **fields), paint(steered, prompt=prompt, **fields)
    both = paint(steered, unit(), prompt=prompt, **fields)
    for number in range(2):
        for other in (plain, controlled, networked):
            assert not np.array_equal(both[number], other[number])
    with pytest.raises(Stopped):
        paint(steered, unit(), unit("t2i"), prompt=prompt, cancel_at=("denoise", 4), **fields)
    assert all(np.array_equal(*each) for each in zip(paint(steered, **fields), plain, strict=True))
    after = weights(steered)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(np.array_equal(*each) for each in zip(paint(steered, unit(), prompt=prompt, **fields), both, strict=True))


@pytest.mark.slow
@pytest.mark.rule("E110")
@pytest.mark.parametrize("offload", ["none", "components", "blocks", "sequential"])
def test_control_models_are_where_they_are_needed_in_every_way_to_offload(steered: Studio, tmp_path: Path, offload: str) -> None:
    units = unit(), unit("t2i", start=0.5), unit("lora", mask="half")
    expected = one(steered, *units, steps=2, dtype="fp32")
    with small_device():
        found = one(Studio(steered.files, tmp_path), *units, steps=2, dtype="fp32", offload=offload)
    assert float(np.abs(found.astype(int) - expected).max()) <= 1


@pytest.mark.rule("E82")
def test_a_control_lora_is_completed_by_the_file_whatever_a_network_does_in_memory(steered: Studio) -> None:
    def held() -> dict[str, Tensor]:
        (loaded,) = steered.kept.get(ControlModels)._held.values()
        return {name: tensor.clone() for name, tensor in loaded.modules[0].state_dict().items()}

    steered.kept.get(ControlModels).clear()
    one(steered, unit("lora"), steps=1)
    alone = held()
    one(steered, prompt="a red circle <lora:moss:1>", steps=1)
    steered.kept.get(ControlModels).clear()
    one(steered, unit("lora"), prompt="a red circle <lora:moss:1>", steps=1)
    beside = held()
    assert all(torch.equal(tensor, beside[name]) for name, tensor in alone.items())


@pytest.mark.rule("E82")
def test_what_cannot_be_read_is_named_by_its_unit(steered: Studio) -> None:
    with pytest.raises(ModelNotFound, match=r"No control model named 'sd3'.*Closest") as missing:
        one(steered, unit(), unit("sd3"))
    assert missing.value.path == "control.1.model"
    for field in ("image", "mask"):
        with pytest.raises(ImageUnreadable) as unreadable:
            steered.paint(blobs={**BLOBS, "text": b"no picture"}, control=(unit(), unit(**{field: "text"})))
        assert unreadable.value.path == f"control.1.{field}"
        assert unreadable.value.message.startswith(f"The {field} of control 2 is not a picture")
    # Also where it is cut as what is painted.
    with pytest.raises(ImageUnreadable) as unreadable:
        steered.paint(gradient(), box_mask((16, 16, 32, 32)), blobs={**BLOBS, "text": b"no picture"}, mask_padding=8, control=(unit(image="text"),))
    assert unreadable.value.path == "control.0.image"
    (steered.files.root / "controlnet" / "broken.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(SfumatoError, match="broken") as damaged:
        one(steered, unit("broken"))
    assert damaged.value.path == "control.0.model"
    (steered.files.root / "controlnet" / "broken.safetensors").unlink()


@pytest.mark.rule("R10")
def test_the_catalog_lists_control_models_with_their_families(steered: Studio) -> None:
    rows = {row["value"]: row for row in describe(steered.places)["choices"]["control_models"]}
    told = {name: (row["kind"], row["family"], row["maps"], row["state"]) for name, row in rows.items()}
    assert told == {
        "sd1": ("ControlNet", "Stable Diffusion 1", 0, "ready"),
        "sd2": ("ControlNet", "Stable Diffusion 2", 0, "ready"),
        "sdxl": ("ControlNet", "Stable Diffusion XL", 0, "ready"),
        "xl-union": ("union ControlNet", "Stable Diffusion XL", 8, "ready"),
        "lora": ("Control LoRA", "Stable Diffusion 1", 0, "ready"),
        "t2i": ("T2I-Adapter", "Stable Diffusion 1", 0, "ready"),
        "diffusion_pytorch_model": ("ControlNet", "Stable Diffusion 1", 0, "ready"),
    }
    assert rows["diffusion_pytorch_model"]["label"] == "folder"


def test_a_file_of_another_kind_is_listed_with_the_reason(steered: Studio, tmp_path: Path) -> None:
    path = steered.files.root / "controlnet" / "style.safetensors"
    save({"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": torch.zeros(1, 1)}, path)
    rows = {row["value"]: row for row in describe(steered.places)["choices"]["control_models"]}
    path.unlink()
    assert rows["style"]["state"] == "unusable"
    assert "looks like a LoRA" in rows["style"]["reason"]
