"""The mathematics of every kind of network against matrices written out, to 1e-5."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sfumato.engine.networks import leaves
from sfumato.engine.networks.around import Decomposed, Narrow, Third, magnitudes_side
from sfumato.engine.networks.delta import Delta, Disjoint, Misfit
from sfumato.engine.networks.file import KINDS as CLASSES
from sfumato.engine.networks.kinds import Full, Generalised, Kronecker, LowRank, PeftScaled, Scaled
from sfumato.engine.networks.rotations import InputRotation, Rotation, StoredRotation
from tests.engine.networks.dense import dense_change
from tests.support.network_files import KINDS, NetworkKind, factors

_RANK = 5
LAYERS = {
    "linear": lambda: nn.Linear(24, 32),
    "convolution": lambda: nn.Conv2d(12, 16, 3, stride=2, padding=1),
    "projection": lambda: nn.Conv2d(24, 24, 1),
    "square": lambda: nn.Linear(16, 16),
}


def layer_of(name: str) -> nn.Module:
    torch.manual_seed(3)
    return LAYERS[name]().requires_grad_(False)


def stored_of(kind: NetworkKind, weight: Tensor, rank: int = 3, alpha: float | None = 2.0) -> dict[str, Tensor]:
    tensors = factors(kind, tuple(weight.shape), rank, torch.Generator().manual_seed(4))
    return tensors if alpha is None else tensors | {"alpha": torch.tensor(alpha)}


def delta_of(tensors: dict[str, Tensor], shape: tuple[int, ...], scale: float | None = None) -> Delta:
    """What a file makes of a layer's tensors, without the file."""
    own = {leaves.split(f"layer.{leaf}").leaf: tensor for leaf, tensor in tensors.items()}
    core = own.keys() - leaves.BESIDE
    kind = next(kind for kind in CLASSES if kind.needs <= core <= kind.needs | kind.may_have)
    shapes = {leaf: tuple(tensor.shape) for leaf, tensor in own.items()}
    kind.check(shapes, shape)
    rank = kind.rank(shapes)
    if scale is None:
        scale = own["alpha"].item() / rank if rank and "alpha" in own else 1.0
    delta = kind.made(own if kind is not Full else {"diff": own["diff"]}, shape, scale)
    if "magnitude" in own:
        side = magnitudes_side(shapes["magnitude"], shape, False)
        delta = Decomposed(delta, own["magnitude"].reshape([-1 if axis == side else 1 for axis in range(len(shape))]), side)
    return delta


def assert_equal(change: Tensor, reference: Tensor) -> None:
    assert change.dtype == torch.float32
    torch.testing.assert_close(change.double(), reference, atol=1e-5, rtol=1e-5)


@pytest.mark.rule("E86")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_change_is_that_of_the_matrices_written_out(kind: NetworkKind, layer: str) -> None:
    weight = layer_of(layer).weight
    tensors = stored_of(kind, weight)
    assert_equal(delta_of(tensors, tuple(weight.shape)).change(weight), dense_change(tensors, weight))


@pytest.mark.rule("E86")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("side", ["rows", "columns"])
@pytest.mark.parametrize("kind", ["lora", "locon", "loha", "lokr", "oft", "glora", "full"])
def test_magnitudes_stand_beside_any_kind_by_rows_or_by_columns(kind: NetworkKind, side: str, layer: str) -> None:
    weight = layer_of(layer).weight
    others = [axis for axis in range(weight.dim()) if axis != (side == "columns")]
    norms = weight.square().sum(others, keepdim=True).sqrt()
    tensors = stored_of(kind, weight) | {"dora_scale": norms * torch.linspace(0.5, 1.5, norms.numel()).reshape(norms.shape)}
    assert_equal(delta_of(tensors, tuple(weight.shape)).change(weight), dense_change(tensors, weight))


@pytest.mark.rule("E86", "E88")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("kind", ["lora", "locon"])
def test_what_it_adds_to_the_output_is_the_changed_weight_applied(kind: NetworkKind, rank: int | None, layer: str) -> None:
    module = layer_of(layer)
    inputs = torch.randn(2, 24 if layer != "square" else 16) if isinstance(module, nn.Linear) else torch.randn(2, module.in_channels, 7, 8)
    delta = delta_of(stored_of(kind, module.weight), tuple(module.weight.shape))
    before = module(inputs)
    added = delta.adds(module, inputs, rank)
    assert added is not None
    module.weight += delta.change(module.weight, rank)
    torch.testing.assert_close(before + added, module(inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("lora", "locon")])
def test_other_kinds_leave_the_output_to_those_who_change_the_weight(kind: NetworkKind) -> None:
    module = layer_of("linear")
    assert delta_of(stored_of(kind, module.weight), (32, 24)).adds(module, torch.randn(2, 24)) is None


@pytest.mark.rule("E88")
@pytest.mark.parametrize("layer", ["linear", "convolution"])
@pytest.mark.parametrize("kind", ["lora", "locon", "loha", "loha_tucker", "lokr", "lokr_both", "lokr_tucker", "glora"])
def test_the_first_ranks_alone_are_a_file_that_has_no_others(kind: NetworkKind, layer: str) -> None:
    weight = layer_of(layer).weight
    tensors = stored_of(kind, weight, rank=_RANK, alpha=_RANK)
    cut = {leaf: _cut(tensor) for leaf, tensor in tensors.items()} | {"scale": torch.tensor(1.0)}
    assert_equal(delta_of(tensors, tuple(weight.shape)).change(weight, 2), dense_change(cut, weight))
    assert torch.equal(delta_of(tensors, tuple(weight.shape)).change(weight, 9), delta_of(tensors, tuple(weight.shape)).change(weight))


def _cut(tensor: Tensor) -> Tensor:
    """Every side of `_RANK`, which no layer of these tests has otherwise, cut to 2."""
    for axis in range(tensor.dim()):
        if tensor.shape[axis] == _RANK:
            tensor = tensor.narrow(axis, 0, 2)
    return tensor


@pytest.mark.rule("E86")
@pytest.mark.parametrize("kind", ["oft", "boft"])
def test_turns_are_limited_by_alpha_and_rows_rescaled(kind: NetworkKind) -> None:
    weight = layer_of("linear").weight
    tensors = stored_of(kind, weight, alpha=0.01) | {"rescale": torch.linspace(0.5, 2, 32).reshape(32, 1)}
    change = delta_of(tensors, (32, 24)).change(weight)
    assert_equal(change, dense_change(tensors, weight))
    unlimited = delta_of(tensors | {"alpha": torch.tensor(0.0)}, (32, 24)).change(weight)
    assert (change - unlimited).abs().max() > 1e-3


@pytest.mark.rule("E86")
@pytest.mark.parametrize("kind", ["oft", "boft"])
def test_a_turn_keeps_lengths(kind: NetworkKind) -> None:
    weight = layer_of("linear").weight
    turned = weight + delta_of(stored_of(kind, weight, alpha=None), (32, 24)).change(weight)
    torch.testing.assert_close(turned.norm(dim=0), weight.norm(dim=0))
    assert not torch.allclose(turned, weight, atol=1e-2)


@pytest.mark.rule("E86")
def test_the_oldest_turns_are_stored_as_they_are() -> None:
    weight = layer_of("linear").weight
    turns = torch.randn(8, 4, 4)
    delta = delta_of({"oft_diag": turns}, (32, 24))
    assert isinstance(delta, StoredRotation)
    assert_equal(delta.change(weight), torch.block_diag(*turns).double().T @ weight.double() - weight.double())


@pytest.mark.rule("E86")
def test_one_turn_may_serve_all_blocks_of_inputs() -> None:
    weight = layer_of("linear").weight
    triangles = torch.randn(1, 6) * 0.2
    delta = delta_of({"oft_R.weight": triangles}, (32, 24))
    assert isinstance(delta, InputRotation)
    assert_equal(delta.change(weight), dense_change({"oft_R.weight": triangles}, weight))


@pytest.mark.rule("E86")
def test_factors_act_on_rows_or_on_columns() -> None:
    weight = layer_of("linear").weight
    rows, columns = torch.randn(32), torch.randn(24)
    assert_equal(delta_of({"weight": rows, "on_input": torch.tensor(0)}, (32, 24)).change(weight), weight.double() * rows.double()[:, None])
    assert_equal(delta_of({"weight": columns, "on_input": torch.tensor(1)}, (32, 24)).change(weight), weight.double() * columns.double())
    with pytest.raises(Misfit):
        delta_of({"weight": rows, "on_input": torch.tensor(True)}, (32, 24))
    whole = delta_of({"ia3_l": columns[None]}, (32, 24))
    assert isinstance(whole, PeftScaled) and isinstance(whole, Scaled)
    assert_equal(whole.change(weight), weight.double() * (columns.double() - 1))
    assert_equal(delta_of({"ia3_l": rows[:, None]}, (32, 24)).change(weight), weight.double() * (rows.double() - 1)[:, None])
    kernel = layer_of("convolution").weight
    outputs, inputs = torch.randn(16), torch.randn(12)
    assert_equal(
        delta_of({"ia3_l": outputs.reshape(1, 16, 1, 1)}, (16, 12, 3, 3)).change(kernel), kernel.double() * (outputs.double() - 1).reshape(16, 1, 1, 1)
    )
    assert_equal(delta_of({"ia3_l": inputs.reshape(1, 12, 1, 1)}, (16, 12, 3, 3)).change(kernel), kernel.double() * (inputs.double() - 1).reshape(1, 12, 1, 1))


@pytest.mark.rule("E86")
def test_the_older_order_of_glora_is_known_by_its_shapes() -> None:
    weight = layer_of("linear").weight
    new = stored_of("glora", weight)
    old = {"a1.weight": new["a2.weight"], "a2.weight": new["a1.weight"], "b1.weight": new["b2.weight"], "b2.weight": new["b1.weight"], "alpha": new["alpha"]}
    delta = delta_of(old, (32, 24))
    assert isinstance(delta, Generalised)
    assert_equal(delta.change(weight), dense_change(new, weight))


@pytest.mark.rule("E86")
def test_norms_and_biases_are_added() -> None:
    norm = nn.GroupNorm(2, 8).requires_grad_(False)
    difference = torch.randn(8)
    delta = delta_of({"w_norm": difference}, (8,))
    assert_equal(delta.change(norm.weight), difference.double())


@pytest.mark.parametrize("kind", KINDS)
def test_the_weight_is_not_touched_and_its_format_does_not_matter(kind: NetworkKind) -> None:
    weight = layer_of("convolution").weight.bfloat16()
    before = weight.clone()
    tensors = stored_of(kind, weight)
    delta = delta_of(tensors, tuple(weight.shape))
    assert_equal(delta.change(weight), dense_change(tensors, weight))
    assert torch.equal(weight, before)
    assert delta.nbytes >= sum(tensor.nbytes for leaf, tensor in tensors.items() if leaf not in ("alpha", "on_input"))


@pytest.mark.parametrize("kind", KINDS)
def test_it_moves_with_all_its_tensors(kind: NetworkKind) -> None:
    weight = layer_of("linear").weight
    norms = weight.norm(dim=1, keepdim=True)
    delta = delta_of(stored_of(kind, weight) | ({"dora_scale": norms} if kind == "lora" else {}), (32, 24))
    half = delta.moved(torch.device("cpu"), torch.float16)
    assert type(half) is type(delta)
    assert {tensor.dtype for tensor in half.tensors()} == {torch.float16}
    torch.testing.assert_close(half.change(weight), delta.change(weight), atol=3e-3, rtol=1e-2)


def test_a_third_of_a_stack_is_the_middle_of_its_rows() -> None:
    stacked = torch.randn(48, 16)
    delta = delta_of(stored_of("lokr", stacked), (48, 16))
    assert torch.equal(Third(delta, 1).change(torch.randn(16, 16)), delta.change(stacked)[16:32])


def test_channels_that_a_file_does_not_know_stay() -> None:
    module = nn.Conv2d(9, 8, 3, padding=1).requires_grad_(False)
    tensors = stored_of("lora", module.weight[:, :4])
    delta = Narrow(delta_of(tensors, (8, 4, 3, 3)), 4)
    change = delta.change(module.weight)
    assert_equal(change[:, :4], dense_change(tensors, module.weight[:, :4]))
    assert not change[:, 4:].any()
    inputs = torch.randn(1, 9, 6, 6)
    added = delta.adds(module, inputs)
    assert added is not None
    torch.testing.assert_close(added, nn.functional.conv2d(inputs, change, padding=1), atol=1e-5, rtol=1e-5)


def test_a_convolution_in_the_middle_of_a_patch_is_run_as_the_patch_has_it() -> None:
    module = layer_of("convolution")
    assert isinstance(module, nn.Conv2d)
    module.padding_mode = "circular"
    module._reversed_padding_repeated_twice = [1, 1, 1, 1]
    delta = delta_of(stored_of("lora", module.weight), tuple(module.weight.shape))
    inputs = torch.randn(1, 12, 6, 6)
    before = module(inputs)
    added = delta.adds(module, inputs)
    module.weight += delta.change(module.weight)
    assert added is not None
    torch.testing.assert_close(before + added, module(inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("leaves_and_shapes", "shape"),
    [
        ({"lora_up.weight": (32, 3), "lora_down.weight": (2, 24)}, (32, 24)),
        ({"lora_up.weight": (32,), "lora_down.weight": (2, 24)}, (32, 24)),
        ({"lora_up.weight": (16, 2), "lora_down.weight": (2, 12, 1, 1), "lora_mid.weight": (2, 3, 3, 3)}, (16, 12, 3, 3)),
        ({"hada_w1_a": (32, 2), "hada_w1_b": (3, 24), "hada_w2_a": (32, 2), "hada_w2_b": (2, 24)}, (32, 24)),
        ({"hada_w1_a": (2, 16), "hada_w1_b": (2, 12), "hada_w2_a": (2, 16), "hada_w2_b": (2, 12), "hada_t1": (2, 2, 3, 3)}, (16, 12, 3, 3)),
        ({"lokr_w1": (4, 4)}, (32, 24)),
        ({"lokr_w1": (4, 4), "lokr_w2_a": (8, 2)}, (32, 24)),
        ({"lokr_w1": (4, 4), "lokr_w2_a": (8, 2), "lokr_w2_b": (3, 6)}, (32, 24)),
        ({"oft_blocks": (8, 4, 3)}, (32, 24)),
        ({"oft_blocks": (32,)}, (32, 24)),
        ({"oft_blocks": (9, 8, 4, 4)}, (32, 24)),
        ({"oft_R.weight": (6, 7)}, (32, 24)),
        ({"a1.weight": (24, 2), "a2.weight": (2, 24), "b1.weight": (32, 3), "b2.weight": (2, 24)}, (32, 24)),
        ({"oft_blocks": (8, 4, 4), "rescale": (5,)}, (32, 24)),
    ],
)
def test_tensors_that_do_not_belong_together_are_told_before_they_are_read(leaves_and_shapes: dict[str, tuple[int, ...]], shape: tuple[int, ...]) -> None:
    own = {leaves.split(f"layer.{leaf}").leaf: sides for leaf, sides in leaves_and_shapes.items()}
    core = own.keys() - leaves.BESIDE
    kind = next(kind for kind in CLASSES if kind.needs <= core <= kind.needs | kind.may_have)
    with pytest.raises(Disjoint):
        kind.check(own, shape)


def test_products_of_astronomic_sides_are_compared_and_not_made() -> None:
    huge = 1 << 40
    with pytest.raises(Misfit):
        Kronecker.check({"lokr_w1": (huge, huge), "lokr_w2": (huge, huge)}, (32, 24))
    with pytest.raises(Misfit):
        LowRank.check({"up": (huge, 1), "down": (1, huge)}, (32, 24))
    with pytest.raises(Misfit):
        Rotation.check({"oft_blocks": (1, huge, huge)}, (32, 24))


def test_a_change_can_be_replaced_field_by_field() -> None:
    delta = delta_of({"diff": torch.ones(32, 24)}, (32, 24), scale=2.0)
    assert isinstance(delta, Full)
    assert torch.equal(replace(delta, scale=3.0).change(torch.zeros(32, 24)), torch.full((32, 24), 3.0))
