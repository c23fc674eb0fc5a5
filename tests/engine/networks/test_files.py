"""Network files in every layout for every family's networks: what they change, what they are, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sfumato.engine.families import FAMILIES
from sfumato.engine.family import Model
from sfumato.engine.modules import clip_body
from sfumato.engine.networks.delta import Delta
from sfumato.engine.networks.description import describe
from sfumato.engine.networks.file import NetworkFile, Target, open_network
from sfumato.engine.networks.names import parts_of
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelNotFound, ModelUnsupported, PickleRefused
from tests.engine.networks.dense import dense_change
from tests.support.network_files import KINDS, LAYOUTS, Layer, Layout, NetworkKind, Written, factors, write_network
from tests.support.tiny_models import TinyModules

TinyModel = Callable[..., tuple[Model, TinyModules]]

# One layer of each sort: of the text, of itself, a list's member, a convolution, a projection, a resampling; and of the towers.
SOME = (
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "up_blocks.0.resnets.1.conv1",
    "mid_block.attentions.0.proj_in",
    "down_blocks.0.downsamplers.0.conv",
    "layers.1.self_attn.out_proj",
    "layers.0.mlp.fc1",
)


def weight_of(model: Model, target: Target) -> Tensor:
    return getattr(parts_of(model)[target.part].get_submodule(target.module), target.parameter)


def target_of(model: Model, layer: Layer) -> Target:
    """A written layer in the names of the installed transformers."""
    root = parts_of(model)[layer.part]
    body: nn.Module = root if layer.part == "unet" else clip_body(root)
    wanted = body.get_submodule(layer.name)
    return Target(layer.part, next(name for name, module in root.named_modules() if module is wanted))


def assert_changes(model: Model, network: NetworkFile, written: Written) -> None:
    """The network changes the layers that were written, all of them and no other, as their tensors say."""
    expected = {target_of(model, layer): tensors for layer, tensors in written.tensors.items()}
    assert network.targets == frozenset(expected)
    for target, tensors in expected.items():
        weight = weight_of(model, target)
        torch.testing.assert_close(network.deltas[target].change(weight).double(), dense_change(tensors, weight), atol=1e-5, rtol=1e-5)


@pytest.mark.rule("E86", "E87")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_layout_changes_what_it_was_made_for(kind: NetworkKind, layout: Layout, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sdxl")
    written = write_network(modules, tmp_path / "one.safetensors", kind, layout, ends=SOME)
    network = open_network(written.path, model)
    assert network.unmatched == 0
    assert {target.part for target in network.deltas} == {"unet", "clip_l", "clip_g"}
    assert_changes(model, network, written)


@pytest.mark.rule("E87")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", ["sd1", "sd2", "refiner"])
def test_all_layers_of_every_family_are_found_under_all_their_names(family: str, layout: Layout, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model(family)
    written = write_network(modules, tmp_path / "one.safetensors", "lora", layout, ends=("",))
    network = open_network(written.path, model)
    assert network.unmatched == 0
    assert network.targets == {target_of(model, layer) for layer in written.tensors}


@pytest.mark.rule("E86")
@pytest.mark.parametrize("dora", ["rows", "columns"])
def test_magnitudes_are_read_from_a_file(dora: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", "lora", "kohya", ends=SOME, dora=dora)  # type: ignore[arg-type]  a literal
    network = open_network(written.path, model)
    assert network.description.kinds == "DoRA"
    assert_changes(model, network, written)


@pytest.mark.rule("E86")
def test_magnitudes_in_peft_s_spelling_are_of_rows_even_where_written_flat(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", "lora", "peft", ends=SOME, dora="rows")
    stored = load_file(written.path)
    for key in [key for key in stored if key.endswith("lora_magnitude_vector")]:
        count = stored[key].numel()
        is_convolution = stored[key.replace("lora_magnitude_vector", "lora_A.weight")].dim() == 4
        stored[key.replace("vector", "vector.default.weight")] = stored.pop(key).reshape((1, count, 1, 1) if is_convolution else (count,))
    save_file(stored, written.path)
    assert_changes(model, open_network(written.path, model), written)


@pytest.mark.rule("E86")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float64])
def test_number_formats_are_those_of_the_file_and_sums_are_exact(dtype: torch.dtype, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", "lora", ends=SOME, dtype=dtype, strength=1.0)
    network = open_network(written.path, model)
    assert {tensor.dtype for delta in network.deltas.values() for tensor in delta.tensors()} == {dtype}
    assert_changes(model, network, written)


@pytest.mark.rule("E86")
def test_scale_overrides_alpha_and_without_either_it_is_one(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", "lora", ends=SOME[:1], alpha=None)
    assert [delta.scale for delta in low_rank(open_network(written.path, model))] == [1.0]
    stored = load_file(written.path)
    layer = next(iter(stored)).partition(".")[0]
    save_file(stored | {f"{layer}.alpha": torch.tensor(3, dtype=torch.int64)}, written.path)
    assert [delta.scale for delta in low_rank(open_network(written.path, model))] == [1.5]
    save_file(stored | {f"{layer}.alpha": torch.tensor([3.0]), f"{layer}.scale": torch.tensor(0.25)}, written.path)
    assert [delta.scale for delta in low_rank(open_network(written.path, model))] == [0.25]


@pytest.mark.rule("E86")
@pytest.mark.parametrize(
    ("configuration", "scale"),
    [
        ({"unet.lora_alpha": 8, "unet.r": 2}, 4.0),
        ({"unet.lora_alpha": 8, "unet.use_rslora": True}, 8 / 2**0.5),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {SOME[2]: 1}}, 0.5),
        ({"unet.lora_alpha": "8"}, 1.0),
        ([1], 1.0),
    ],
)
def test_the_configuration_that_diffusers_writes_gives_the_scale(configuration: object, scale: float, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    metadata = {"lora_adapter_metadata": json.dumps(configuration)}
    written = write_network(modules, tmp_path / "one.safetensors", "lora", "peft", ends=SOME[2:3], alpha=None, metadata=metadata)
    assert [delta.scale for delta in low_rank(open_network(written.path, model))] == [scale]


def low_rank(network: NetworkFile) -> list[Delta]:
    return list(network.deltas.values())


@pytest.mark.rule("E87")
def test_a_stack_of_query_key_and_value_is_three_layers(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sdxl")
    path = tmp_path / "one.safetensors"
    for kind in ("lora", "lokr", "full"):
        tensors = factors(kind, (96, 32), 2, torch.Generator().manual_seed(1))
        save_file({f"lora_te2_transformer_resblocks_1_attn_in_proj.{leaf}": tensor for leaf, tensor in tensors.items()}, path)
        network = open_network(path, model)
        whole = dense_change(tensors, torch.zeros(96, 32))
        for third, name in enumerate(("q_proj", "k_proj", "v_proj")):
            target = target_of(model, Layer("clip_g", f"encoder.layers.1.self_attn.{name}"))
            change = network.deltas[target].change(weight_of(model, target))
            torch.testing.assert_close(change.double(), whole[32 * third : 32 * third + 32], atol=1e-5, rtol=1e-5)
        assert len(network.deltas) == 3 and network.unmatched == 0
    tensors = factors("oft", (96, 32), 2, torch.Generator().manual_seed(1))
    save_file({f"lora_te2_transformer_resblocks_1_attn_in_proj.{leaf}": tensor for leaf, tensor in tensors.items()}, path)
    with pytest.raises(ModelIncompatible):
        open_network(path, model)


@pytest.mark.rule("E86")
def test_biases_and_norms_are_changed_too(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    path = tmp_path / "one.safetensors"
    stored = {
        "lora_unet_mid_block_resnets_0_norm1.w_norm": torch.randn(64),
        "lora_unet_mid_block_resnets_0_norm1.b_norm": torch.randn(64),
        "lora_unet_mid_block_resnets_0_conv1.diff": torch.randn(64, 64, 3, 3),
        "lora_unet_mid_block_resnets_0_conv1.diff_b": torch.randn(64),
        "lora_te_text_model_final_layer_norm.w_norm": torch.randn(32),
        "lora_te_text_model_final_layer_norm.b_norm": torch.randn(32),
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_A.weight": torch.randn(2, 64),
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_B.weight": torch.randn(64, 2),
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_B.bias": torch.randn(64),
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.alpha": torch.tensor(4.0),
    }
    save_file(stored, path)
    network = open_network(path, model)
    assert network.unmatched == 0
    changes = {
        (target.module.removeprefix("text_model."), target.parameter): network.deltas[target].change(weight_of(model, target)) for target in network.deltas
    }
    for layer, spelt in (("mid_block.resnets.0.norm1", "norm"), ("final_layer_norm", "norm"), ("mid_block.resnets.0.conv1", "diff")):
        weight, bias = ("w_norm", "b_norm") if spelt == "norm" else ("diff", "diff_b")
        key = next(key for key in stored if key.endswith(f"{layer.replace('.', '_')}.{weight}"))
        assert torch.equal(changes[layer, "weight"], stored[key])
        assert torch.equal(changes[layer, "bias"], stored[key.removesuffix(weight) + bias])
    out = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"
    assert torch.equal(changes[out, "bias"], 2 * stored[f"unet.{out}.lora_B.bias"])


@pytest.mark.rule("E87", "P47")
def test_bundled_embeddings_come_with_their_words(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sdxl")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME)
    vectors = {part: torch.randn(3, 32, dtype=torch.float16) for part in ("clip_l", "clip_g")}
    others = {"bundle_emb.other.clip_l": torch.randn(32), "bundle_emb.wide.clip_l": torch.randn(2, 77), "bundle_emb.my.word.clip_l_out": torch.randn(2, 32)}
    save_file(load_file(written.path) | {f"bundle_emb.my.word.{part}": tensor for part, tensor in vectors.items()} | others, written.path)
    network = open_network(written.path, model)
    assert set(network.embeddings) == {"my.word", "other"}
    for part, tensor in vectors.items():
        assert torch.equal(network.embeddings["my.word"][part], tensor.float())
    assert network.embeddings["other"]["clip_l"].shape == (1, 32)
    assert network.unmatched == 1
    assert network.nbytes >= sum(delta.nbytes for delta in network.deltas.values()) + 2 * 3 * 32 * 4
    first, _ = tiny_model("sd1")
    save_file({"bundle_emb.word.string_to_param.*": torch.ones(2, 32)}, written.path)
    assert torch.equal(open_network(written.path, first).embeddings["word"]["clip_l"], torch.ones(2, 32))


@pytest.mark.rule("E87")
def test_keys_of_no_layer_are_counted_and_the_rest_acts(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME)
    strangers = {
        "lora_unet_somewhere_else.lora_up.weight": torch.ones(2, 2),
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha": torch.ones(()),
        "x": torch.ones(1),
    }
    save_file(load_file(written.path) | strangers, written.path)
    network = open_network(written.path, model)
    assert network.unmatched == 3
    assert_changes(model, network, written)


@pytest.mark.rule("E87")
def test_a_file_that_names_no_layer_of_the_model_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    path = tmp_path / "one.safetensors"
    save_file(
        {
            "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": torch.ones(2, 2),
            "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": torch.ones(2, 2),
        },
        path,
    )
    with pytest.raises(ModelIncompatible, match=r"'one.safetensors' is for Flux.1, the checkpoint is Stable Diffusion 1\.") as caught:
        open_network(path, model, field="prompt")
    assert caught.value.path == "prompt"
    save_file({"lora_unet_nowhere.lora_up.weight": torch.ones(2, 2), "lora_unet_nowhere.lora_down.weight": torch.ones(2, 2)}, path)
    with pytest.raises(ModelIncompatible, match="is for a model with other layers"):
        open_network(path, model)
    save_file({"weight": torch.ones(2, 2), "mid_block.resnets.0.conv1.weight": torch.ones(64, 64, 3, 3)}, path)
    with pytest.raises(ModelUnsupported, match="cannot use it as a LoRA"):
        open_network(path, model)


@pytest.mark.rule("R142")
@pytest.mark.parametrize("kind", ["lora", "oft"])
@pytest.mark.parametrize(
    ("made_for", "told", "title"),
    [("sd1", "sd_v1", "Stable Diffusion 1"), ("sd2", "sd_v2_v", "Stable Diffusion 2"), ("sdxl", "sdxl_base_v1-0", "Stable Diffusion XL")],
)
def test_R142_a_network_for_another_family_is_refused_naming_both(
    made_for: str, told: str, title: str, kind: NetworkKind, tiny_model: TinyModel, tmp_path: Path
) -> None:
    _, modules = tiny_model(made_for)
    written = write_network(modules, tmp_path / "one.safetensors", kind, ends=("attn2.to_k", "q_proj"), metadata={"ss_base_model_version": told})
    assert describe(read_header(written.path)) == ("LoRA" if kind == "lora" else "OFT", title)
    for family in ("sd1", "sd2", "sdxl"):
        model, _ = tiny_model(family)
        if family == made_for:
            assert open_network(written.path, model).base_family == title
        elif kind == "oft" or family == "sdxl" or made_for == "sdxl":  # the tiny models of SD1 and SD2 read texts of one width
            with pytest.raises(ModelIncompatible, match=f"is for {title}( of other sizes)?, the checkpoint is {model.family.title}"):
                open_network(written.path, model)


def test_of_a_file_that_fits_in_part_nothing_acts(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME)
    stored = load_file(written.path)
    key = next(key for key in stored if key.endswith("attn2_to_k.lora_down.weight"))
    save_file(stored | {key: torch.randn(2, 48)}, written.path)
    with pytest.raises(ModelIncompatible, match="has another size, the checkpoint is Stable Diffusion 1"):
        open_network(written.path, model)


def test_published_widths_tell_the_family_without_a_word(tmp_path: Path) -> None:
    for width, family in ((768, "sd1"), (1024, "sd2"), (2048, "sdxl"), (1280, "sdxl_refiner")):
        path = tmp_path / f"{width}.safetensors"
        layer = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
        save_file({f"{layer}.lora_down.weight": torch.ones(1, width), f"{layer}.lora_up.weight": torch.ones(8, 1)}, path)
        assert describe(read_header(path)).family == next(row.title for row in FAMILIES if row.name == family)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("lora", "LoRA"),
        ("locon", "LoCon"),
        ("loha", "LoHa"),
        ("lokr", "LoKr"),
        ("oft", "OFT"),
        ("boft", "BOFT"),
        ("peft_oft", "OFT"),
        ("ia3", "IA3"),
        ("glora", "GLoRA"),
        ("full", "full difference"),
    ],
)
def test_the_header_alone_tells_the_kind(kind: NetworkKind, words: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    _, modules = tiny_model("sd1")
    ends = ("attn2.to_k", "mlp.fc1") if kind == "lora" else SOME
    assert describe(read_header(write_network(modules, tmp_path / "one.safetensors", kind, ends=ends).path)).kinds == words


@pytest.mark.parametrize("channels", [9, 8])
@pytest.mark.parametrize("kind", ["lora", "lokr_full", "full", "oft"])
def test_a_network_for_the_plain_model_changes_an_inpainting_one(kind: NetworkKind, channels: int, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1", channels)
    _, plain = tiny_model("sd1")
    written = write_network(plain, tmp_path / "one.safetensors", kind, ends=("conv_in",))
    target = Target("unet", "conv_in")
    weight = weight_of(model, target)
    change = open_network(written.path, model).deltas[target].change(weight)
    tensors = next(iter(written.tensors.values()))
    if kind == "oft":
        torch.testing.assert_close(change.double(), dense_change(tensors, weight), atol=1e-5, rtol=1e-5)
    else:
        torch.testing.assert_close(change[:, :4].double(), dense_change(tensors, weight[:, :4]), atol=1e-5, rtol=1e-5)
        assert not change[:, 4:].any()
    # One made for the model itself is not narrowed.
    own = write_network(modules, tmp_path / "own.safetensors", kind, ends=("conv_in",))
    assert_changes(model, open_network(own.path, model), own)


def test_blocks_are_named_as_in_the_original_layout(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    network = open_network(write_network(modules, tmp_path / "one.safetensors", ends=("",)).path, model)
    blocks = {target.module: network.block(target) for target in network.deltas}
    assert blocks["conv_in"] == "IN00"
    assert blocks["down_blocks.0.downsamplers.0.conv"] == "IN03"
    assert blocks["down_blocks.1.resnets.1.conv1"] == "IN05"
    assert blocks["mid_block.resnets.1.conv2"] == "M00"
    assert blocks["up_blocks.1.attentions.2.proj_out"] == "OUT05"
    assert blocks["time_embedding.linear_1"] == blocks["conv_out"] == ""
    assert {block for module, block in blocks.items() if "encoder" in module} == {"BASE"}


def test_a_file_that_is_gone_or_a_pickle_is_not_opened(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    with pytest.raises(ModelNotFound, match="No LoRA named"):
        open_network(tmp_path / "gone.safetensors", model)
    pickle = tmp_path / "old.pt"
    pickle.write_bytes(b"PK\x03\x04" + bytes(64))
    with pytest.raises(PickleRefused, match="sfumato convert"):
        open_network(pickle, model)


def test_a_stop_while_reading_stops(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME)

    class Stop(Exception):
        pass

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        open_network(written.path, model, check)


def test_another_file_of_the_same_name_is_another_network(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME)
    before = open_network(written.path, model).identity
    assert open_network(written.path, model).identity == before
    write_network(modules, tmp_path / "one.safetensors", ends=SOME[:2])
    assert open_network(written.path, model).identity != before


def test_a_layer_named_twice_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME[:1])
    other = write_network(modules, tmp_path / "two.safetensors", layout="peft", ends=SOME[:1])
    save_file(load_file(written.path) | load_file(other.path), written.path)
    with pytest.raises(CorruptFile, match="twice"):
        open_network(written.path, model)


def test_the_same_family_in_other_sizes_is_told_so(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    narrow = replace(model, unet=tiny_model("sdxl")[0].unet)
    written = write_network(modules, tmp_path / "one.safetensors", ends=("attn2.to_k",), metadata={"modelspec.architecture": "stable-diffusion-v1/lora"})
    with pytest.raises(ModelIncompatible, match="is for Stable Diffusion 1 of other sizes, the checkpoint is Stable Diffusion 1"):
        open_network(written.path, narrow)
