"""Image prompts in whole jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine.catalog import describe
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.image_prompts.loading import LoadedEncoder
from sfumato.engine.memory import Loaded
from sfumato.protocol.errors import CorruptFile, Invalid, ModelIncompatible, ModelNotFound, ModelUnsupported, PickleRefused, Stopped
from sfumato.protocol.requests.control import ControlUnit
from tests.support.control_files import control_net
from tests.support.image_prompt_files import HIDDEN, adapter, encoder, save
from tests.support.network_files import write_network
from tests.support.painting import encoded
from tests.support.small_device import small_device
from tests.support.studio import Pixels, SmallFiles, Studio, box_mask, gradient

BLOBS = {"one": encoded(gradient()), "other": encoded(gradient(96, 48, 90)), "half": encoded(box_mask((0, 0, 32, 64)))}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A process with tiny adapters for tiny checkpoints: plain, plus and full for SD1, xl and xl-plus for SDXL, and one image encoder."""
    files = SmallFiles(tmp_path_factory.mktemp("prompted"))
    for name, kind, projection in (
        ("plain", "sd1", "plain"),
        ("plus", "sd1", "plus"),
        ("full", "sd1", "full"),
        ("xl", "sdxl", "plain"),
        ("xl-plus", "sdxl", "plus"),
    ):
        save(adapter(files.modules(kind).unet, projection), files.root / "ipadapter" / f"{name}.safetensors")  # type: ignore[arg-type]
    save(encoder().state_dict(), files.root / "clip_vision" / "tiny.safetensors")
    return Studio(files, tmp_path_factory.mktemp("data"))


def unit(model: str = "plain", **fields: Any) -> ControlUnit:
    return ControlUnit(**{"image": "one", "model": model, **fields})


def paint(studio: Studio, *units: ControlUnit, **fields: Any) -> list[Pixels]:
    return studio.paint(blobs=BLOBS, control=units, **fields)


def one(studio: Studio, *units: ControlUnit, **fields: Any) -> Pixels:
    (made,) = paint(studio, *units, **fields)
    return made


def differs(picture: Pixels, other: Pixels) -> bool:
    return picture.shape != other.shape or float(np.abs(picture.astype(int) - other).mean()) > 0.5


def weights(studio: Studio) -> dict[str, Tensor]:
    model = studio.kept.get(Loaded).latest
    assert model is not None
    return {name: tensor.clone() for name, tensor in model.unet.state_dict().items()}


@pytest.mark.rule("E83", "E105")
@pytest.mark.parametrize(("kind", "name"), [("sd1", "plain"), ("sd1", "plus"), ("sd1", "full"), ("sdxl", "xl"), ("sdxl", "xl-plus")])
def test_a_picture_prompts_and_leaves_no_trace(shown: Studio, kind: Any, name: str) -> None:
    checkpoint = shown.model(kind)
    plain = one(shown, model=checkpoint)
    before = weights(shown)
    prompted = one(shown, unit(name), model=checkpoint)
    assert differs(prompted, plain)
    assert differs(one(shown, unit(name, image="other"), model=checkpoint), prompted)
    after = weights(shown)
    assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
    unet = shown.kept.get(Loaded).latest.unet  # type: ignore[union-attr]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())
    assert np.array_equal(one(shown, model=checkpoint), plain)


@contextmanager
def seers(studio: Studio) -> Iterator[list[Tensor]]:
    """The pictures that image encoders are given."""
    seen: list[Tensor] = []
    held = [each for each in studio.kept.get(ControlModels)._held.values() if isinstance(each, LoadedEncoder)]
    hooks = [
        each.net.vision_model.register_forward_pre_hook(lambda _, given, named: seen.append((*given, *named.values())[0]), with_kwargs=True) for each in held
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.rule("E83")
def test_a_picture_is_encoded_once_for_all_jobs_and_adapters_share_the_encoder(shown: Studio) -> None:
    kept = shown.kept.get(ControlModels)
    kept.clear()
    one(shown, unit("plus"), unit("full", weight=0.5), steps=1)
    assert sum(isinstance(each, LoadedEncoder) for each in kept._held.values()) == 1
    with seers(shown) as seen:
        first = one(shown, unit("plus"), hr_scale=1.5, hr_upscaler="Nearest", hr_strength=0.7)
        assert not seen
        assert np.array_equal(one(shown, unit("plus"), hr_scale=1.5, hr_upscaler="Nearest", hr_strength=0.7), first)
        one(shown, unit("plus", image="other"), steps=1)
    assert [tuple(each.shape) for each in seen] == [(2, 3, 28, 28)]
    assert kept.nbytes > 0
    kept.clear()
    assert kept.nbytes == 0


@pytest.mark.rule("E83")
def test_weight_span_mode_and_mask_act(shown: Studio) -> None:
    plain, whole = one(shown), one(shown, unit())
    assert np.array_equal(one(shown, unit(weight=0)), plain)
    for fields in ({"weight": 0.4}, {"weight": 2.0}, {"mask": "half"}, {"mode": "prompt"}, {"mode": "control"}, {"guess": True}, {"end": 0.4}, {"start": 0.5}):
        changed = one(shown, unit(**fields))
        assert not np.array_equal(changed, whole), fields
        assert not np.array_equal(changed, plain), fields
    # Of three calls none begins at or behind this share.
    assert np.array_equal(one(shown, unit(start=0.9)), plain)


@pytest.mark.rule("E83")
def test_weights_of_blocks_act_and_are_counted(shown: Studio) -> None:
    whole = one(shown, unit())
    blocks = 4  # the small network: one on the way down, the middle, two on the way up
    assert np.array_equal(one(shown, unit(block_weights=" ".join(["1"] * blocks))), whole)
    assert np.array_equal(one(shown, unit(block_weights=", ".join(["0"] * blocks))), one(shown))
    pictures = [one(shown, unit(block_weights=" ".join("1" if place == block else "0" for place in range(blocks)))) for block in range(blocks)]
    assert len({picture.tobytes() for picture in pictures}) == blocks
    with pytest.raises(Invalid, match=r"has 4 blocks that image prompts act in, and 3 weights are given; give 4") as refused:
        one(shown, unit(block_weights="1 1 1"))
    assert refused.value.problems[0].path == "control.0.block_weights"
    with pytest.raises(Invalid, match=r"numbers with spaces between them"):
        one(shown, unit(block_weights="1 a"))


@pytest.mark.rule("E83")
def test_pictures_of_one_adapter_are_averaged_joined_or_added(shown: Studio) -> None:
    first, second = unit(), unit(image="other")
    ways = {how: one(shown, *(each.model_copy(update={"together": how}) for each in (first, second))) for how in ("add", "average", "join")}
    assert len({picture.tobytes() for picture in ways.values()}) == 3
    # The same picture twice is itself, averaged or joined; added it counts twice.
    alone = one(shown, unit())
    for how in ("average", "join"):
        twice = one(shown, unit(together=how), unit(together=how))
        assert np.abs(twice.astype(int) - alone).max() <= 1
    assert np.abs(one(shown, unit(weight=0.5), unit(weight=0.5)).astype(int) - alone).max() <= 1


@pytest.mark.rule("E83", "E106")
@pytest.mark.parametrize("kernel", ["split", "upcast", "math"])
def test_every_kernel_gives_the_same_picture(shown: Studio, kernel: str) -> None:
    assert np.abs(one(shown, unit("plus"), attention=kernel).astype(int) - one(shown, unit("plus"))).max() <= 1


@pytest.mark.rule("E83")
def test_every_image_of_a_batch_is_prompted_alike_whatever_else_acts(shown: Studio) -> None:
    """With parts, negative weights, perturbed attention and a picture to start from."""
    told = {"prompt": "a red circle AND a blue star:0.7", "pag_scale": 2.0, "image": "one", "strength": 0.7}
    alone = [one(shown, unit("plus", mask="half"), **told, seed=seed) for seed in (1, 2)]
    both = paint(shown, unit("plus", mask="half"), **told, batch_size=2)
    assert all(np.abs(one.astype(int) - other).max() <= 1 for one, other in zip(both, alone, strict=True))
    assert differs(alone[0], one(shown, **told))


@pytest.mark.rule("E83", "E105")
def test_a_cancelled_job_leaves_nothing_in_the_network(shown: Studio) -> None:
    plain = one(shown)
    with pytest.raises(Stopped):
        paint(shown, unit(), cancel_at=("denoise", 1))
    unet = shown.kept.get(Loaded).latest.unet  # type: ignore[union-attr]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())
    assert np.array_equal(one(shown), plain)


@pytest.mark.rule("E83")
def test_an_encoder_is_found_by_its_width_or_by_its_name(shown: Studio, tmp_path: Path) -> None:
    whole = one(shown, unit(), steps=1)
    files = shown.files.root / "clip_vision"
    save(encoder(3, width=64, projection=32).state_dict(), files / "a-small.safetensors")
    assert np.array_equal(one(shown, unit(), steps=1), whole)
    save(encoder(4).state_dict(), files / "zoo" / "model.safetensors", config={"num_attention_heads": HIDDEN // 64})
    assert differs(one(shown, unit(encoder="zoo"), steps=1), whole)
    with pytest.raises(Invalid, match=r"'plain\.safetensors' reads pictures of width 48, which 'a-small.safetensors' does not make") as refused:
        one(shown, unit(encoder="a-small"))
    assert refused.value.problems[0].path == "control.0.encoder"
    rows = {row["value"]: row for row in describe(shown.places)["choices"]["image_encoders"]}
    assert rows["tiny"]["widths"] == [HIDDEN, 48]


@pytest.mark.rule("E83")
def test_a_missing_encoder_is_named_with_its_folder(shown: Studio) -> None:
    save(adapter(shown.files.modules("sd1").unet, "plus", width=1280), shown.files.root / "ipadapter" / "wide.safetensors")
    shown.kept.get(Loaded).clear()
    with pytest.raises(ModelNotFound, match=r"CLIP-ViT-H-14-laion2B-s32B-b79K\.safetensors into models/clip_vision") as refused:
        one(shown, unit("wide"))
    assert refused.value.path == "control.0.encoder"
    assert shown.kept.get(Loaded).nbytes == 0


@pytest.mark.rule("E83", "R10")
def test_an_adapter_of_another_network_is_refused_before_anything_is_read(shown: Studio) -> None:
    shown.kept.get(Loaded).clear()
    with pytest.raises(ModelIncompatible, match=r"'xl.safetensors' is for a network with") as refused:
        one(shown, unit("xl"))
    assert refused.value.path == "control.0.model"
    assert shown.kept.get(Loaded).nbytes == 0


@pytest.mark.rule("E83")
def test_face_recogniser_adapters_and_pickles_are_refused_in_a_sentence(shown: Studio) -> None:
    folder = shown.files.root / "ipadapter"
    plain = adapter(shown.files.modules("sd1").unet)
    pairs = {name: tensor for name, tensor in plain.items() if name.startswith("ip_adapter.")}
    save(pairs | {"image_proj.proj.0.weight": torch.zeros(64, 512), "image_proj.proj.2.weight": torch.zeros(64, 64)}, folder / "faceid.safetensors")
    with pytest.raises(ModelUnsupported, match=r"'faceid.safetensors' looks like a FaceID adapter, which reads what a face recogniser finds") as refused:
        one(shown, unit("faceid"))
    assert refused.value.path == "control.0.model"
    torch.save(plain, folder / "old.bin")
    with pytest.raises(PickleRefused, match=r"'old.bin' is a pickle.*Convert it to safetensors first: sfumato convert"):
        one(shown, unit("old"))
    short = {name: tensor for name, tensor in plain.items() if name != "image_proj.norm.weight"}
    save(short, folder / "short.safetensors")
    with pytest.raises(CorruptFile, match=r"'image_proj.norm.weight'"):
        one(shown, unit("short"))


@pytest.mark.rule("E83")
def test_a_picture_to_start_from_prompts_where_the_unit_has_none(shown: Studio) -> None:
    """Its own picture is read whole, whichever part is painted; without one it is the part that is painted."""
    masked = {"image": "one", "mask": "half", "strength": 0.8}
    own, started = one(shown, unit(image="one"), **masked), one(shown, unit(image=""), **masked)
    assert differs(own, one(shown, **masked))
    assert np.abs(own.astype(int) - started).max() <= 1


@pytest.mark.rule("E83")
def test_tiles_are_prompted_as_the_whole_is(shown: Studio) -> None:
    tiles = {"tiled": "multidiffusion", "tile_size": 64, "tile_overlap": 16, "image": "other", "width": 96, "height": 64, "steps": 2, "strength": 1.0}
    plain, prompted = one(shown, **tiles), one(shown, unit("plus", mask="half"), **tiles)
    assert differs(prompted, plain)
    unet = shown.kept.get(Loaded).latest.unet  # type: ignore[union-attr]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())


@pytest.mark.rule("E83")
def test_adapters_control_networks_and_loras_act_together(shown: Studio) -> None:
    save(control_net(shown.files.modules("sd1").unet).state_dict(), shown.files.root / "controlnet" / "net.safetensors")
    write_network(shown.files.modules("sd1"), shown.files.root / "loras" / "moss.safetensors", rank=4, strength=1.0)
    told = {"prompt": "a red circle <lora:moss:0.8>", "negative": "(blue:-1)", "token_merging": 0.3}
    net, prompts = unit("net"), (unit("plain", weight=0.6), unit("plus", image="other", weight=0.4))
    pictures = [one(shown, *units, **told) for units in ((), (net,), prompts, (net, *prompts))]
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert np.array_equal(one(shown, **told), pictures[0])


@pytest.mark.rule("E83")
@pytest.mark.parametrize("offload", ["none", "components", "blocks", "sequential"])
def test_adapters_and_encoders_are_where_they_are_needed_in_every_way_to_offload(shown: Studio, tmp_path: Path, offload: str) -> None:
    """On a device with memory of its own, where tensors of two places cannot be used together."""
    units = (unit("plain"), unit("plus", image="other", mask="half"))
    expected = one(shown, *units, steps=2, dtype="fp32")
    with small_device(64 << 20):
        found = one(Studio(shown.files, tmp_path), *units, steps=2, dtype="fp32", offload=offload)
    assert np.abs(found.astype(int) - expected).max() <= 1
