"""Tiny checkpoints of every family, layout and variant make a picture, end to end, and separate files the same one as a whole."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from sfumato.protocol.errors import Invalid, ModelIncomplete, ModelUnsupported
from tests.engine.conftest import Bench
from tests.support.tiny_models import INPAINTING, PIX2PIX, TinyFiles, write_component, write_headers_only


def bytes_of(bench: Bench) -> bytes:
    return Image.open(io.BytesIO(bench.pictures[0])).convert("RGB").tobytes()


@pytest.mark.rule("E9", "E20", "E121")
@pytest.mark.parametrize(("kind", "family"), [("sd1", "sd1"), ("sd2", "sd2"), ("sdxl", "sdxl"), ("refiner", "sdxl_refiner")])
def test_both_layouts_of_every_family_paint_the_same_picture(bench: Bench, tiny_files: TinyFiles, kind: str, family: str) -> None:
    painted = []
    for written in (tiny_files.single, tiny_files.folder):
        path = written(kind)  # type: ignore[arg-type]  the literals above
        # One layer of SD2's tower may not be there: both read the second.
        result = bench.run(model=path.stem, steps=2)
        assert (result.family, result.model) == (family, path.name)
        painted.append(bytes_of(bench))
    assert painted[0] == painted[1]


@pytest.mark.rule("E20", "E68")
@pytest.mark.parametrize(("kind", "channels"), [("sd1", INPAINTING), ("sd2", INPAINTING), ("sdxl", INPAINTING)])
def test_inpainting_models_paint_without_a_picture_too(bench: Bench, tiny_files: TinyFiles, kind: str, channels: int) -> None:
    path = tiny_files.single(kind, channels)  # type: ignore[arg-type]
    assert bench.run(model=path.stem, steps=2).images
    assert len(set(bytes_of(bench))) > 1


@pytest.mark.rule("E25")
def test_pix2pix_models_need_a_picture(bench: Bench, tiny_files: TinyFiles) -> None:
    with pytest.raises(Invalid) as caught:
        bench.run(model=tiny_files.single("sd1", PIX2PIX).stem, steps=2)
    assert "image" in caught.value.path


@pytest.mark.rule("E9", "E19")
def test_separate_files_paint_what_the_whole_paints(bench: Bench, tiny_files: TinyFiles) -> None:
    # Given SDXL as four files in the folders of another program, in half precision as the whole
    import torch

    root, modules = tiny_files.root, tiny_files.modules("sdxl")
    for part, folder, name in (("unet", "diffusion_models", "xl"), ("vae", "VAE", "xl-vae"), ("clip_l", "clip", "l"), ("clip_g", "text_encoders", "g")):
        write_component(modules, part, root / folder / f"{name}.safetensors", torch.float16)
    bench.run(model=tiny_files.single("sdxl").stem, steps=2, width=64, height=64)
    whole = bytes_of(bench)
    # When
    bench.run(model="xl", vae="xl-vae", clip="l", clip_2="g", steps=2, width=64, height=64)
    # Then
    assert bytes_of(bench) == whole
    with pytest.raises(ModelIncomplete, match="Choose one under Model, VAE") as caught:
        bench.run(model="xl", clip="l", clip_2="g")
    assert caught.value.path == "vae"


@pytest.mark.rule("E16", "E120", "E126")
def test_what_a_family_does_not_use_is_refused_before_anything_is_painted(bench: Bench, tiny_files: TinyFiles) -> None:
    tiny_files.single("sd1")
    with pytest.raises(Invalid, match=r"SDXL refiner does not use 'clip'\."):
        bench.run(model=tiny_files.single("refiner").stem, clip="tiny-sd1")
    with pytest.raises(Invalid, match=r"Stable Diffusion 1 does not use 'aesthetic'\."):
        bench.run(model="tiny", aesthetic=3.0)
    assert bench.pictures == []


@pytest.mark.rule("E16", "E126")
@pytest.mark.parametrize(("channels", "words"), [(5, "depth-to-image"), (7, r"upscaling model \(x4\)")])
def test_models_of_other_inputs_are_refused_by_name(bench: Bench, tiny_files: TinyFiles, channels: int, words: str) -> None:
    name = f"other-{channels}"
    shapes: dict[str, tuple[int, ...]] = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, channels, 3, 3),
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, 1024),
    }
    write_headers_only(tiny_files.root / "checkpoints" / f"{name}.safetensors", shapes)
    with pytest.raises(ModelUnsupported, match=words):
        bench.run(model=name)
