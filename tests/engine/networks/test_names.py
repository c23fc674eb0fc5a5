"""Names as published files have them, against networks of the published sizes (without their memory)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.engine.configuration import ClipConfiguration, UNetConfiguration
from sfumato.engine.family import Model
from sfumato.engine.modules import build_clip, build_unet
from sfumato.engine.networks import leaves
from sfumato.engine.networks.names import Names, Target
from tests.support.tiny_models import TinyModules

_UNETS = {
    "sd1": UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False),
    "sdxl": UNetConfiguration.regular((320, 640, 1280), (0, 2, 10), 2048, vector_width=2816),
}
_TOWERS = {"clip_l": ClipConfiguration(49408, 77, 768, 3072, 12, 12, "quick_gelu"), "clip_g": ClipConfiguration(49408, 77, 1280, 5120, 32, 20, "gelu")}


@pytest.fixture(scope="module")
def tables(tiny_model: Callable[..., tuple[Model, TinyModules]]) -> dict[str, Names]:
    made = {}
    for family, shape in _UNETS.items():
        tiny, _ = tiny_model(family)
        encoders = tuple(replace(encoder, tower=build_clip(_TOWERS[encoder.part])) for encoder in tiny.encoders)
        made[family] = Names(replace(tiny, unet=build_unet(shape), encoders=encoders))
    return made


@pytest.mark.rule("E87")
@pytest.mark.parametrize(
    ("family", "key", "part", "layer", "leaf"),
    [
        ("sd1", "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "unet", "down_blocks.0.attentions.0.proj_in", "down"),
        (
            "sd1",
            "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn1_to_out_0.alpha",
            "unet",
            "up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_out.0",
            "alpha",
        ),
        (
            "sd1",
            "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj.hada_w1_a",
            "unet",
            "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
            "hada_w1_a",
        ),
        ("sd1", "lora_unet_down_blocks_2_resnets_1_time_emb_proj.lokr_w2", "unet", "down_blocks.2.resnets.1.time_emb_proj", "lokr_w2"),
        ("sd1", "lora_unet_up_blocks_0_upsamplers_0_conv.lora_mid.weight", "unet", "up_blocks.0.upsamplers.0.conv", "mid"),
        (
            "sd1",
            "lora_te_text_model_encoder_layers_11_self_attn_q_proj.lora_up.weight",
            "clip_l",
            "encoder.layers.11.self_attn.q_proj",
            "up",
        ),
        ("sd1", "text_encoder.text_model.encoder.layers.3.mlp.fc2.lora_linear_layer.up.weight", "clip_l", "encoder.layers.3.mlp.fc2", "up"),
        ("sd1", "text_encoder.text_model.encoder.layers.3.self_attn.to_out_lora.up.weight", "clip_l", "encoder.layers.3.self_attn.out_proj", "up"),
        (
            "sd1",
            "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight",
            "unet",
            "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0",
            "down",
        ),
        (
            "sd1",
            "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.up.weight",
            "unet",
            "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
            "up",
        ),
        (
            "sd1",
            "base_model.model.up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v.lora_A.default.weight",
            "unet",
            "up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v",
            "down",
        ),
        ("sd1", "base_model.model.text_model.encoder.layers.0.self_attn.k_proj.lora_B.weight", "clip_l", "encoder.layers.0.self_attn.k_proj", "up"),
        ("sd1", "lycoris_mid_block_resnets_0_conv2.oft_blocks", "unet", "mid_block.resnets.0.conv2", "oft_blocks"),
        ("sd1", "oft_unet_mid_block_resnets_0_conv2.oft_blocks", "unet", "mid_block.resnets.0.conv2", "oft_blocks"),
        ("sd1", "oft_unet_mid_block_resnets_0_conv2.alpha", "unet", "mid_block.resnets.0.conv2", "alpha"),
        (
            "sdxl",
            "lora_unet_input_blocks_7_1_transformer_blocks_9_attn2_to_k.lora_down.weight",
            "unet",
            "down_blocks.2.attentions.0.transformer_blocks.9.attn2.to_k",
            "down",
        ),
        ("sdxl", "lora_unet_output_blocks_2_2_conv.lora_up.weight", "unet", "up_blocks.0.upsamplers.0.conv", "up"),
        ("sdxl", "lora_unet_input_blocks_3_0_op.lora_up.weight", "unet", "down_blocks.0.downsamplers.0.conv", "up"),
        ("sdxl", "lora_unet_middle_block_2_in_layers_2.lora_up.weight", "unet", "mid_block.resnets.1.conv1", "up"),
        ("sdxl", "lora_unet_output_blocks_8_0_skip_connection.diff", "unet", "up_blocks.2.resnets.2.conv_shortcut", "diff"),
        ("sdxl", "lora_unet_label_emb_0_2.lora_up.weight", "unet", "add_embedding.linear_2", "up"),
        ("sdxl", "lora_unet_time_embed_0.lora_up.weight", "unet", "time_embedding.linear_1", "up"),
        ("sdxl", "lora_unet_out_2.lora_up.weight", "unet", "conv_out", "up"),
        (
            "sdxl",
            "lora_unet_down_blocks_1_attentions_1_transformer_blocks_1_attn1_to_v.dora_scale",
            "unet",
            "down_blocks.1.attentions.1.transformer_blocks.1.attn1.to_v",
            "magnitude",
        ),
        (
            "sdxl",
            "unet.up_blocks.0.attentions.2.transformer_blocks.4.ff.net.2.lora_magnitude_vector.default",
            "unet",
            "up_blocks.0.attentions.2.transformer_blocks.4.ff.net.2",
            "magnitude",
        ),
        (
            "sdxl",
            "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.lora_B.weight",
            "unet",
            "mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
            "up",
        ),
        ("sdxl", "diffusion_model.input_blocks.4.0.emb_layers.1.diff_b", "unet", "down_blocks.1.resnets.0.time_emb_proj", "diff_b"),
        ("sdxl", "lora_te1_text_model_encoder_layers_11_mlp_fc1.lora_up.weight", "clip_l", "encoder.layers.11.mlp.fc1", "up"),
        ("sdxl", "lora_te2_text_model_encoder_layers_31_self_attn_out_proj.lora_up.weight", "clip_g", "encoder.layers.31.self_attn.out_proj", "up"),
        ("sdxl", "lora_te2_transformer_resblocks_31_mlp_c_fc.lora_up.weight", "clip_g", "encoder.layers.31.mlp.fc1", "up"),
        ("sdxl", "conditioner.embedders.1.model.transformer.resblocks.0.attn.out_proj.lora_up.weight", "clip_g", "encoder.layers.0.self_attn.out_proj", "up"),
        ("sdxl", "text_encoder_2.text_model.encoder.layers.9.self_attn.v_proj.lora_A.weight", "clip_g", "encoder.layers.9.self_attn.v_proj", "down"),
        ("sdxl", "text_encoders.clip_g.transformer.text_model.encoder.layers.9.mlp.fc1.lora_up.weight", "clip_g", "encoder.layers.9.mlp.fc1", "up"),
        ("sdxl", "clip_l.text_model.encoder.layers.9.mlp.fc1.lora_up.weight", "clip_l", "encoder.layers.9.mlp.fc1", "up"),
    ],
)
def test_names_of_published_files_are_known(tables: dict[str, Names], family: str, key: str, part: str, layer: str, leaf: str) -> None:
    name, found_leaf = leaves.split(key)
    (place,) = tables[family].find(name)
    assert (place.part, place.module.removeprefix("text_model."), place.third, found_leaf) == (part, layer, None, leaf)


@pytest.mark.rule("E87")
def test_a_stack_is_three_layers_in_the_order_of_its_rows(tables: dict[str, Names]) -> None:
    places = tables["sdxl"].find("lora_te2_transformer_resblocks_4_attn_in_proj")
    assert sorted((place.third, place.module.removeprefix("text_model.")) for place in places) == [
        (third, f"encoder.layers.4.self_attn.{name}") for third, name in enumerate(("q_proj", "k_proj", "v_proj"))
    ]


@pytest.mark.parametrize(
    "name",
    [
        "lora_te2_text_model_encoder_layers_0_mlp_fc1",
        "lora_unet_input_blocks_7_1_transformer_blocks_9_attn2_to_k",
        "text_encoder_2.text_model.encoder.layers.0.mlp.fc1",
        "lora_te_text_model_embeddings_token_embedding",
        "lora_unet_",
        "",
        "lora_prior_unet_x",
    ],
)
def test_what_a_model_has_not_is_not_found(tables: dict[str, Names], name: str) -> None:
    assert tables["sd1"].find(name) == ()


@pytest.mark.parametrize(
    ("layer", "block"),
    [
        ("conv_in", "IN00"),
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", "IN04"),
        ("down_blocks.1.downsamplers.0.conv", "IN06"),
        ("down_blocks.2.resnets.1.conv1", "IN08"),
        ("mid_block.attentions.0.transformer_blocks.9.ff.net.2", "M00"),
        ("up_blocks.0.attentions.2.transformer_blocks.0.attn1.to_q", "OUT02"),
        ("up_blocks.0.upsamplers.0.conv", "OUT02"),
        ("up_blocks.2.resnets.2.conv_shortcut", "OUT08"),
        ("add_embedding.linear_1", ""),
    ],
)
def test_blocks_of_sdxl_count_to_eight(tables: dict[str, Names], layer: str, block: str) -> None:
    assert tables["sdxl"].block(Target("unet", layer)) == block


def test_blocks_of_sd1_count_to_eleven(tables: dict[str, Names]) -> None:
    table = tables["sd1"]
    assert table.block(Target("unet", "down_blocks.3.resnets.1.conv1")) == "IN11"
    assert table.block(Target("unet", "up_blocks.3.attentions.2.proj_out")) == "OUT11"
    assert table.block(Target("clip_l", "encoder.layers.0.mlp.fc1")) == "BASE"


@given(st.text())
def test_any_text_is_a_key_and_loses_nothing(key: str) -> None:
    layer, leaf = leaves.split(key)
    assert key.startswith(layer) or "lora_" in key or "oft_R" in key or "ia3_l" in key
    if leaf:
        assert layer
    assert leaves.grouped([key]) and all(set(keys.values()) == {key} for keys in leaves.grouped([key]).values())
