"""Previews show what is coming, cost the loop nothing and change nothing."""

from __future__ import annotations

import dataclasses
import io
import itertools
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.decoding import decode, to_pixels
from sfumato.engine.families import FAMILIES
from sfumato.engine.family import Family, Model
from sfumato.engine.memory import Loaded
from sfumato.engine.preview import Previewer, factors_of, fit_factors, linear_colours
from sfumato.engine.preview.previewer import SHARE, Price, jpeg
from sfumato.protocol.errors import NumbersInvalid
from tests.engine.conftest import Bench


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.rule("E104")
def test_linear_preview_is_the_factors_times_the_latent(model: Model) -> None:
    factors = model.family.preview
    latents = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    pictures = linear_colours(factors, 1)(latents)
    expected = torch.einsum("rc,bchw->brhw", torch.tensor(factors.weights), latents) + torch.tensor(factors.bias)[None, :, None, None]
    for picture, wanted in zip(pictures, expected, strict=True):
        assert abs(np.asarray(picture).astype(int) - to_pixels(wanted).astype(int)).max() <= 1  # a rounding apart


# The colours of each latent channel at 2 and the others at 0, for the two VAEs whose latents the families share.
SD1_COLOURS = ([204, 180, 181], [175, 200, 172], [87, 176, 195], [81, 58, 7])
SDXL_COLOURS = ([234, 233, 238], [77, 124, 155], [169, 154, 118], [61, 62, 72])
KNOWN = {"sd1": SD1_COLOURS, "sd2": SD1_COLOURS, "sdxl": SDXL_COLOURS, "sdxl_refiner": SDXL_COLOURS}


@pytest.mark.rule("E104", "R46")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_R46_stored_factors_give_known_colours(family: Family) -> None:
    colours = linear_colours(family.preview, 8)
    for channel, expected in enumerate(KNOWN[family.name]):
        latent = torch.zeros(1, 4, 8, 8)
        latent[:, channel] = 2.0
        assert np.asarray(colours(latent)[0])[4, 4].tolist() == pytest.approx(expected, abs=1), channel


@pytest.mark.rule("R46")
def test_R46_families_with_another_latent_have_another_table() -> None:
    for one, other in itertools.combinations(FAMILIES, 2):
        assert (one.latent == other.latent) == (one.preview == other.preview) == (one.tiny == other.tiny), (one.name, other.name)
    assert len({family.latent for family in FAMILIES}) >= 2


class LinearVae(torch.nn.Module):
    """Decodes by one matrix, so that the right factors are known."""

    def __init__(self, weights: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weights, self.bias = torch.nn.Parameter(weights), bias
        self.config = {"block_out_channels": (1, 2)}
        self.dtype = torch.float32

    def decode(self, latents: torch.Tensor, return_dict: bool) -> tuple[torch.Tensor]:
        del return_dict
        colours = torch.einsum("rc,bchw->brhw", self.weights, latents * 0.18215) + self.bias[None, :, None, None]
        return (colours.repeat_interleave(8, 2).repeat_interleave(8, 3),)


@pytest.mark.rule("E104")
def test_factors_are_measured_where_the_vae_is_not_the_standard_one(model: Model) -> None:
    # Given a VAE whose colours stay inside the range
    weights, bias = torch.randn((3, 4), generator=torch.Generator().manual_seed(2)) * 0.05, torch.tensor([0.1, -0.2, 0.0])
    factors = factors_of(dataclasses.replace(model, vae=LinearVae(weights, bias)))
    # Then
    torch.testing.assert_close(torch.tensor(factors.weights), weights, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.tensor(factors.bias), bias, atol=1e-5, rtol=0)
    assert factors_of(model) != model.family.preview


@pytest.mark.rule("E104")
@pytest.mark.parametrize(("latent", "side"), [(8, 64), (64, 512), (80, 512)])
def test_previews_are_small_jpegs_one_for_each_picture(model: Model, latent: int, side: int) -> None:
    with Previewer(linear_colours(model.family.preview, 8)) as previewer:
        previewer.offer(torch.zeros(2, 4, latent, latent))
        made = previewer.take(wait_s=30)
    assert len(made) == 2
    assert all(opened(data).format == "JPEG" and opened(data).size == (side, side) for data in made)
    reference = io.BytesIO()
    Image.new("RGB", (8, 8)).save(reference, "JPEG", quality=80)
    assert opened(made[0]).quantization == opened(reference.getvalue()).quantization


@pytest.mark.rule("E104")
def test_previews_come_at_most_ten_times_a_second_and_every_so_many_calls() -> None:
    clock = Clock()
    made: list[int] = []

    def colours(latents: torch.Tensor) -> list[Image.Image]:
        made.append(int(latents[0, 0, 0, 0]))
        return [Image.new("RGB", (8, 8))]

    with Previewer(colours, every=2, clock=clock) as previewer:
        for call in range(40):
            previewer.offer(torch.full((1, 4, 2, 2), float(call)))
            previewer.take(wait_s=30)
            clock.now += 0.03
    # Every second call is due each 0.06 s; of these every second one is 0.12 s after the last.
    assert made == list(range(1, 40, 4))


class Dear:
    """Colours that take their time."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds, self.count = clock, seconds, 0

    def __call__(self, latents: torch.Tensor) -> list[Image.Image]:
        self.count += 1
        self.clock.now += self.seconds
        return [Image.new("RGB", (8, 8))]


@pytest.mark.rule("E104")
@pytest.mark.parametrize(("cost", "step"), [(0.001, 0.01), (0.02, 0.05), (0.5, 0.05), (3.0, 10.0), (8.0, 10.0)])
def test_by_default_previews_take_no_more_than_a_twentieth_of_the_time(cost: float, step: float) -> None:
    clock = Clock()
    colours = Dear(clock, cost)
    with Previewer(colours, clock=clock, beside=False) as previewer:
        for call in range(1000):
            previewer.offer(torch.zeros(1, 4, 2, 2))
            previewer.take()
            clock.now += step
            # the first one's price is learnt by paying it
            assert (colours.count - 1) * cost <= SHARE * clock.now, call
    assert colours.count >= min(0.9 * SHARE * clock.now / cost, 9 * clock.now)
    assert SHARE < 0.05


@pytest.mark.rule("E104")
def test_a_later_job_knows_what_previews_cost_at_its_size() -> None:
    clock, price = Clock(), Price()
    counts = []
    for side, calls in ((2, 1), (2, 9), (4, 9)):  # the last one's previews cost four times as much
        colours = Dear(clock, 0.04 * (side / 2) ** 2)
        with Previewer(colours, clock=clock, beside=False, price=price) as previewer:
            for _ in range(calls):
                clock.now += 0.15
                previewer.offer(torch.zeros(1, 4, side, side))
                previewer.take()
        counts.append(colours.count)
    # one is paid to learn the price; then 1.2 s of work allow for one at 0.04 s and for none at 0.16 s
    assert counts == [1, 1, 0]


@pytest.mark.rule("E104")
def test_previews_asked_for_at_certain_steps_are_made_whatever_they_cost() -> None:
    clock = Clock()
    colours = Dear(clock, 5.0)
    with Previewer(colours, every=3, clock=clock, beside=False) as previewer:
        for _ in range(12):
            previewer.offer(torch.zeros(1, 4, 2, 2))
            previewer.take()
            clock.now += 1.0
    assert colours.count == 4


@pytest.mark.rule("E104")
def test_previews_show_the_denoised_picture_not_the_noisy_one(bench: Bench) -> None:
    # With a single step of Euler the prediction is the result.
    bench.run(steps=1, sampler="Euler", preview="full")
    shown = [preview for said in bench.recording.progress_made for preview in said.preview]
    assert shown == [jpeg(opened(bench.pictures[0]).convert("RGB"))]


@pytest.mark.rule("E104")
def test_a_late_preview_is_skipped_and_never_waited_for() -> None:
    release, entered, clock = threading.Event(), threading.Event(), Clock()
    made: list[int] = []

    def colours(latents: torch.Tensor) -> list[Image.Image]:
        made.append(int(latents[0, 0, 0, 0]))
        entered.set()
        assert release.wait(30)
        return [Image.new("RGB", (8, 8))]

    with Previewer(colours, clock=clock) as previewer:
        for call in range(5):
            clock.now += 1
            previewer.offer(torch.full((1, 4, 2, 2), float(call)))
            assert previewer.take() == ()
        assert entered.wait(30)
        release.set()
        assert len(previewer.take(wait_s=30)) == 1
        assert previewer.take() == ()
    assert made == [0]


@pytest.mark.rule("E104")
def test_no_preview_is_made_when_it_is_off() -> None:
    with Previewer(None) as previewer:
        previewer.offer(torch.zeros(1, 4, 8, 8))
        assert previewer.take(wait_s=1) == ()


@pytest.mark.rule("E112")
def test_factors_are_measured_once_per_model(model: Model) -> None:
    loaded = Loaded()
    held = loaded.load(model.checkpoint.path, model.device, lambda done, total: None)
    assert loaded.preview_factors(held) is loaded.preview_factors(held)
    assert loaded.preview_factors(held).bias == pytest.approx(fit_factors(model).bias, abs=1e-6)


@pytest.mark.rule("E108")
def test_decoding_gives_rounded_pixels_or_an_error(model: Model) -> None:
    latent = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    pixels = decode(model, latent)
    with torch.inference_mode():
        expected = ((model.vae.decode(latent / 0.18215).sample[0] + 1) * 127.5).round().clamp(0, 255).permute(1, 2, 0)
    assert pixels.shape == (64, 64, 3)
    assert torch.equal(torch.from_numpy(pixels).float(), expected)
    with pytest.raises(NumbersInvalid, match="decoding"):
        decode(model, torch.full((1, 4, 8, 8), float("nan")))


@pytest.mark.rule("E108")
def test_an_overflow_in_half_precision_is_decoded_again_in_float32(model: Model) -> None:
    # Given a VAE in half precision whose first layer overflows there but not in float32
    import copy

    vae = copy.deepcopy(model.vae)
    vae.decoder.conv_in.weight.mul_(3000)
    vae.half()
    half = dataclasses.replace(model, vae=vae)
    before = {name: weight.clone() for name, weight in vae.state_dict().items()}
    latent = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0)) * 5
    with torch.inference_mode():
        assert not bool(vae.decode((latent / 0.18215).half()).sample.isfinite().all())
    # When
    pixels = decode(half, latent)
    # Then it is a picture, and the VAE has the very numbers it had
    assert pixels.std() > 0
    assert vae.dtype == torch.float16
    assert all(torch.equal(weight, before[name]) for name, weight in vae.state_dict().items())


@pytest.mark.parametrize("beside", [True, False])
def test_a_preview_that_finds_no_memory_costs_no_picture(caplog: pytest.LogCaptureFixture, beside: bool) -> None:
    def colours(latents: torch.Tensor) -> list[Image.Image]:
        raise torch.OutOfMemoryError("no memory for a preview")

    with Previewer(colours, beside=beside) as previewer:
        previewer.offer(torch.zeros(1, 4, 8, 8))
        assert previewer.take(wait_s=10) == ()
    assert "a preview could not be made" in caplog.text
    caplog.clear()
