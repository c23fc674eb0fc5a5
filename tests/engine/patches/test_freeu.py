"""FreeU against diffusers' own filter, at the places where channel counts say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.utils.torch_utils import apply_freeu, fourier_filter

from sfumato.engine.patches.freeu import FreeU, FreeUSettings, scaled_low_frequencies
from tests.engine.patches.bare import assert_bare, noise, state_of
from tests.support.tiny_models import tiny_modules

SETTINGS = FreeUSettings(b1=1.5, b2=1.6, s1=0.9, s2=0.2)


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return tiny_modules(seed=4).unet


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def run(unet: UNet2DConditionModel, seed: int = 1) -> torch.Tensor:
    return unet(noise(2, 4, 8, 8, seed=seed), torch.tensor([500.0]), encoder_hidden_states=noise(2, 77, 32), return_dict=False)[0]


@pytest.mark.rule("E58")
@pytest.mark.parametrize("size", [(8, 8), (2, 2), (7, 12), (16, 3)])
def test_low_frequencies_are_scaled_as_by_the_reference(size: tuple[int, int]) -> None:
    x = noise(2, 3, *size)
    torch.testing.assert_close(scaled_low_frequencies(x, 0.2), fourier_filter(x, threshold=1, scale=0.2), atol=1e-5, rtol=0)
    assert scaled_low_frequencies(x, 1.0) is x
    assert scaled_low_frequencies(x.bfloat16(), 0.5).dtype == torch.bfloat16


@pytest.mark.rule("E58", "E105")
def test_the_up_side_gets_what_the_formula_gives(unet: UNet2DConditionModel) -> None:
    seen: list[tuple[torch.nn.Module, torch.Tensor]] = []
    blocks = [block for level in unet.up_blocks for block in level.resnets]
    before, plain = state_of(unet), run(unet)
    with FreeU(unet, SETTINGS) as patch:
        assert torch.equal(run(unet), plain)  # until it is switched on
        first = [
            block.register_forward_pre_hook(lambda module, args: seen.append((module, args[0])), prepend=number == 0)
            for block in blocks[:1]
            for number in range(2)
        ]
        patch.is_on = True
        made = run(unet)
        for handle in first:
            handle.remove()
    assert not torch.allclose(made, plain, atol=1e-3)
    # What enters the first block, before and after, by diffusers' formula for its widest level
    (_, raw), (_, changed) = seen
    features, skip = apply_freeu(0, raw[:, :64].clone(), raw[:, 64:].clone(), s1=0.9, s2=0.2, b1=1.5, b2=1.6)
    torch.testing.assert_close(changed, torch.cat([features, skip], dim=1), atol=1e-5, rtol=0)
    assert_bare(unet, before)
    assert torch.equal(run(unet), plain)


@pytest.mark.rule("E58")
def test_sd_is_changed_at_1280_and_640_channels() -> None:
    unet = _wide()
    patch = FreeU(unet, SETTINGS)
    assert [(features, b, s) for _, features, b, s in patch._places] == [(128, 1.5, 0.9)] * 7 + [(64, 1.6, 0.2)] * 3


def _wide() -> UNet2DConditionModel:
    """SD's shape at a tenth of its width."""
    return UNet2DConditionModel(block_out_channels=(32, 64, 128, 128), cross_attention_dim=32, norm_num_groups=8)


@pytest.mark.rule("E105")
def test_an_exception_leaves_nothing_behind(unet: UNet2DConditionModel) -> None:
    before, patch = state_of(unet), FreeU(unet, SETTINGS)

    def cancelled() -> None:
        with patch:
            patch.is_on = True
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        cancelled()
    assert not patch.is_on
    assert_bare(unet, before)


@pytest.mark.rule("E58")
def test_ones_are_off() -> None:
    assert FreeUSettings().is_off
    assert not SETTINGS.is_off
