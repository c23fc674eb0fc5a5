"""Seamless tiling: models that do not know where a picture begins, and that are as before when it is over (E73, E105)."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from sfumato.engine.patches.tiling import Tiling, tiled
from tests.support.tiny_models import TinyModules, tiny_modules

AXES: dict[Tiling, tuple[int, ...]] = {"x": (-1,), "y": (-2,), "both": (-1, -2)}


@pytest.fixture(scope="module")
def tiny() -> TinyModules:
    return tiny_modules(seed=3)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def rolled(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Rolled by half its length along each axis."""
    return values.roll([values.shape[axis] // 2 for axis in axes], axes)


def decode(tiny: TinyModules, latent: Tensor) -> Tensor:
    with torch.inference_mode():
        return tiny.vae.decode(latent, return_dict=False)[0]


def encode(tiny: TinyModules, picture: Tensor) -> Tensor:
    with torch.inference_mode():
        return tiny.vae.encode(picture).latent_dist.mean


def denoise(tiny: TinyModules, latent: Tensor) -> Tensor:
    with torch.inference_mode():
        return tiny.unet(latent, torch.tensor([500.0]), encoder_hidden_states=random(1, 77, 32), return_dict=False)[0]


STAGES = {
    "decode": (decode, (1, 4, 8, 12)),
    "encode": (encode, (1, 3, 64, 96)),
    "denoise": (denoise, (1, 4, 8, 12)),
}


@pytest.mark.rule("E73")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("tiling", AXES)
def test_what_is_rolled_before_is_rolled_after(tiny: TinyModules, stage: str, tiling: Tiling) -> None:
    run, shape = STAGES[stage]
    values = random(*shape)
    with tiled([tiny.unet, tiny.vae], tiling):
        straight, turned = run(tiny, values), run(tiny, rolled(values, AXES[tiling]))
        crossed = {axis: run(tiny, rolled(values, (axis,))) for axis in (-1, -2) if axis not in AXES[tiling]}
    tolerance = 1e-4 * straight.abs().max()
    assert torch.allclose(turned, rolled(straight, AXES[tiling]), atol=tolerance)
    # An axis that was not asked for, and any axis without the patch, still has its edges.
    for axis, other in crossed.items():
        assert not torch.allclose(other, rolled(straight, (axis,)), atol=10 * tolerance)
    assert not torch.allclose(run(tiny, rolled(values, AXES[tiling])), rolled(run(tiny, values), AXES[tiling]), atol=10 * tolerance)


@pytest.mark.rule("E73")
def test_tiled_pictures_are_those_of_a_latent_repeated(tiny: TinyModules) -> None:
    # An independent way to the same pixels: the decoder without the patch on three copies side by side; the middle one has seen its neighbours.
    # Convolutions alone, as attention and group norms would see three times as much.
    convolutions = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.Upsample(scale_factor=2), nn.Conv2d(6, 6, 3, padding=1, dilation=1), nn.Conv2d(6, 3, 1))
    values = random(2, 4, 9, 10)
    with torch.inference_mode():
        wide = convolutions(torch.cat([values] * 3, dim=-1))[..., 20:40]
        high = convolutions(torch.cat([values] * 3, dim=-2))[..., 18:36, :]
        with tiled([convolutions], "x"):
            assert torch.allclose(convolutions(values), wide, atol=1e-5)
        with tiled([convolutions], "y"):
            assert torch.allclose(convolutions(values), high, atol=1e-5)


@pytest.mark.rule("E73")
@pytest.mark.parametrize("options", [{"padding": "same"}, {"padding": "same", "dilation": 2}, {"padding": (2, 1), "kernel_size": (5, 3)}, {"padding": "valid"}])
@pytest.mark.parametrize("tiling", ["x", "y", "both"])
def test_every_kind_of_padding_is_made_circular(options: dict[str, object], tiling: Tiling) -> None:
    conv = nn.Conv2d(2, 2, **{"kernel_size": 3, **options})  # type: ignore[arg-type]
    reference = nn.Conv2d(2, 2, **{"kernel_size": 3, **options}, padding_mode="circular")  # type: ignore[arg-type]
    reference.load_state_dict(conv.state_dict())
    values = random(1, 2, 8, 7)
    with torch.inference_mode(), tiled([conv], tiling):
        result = conv(values)
    with torch.inference_mode():
        both = reference(values)
        assert result.shape == both.shape
        middle = {"x": (..., slice(2, -2), slice(None)), "y": (..., slice(2, -2)), "both": (...,)}[tiling]
        assert torch.allclose(result[middle], both[middle], atol=1e-6)


@pytest.mark.rule("E73")
@pytest.mark.parametrize("tiling", AXES)
def test_the_tiny_autoencoder_tiles_too(tiling: Tiling) -> None:
    torch.manual_seed(0)
    small = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8), num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1)
    ).eval()
    with torch.inference_mode(), tiled([small], tiling):
        latent, picture = random(1, 4, 8, 8), random(1, 3, 64, 64)
        assert torch.allclose(small.decode(rolled(latent, AXES[tiling])).sample, rolled(small.decode(latent).sample, AXES[tiling]), atol=1e-5)
        assert torch.allclose(small.encode(rolled(picture, AXES[tiling])).latents, rolled(small.encode(picture).latents, AXES[tiling]), atol=1e-5)


def state(models: list[nn.Module]) -> list[object]:
    """Everything of every module that could be left changed: its own attributes, hooks, padding, and the tensors themselves."""
    found: list[object] = []
    for model in models:
        for module in model.modules():
            own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
            found.append((id(module), own.keys(), dict(module._forward_pre_hooks), dict(module._forward_hooks), module.forward.__func__))
            found.append([(name, value) for name, value in own.items() if isinstance(value, int | str | tuple)])
        found += [(id(tensor), tensor._version, tensor.data_ptr()) for tensor in (*model.parameters(), *model.buffers())]
    return found


@pytest.mark.rule("E105")
def test_nothing_is_left_of_it(tiny: TinyModules) -> None:
    models: list[nn.Module] = [tiny.unet, tiny.vae]
    latent = random(1, 4, 8, 8)
    before, picture = state(models), decode(tiny, latent)
    for tiling in ("none", *AXES):
        with tiled(models, tiling):
            decode(tiny, latent)
        assert state(models) == before
    assert torch.equal(decode(tiny, latent), picture)


@pytest.mark.rule("E105")
@pytest.mark.parametrize("tiling", AXES)
def test_an_exception_undoes_it_as_well(tiny: TinyModules, tiling: Tiling) -> None:
    models: list[nn.Module] = [tiny.unet, tiny.vae]
    before = state(models)
    with pytest.raises(KeyboardInterrupt), tiled(models, tiling):
        raise KeyboardInterrupt
    assert state(models) == before
    # Also one from inside a convolution, and one while patches are inside each other.
    with pytest.raises(RuntimeError), tiled(models, "x"), tiled(models, "y"):
        decode(tiny, random(1, 5, 8, 8))
    assert state(models) == before


@pytest.mark.rule("E105")
def test_one_axis_inside_the_other_is_both(tiny: TinyModules) -> None:
    latent = random(1, 4, 8, 8)
    with tiled([tiny.vae], "both"):
        both = decode(tiny, latent)
    with tiled([tiny.vae], "x"), tiled([tiny.vae, tiny.vae], "y"):
        assert torch.allclose(decode(tiny, latent), both, atol=1e-6)


def test_no_tiling_adds_nothing(tiny: TinyModules) -> None:
    latent = random(1, 4, 8, 8)
    with tiled([tiny.vae], "none"):
        assert all(not module._forward_pre_hooks for module in tiny.vae.modules())
        inside = decode(tiny, latent)
    assert torch.equal(inside, decode(tiny, latent))
