"""Hypernetworks, against plain torch modules in front of each projection."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sfumato.engine.networks.hypernetworks import ACTIVATIONS, HypernetworkPatch, KeptHypernetworks, attentions, open_hypernetwork, through
from sfumato.engine.patches.negative_values import NegativeValues
from sfumato.library.pickles.conversion import convert
from sfumato.library.pickles.tensors import VALUES
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelUnsupported, PickleRefused, SfumatoError, Stopped
from tests.engine.conftest import TinyModel
from tests.support.hypernetwork_files import MODULES, Modules, Recipe, hypernetwork_modules, write_hypernetwork, write_pickled_hypernetwork


def written(modules: Modules, folder: Path, name: str = "ink") -> Path:
    return write_hypernetwork(modules, folder / f"{name}.safetensors")


class _InFront(nn.Module):
    """A projection behind c + w·net(c)."""

    def __init__(self, projection: nn.Module, chain: list[tuple[nn.Module, float]]) -> None:
        super().__init__()
        self.projection = projection
        self.chain = chain

    def forward(self, context: Tensor) -> Tensor:
        for net, strength in self.chain:
            context = context + strength * net(context)
        return self.projection(context)


def reference(unet: nn.Module, chain: list[tuple[Modules, float]]) -> nn.Module:
    """A copy of the network with the modules built in."""
    copied = copy.deepcopy(unet)
    for attention in attentions(copied):
        own = [(modules.sides[attention.to_k.in_features], strength) for modules, strength in chain if attention.to_k.in_features in modules.sides]
        attention.to_k = _InFront(attention.to_k, [(pair[0], strength) for pair, strength in own])
        attention.to_v = _InFront(attention.to_v, [(pair[1], strength) for pair, strength in own])
    return copied


def evaluate(unet: nn.Module, seed: int = 3) -> Tensor:
    torch.manual_seed(seed)
    width = unet.config["cross_attention_dim"]  # type: ignore[index]
    with torch.no_grad():
        return unet(torch.randn(2, 4, 8, 8), torch.tensor([500.0]), encoder_hidden_states=torch.randn(2, 7, width), return_dict=False)[0]


@pytest.mark.rule("E90")
@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(structure=(1, 2, 2, 1), activation="swish", norm=True),
        Recipe(structure=(1, 1.5, 0.5, 1), activation="tanh", activate_output=False, dropout=(0, 0.3, 0.3, 0)),
        Recipe(structure=(1, 2, 1), activation="linear", norm=True, dropout=(0, 0.2, 0)),
        Recipe(structure=(1, 1), activation="sigmoid"),
    ],
    ids=lambda recipe: recipe.activation,
)
def test_it_does_what_plain_modules_in_front_of_the_projections_do(tiny_model: TinyModel, tmp_path: Path, recipe: Recipe) -> None:
    model, _ = tiny_model("sd1")
    modules = hypernetwork_modules((32, 64), recipe)
    hypernetwork = open_hypernetwork(written(modules, tmp_path))
    plain = evaluate(model.unet)
    with HypernetworkPatch(model.unet) as patch:
        assert torch.equal(evaluate(model.unet), plain)
        patch.set([(hypernetwork, 0.7)])
        found = evaluate(model.unet)
    torch.testing.assert_close(found, evaluate(reference(model.unet, [(modules, 0.7)])), atol=1e-5, rtol=1e-5)
    assert (found - plain).abs().max() > 1e-2


@pytest.mark.rule("E90", "P43")
def test_several_are_chained_in_the_order_given(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    both = [hypernetwork_modules((32, 64), seed=1), hypernetwork_modules((32,), Recipe(activation="elu"), seed=2)]
    files = [open_hypernetwork(written(modules, tmp_path, str(number))) for number, modules in enumerate(both)]
    with HypernetworkPatch(model.unet) as patch:
        patch.set([(files[0], 0.5), (files[1], 1.5)])
        there = evaluate(model.unet)
        patch.set([(files[1], 1.5), (files[0], 0.5)])
        back = evaluate(model.unet)
        patch.set([(files[0], 0.0)])
        none = evaluate(model.unet)
    torch.testing.assert_close(there, evaluate(reference(model.unet, [(both[0], 0.5), (both[1], 1.5)])), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(back, evaluate(reference(model.unet, [(both[1], 1.5), (both[0], 0.5)])), atol=1e-5, rtol=1e-5)
    assert (there - back).abs().max() > 1e-3
    assert torch.equal(none, evaluate(model.unet))


def test_widths_that_a_file_lacks_or_has_besides_are_left_alone(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    modules = hypernetwork_modules((32, 1280))
    hypernetwork = open_hypernetwork(written(modules, tmp_path))
    hypernetwork.check_fit(model)
    with HypernetworkPatch(model.unet) as patch:
        patch.set([(hypernetwork, 1.0)])
        found = evaluate(model.unet)
    torch.testing.assert_close(found, evaluate(reference(model.unet, [(modules, 1.0)])), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("widths", [(48, 128), (48, 64)])
def test_one_for_another_network_is_refused_naming_both(tiny_model: TinyModel, tmp_path: Path, widths: tuple[int, int]) -> None:
    model, _ = tiny_model("sd1")
    hypernetwork = open_hypernetwork(written(hypernetwork_modules(widths), tmp_path))
    with pytest.raises(ModelIncompatible) as refused:
        hypernetwork.check_fit(model)
    assert refused.value.message == (
        f"'ink.safetensors' is for networks that read contexts of width 48 and {widths[1]}, "
        "the checkpoint is 'sd1-4.safetensors' (Stable Diffusion 1), which reads 32 and 64."
    )


@pytest.mark.rule("E105", "R18")
@pytest.mark.parametrize("failing", [False, True])
def test_R18_nothing_remains(tiny_model: TinyModel, tmp_path: Path, failing: bool) -> None:
    model, _ = tiny_model("sd1")
    hypernetwork = open_hypernetwork(written(hypernetwork_modules((32, 64)), tmp_path))
    before = evaluate(model.unet)
    weights = {name: weight.clone() for name, weight in model.unet.state_dict().items()}
    hooks = {name: dict(module._forward_pre_hooks) for name, module in model.unet.named_modules()}
    try:
        with HypernetworkPatch(model.unet) as patch:
            patch.set([(hypernetwork, 1.0)])
            evaluate(model.unet)
            if failing:
                raise Stopped
    except Stopped:
        pass
    assert torch.equal(evaluate(model.unet), before)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.unet.state_dict().items())
    assert {name: dict(module._forward_pre_hooks) for name, module in model.unet.named_modules()} == hooks
    assert not any("forward" in vars(module) for module in model.unet.modules())


def test_turned_values_turn_what_the_hypernetwork_made(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    hypernetwork = open_hypernetwork(written(hypernetwork_modules((32,)), tmp_path))
    projection = next(module for name, module in model.unet.named_modules() if name.endswith("attn2.to_v"))
    context = torch.randn(1, 7, 32)
    with HypernetworkPatch(model.unet) as patch, NegativeValues(model.unet) as turning:
        patch.set([(hypernetwork, 1.0)])
        straight = projection(context)
        turning.signs = -torch.ones(1, 7, 32)
        assert torch.equal(projection(context), -straight)


@pytest.mark.parametrize("name", MODULES)
def test_every_activation_is_the_module_of_its_name(tmp_path: Path, name: str) -> None:
    modules = hypernetwork_modules((8,), Recipe(activation=name))
    hypernetwork = open_hypernetwork(written(modules, tmp_path))
    context = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1)) * 3
    for side in (0, 1):
        torch.testing.assert_close(through(hypernetwork.chains[8][side], context), modules.sides[8][side](context), atol=1e-6, rtol=1e-6)
    assert set(MODULES) == set(ACTIVATIONS)


def test_the_first_files_named_their_layers_otherwise_and_told_nothing(tmp_path: Path) -> None:
    modules = hypernetwork_modules((8,), Recipe(activation="linear"))
    sides = [
        {key.replace("linear.0", "linear1").replace("linear.1", "linear2"): weight for key, weight in side.state_dict().items()} for side in modules.sides[8]
    ]
    torch.save({8: tuple(sides)}, tmp_path / "old.pt")
    hypernetwork = open_hypernetwork(convert(tmp_path / "old.pt").path)
    context = torch.randn(2, 5, 8)
    torch.testing.assert_close(through(hypernetwork.chains[8][1], context), modules.sides[8][1](context))


def test_the_number_format_is_that_of_the_network(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    unet = copy.deepcopy(model.unet).to(torch.bfloat16)
    path = written(hypernetwork_modules((32, 64)), tmp_path)
    save_file({key: weight.half() for key, weight in load_file(path).items()}, tmp_path / "half.safetensors")
    half = open_hypernetwork(tmp_path / "half.safetensors")
    assert half.nbytes == open_hypernetwork(path).nbytes // 2
    with HypernetworkPatch(unet) as patch, torch.no_grad():
        patch.set([(half, 1.0)])
        assert unet(torch.randn(1, 4, 8, 8).bfloat16(), torch.tensor([5.0]), torch.randn(1, 7, 32).bfloat16(), return_dict=False)[0].dtype == torch.bfloat16


@pytest.mark.rule("E90", "E11")
def test_a_converted_pickle_is_the_same_file(tmp_path: Path) -> None:
    modules = hypernetwork_modules((8, 16), Recipe((1, 2, 1), "swish", norm=True, activate_output=False, dropout=(0, 0.1, 0)))
    path = convert(write_pickled_hypernetwork(modules, tmp_path / "ink.pt")).path
    expected = write_hypernetwork(modules, tmp_path / "expected" / "ink.safetensors")
    assert json.loads(read_header(path).metadata[VALUES]) == json.loads(read_header(expected).metadata[VALUES])
    found, wanted = load_file(path), load_file(expected)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.rule("E11")
def test_a_pickled_one_is_not_opened(tmp_path: Path) -> None:
    path = write_pickled_hypernetwork(hypernetwork_modules((8,)), tmp_path / "ink.pt")
    with pytest.raises(PickleRefused, match="sfumato convert"):
        open_hypernetwork(path)


def _rewritten(path: Path, target: Path, values: dict[str, object] | None = None, **changes: Tensor | None) -> Path:
    tensors = {**load_file(path), **{name.replace("_", "."): tensor for name, tensor in changes.items()}}
    told = {VALUES: json.dumps(values)} if values is not None else {}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, target, {"format": "pt", **told})
    return target


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"8_0_linear_0_weight": torch.zeros(16, 9)}, "8.0.linear.0' has the shape 16x9"),
        ({"8_0_linear_2_weight": torch.zeros(9, 16)}, "end in 9 numbers instead of 8|has the shape 9x16"),
        ({"8_0_linear_2_weight": None}, "has no weights"),
        ({"8_0_linear_2_weight": torch.zeros(8, 16, dtype=torch.int64)}, "has no weights"),
        ({"8_0_linear_0_weight": torch.zeros(16)}, "neither a layer nor the norm"),
        ({"8_0_linear_0_weight": torch.zeros(())}, "of a single number"),
        ({"8_0_linear_0_bias": torch.zeros(15)}, "has the shape 16x8"),
        ({"16_0_linear_0_weight": torch.zeros(16, 16)}, "keys or for values only"),
        ({"8_0_linear_9_weight": torch.zeros(0, 8)}, "end in 0 numbers"),
    ],
)
def test_damaged_layers_are_named(tmp_path: Path, changes: dict[str, Tensor | None], reason: str) -> None:
    path = written(hypernetwork_modules((8,)), tmp_path)
    with pytest.raises(CorruptFile, match=reason) as refused:
        open_hypernetwork(_rewritten(path, tmp_path / "bad.safetensors", {"activation_func": "relu"}, **changes))
    assert refused.value.message.startswith("'bad.safetensors' is damaged: ")


@pytest.mark.parametrize("values", [{"activation_func": "prelu"}, {"activation_func": ["relu"]}, {"activation_func": 3}])
def test_unknown_activations_are_said(tmp_path: Path, values: dict[str, object]) -> None:
    path = written(hypernetwork_modules((8,)), tmp_path)
    with pytest.raises(ModelUnsupported, match=r"'bad\.safetensors' looks like a hypernetwork whose layers are joined by"):
        open_hypernetwork(_rewritten(path, tmp_path / "bad.safetensors", values))


def test_other_files_are_no_hypernetwork(tmp_path: Path) -> None:
    save_file({"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, tmp_path / "lora.safetensors")
    with pytest.raises(ModelUnsupported, match=r"'lora\.safetensors' looks like no hypernetwork; Sfumato cannot use it as one\."):
        open_hypernetwork(tmp_path / "lora.safetensors")


def test_nonsense_in_the_header_is_as_if_nothing_were_told(tmp_path: Path) -> None:
    path = written(hypernetwork_modules((8,)), tmp_path)
    for number, text in enumerate(("[" * 100_000, "3", "{", '{"activate_output": {}}')):
        target = tmp_path / f"{number}.safetensors"
        save_file(load_file(path), target, {VALUES: text})
        assert all(layer.activation is None for layer in open_hypernetwork(target).chains[8][0])


def test_a_cut_file_is_damaged(tmp_path: Path) -> None:
    data = written(hypernetwork_modules((8,)), tmp_path).read_bytes()
    for length in (0, 5, 200, len(data) - 4):
        (tmp_path / "cut.safetensors").write_bytes(data[:length])
        with pytest.raises(SfumatoError):
            open_hypernetwork(tmp_path / "cut.safetensors")


def test_files_are_kept_until_they_change(tmp_path: Path) -> None:
    kept = KeptHypernetworks(limit_bytes=1)
    first, second = (written(hypernetwork_modules((8,), seed=seed), tmp_path, str(seed)) for seed in (1, 2))
    opened = kept.open(first, lambda: None)
    assert kept.open(first, lambda: None) is opened
    assert kept.nbytes == opened.nbytes > 0
    kept.open(second, lambda: None)
    assert len(kept) == 1
    again = kept.open(first, lambda: None)
    assert again is not opened
    first.write_bytes(second.read_bytes() + b"")
    assert kept.open(first, lambda: None) is not again
    kept.clear()
    assert kept.nbytes == 0
    first.unlink()
    with pytest.raises(CorruptFile, match="cannot be read"):
        kept.open(first, lambda: None)
