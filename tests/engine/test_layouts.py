"""Names of weights translate both ways without loss."""

from __future__ import annotations

import pytest

from sfumato.engine.layouts import clip, original, unet, vae
from tests.support.tiny_models import TinyModules


@pytest.mark.rule("E96")
def test_every_name_comes_back(modules: TinyModules) -> None:
    parts = {"unet": modules.unet.state_dict(), "vae": modules.vae.state_dict(), "clip_l": modules.clip.state_dict()}
    spelt = original.spell(parts)
    keys = [key for table in spelt.values() for key in table.values()]
    assert len(set(keys)) == sum(map(len, parts.values()))
    assert original.sort_keys(keys) == spelt


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("input_blocks.0.0.weight", "conv_in.weight"),
        ("time_embed.2.bias", "time_embedding.linear_2.bias"),
        ("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"),
        ("input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight"),
        ("input_blocks.4.0.skip_connection.weight", "down_blocks.1.resnets.0.conv_shortcut.weight"),
        ("input_blocks.11.0.emb_layers.1.bias", "down_blocks.3.resnets.1.time_emb_proj.bias"),
        ("middle_block.1.proj_in.weight", "mid_block.attentions.0.proj_in.weight"),
        ("middle_block.2.out_layers.3.weight", "mid_block.resnets.1.conv2.weight"),
        ("output_blocks.2.1.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"),
        ("output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight"),
        ("output_blocks.11.0.in_layers.2.weight", "up_blocks.3.resnets.2.conv1.weight"),
        ("out.2.weight", "conv_out.weight"),
    ],
)
def test_known_places_of_the_full_unet(key: str, name: str) -> None:
    # Given two layers per block, as every published model has
    keys = [key, "input_blocks.3.0.op.weight", "input_blocks.11.0.in_layers.0.weight", "output_blocks.11.0.in_layers.0.weight"]
    # Then
    assert unet.to_diffusers(keys)[key] == name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("encoder.down.1.block.0.nin_shortcut.weight", "encoder.down_blocks.1.resnets.0.conv_shortcut.weight"),
        ("encoder.down.2.downsample.conv.bias", "encoder.down_blocks.2.downsamplers.0.conv.bias"),
        ("decoder.up.3.block.2.conv1.weight", "decoder.up_blocks.0.resnets.2.conv1.weight"),
        ("decoder.up.1.upsample.conv.weight", "decoder.up_blocks.2.upsamplers.0.conv.weight"),
        ("decoder.mid.attn_1.q.weight", "decoder.mid_block.attentions.0.to_q.weight"),
        ("decoder.mid.attn_1.norm.bias", "decoder.mid_block.attentions.0.group_norm.bias"),
        ("encoder.mid.block_2.norm1.weight", "encoder.mid_block.resnets.1.norm1.weight"),
        ("encoder.norm_out.weight", "encoder.conv_norm_out.weight"),
        ("quant_conv.bias", "quant_conv.bias"),
        ("decoder.mid_block.attentions.0.proj_attn.weight", "decoder.mid_block.attentions.0.to_out.0.weight"),
    ],
)
def test_known_places_of_the_vae(key: str, name: str) -> None:
    assert vae.to_diffusers([key, "decoder.up.3.block.0.conv1.weight"])[key] == name


@pytest.mark.rule("E17")
def test_text_tower_with_and_without_its_wrapper() -> None:
    keys = ["text_model.final_layer_norm.weight", "final_layer_norm.bias", "text_model.embeddings.position_ids"]
    assert clip.canonical(keys) == {keys[0]: "final_layer_norm.weight", keys[1]: "final_layer_norm.bias"}
