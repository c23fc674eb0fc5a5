"""What a control model's file is, told by its header: kind, family, and whether it can act; and every way it is stored gives the same network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter
from torch import Tensor, nn

from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.control.files import Base, check_fit, open_control
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.control.kinds import KINDS
from sfumato.engine.control.loading import LoadedAdapter
from sfumato.engine.control.nets import Likeness, build_adapter, build_control_net
from sfumato.engine.control.shapes import AdapterShape, ControlNetShape
from sfumato.engine.family import Model
from sfumato.engine.modules import unfilled
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelUnsupported, PickleRefused, Stopped
from tests.engine.conftest import TinyModel
from tests.engine.control.passing import denoised, loaded, picture, seeded, steering
from tests.support.control_files import adapter, control_lora, control_net, original_adapter_names, original_names, save, union_net
from tests.support.tiny_models import BASE, INPAINTING, write_headers_only

FAMILIES = {"sd1": "Stable Diffusion 1", "sd2": "Stable Diffusion 2", "sdxl": "Stable Diffusion XL"}


def weights(path: Path, model: Model) -> dict[str, Tensor]:
    control = loaded(path, model)
    return {f"{number}.{name}": tensor for number, module in enumerate(control.modules) for name, tensor in module.state_dict().items()}


def identical(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.rule("E82")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_every_layout_gives_the_same_control_net(tiny_model: TinyModel, tmp_path: Path, kind: str) -> None:
    # Given one network as diffusers writes it, in the original layout bare and prefixed, in a folder, and beside a whole checkpoint
    model, modules = tiny_model(kind)
    state = control_net(modules.unet).state_dict()
    original = original_names(state)
    prefixed = {f"control_model.{name}": tensor for name, tensor in original.items()}
    beside = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(1), "first_stage_model.encoder.conv_in.weight": torch.zeros(1)}
    files = {
        "diffusers": save(state, tmp_path / "diffusers.safetensors"),
        "bare": save(original, tmp_path / "bare.safetensors"),
        "prefixed": save(prefixed, tmp_path / "prefixed.safetensors"),
        "beside": save({**beside, **prefixed}, tmp_path / "beside.safetensors"),
        "folder": save(state, tmp_path / "controlnet-canny" / "diffusion_pytorch_model.safetensors", config={"_class_name": "ControlNetModel"}),
    }
    # Then each is a ControlNet of its family, and the very same one
    expected = weights(files["diffusers"], model)
    for name, path in files.items():
        file = open_control(path, KINDS)
        assert (file.kind.title, file.family) == ("ControlNet", FAMILIES[kind])
        if kind == "sd1" or name == "prefixed":
            assert identical(weights(path, model), expected), name
    assert open_control(files["folder"], KINDS).name == "controlnet-canny"
    control = control_net(modules.unet)
    assert identical(
        {name: tensor for name, tensor in expected.items() if name.startswith("0.")},
        {f"0.{k}": v for k, v in control.state_dict().items() if "cond_emb" not in k},
    )


@pytest.mark.rule("E83")
@pytest.mark.parametrize("shape", ["full_adapter", "light_adapter", "full_adapter_xl"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_layout_gives_the_same_adapter(tiny_model: TinyModel, tmp_path: Path, shape: str, channels: int) -> None:
    kind = "sdxl" if shape.endswith("xl") else "sd1"
    model, _ = tiny_model(kind)
    made = adapter((32, 64), shape, channels)
    state = made.state_dict()
    original = original_adapter_names(state)
    files = [save(state, tmp_path / "diffusers.safetensors"), save(original, tmp_path / "original.safetensors")]
    files.append(save({f"adapter.{name}": tensor for name, tensor in original.items()}, tmp_path / "prefixed.safetensors"))
    seen = picture(72, 56) if kind == "sd1" else picture(96, 64)
    expected = made(seen.mean(1, keepdim=True) if channels == 1 else seen)
    for path in files:
        control = loaded(path, model)
        assert isinstance(control, LoadedAdapter)
        assert open_control(path, KINDS).family == FAMILIES[kind]
        if channels == 3:
            for ours, theirs in zip(control.features(seen), expected, strict=True):
                torch.testing.assert_close(ours, theirs)
        else:
            assert control.features(seen)[0].shape == expected[0].shape


@pytest.mark.rule("E82")
def test_an_adapter_takes_pictures_of_any_size(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sdxl")
    control = loaded(save(adapter((32, 64), "full_adapter_xl").state_dict(), tmp_path / "a.safetensors"), model)
    x = seeded(1, 4, 9, 7, seed=1)
    steered = denoised(model, [steering(control, picture(72, 56))], x, 2.0)
    assert (steered - denoised(model, [], x, 2.0)).abs().max() > 1e-3


@pytest.mark.rule("E82")
def test_differences_are_added_to_the_weights_of_the_checkpoint(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    base, dense = modules.unet.state_dict(), control_net(modules.unet).state_dict()
    difference = {name: tensor - base[name] if name in base else tensor for name, tensor in dense.items()}
    stored = {f"control_model.{name}": tensor for name, tensor in original_names(difference).items()} | {"difference": torch.zeros(0)}
    control = weights(save(stored, tmp_path / "diff.safetensors"), model)
    expected = weights(save(dense, tmp_path / "dense.safetensors"), model)
    for name, tensor in expected.items():
        torch.testing.assert_close(control[name], tensor, atol=1e-6, rtol=0)


@pytest.mark.rule("E82", "E105")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_control_lora_equals_the_dense_network_and_leaves_the_base_alone(tiny_model: TinyModel, tmp_path: Path, kind: str) -> None:
    model, modules = tiny_model(kind)
    stored, dense = control_lora(modules.unet)
    before = {name: tensor.clone() for name, tensor in model.unet.state_dict().items()}
    file = save(stored, tmp_path / "lora.safetensors")
    assert open_control(file, KINDS).kind.title == "Control LoRA"
    assert open_control(file, KINDS).family == FAMILIES[kind]
    low_rank, whole = loaded(file, model), loaded(save(dense, tmp_path / "dense.safetensors"), model)
    x, seen = seeded(1, 4, 8, 8, seed=1), picture()
    found, expected = (denoised(model, [steering(control, seen)], x, 3.0) for control in (low_rank, whole))
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    assert float((found - denoised(model, [], x, 3.0)).abs().max()) > 1e-2
    assert identical(before, model.unet.state_dict())


@pytest.mark.rule("E82")
def test_what_is_completed_by_an_inpainting_model_takes_of_its_first_layer_what_reads_latents(tiny_model: TinyModel, tmp_path: Path) -> None:
    inpainting, modules = tiny_model("sd1", INPAINTING)
    plain = copy.deepcopy(modules.unet)
    plain.conv_in.weight.data = modules.unet.conv_in.weight[:, :BASE]
    plain.register_to_config(in_channels=BASE)
    base, (low_rank, dense) = plain.state_dict(), control_lora(plain)
    difference = {name: tensor - base[name] if name in base else tensor for name, tensor in dense.items()}
    stored = {f"control_model.{name}": tensor for name, tensor in original_names(difference).items()} | {"difference": torch.zeros(0)}
    expected = weights(save(dense, tmp_path / "dense.safetensors"), inpainting)
    for name, tensors in (("lora", low_rank), ("difference", stored)):
        found = weights(save(tensors, tmp_path / f"{name}.safetensors"), inpainting)
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, atol=1e-6, rtol=0)


@pytest.mark.rule("R10", "E82")
def test_families_are_told_apart_before_anything_is_loaded(tiny_model: TinyModel, tmp_path: Path) -> None:
    models = {kind: tiny_model(kind) for kind in ("sd1", "sd2", "sdxl")}
    bases = {kind: Base.of(model.checkpoint) for kind, (model, _) in models.items()}
    files = {kind: save(control_net(modules.unet).state_dict(), tmp_path / f"{kind}.safetensors") for kind, (_, modules) in models.items()}
    files["union"] = save(union_net(models["sdxl"][1].unet).state_dict(), tmp_path / "union.safetensors")
    files["t2i"] = save(adapter((32, 64)).state_dict(), tmp_path / "t2i.safetensors")
    files["t2i-xl"] = save(adapter((32, 64), "full_adapter_xl").state_dict(), tmp_path / "t2i-xl.safetensors")
    # An adapter reads no text: those of SD1 act on SD2, which has the same levels
    fitting = {"sd1": {"sd1"}, "sd2": {"sd2"}, "sdxl": {"sdxl"}, "union": {"sdxl"}, "t2i": {"sd1", "sd2"}, "t2i-xl": {"sdxl"}}
    for name, path in files.items():
        file = open_control(path, KINDS)
        for kind, base in bases.items():
            if kind in fitting[name]:
                check_fit(file, base)
                continue
            with pytest.raises(ModelIncompatible) as refused:
                check_fit(file, base)
            assert f"'{path.name}' is for {file.family}, the checkpoint is {FAMILIES[kind]}." == refused.value.message


@pytest.mark.rule("R10")
def test_other_widths_of_a_family_are_named(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    file = open_control(save(adapter((32, 48)).state_dict(), tmp_path / "odd.safetensors"), KINDS)
    with pytest.raises(
        ModelIncompatible, match=r"Stable Diffusion 1 with levels of 32, 48 channels, the checkpoint is Stable Diffusion 1 with levels of 32, 64"
    ):
        check_fit(file, Base.of(model.checkpoint))


@pytest.mark.rule("E82")
def test_a_control_net_sees_the_plain_latents_of_an_inpainting_model(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1", INPAINTING)
    file = open_control(save(control_net(modules.unet).state_dict(), tmp_path / "c.safetensors"), KINDS)
    check_fit(file, Base.of(model.checkpoint))
    assert file.weights["conv_in.weight"].shape[1] == BASE


SDXL: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
_LAST_ONLY = ("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D")
_PLAIN = {"down_block_types": ("DownBlock2D",) * 3, "mid_block_type": "UNetMidBlock2D", "cross_attention_dim": 1}
# What published files hold, by their own configurations: (family, kind, the modules they are of).
PUBLISHED: dict[str, tuple[str, str, Callable[[], nn.Module]]] = {
    "sd1": ("sd1", "ControlNet", lambda: ControlNetModel(cross_attention_dim=768)),
    "sd2": ("sd2", "ControlNet", lambda: ControlNetModel(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True)),
    "sdxl": ("sdxl", "ControlNet", lambda: ControlNetModel(**SDXL)),
    "sdxl-mid": ("sdxl", "ControlNet", lambda: ControlNetModel(**{**SDXL, "down_block_types": _LAST_ONLY, "transformer_layers_per_block": (1, 1, 1)})),
    "sdxl-small": ("sdxl", "ControlNet", lambda: ControlNetModel(**{**SDXL, **_PLAIN})),
    "union": ("sdxl", "union ControlNet", lambda: ControlNetUnionModel(**SDXL, num_control_type=6)),
    "promax": ("sdxl", "union ControlNet", lambda: ControlNetUnionModel(**SDXL, num_control_type=8)),
    "t2i": ("sd1", "T2I-Adapter", lambda: T2IAdapter()),
    "t2i-light": ("sd1", "T2I-Adapter", lambda: T2IAdapter(channels=[320, 640, 1280], num_res_blocks=4, adapter_type="light_adapter")),
    "t2i-sdxl": ("sdxl", "T2I-Adapter", lambda: T2IAdapter(downscale_factor=16, adapter_type="full_adapter_xl")),
}


@pytest.mark.rule("E82", "E83", "R10")
@pytest.mark.parametrize(
    ("name", "layout"), [*((name, "diffusers") for name in PUBLISHED), *((name, "original") for name in ("sd1", "sdxl", "t2i", "t2i-light"))]
)
def test_published_files_are_known_and_built_at_their_size(tmp_path: Path, name: str, layout: str) -> None:
    """The names and shapes of published files; the modules built for them want exactly those."""
    family, kind, make = PUBLISHED[name]
    with torch.device("meta"), unfilled():
        state = make().state_dict()
    is_adapter = kind == "T2I-Adapter"
    spelt = state if layout == "diffusers" else (original_adapter_names if is_adapter else original_names)(state)
    file = open_control(write_headers_only(tmp_path / f"{name}.safetensors", {key: tuple(tensor.shape) for key, tensor in spelt.items()}), KINDS)
    assert (file.kind.title, file.family) == (kind, FAMILIES[family])
    shape = file.shape
    if isinstance(shape, AdapterShape):
        built = {f"adapter.{key}": tensor for key, tensor in build_adapter(shape).state_dict().items()}
        assert shape.picture_channels == 3
    else:
        assert isinstance(shape, ControlNetShape)
        built = build_control_net(shape, Likeness((5, 10, 20, 20)[: len(shape.widths)], 32)).state_dict()
    assert {key: tensor.shape for key, tensor in built.items()} == {key: tensor.shape for key, tensor in state.items()}
    # And they fit a network of the size that the family is published in
    widths, depths = ((320, 640, 1280), (0, 2, 10)) if family == "sdxl" else ((320, 640, 1280, 1280), (1, 1, 1, 0))
    context, vector = {"sd1": (768, 0), "sd2": (1024, 0), "sdxl": (2048, 2816)}[family]
    assert shape.fits(UNetConfiguration.regular(widths, depths, context, vector_width=vector, linear_projection=family != "sd1"))


@pytest.mark.rule("E82")
def test_what_is_no_control_model_is_told_in_a_sentence(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    with pytest.raises(ModelUnsupported, match="looks like a checkpoint of Stable Diffusion 1; Sfumato cannot steer by it"):
        open_control(model.checkpoint.path, KINDS)
    lora = save({"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": torch.zeros(1, 1)}, tmp_path / "style.safetensors")
    with pytest.raises(ModelUnsupported, match="looks like a LoRA"):
        open_control(lora, KINDS)
    pickled = tmp_path / "control.pth"
    pickled.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(PickleRefused):
        open_control(pickled, KINDS)


@pytest.mark.rule("E82")
def test_a_file_that_lacks_weights_is_damaged(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    state = {name: tensor for name, tensor in control_net(modules.unet).state_dict().items() if name != "mid_block.resnets.1.conv1.weight"}
    with pytest.raises(CorruptFile, match=r"1 of its weights are missing, the first is 'mid_block.resnets.1.conv1.weight'"):
        loaded(save(state, tmp_path / "short.safetensors"), model)


@pytest.mark.rule("E112", "E118")
def test_models_are_kept_by_bytes_and_a_stopped_reading_keeps_nothing(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    files = [save(control_net(modules.unet, seed).state_dict(), tmp_path / f"{seed}.safetensors") for seed in (1, 2, 3)]
    models = ControlModels()
    # Stopped at the third tensor
    left = iter([None, None])

    def check() -> None:
        try:
            next(left)
        except StopIteration:
            raise Stopped from None

    with pytest.raises(Stopped):
        models.load(models.file(files[0]), model, check)
    assert models.nbytes == 0
    first = models.load(models.file(files[0]), model, lambda: None)
    size = models.nbytes
    assert size > 0
    # The same again is not read
    assert models.load(models.file(files[0]), model, check) is first
    # Two fit, the one used longest ago goes
    models = ControlModels(limit_bytes=2 * size)
    held = [models.load(models.file(file), model, lambda: None) for file in files]
    assert models.nbytes == 2 * size
    assert models.load(models.file(files[2]), model, check) is held[2]
    assert models.load(models.file(files[0]), model, lambda: None) is not held[0]
    models.clear()
    assert models.nbytes == 0


@pytest.mark.rule("E112")
def test_a_file_that_was_changed_is_read_anew(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    path, models = tmp_path / "c.safetensors", ControlModels()
    first = models.load(models.file(save(control_net(modules.unet, 1).state_dict(), path)), model, lambda: None)
    path.unlink()
    save({**control_net(modules.unet, 2).state_dict(), "note": torch.zeros(8)}, path)
    second = models.load(models.file(path), model, lambda: None)
    assert not torch.equal(first.modules[0].state_dict()["conv_in.weight"], second.modules[0].state_dict()["conv_in.weight"])


def test_a_shuffle_model_acts_by_the_mean_of_its_features(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    state = control_net(modules.unet).state_dict()
    named = loaded(save(state, tmp_path / "control_shuffle.safetensors"), model)
    told = loaded(save(state, tmp_path / "folder" / "diffusion_pytorch_model.safetensors", config={"global_pool_conditions": True}), model)
    plain = loaded(save(state, tmp_path / "control_canny.safetensors"), model)
    x, seen = seeded(1, 4, 8, 8), picture()
    pooled = denoised(model, [steering(named, seen)], x, 2.0)
    assert torch.equal(pooled, denoised(model, [steering(told, seen)], x, 2.0))
    assert not torch.allclose(pooled, denoised(model, [steering(plain, seen)], x, 2.0), atol=1e-3)
