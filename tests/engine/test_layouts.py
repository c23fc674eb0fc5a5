"""Names of weights translate both ways without loss."""

from __future__ import annotations

import pytest

from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.layouts import clip, original, unet, vae
from sfumato.engine.layouts.place import Place
from sfumato.engine.modules import build_unet
from tests.support.tiny_models import Kind, TinyFiles


@pytest.mark.rule("E96")
@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl", "refiner"])
def test_every_name_comes_back(tiny_files: TinyFiles, kind: Kind) -> None:
    parts = tiny_files.modules(kind).parts()
    spelt = original.spell(parts)
    keys = {place.key for table in spelt.values() for place in table.values()}
    # Query, key and value share a tensor in OpenCLIP's spelling; nothing else does.
    assert len(keys) == sum(len({(place.key, place.third is None) for place in table.values()}) for table in spelt.values())
    assert original.sort_keys(keys) == spelt


SD15 = list(build_unet(UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False)).state_dict())
SDXL = list(build_unet(UNetConfiguration.regular((320, 640, 1280), (0, 2, 10), 2048, vector_width=2816)).state_dict())


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
    keys = unet.to_original(SD15)
    assert keys[name] == key
    assert unet.to_diffusers(keys.values())[key] == name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("label_emb.0.0.weight", "add_embedding.linear_1.weight"),
        ("input_blocks.4.1.transformer_blocks.1.attn2.to_k.weight", "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k.weight"),
        ("input_blocks.6.0.op.weight", "down_blocks.1.downsamplers.0.conv.weight"),
        ("input_blocks.8.1.transformer_blocks.9.ff.net.2.bias", "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.2.bias"),
        ("output_blocks.2.2.conv.bias", "up_blocks.0.upsamplers.0.conv.bias"),
        ("output_blocks.8.0.skip_connection.weight", "up_blocks.2.resnets.2.conv_shortcut.weight"),
    ],
)
def test_known_places_of_the_unet_of_sdxl(key: str, name: str) -> None:
    keys = unet.to_original(SDXL)
    assert keys[name] == key
    assert unet.to_diffusers(keys.values())[key] == name


def test_levels_of_different_depth_are_found_by_walking() -> None:
    # Given two levels of one and three layers and no middle, in the original layout
    keys = ["input_blocks.0.0.weight", *(f"input_blocks.{n}.0.in_layers.0.weight" for n in (1, 3, 4, 5)), "input_blocks.2.0.op.weight"]
    keys += [*(f"output_blocks.{n}.0.in_layers.0.weight" for n in range(6)), "output_blocks.3.1.conv.weight"]
    names = unet.to_diffusers(keys)
    assert names["input_blocks.1.0.in_layers.0.weight"] == "down_blocks.0.resnets.0.norm1.weight"
    assert names["input_blocks.5.0.in_layers.0.weight"] == "down_blocks.1.resnets.2.norm1.weight"
    assert names["output_blocks.3.1.conv.weight"] == "up_blocks.0.upsamplers.0.conv.weight"
    assert names["output_blocks.5.0.in_layers.0.weight"] == "up_blocks.1.resnets.1.norm1.weight"
    assert {name: key for key, name in names.items()} == unet.to_original(names.values())


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


@pytest.mark.rule("E17")
def test_text_tower_as_open_clip_stores_it() -> None:
    places = clip.from_open_clip(["transformer.resblocks.3.attn.in_proj_weight", "transformer.resblocks.3.mlp.c_fc.bias", "text_projection", "logit_scale"])
    assert places["encoder.layers.3.self_attn.k_proj.weight"] == Place("transformer.resblocks.3.attn.in_proj_weight", third=1)
    assert places["encoder.layers.3.mlp.fc1.bias"] == Place("transformer.resblocks.3.mlp.c_fc.bias")
    assert places["text_projection.weight"] == Place("text_projection", is_transposed=True)
    assert places["logit_scale"] == Place("logit_scale")
    assert clip.to_open_clip(places) == places
