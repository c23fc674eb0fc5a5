"""Networks that are on the device only for their turn: the same pictures, less memory, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from sfumato.engine.job_memory import networks_of
from sfumato.engine.offload import Pieces, bring, largest_piece, nbytes, place_of
from sfumato.protocol.errors import Stopped
from tests.engine.memory.conftest import Workshop, furthest
from tests.support.small_device import KIND, PLACE, small_device
from tests.support.studio import Pixels, Studio, gradient
from tests.support.tiny_models import tiny_modules

WAYS = ("none", "components", "blocks", "sequential")
OnCpu = Callable[..., list[Pixels]]


def hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


@pytest.mark.rule("E110", "E105")
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_the_same_however_networks_are_kept(workshop: Workshop, on_cpu: OnCpu, way: str) -> None:
    assert furthest(workshop.paint(offload=way), on_cpu(steps=1)) <= 1
    model = workshop.loaded.latest
    assert model is not None
    assert {place.type for network in networks_of(model) if (place := place_of(network)) is not None} <= ({KIND} if way == "none" else {"cpu", KIND})
    assert all(hooks(network) == 0 for network in networks_of(model))
    # On real devices the object stays; here at least its numbers do
    expected = workshop.files.modules("sd1").unet.state_dict()
    assert all(torch.equal(weight.cpu(), expected[name].half().float()) for name, weight in model.unet.state_dict().items())


@pytest.mark.slow
@pytest.mark.rule("E110", "E105")
@pytest.mark.parametrize("way", ["components", "sequential"])
def test_it_combines_with_a_second_encoder_a_picture_a_refiner_patches_and_previews(workshop: Workshop, on_cpu: OnCpu, way: str) -> None:
    fields = {"model": workshop.model("sdxl"), "refiner": workshop.model("refiner"), "refiner_switch_at": 0.5, "refiner_pass": "both", "steps": 2}
    fields |= {"pag_scale": 2.0, "freeu_b1": 1.2, "tiling": "x", "strength": 1.0, "image": gradient(), "preview": "full"}
    made = workshop.paint(**fields, offload=way)
    assert furthest(made, on_cpu(**fields)) <= 1


@pytest.mark.rule("E110", "E105")
def test_a_cancelled_job_leaves_networks_whole_and_without_hooks(workshop: Workshop) -> None:
    with pytest.raises(Stopped):
        workshop.paint(offload="blocks", steps=3, cancel_at=("denoise", 1))
    model = workshop.loaded.latest
    assert model is not None
    assert [hooks(network) for network in networks_of(model)] == [0] * 3
    assert place_of(model.unet) == torch.device("cpu")


@pytest.mark.rule("E110")
def test_the_less_is_kept_the_less_memory_a_network_takes() -> None:
    # Given a network that is larger than what it computes in
    unet = tiny_modules("sd1").unet
    x, time, context = torch.randn(1, 4, 4, 4), torch.ones(1), torch.randn(1, 77, 32)
    with torch.inference_mode():
        expected = unet(x, time, context, return_dict=False)[0]
    peaks = []
    with small_device() as device:
        inputs = x.to(PLACE), time.to(PLACE), context.to(PLACE)
        for share in (None, 1 / 12, 0.0):
            base = device.live_bytes
            device.begin_peak()
            pieces = None if share is None else Pieces(unet, PLACE, share)
            bring(unet, PLACE) if pieces is None else pieces.install()
            with torch.inference_mode():
                assert torch.equal(unet(*inputs, return_dict=False)[0].cpu(), expected)
            peaks.append(device.peak_bytes - base)
            bring(unet, torch.device("cpu")) if pieces is None else pieces.remove()
            assert device.live_bytes == base
    assert peaks[0] > 2 * peaks[1] > 2 * peaks[2]
    assert largest_piece(unet, 0.0) <= largest_piece(unet) <= nbytes(unet) / 2


@pytest.mark.rule("E110", "E105")
def test_weights_are_the_same_objects_with_the_same_numbers_after_an_error_inside() -> None:
    unet = tiny_modules("sd1").unet
    before = [(parameter, parameter.data_ptr()) for parameter in unet.parameters()]
    with small_device():
        pieces = Pieces(unet, PLACE)
        pieces.install()
        with pytest.raises(RuntimeError):
            unet(torch.zeros(1, 5, 4, 4).to(PLACE), torch.ones(1).to(PLACE), torch.zeros(1, 77, 32).to(PLACE))
        pieces.remove()
    assert [(id(parameter), parameter.data_ptr()) for parameter in unet.parameters()] == [(id(parameter), address) for parameter, address in before]
    assert hooks(unet) == 0


class Skipping(nn.Module):
    """Leaves its middle layer out where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = (nn.Linear(3, 3) for _ in range(3))

    def forward(self, x: torch.Tensor, is_whole: bool) -> torch.Tensor:
        x = self.first(x)
        return self.last(self.middle(x) if is_whole else x)


@pytest.mark.rule("E105")
def test_what_was_brought_for_a_piece_that_a_call_left_out_does_not_stay() -> None:
    # Given a network whose next piece is brought while one works, in the order that was seen last
    network, x = Skipping(), torch.ones(1, 3)
    with small_device():
        pieces = Pieces(network, PLACE, 0.0)
        pieces._beside = True  # as on a graphics card, but for the stream
        pieces.install()
        network(x.to(PLACE), True)
        # When a call leaves a piece out
        made = network(x.to(PLACE), False).cpu()
        # Then its weights wait where they can be given other numbers
        assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
        pieces.remove()
    assert torch.equal(made, network(x, False))


def test_a_weight_that_was_not_brought_is_noticed() -> None:
    # That the device of these tests tells places apart is what their other results rest on
    layer = nn.Linear(3, 3)
    with small_device(), pytest.raises(RuntimeError, match="same device"):
        layer(torch.zeros(1, 3).to(PLACE))


@pytest.mark.rule("E110")
def test_on_the_processor_there_is_nothing_to_move_and_the_job_says_so(studio: Studio) -> None:
    studio.one(offload="blocks")
    assert [warning.code for warning in studio.result.warnings] == ["offload"]
