"""Networks that take turns within a pass: the same as if each were merged, by either way, and nothing of them is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from sfumato.engine.attachments import BEGINNING
from sfumato.engine.conditioning import Conditioner, Conditioning, EncodingCache, TextSettings
from sfumato.engine.denoiser import Row, UNetNetwork
from sfumato.engine.family import Model
from sfumato.engine.networks.changing import ActingHypernetworks, ChangingNetworks
from sfumato.engine.networks.file import open_network
from sfumato.engine.networks.hypernetworks import open_hypernetwork
from sfumato.engine.networks.shares import NO_SHARES, Acting, Share, Shares, arranged, shared_by_all
from sfumato.engine.networks.weights import NetworkWeights
from sfumato.engine.patches.tiling import tiled
from sfumato.prompts import PassSpan, read_prompt
from sfumato.protocol.errors import Stopped
from tests.engine.conftest import TinyModel
from tests.engine.networks.fingerprints import addresses, bits, traces
from tests.support.hypernetwork_files import hypernetwork_modules, write_hypernetwork
from tests.support.network_files import NetworkKind, write_network

# All that fits into copies, and nothing.
WAYS = {"laid": 1 << 30, "added": 0}


def no_check() -> None: ...


@pytest.fixture(autouse=True)
def _inference(tiny_model: TinyModel) -> Iterator[None]:
    tiny_model("sd1")  # made before, as the engine loads it: what is made in this mode cannot be patched
    with torch.inference_mode():
        yield


@pytest.fixture
def model(tiny_model: TinyModel) -> Iterator[Model]:
    """Afterwards every bit, every hook and every forward is as before."""
    found = tiny_model("sd1")[0]
    before = bits(found.unet), addresses(found.unet), traces([found.unet])
    yield found
    assert (bits(found.unet), addresses(found.unet), traces([found.unet])) == before


@pytest.fixture
def share(tmp_path: Path, tiny_model: TinyModel) -> Callable[..., Share]:
    model, modules = tiny_model("sd1")

    def made(kind: NetworkKind = "lora", weight: float = 1.0, seed: int = 1) -> Share:
        path = tmp_path / f"{kind}-{seed}.safetensors"
        if not path.exists():
            write_network(modules, path, kind, seed=seed)
        return Share(open_network(path, model, no_check), weight)

    return made


@pytest.fixture
def said(model: Model) -> list[Conditioning]:
    conditioner = Conditioner(model, TextSettings(), EncodingCache())
    return [conditioner.encode(read_prompt(text).parts[0].at(0, PassSpan(1))) for text in ("a red circle", "a blue square", "")]


def latents(count: int = 1) -> torch.Tensor:
    return torch.randn((count, 4, 8, 8), generator=torch.Generator().manual_seed(5)) * 3


class Passing:
    """A pass: rows evaluated with their networks, in any order."""

    def __init__(self, model: Model, stack: ExitStack, sets: list[Shares], turns_bytes: int = WAYS["laid"], check: Callable[[], None] = no_check) -> None:
        self.weights = NetworkWeights(turns_bytes)
        base = shared_by_all(sets)
        stack.callback(self.weights.restore)
        self.weights.of(model.unet).merge(base, "unet", check)
        self.network = UNetNetwork(model, attachments=[ChangingNetworks(self.weights, base, sets, check)])
        stack.enter_context(self.network.patched())

    def __call__(self, x: torch.Tensor, *rows: Row) -> torch.Tensor:
        return self.network(x, 2.0, self.network.prepare(rows, x.shape[0]), BEGINNING)


def merged(model: Model, shares: Shares, x: torch.Tensor, *rows: Row) -> torch.Tensor:
    """What the rows give with these networks merged."""
    weights = NetworkWeights()
    weights.of(model.unet).merge(shares, "unet", no_check)
    network = UNetNetwork(model)
    try:
        return network(x, 2.0, network.prepare(rows, x.shape[0]), BEGINNING)
    finally:
        weights.restore()


@pytest.mark.rule("E88", "R7")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["lora", "locon", "loha", "lokr", "oft", "ia3", "glora", "full"])
def test_R7_networks_that_take_turns_give_what_merged_ones_give(
    model: Model, said: list[Conditioning], share: Callable[..., Share], kind: NetworkKind, way: str
) -> None:
    x = latents()
    sets = [(share(kind, 0.8),), NO_SHARES, (share(kind, -0.3),)]
    wanted = [merged(model, shares, x, Row(0, said[0])) for shares in sets]
    assert not torch.equal(wanted[0], wanted[1])
    with ExitStack() as stack:
        evaluate = Passing(model, stack, sets, WAYS[way])
        for number in (0, 1, 2, 1, 0):
            found = evaluate(x, Row(0, said[0], networks=Acting(sets[number])))
            torch.testing.assert_close(found, wanted[number], rtol=0, atol=1e-4 if way == "added" else 0)


@pytest.mark.rule("E88")
@pytest.mark.parametrize("way", WAYS)
def test_what_acts_throughout_is_merged_and_the_rest_comes_on_top(model: Model, said: list[Conditioning], share: Callable[..., Share], way: str) -> None:
    x, always, sometimes = latents(), share("loha", 0.5), share("lora", 0.8)
    sets = [arranged([always, sometimes]), (always,)]
    wanted = [merged(model, shares, x, Row(0, said[0])) for shares in sets]
    with ExitStack() as stack:
        evaluate = Passing(model, stack, sets, WAYS[way])
        assert evaluate.weights.of(model.unet).merged == (always,)
        for number in (1, 0, 1):
            found = evaluate(x, Row(0, said[0], networks=Acting(sets[number])))
            torch.testing.assert_close(found, wanted[number], rtol=0, atol=1e-4 if way == "added" else 0)


@pytest.mark.rule("E91", "R6", "R24")
@pytest.mark.parametrize("way", WAYS)
def test_rows_of_one_call_have_each_their_own_networks(model: Model, said: list[Conditioning], share: Callable[..., Share], way: str) -> None:
    x = latents(2)
    first, second = Acting((share("lora", 0.8),)), Acting((share("lora", 0.6, seed=2),))
    rows = [Row(0, said[2], True), Row(1, said[2], True), Row(0, said[0], networks=first), Row(1, said[1], networks=second), Row(1, said[0], networks=first)]
    with ExitStack() as stack:
        evaluate = Passing(model, stack, [NO_SHARES, first.shares, second.shares], WAYS[way])
        evaluation = evaluate.network.prepare(rows, 2)
        assert sorted(len(group.context) for group in evaluation.groups) == [1, 2, 2]
        found = evaluate(x, *rows)
    for number, row in enumerate(rows):
        alone = merged(model, row.networks.shares, x[row.image : row.image + 1], Row(0, row.conditioning, row.is_negative))
        torch.testing.assert_close(found[number : number + 1], alone, rtol=0, atol=1e-4)


@pytest.mark.rule("E105")
@pytest.mark.parametrize("way", WAYS)
def test_seamless_convolutions_are_so_for_networks_too(model: Model, said: list[Conditioning], share: Callable[..., Share], way: str) -> None:
    x, sets = latents(), [(share("locon", 0.8),), NO_SHARES]
    with tiled([model.unet], "both"):
        wanted = merged(model, sets[0], x, Row(0, said[0]))
        with ExitStack() as stack:
            evaluate = Passing(model, stack, sets, WAYS[way])
            found = evaluate(x, Row(0, said[0], networks=Acting(sets[0])))
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
        rolled = merged(model, sets[0], x.roll(4, -1), Row(0, said[0]))
    torch.testing.assert_close(rolled, wanted.roll(4, -1), rtol=0, atol=1e-3)


@pytest.mark.rule("E105", "E118")
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_in_the_middle_of_a_turn_leaves_nothing(model: Model, said: list[Conditioning], share: Callable[..., Share], way: str) -> None:
    x, sets = latents(), [(share("oft", 0.8), share("lora", 0.8)), NO_SHARES]
    last = model.unet.conv_out

    def fail(*_: Any) -> None:
        raise MemoryError

    handle = last.register_forward_hook(fail)
    try:
        with pytest.raises(MemoryError), ExitStack() as stack:
            Passing(model, stack, sets, WAYS[way])(x, Row(0, said[0], networks=Acting(sets[0])))
    finally:
        handle.remove()


@pytest.mark.rule("E118")
def test_a_cancel_between_two_tensors_of_a_turn_leaves_nothing(model: Model, said: list[Conditioning], share: Callable[..., Share]) -> None:
    x, sets = latents(), [(share("lora", 0.8),), NO_SHARES]
    left = [None] * 5

    def stop() -> None:
        if not left:
            raise Stopped
        left.pop()

    with pytest.raises(Stopped), ExitStack() as stack:
        Passing(model, stack, sets, check=stop)(x, Row(0, said[0], networks=Acting(sets[0])))


def test_sets_beyond_the_limit_are_computed_again(model: Model, said: list[Conditioning], share: Callable[..., Share]) -> None:
    """Kinds that cannot be added to outputs, where there is no room for their changed weights."""
    x, sets = latents(), [(share("oft", 0.8),), (share("oft", 0.2),), NO_SHARES]
    wanted = [merged(model, shares, x, Row(0, said[0])) for shares in sets]
    with ExitStack() as stack:
        evaluate = Passing(model, stack, sets, WAYS["added"])
        for number in (0, 1, 2, 0, 1):
            assert torch.equal(evaluate(x, Row(0, said[0], networks=Acting(sets[number]))), wanted[number])
            assert len(evaluate.weights.of(model.unet)._turns) == 1


@pytest.mark.rule("E90", "P43", "R18")
def test_hypernetworks_act_on_their_own_rows_alone(model: Model, said: list[Conditioning], tmp_path: Path) -> None:
    x = latents()
    width = model.unet.config["cross_attention_dim"]
    hypernetwork = open_hypernetwork(write_hypernetwork(hypernetwork_modules((width,)), tmp_path / "h.safetensors"), no_check)
    acting = Acting((), ((hypernetwork, 1.0),))
    plain = merged(model, NO_SHARES, x, Row(0, said[0]))
    network = UNetNetwork(model, attachments=[ActingHypernetworks()])
    with network.patched():
        rows = [Row(0, said[0], networks=acting), Row(0, said[0])]
        found = network(x, 2.0, network.prepare(rows, 1), BEGINNING)
    assert torch.equal(found[1:], plain)
    assert not torch.allclose(found[:1], plain, atol=1e-3)
