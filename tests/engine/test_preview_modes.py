"""Preview modes: the tiny autoencoder in its layouts, what happens without it, and that no mode changes a bit of a picture."""

from __future__ import annotations

import copy
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import save_file

from sfumato.engine.decoding import to_pixels
from sfumato.engine.device import choose
from sfumato.engine.families import FAMILIES
from sfumato.engine.family import Model
from sfumato.engine.memory import Loaded
from sfumato.engine.preview import Previewer, PreviewMemory, Previews, previewer_of
from sfumato.engine.preview.modes import MODES
from sfumato.engine.preview.tiny import TinyDecoders, find_tiny, load_tiny, tiny_colours
from sfumato.protocol.errors import CorruptFile, ModelNotFound, PickleRefused
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate
from tests.engine.conftest import Bench

STARTER = Path(__file__).parents[2] / "models"
CPU = choose("fp32", "cpu")


@pytest.fixture(scope="session")
def tiny() -> AutoencoderTiny:
    """The published construction with random weights; narrower, so that it is quick."""
    torch.manual_seed(3)
    vae = AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4)
    for parameter in vae.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return vae.eval()


def decoder_keys(vae: AutoencoderTiny, prefix: str = "") -> dict[str, torch.Tensor]:
    """The decoder's weights under the numbers of its first publication, where the clamp is layer 0."""
    found = {}
    for key, value in vae.decoder.state_dict().items():
        number, _, rest = key.removeprefix("layers.").partition(".")
        found[f"{prefix}{int(number) + 1}.{rest}"] = value.contiguous()
    return found


def decoder_alone(vae: AutoencoderTiny, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(decoder_keys(vae), folder / "taesd_decoder.safetensors")
    return folder / "taesd_decoder.safetensors"


def both_prefixed(vae: AutoencoderTiny, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    encoder = {f"taesd_encoder.{key}": value.contiguous() for key, value in vae.encoder.state_dict().items()}
    save_file({**encoder, **decoder_keys(vae, "taesd_decoder.")}, folder / "taesd.safetensors")
    return folder / "taesd.safetensors"


def diffusers_folder(vae: AutoencoderTiny, folder: Path) -> Path:
    vae.save_pretrained(folder / "taesd")
    return folder / "taesd" / "diffusion_pytorch_model.safetensors"


def previews(model: Model, root: Path) -> Previews:
    return Previews(model, Loaded(), PreviewMemory(), (root,))


def shown(previewer: Previewer, latents: torch.Tensor) -> tuple[bytes, ...]:
    with previewer:
        previewer.offer(latents)
        return previewer.take(wait_s=30)


@pytest.mark.rule("E104", "E9")
@pytest.mark.parametrize("write", [decoder_alone, both_prefixed, diffusers_folder])
def test_tiny_previews_are_those_of_diffusers_in_every_layout(
    model: Model, tiny: AutoencoderTiny, tmp_path: Path, write: Callable[[AutoencoderTiny, Path], Path]
) -> None:
    path = write(tiny, tmp_path / "vae_approx")
    latents = torch.randn((2, 4, 6, 8), generator=torch.Generator().manual_seed(0))
    # When
    assert find_tiny([tmp_path], "taesd") == path
    pictures = tiny_colours(load_tiny(path, CPU), model, path.name)(latents)
    # Then
    with torch.inference_mode():
        expected = tiny.decode(latents).sample
    for picture, wanted in zip(pictures, expected, strict=True):
        assert picture.size == (64, 48)
        assert abs(np.asarray(picture).astype(int) - to_pixels(wanted).astype(int)).max() <= 1
    previewer, warnings = previewer_of("tiny", 1, previews(model, tmp_path))
    assert warnings == ()
    assert len(shown(previewer, latents)) == 2


@pytest.mark.rule("E104")
def test_large_latents_are_shrunk_before_the_tiny_decoder(model: Model, tiny: AutoencoderTiny, tmp_path: Path) -> None:
    colours = tiny_colours(load_tiny(decoder_alone(tiny, tmp_path), CPU), model, "taesd_decoder.safetensors")
    (picture,) = colours(torch.zeros(1, 4, 256, 16))
    assert picture.size == (64, 1024)


@pytest.mark.rule("E104")
def test_the_file_is_found_by_the_familys_name_for_it(model: Model, tiny: AutoencoderTiny, tmp_path: Path) -> None:
    folder = tmp_path / "VAE-taesd"
    decoder_alone(tiny, folder).rename(folder / "taesdxl_decoder.safetensors")
    with pytest.raises(ModelNotFound, match=r"No tiny autoencoder named 'taesd_decoder'.* in the folder vae_approx of a models folder"):
        find_tiny([tmp_path], "taesd")
    assert find_tiny([tmp_path], "taesdxl").name == "taesdxl_decoder.safetensors"
    (tmp_path / "vae_approx").mkdir()
    (folder / "taesdxl_decoder.safetensors").rename(tmp_path / "vae_approx" / "TAESD_encoder.safetensors")
    with pytest.raises(ModelNotFound):
        find_tiny([tmp_path], "taesd")
    torch.save({}, tmp_path / "vae_approx" / "taesd_decoder.pth")
    with pytest.raises(PickleRefused):
        find_tiny([tmp_path], "taesd")
    assert {family.name: family.tiny for family in FAMILIES} == {"sd1": "taesd", "sd2": "taesd", "sdxl": "taesdxl", "sdxl_refiner": "taesdxl"}


def missing(tiny: AutoencoderTiny, folder: Path) -> str:
    return "No tiny autoencoder named 'taesd_decoder'"


def damaged(tiny: AutoencoderTiny, folder: Path) -> str:
    path = decoder_alone(tiny, folder)
    path.write_bytes(path.read_bytes()[:-100])
    return "'taesd_decoder.safetensors' is damaged"


def another_kind(tiny: AutoencoderTiny, folder: Path) -> str:
    folder.mkdir(parents=True)
    save_file({"model.weight": torch.zeros(2, 2)}, folder / "taesd.safetensors")
    return "it holds no decoder of a tiny autoencoder"


def incomplete(tiny: AutoencoderTiny, folder: Path) -> str:
    folder.mkdir(parents=True)
    save_file({key: value for key, value in decoder_keys(tiny).items() if not key.startswith("4.conv.2")}, folder / "taesd.safetensors")
    return "'taesd.safetensors' has no complete"


def another_latent(tiny: AutoencoderTiny, folder: Path) -> str:
    decoder_alone(AutoencoderTiny(decoder_block_out_channels=(8,) * 4, encoder_block_out_channels=(8,) * 4, latent_channels=16), folder)
    return "'taesd_decoder.safetensors' is for latents of 16 channels"


@pytest.mark.rule("E104")
@pytest.mark.parametrize("spoil", [missing, damaged, another_kind, incomplete, another_latent])
def test_without_a_usable_file_previews_are_linear_and_the_job_says_so(
    model: Model, tiny: AutoencoderTiny, tmp_path: Path, spoil: Callable[[AutoencoderTiny, Path], str]
) -> None:
    reason = spoil(tiny, tmp_path / "vae_approx")
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    # When
    previewer, (warning,) = previewer_of("tiny", 1, previews(model, tmp_path))
    # Then
    assert (warning.code, warning.path) == ("preview_linear", "preview")
    assert warning.message.startswith("Previews are linear instead of tiny. ")
    assert reason in warning.message
    assert warning.message.count("vae_approx") == 1
    assert warning.message.endswith("taesd_decoder.safetensors in the folder vae_approx of a models folder.")
    linear, _ = previewer_of("linear", 1, previews(model, tmp_path))
    assert shown(previewer, latents) == shown(linear, latents)


@pytest.mark.rule("E112")
def test_the_decoder_is_read_once_and_again_when_its_file_changed(tiny: AutoencoderTiny, tmp_path: Path) -> None:
    decoders, path = TinyDecoders(), decoder_alone(tiny, tmp_path)
    first = decoders.get(path, CPU)
    assert decoders.get(path, CPU) is first
    save_file({key: value + 1 for key, value in decoder_keys(tiny).items()}, path)
    second = decoders.get(path, CPU)
    assert second is not first
    assert not torch.equal(next(second.parameters()), next(first.parameters()))
    path.write_bytes(b"no model")
    with pytest.raises(CorruptFile):
        decoders.get(path, CPU)


@pytest.mark.rule("E104")
def test_where_the_vae_overflows_the_preview_is_linear(model: Model, tmp_path: Path) -> None:
    vae = copy.deepcopy(model.vae)
    torch.nn.init.constant_(vae.decoder.conv_in.weight, float("inf"))
    spoiled = dataclasses.replace(model, vae=vae, family=dataclasses.replace(model.family, preview=FAMILIES[0].preview))
    latents = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    assert shown(previewer_of("full", 1, previews(spoiled, tmp_path))[0], latents) == shown(previewer_of("linear", 1, previews(spoiled, tmp_path))[0], latents)


@pytest.mark.rule("E104")
def test_every_mode_a_request_may_ask_for_has_a_row(model: Model, tmp_path: Path) -> None:
    asked = Generate.model_json_schema()["properties"]["preview"]["enum"]
    assert list(MODES) == asked
    assert shown(previewer_of("off", 1, previews(model, tmp_path))[0], torch.zeros(1, 4, 8, 8)) == ()


@pytest.mark.rule("E104")
def test_no_mode_changes_a_bit_of_the_picture(tiny: AutoencoderTiny, tmp_path: Path) -> None:
    # Given the model that ships, and a file for the tiny mode
    decoder_alone(tiny, tmp_path / "models" / "vae_approx")
    bench = Bench(STARTER, tmp_path)
    bench.places = dataclasses.replace(bench.places, models=(STARTER, tmp_path / "models"))
    pictures, previewed = {}, {}
    for mode in MODES:
        result = bench.run(model="sfumato-starter", prompt="a red circle", steps=3, sampler="Euler a", preview=mode)
        assert result.warnings == ()
        pictures[mode] = [np.asarray(Image.open(io.BytesIO(data))) for data in bench.pictures]
        previewed[mode] = sum(len(said.preview) for said in bench.recording.progress_made)
    # Then
    for mode in MODES:
        assert all(np.array_equal(one, other) for one, other in zip(pictures[mode], pictures["off"], strict=True)), mode
    assert previewed["off"] == 0
    assert previewed["tiny"] >= 1
    assert previewed["full"] >= 1


@pytest.mark.rule("E104")
def test_a_missing_file_is_told_in_the_result_but_not_in_the_picture(bench: Bench) -> None:
    result = bench.run(preview="tiny")
    assert [(warning.code, warning.path) for warning in result.warnings] == [("preview_linear", "preview")]
    assert isinstance(result.warnings[0], JobWarning)
    assert b"preview_linear" not in bench.pictures[0]


@pytest.mark.rule("E113")
def test_finished_pictures_may_be_decoded_by_the_tiny_autoencoder(bench: Bench, tiny: AutoencoderTiny) -> None:
    # its file is wanted, whatever previews do without it
    with pytest.raises(ModelNotFound) as caught:
        bench.run(decoder="tiny")
    assert caught.value.path == "decoder"
    file = decoder_alone(tiny, bench.places.models[0] / "vae_approx")
    try:
        plain = bench.run(width=64, height=64).images[0]
        quick = bench.run(width=64, height=64, decoder="tiny").images[0]
        assert (quick.width, quick.height) == (plain.width, plain.height) == (64, 64)
        assert "Decoder: tiny" in quick.infotext and "Decoder" not in plain.infotext
        kept = bench.kept.get(PreviewMemory)
        assert kept.nbytes == sum(weight.nbytes for weight in tiny.decoder.parameters())
        kept.clear()
        assert kept.nbytes == 0
    finally:
        file.unlink()
