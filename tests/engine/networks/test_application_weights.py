"""Networks in weights: what is merged is the sum the rule says, and what was there comes back bit by bit, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from sfumato.engine.networks.delta import Delta
from sfumato.engine.networks.file import open_network
from sfumato.engine.networks.shares import NO_SHARES, Share, Shares, arranged, changes_of, shared_by_all
from sfumato.engine.networks.weights import NetworkWeights, PatchedModule
from sfumato.prompts.blocks import read_block_weights
from sfumato.protocol.errors import Stopped
from tests.engine.conftest import TinyModel
from tests.engine.networks.fingerprints import addresses, bits
from tests.support.network_files import NetworkKind, write_network

ENDS = ("attn1.to_q", "attn2.to_k", "conv1", "q_proj")
PLACES = ["beside", "in place"]


def no_check() -> None: ...


@pytest.fixture
def share(tmp_path: Path, tiny_model: TinyModel) -> Callable[..., Share]:
    """Writes a network for the tiny SD1 model and opens it: `share("loha", weight=0.5)`."""
    model, modules = tiny_model("sd1")

    def made(kind: NetworkKind = "lora", weight: float = 1.0, rank: int | None = None, blocks: str = "", seed: int = 1, dora: str = "") -> Share:
        path = tmp_path / f"{kind}-{seed}{dora}.safetensors"
        if not path.exists():
            write_network(modules, path, kind, ends=ENDS, seed=seed, dora="rows" if dora else "")
        listed = read_block_weights([float(number) for number in blocks.split(",")]) if blocks else None
        return Share(open_network(path, model, no_check), weight, rank, listed)

    return made


@pytest.fixture
def unet(tiny_model: TinyModel) -> Iterator[nn.Module]:
    module = tiny_model("sd1")[0].unet
    before, places = bits(module), addresses(module)
    yield module
    assert bits(module) == before
    assert addresses(module) == places


@pytest.fixture(params=PLACES)
def patched(unet: nn.Module, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PatchedModule]:
    """As on the CPU, and as on a graphics card; afterwards every bit is where it was."""
    if request.param == "in place":
        monkeypatch.setattr(PatchedModule, "_is_in_place", lambda self: True)
    keeper = PatchedModule(unet)
    yield keeper
    keeper.restore()
    assert keeper.nbytes == 0


def expected(module: nn.Module, shares: Shares) -> dict[str, torch.Tensor]:
    """Changed weights by the rule, from the module's own."""
    found = {}
    for target, changes in changes_of(shares, "unet").items():
        weight = module.get_submodule(target.module).get_parameter(target.parameter).detach().float().clone()
        total = weight + sum(change.factor * change.delta.change(weight, change.rank) for change in changes)
        found[f"{target.module}.{target.parameter}"] = total
    return found


def expected_names(share: Share) -> dict[str, torch.Tensor]:
    return {f"{target.module}.{target.parameter}": torch.empty(0) for target in share.file.deltas if target.part == "unet"}


def held(module: nn.Module, names: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: module.get_parameter(name).detach().clone() for name in names}


@pytest.mark.rule("E88")
@pytest.mark.parametrize("kind", ["lora", "loha", "lokr", "oft", "boft", "ia3", "glora", "full", "dora"])
def test_a_merged_weight_is_the_own_one_and_the_weighted_change(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share], kind: str) -> None:
    shares = (share("lora", 0.7, dora="d") if kind == "dora" else share(kind, 0.7),)
    wanted = expected(unet, shares)
    assert wanted
    own = bits(unet)
    patched.merge(shares, "unet", no_check)
    found = held(unet, wanted)
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6)
    changed = {name for name, digest in bits(unet).items() if own[name] != digest}
    assert changed == set(wanted)


@pytest.mark.rule("P42", "E88")
def test_several_networks_add_and_order_does_not_matter(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    first, second, twice = share("lora", 0.5), share("lora", -0.25, seed=2), share("lora", 0.5)
    shares = arranged([second, first, twice])
    assert shares == arranged([first, twice, second])
    wanted = expected(unet, shares)
    patched.merge(shares, "unet", no_check)
    for name, weight in held(unet, wanted).items():
        torch.testing.assert_close(weight, wanted[name], rtol=0, atol=1e-6)


@pytest.mark.rule("P42")
def test_a_network_named_twice_has_the_sum_of_its_weights(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    wanted = expected(unet, (share("lora", 1.25),))
    patched.merge(arranged([share("lora", 0.5), share("lora", 0.75)]), "unet", no_check)
    for name, weight in held(unet, wanted).items():
        torch.testing.assert_close(weight, wanted[name], rtol=0, atol=1e-6)


@pytest.mark.rule("E88", "P37")
def test_the_kept_rank_counts(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    whole, narrow = share("lora"), share("lora", rank=1)
    patched.merge((narrow,), "unet", no_check)
    narrowly = held(unet, expected_names(narrow))
    patched.restore()
    for name, weight in expected(unet, (narrow,)).items():
        torch.testing.assert_close(narrowly[name], weight, rtol=0, atol=1e-6)
    patched.merge((whole,), "unet", no_check)
    assert any(not torch.equal(narrowly[name], weight) for name, weight in held(unet, narrowly).items())


@pytest.mark.rule("P39")
def test_a_list_of_zeros_changes_nothing_in_the_blocks(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    own = bits(unet)
    patched.merge((share("lora", blocks=",".join(["0"] * 25)),), "unet", no_check)
    assert bits(unet) == own


@pytest.mark.rule("R5", "P39")
def test_R5_every_block_has_its_own_number(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    numbers = [0.1 * place for place in range(25)]
    listed = share("lora", 0.5, blocks=",".join(map(str, numbers)))
    names = [*(f"IN{number:02}" for number in range(12)), "M00", *(f"OUT{number:02}" for number in range(12))]
    factor_of = dict(zip(names, numbers, strict=True))
    own = {name: parameter.detach().clone() for name, parameter in unet.named_parameters()}
    patched.merge((listed,), "unet", no_check)
    seen = set()
    for target, delta in listed.file.deltas.items():
        if target.part == "unet":
            block = listed.file.block(target)
            seen.add(block)
            name = f"{target.module}.{target.parameter}"
            wanted = own[name] + 0.5 * factor_of.get(block, 1.0) * delta.change(own[name])
            torch.testing.assert_close(unet.get_parameter(name).detach(), wanted, rtol=0, atol=1e-6)
    assert len(seen - {""}) > 3


@pytest.mark.rule("E88")
def test_one_set_after_the_other_is_as_each_alone(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    sets = [(share("lora", 1.0),), (share("loha", 0.3), share("lora", -0.5)), (share("oft", 0.8),), NO_SHARES, (share("lora", 1.0),)]
    alone = []
    for shares in sets:
        keeper = PatchedModule(unet)
        keeper.merge(shares, "unet", no_check)
        alone.append(bits(unet))
        keeper.restore()
    for shares, wanted in zip(sets, alone, strict=True):
        patched.merge(shares, "unet", no_check)
        assert bits(unet) == wanted


@pytest.mark.rule("E88")
def test_what_stays_merged_is_not_computed_again(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    counted = []
    shares = (share("lora"),)
    patched.merge(shares, "unet", lambda: counted.append(1))
    merged, times = bits(unet), len(counted)
    assert times
    patched.rest()
    patched.merge((share("lora"),), "unet", lambda: counted.append(1))
    assert len(counted) == times
    assert bits(unet) == merged


@pytest.mark.rule("E105", "E118")
def test_a_cancel_at_any_tensor_leaves_every_bit(unet: nn.Module, patched: PatchedModule, share: Callable[..., Share]) -> None:
    own = bits(unet)
    first, second = (share("lora"),), (share("lora", 0.5), share("lora", 0.5, seed=2))
    tensors = []
    patched.merge(second, "unet", lambda: tensors.append(1))
    patched.restore()
    for number in range(len(tensors)):
        patched.merge(first, "unet", no_check)
        left = [None] * number

        def stop(left: list[None] = left) -> None:
            if not left:
                raise Stopped
            left.pop()

        with pytest.raises(Stopped):
            patched.merge(second, "unet", stop)
        assert bits(unet) == own
        assert patched.merged == NO_SHARES


@pytest.mark.rule("E105")
def test_a_failure_while_a_change_is_computed_leaves_every_bit(
    unet: nn.Module, patched: PatchedModule, share: Callable[..., Share], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, shares = bits(unet), (share("lora"),)
    kind = type(next(iter(shares[0].file.deltas.values())))
    computed = kind.change
    calls = []

    def failing(self: Delta, weight: torch.Tensor, rank: int | None = None) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 4:
            raise MemoryError
        return computed(self, weight, rank)

    monkeypatch.setattr(kind, "change", failing)
    with pytest.raises(MemoryError):
        patched.merge(shares, "unet", no_check)
    assert bits(unet) == own
    monkeypatch.undo()


@pytest.mark.rule("E105")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_are_rounded_once_in_narrow_formats_and_undone_exactly(tiny_model: TinyModel, share: Callable[..., Share], dtype: torch.dtype) -> None:
    model, _ = tiny_model("sd1")
    layer = next(target for target in share("lora").file.deltas if target.module.endswith("attn1.to_q"))
    module = nn.Module()
    module.layer = nn.Linear(*reversed(model.unet.get_submodule(layer.module).weight.shape), bias=False).to(dtype).requires_grad_(False)
    own = module.layer.weight.detach().clone()
    weights = NetworkWeights()
    shares = arranged([share("lora", 0.31), share("loha", 0.17)])
    changes = changes_of(shares, "unet")[layer]
    moved = Share(_Renamed(shares, layer), 1.0)
    weights.of(module).merge((moved,), "unet", no_check)
    wanted = (own.float() + sum(change.factor * change.delta.change(own.float(), None) for change in changes)).to(dtype)
    assert torch.equal(module.layer.weight, wanted)
    weights.restore()
    assert torch.equal(module.layer.weight, own)


class _Renamed:
    """The changes that some shares make to one layer, as a file for a module with nothing but that layer."""

    identity = (("renamed", 0, 0),)

    def __init__(self, shares: Shares, target: object) -> None:
        changes = changes_of(shares, "unet")[target]
        self.deltas = {target._replace(module="layer"): _Sum(changes)}


class _Sum(Delta):
    def __init__(self, changes: tuple[object, ...]) -> None:
        object.__setattr__(self, "changes", changes)

    def change(self, weight: torch.Tensor, rank: int | None = None) -> torch.Tensor:
        return sum(change.factor * change.delta.change(weight, change.rank) for change in self.changes)


@pytest.mark.rule("E112")
def test_a_module_that_two_models_share_is_everybodys_own_at_rest(tiny_model: TinyModel, unet: nn.Module, share: Callable[..., Share]) -> None:
    weights = NetworkWeights()
    own = bits(unet)
    weights.of(unet).merge((share("lora"),), "unet", no_check)
    assert weights.of(unet) is weights.of(unet)
    weights.rest()
    assert bits(unet) == own
    assert weights.nbytes > 0
    weights.clear()
    assert weights.nbytes == 0


def test_letting_go_in_the_middle_of_a_job_keeps_what_is_in_use(unet: nn.Module, share: Callable[..., Share]) -> None:
    weights = NetworkWeights()
    weights.of(unet).merge((share("lora"),), "unet", no_check)
    merged = bits(unet)
    weights.clear()
    assert bits(unet) == merged
    weights.rest()
    weights.clear()
    assert weights.nbytes == 0


def test_what_all_sets_share_is_found_with_multiplicity(share: Callable[..., Share]) -> None:
    a, b = share("lora"), share("loha")
    assert shared_by_all([(a, a, b), (a, b), (b, a, a)]) == (a, b)
    assert shared_by_all([(a,), (b,)]) == NO_SHARES
    assert shared_by_all([]) == NO_SHARES


def test_models_go_with_all_that_was_kept_for_them(tiny_model: TinyModel, share: Callable[..., Share]) -> None:
    weights = NetworkWeights()
    module = nn.Linear(2, 2)
    weights.of(module).merge((share("lora"),), "unet", no_check)
    assert len(weights._patched) == 1
    del module
    assert len(weights._patched) == 0
