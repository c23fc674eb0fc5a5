"""Graphs of ComfyUI, built from what its nodes are called and take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PIL import Image

from sfumato.imaging.exif import EXIF_DIRECTORY, USER_COMMENT
from sfumato.imaging.origins.comfyui import converted
from sfumato.imaging.picture import Reading, read_picture
from tests.imaging.origins.samples import png, with_exif

Nodes = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def simple(**changes: dict[str, Any]) -> Nodes:
    """The graph that ComfyUI starts with."""
    return {
        "3": node("KSampler", seed=156680208700286, steps=20, cfg=8, sampler_name="euler", scheduler="normal", denoise=1, model=["4", 0], positive=["6", 0],
                  negative=["7", 0], latent_image=["5", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=640, batch_size=1),
        "6": node("CLIPTextEncode", text="scenery (bottle:1.2) [x]", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="text, embedding:easynegative.pt, watermark", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
        **changes,
    }  # fmt: skip


def read(nodes: Nodes) -> Reading:
    return read_picture(png(prompt=json.dumps(nodes)))


def fields(nodes: Nodes, *names: str) -> dict[str, Any]:
    found = read(nodes).fields
    return {name: found.get(name) for name in names}


@pytest.mark.rule("M17")
def test_the_first_graph_of_everybody() -> None:
    reading = read(simple())
    assert (reading.source, reading.warnings, reading.unknown) == ("comfyui", (), {})
    assert dict(reading.fields) == {
        "seed": 156680208700286, "steps": 20, "guidance": 8.0, "sampler": "Euler", "schedule": "uniform", "model": "v1-5-pruned", "width": 512, "height": 640,
        "prompt": "scenery (bottle:1.2) \\[x\\]", "negative": "text, easynegative, watermark", "rng": "cpu", "emphasis": "interpolate", "comments": False,
        "dynamic": False,
    }  # fmt: skip
    assert reading.switches == {"emphasis", "comments", "dynamic"}


@pytest.mark.rule("M17")
@pytest.mark.parametrize(("scheduler", "ours"), [("beta", "beta_t"), ("kl_optimal", "kl_optimal_zero"), ("ddim_uniform", "ddim_uniform"), ("karras", "karras")])
def test_schedules_that_it_computes_in_another_way_have_other_names_here(scheduler: str, ours: str) -> None:
    nodes = simple()
    nodes["3"]["inputs"] |= {"scheduler": scheduler, "sampler_name": "dpmpp_2m_sde_gpu"}
    assert fields(nodes, "schedule", "sampler") == {"schedule": ours, "sampler": "DPM++ 2M SDE"}


@pytest.mark.rule("M17")
def test_loras_in_their_order_a_vae_a_layer_and_what_changes_the_model() -> None:
    nodes = simple(
        **{
            "10": node("LoraLoader", lora_name="sub\\style.safetensors", strength_model=0.8, strength_clip=0.5, model=["4", 0], clip=["4", 1]),
            "11": node("LoraLoaderModelOnly", lora_name="detail.safetensors", strength_model=-1.0, model=["10", 0]),
            "12": node("RescaleCFG", multiplier=0.7, model=["11", 0]),
            "13": node("ModelSamplingDiscrete", sampling="v_prediction", zsnr=True, model=["12", 0]),
            "14": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["10", 1]),
            "15": node("VAELoader", vae_name="vae-ft-mse.safetensors"),
            "16": node("FreeU_V2", b1=1.3, b2=1.4, s1=0.9, s2=0.2, model=["13", 0]),
        }
    )
    nodes["3"]["inputs"]["model"] = ["16", 0]
    nodes["6"]["inputs"]["clip"] = ["14", 0]
    nodes["8"]["inputs"]["vae"] = ["15", 0]
    assert fields(nodes, "prompt", "vae", "clip_skip", "cfg_rescale", "prediction", "zero_terminal_snr", "freeu_b1", "model") == {
        "prompt": "scenery (bottle:1.2) \\[x\\] <lora:style:0.5:0.8> <lora:detail:-1>", "vae": "vae-ft-mse", "clip_skip": 2, "cfg_rescale": 0.7,
        "prediction": "v",
        "zero_terminal_snr": "on", "freeu_b1": 1.3, "model": "v1-5-pruned",
    }  # fmt: skip
    assert "RescaleCFG" in read(nodes).unknown["Nodes"]


@pytest.mark.rule("M17")
def test_lists_of_loras_by_other_peoples_nodes() -> None:
    nodes = simple(**{"10": node("Power Lora Loader (rgthree)", lora_1={"on": True, "lora": "a.safetensors", "strength": 0.6},
                                 lora_2={"on": False, "lora": "b.safetensors", "strength": 1}, model=["4", 0], clip=["4", 1])})  # fmt: skip
    nodes["3"]["inputs"]["model"] = ["10", 0]
    assert fields(nodes, "prompt")["prompt"].endswith("\\] <lora:a:0.6>")


@pytest.mark.rule("M17")
def test_primitive_inputs_and_joined_texts_are_followed() -> None:
    nodes = simple(
        **{
            "20": node("PrimitiveInt", value=33), "21": node("Seed (rgthree)", seed=99), "22": node("Reroute", value=["21", 0]),
            "23": node("Text Concatenate", text_a=["24", 0], text_b="two"), "24": node("PrimitiveString", value="one"),
            "25": node("CLIPTextEncode", text="three", clip=["4", 1]), "26": node("CLIPTextEncode", text="four", clip=["4", 1]),
            "27": node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["28", 0]),
            "28": node("ConditioningConcat", conditioning_to=["25", 0], conditioning_from=["26", 0]),
            "29": node("ConditioningZeroOut", conditioning=["6", 0]),
        }
    )  # fmt: skip
    nodes["3"]["inputs"] |= {"steps": ["20", 0], "seed": ["22", 0], "positive": ["27", 0], "negative": ["29", 0]}
    nodes["6"]["inputs"]["text"] = ["23", 0]
    assert fields(nodes, "steps", "seed", "prompt", "negative") == {"steps": 33, "seed": 99, "prompt": "one two AND three BREAK four", "negative": ""}


@pytest.mark.rule("M17")
def test_a_second_sampler_is_the_highres_pass() -> None:
    nodes = simple(
        **{
            "10": node("LatentUpscaleBy", upscale_method="nearest-exact", scale_by=1.5, samples=["3", 0]),
            "11": node("KSampler", seed=1, steps=14, cfg=6, sampler_name="dpmpp_2m", scheduler="karras", denoise=0.5, model=["4", 0], positive=["6", 0],
                       negative=["7", 0], latent_image=["10", 0]),
        }
    )  # fmt: skip
    nodes["8"]["inputs"]["samples"] = ["11", 0]
    assert fields(nodes, "seed", "steps", "width", "hr_scale", "hr_strength", "hr_steps", "hr_sampler", "hr_schedule", "hr_guidance", "hr_upscaler",
    "strength") == {
        "seed": 156680208700286, "steps": 20, "width": 512, "hr_scale": 1.5, "hr_strength": 0.5, "hr_steps": 14, "hr_sampler": "DPM++ 2M",
        "hr_schedule": "karras",
        "hr_guidance": 6.0, "hr_upscaler": "Latent (nearest-exact)", "strength": None,
    }  # fmt: skip
    # By way of pixels and a model
    nodes |= {
        "20": node("VAEDecode", samples=["3", 0], vae=["4", 2]), "21": node("UpscaleModelLoader", model_name="4x.pth"),
        "22": node("ImageUpscaleWithModel", upscale_model=["21", 0], image=["20", 0]),
        "23": node("ImageScale", upscale_method="lanczos", width=1024, height=1280, crop="disabled", image=["22", 0]),
        "24": node("VAEEncode", pixels=["23", 0], vae=["4", 2]),
    }  # fmt: skip
    nodes["11"]["inputs"]["latent_image"] = ["24", 0]
    assert fields(nodes, "hr_width", "hr_height", "hr_upscaler", "hr_scale") == {"hr_width": 1024, "hr_height": 1280, "hr_upscaler": "4x", "hr_scale": None}


@pytest.mark.rule("M17")
def test_advanced_samplers_one_behind_the_other_are_a_refiner() -> None:
    common = {
        "add_noise": "enable",
        "noise_seed": 7,
        "steps": 25,
        "cfg": 8,
        "sampler_name": "euler",
        "scheduler": "normal",
        "positive": ["6", 0],
        "negative": ["7", 0],
    }
    nodes = simple(
        **{
            "3": node("KSamplerAdvanced", **common, start_at_step=0, end_at_step=20, model=["4", 0], latent_image=["5", 0]),
            "10": node("KSamplerAdvanced", **common, start_at_step=20, end_at_step=10000, model=["11", 0], latent_image=["3", 0]),
            "11": node("CheckpointLoaderSimple", ckpt_name="sd_xl_refiner.safetensors"),
        }
    )
    nodes["8"]["inputs"]["samples"] = ["10", 0]
    assert fields(nodes, "seed", "steps", "refiner", "refiner_switch_at", "refiner_by_steps", "model", "strength") == {
        "seed": 7, "steps": 25, "refiner": "sd_xl_refiner", "refiner_switch_at": 0.8, "refiner_by_steps": True, "model": "v1-5-pruned", "strength": None,
    }  # fmt: skip


@pytest.mark.rule("M17")
def test_a_sampler_made_of_parts() -> None:
    nodes = simple(
        **{
            "3": node("SamplerCustomAdvanced", noise=["20", 0], guider=["21", 0], sampler=["22", 0], sigmas=["23", 0], latent_image=["5", 0]),
            "20": node("RandomNoise", noise_seed=44), "21": node("CFGGuider", cfg=5.5, model=["4", 0], positive=["6", 0], negative=["7", 0]),
            "22": node("KSamplerSelect", sampler_name="euler_ancestral"), "23": node("BasicScheduler", scheduler="beta", steps=30, denoise=0.6, model=["4", 0]),
        }
    )  # fmt: skip
    assert fields(nodes, "seed", "guidance", "sampler", "schedule", "steps", "strength", "exact_steps", "model", "negative") == {
        "seed": 44, "guidance": 5.5, "sampler": "Euler a", "schedule": "beta_t", "steps": 30, "strength": 0.6, "exact_steps": True, "model": "v1-5-pruned",
        "negative": "text, easynegative, watermark",
    }  # fmt: skip
    nodes["3"] = node(
        "SamplerCustom", noise_seed=5, cfg=7, model=["4", 0], positive=["6", 0], negative=["7", 0], sampler=["22", 0], sigmas=["24", 0], latent_image=["5", 0]
    )
    nodes["24"] = node("KarrasScheduler", steps=12, sigma_max=14.6, sigma_min=0.03, rho=7)
    assert fields(nodes, "seed", "schedule", "steps", "sigma_max", "rho") == {"seed": 5, "schedule": "karras", "steps": 12, "sigma_max": 14.6, "rho": 7.0}


@pytest.mark.rule("M17")
def test_sides_stay_apart_behind_a_control_node_and_sizes_told_to_sdxl_are_read() -> None:
    nodes = simple(**{"10": node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], strength=1, control_net=["99", 0], image=["98", 0])})
    nodes["3"]["inputs"] |= {"positive": ["10", 0], "negative": ["10", 1]}
    nodes["6"] = node(
        "CLIPTextEncodeSDXL", text_g="a fox", text_l="a fox", width=4096, height=4096, crop_w=0, crop_h=8, target_width=1024, target_height=512, clip=["4", 1]
    )
    assert fields(nodes, "prompt", "negative", "original_width", "crop_top", "target_height") == {
        "prompt": "a fox", "negative": "text, easynegative, watermark", "original_width": 4096, "crop_top": 8, "target_height": 512,
    }  # fmt: skip


@pytest.mark.rule("M17", "M18")
def test_graphs_that_bite_their_tail_end() -> None:
    nodes = simple()
    for number in nodes:
        nodes[number]["inputs"] = {name: [number, 0] if name in ("model", "text", "latent_image", "positive", "seed", "clip") else value
                                   for name, value in nodes[number]["inputs"].items()}  # fmt: skip
    assert read(nodes).source == "comfyui"
    ring = {str(number): node("ConditioningCombine", conditioning_1=[str(number + 1), 0], conditioning_2=[str((number * 7) % 400), 0]) for number in range(400)}
    ring["399"] = node("KSampler", steps=5, seed=["399", 0], positive=["0", 0], negative=["1", 0], model=["399", 0], latent_image=["399", 0])
    assert read(ring).fields["prompt"] == ""
    for broken in ({"1": node("KSampler")}, {"1": {"class_type": "KSampler", "inputs": [1]}}, {"1": node("Save Image"), "2": 5}):
        assert read(broken).source in ("comfyui", "none")


@pytest.mark.rule("M17")
def test_webp_and_jpeg_keep_the_graph_in_exif() -> None:
    graph = json.dumps(simple())
    for form in ("WEBP", "AVIF", "JPEG"):
        exif = Image.Exif()
        exif[0x0110], exif[0x010F] = f"prompt:{graph}", f"workflow:{json.dumps({'nodes': []})}"
        assert read_picture(with_exif(form, exif)).fields["seed"] == 156680208700286
    exif = Image.Exif()
    exif.get_ifd(EXIF_DIRECTORY)[USER_COMMENT] = json.dumps({"prompt": graph, "workflow": "{}"}).encode()
    assert read_picture(with_exif("JPEG", exif)).source == "comfyui"


@pytest.mark.rule("M17")
def test_the_drawn_graph_alone_is_read_for_the_nodes_that_are_built_in() -> None:
    workflow = {
        "nodes": [
            {"id": 3, "type": "KSampler", "mode": 0, "widgets_values": [5, "randomize", 20, 8, "euler", "normal", 1],
             "inputs": [{"name": "model", "link": 1}, {"name": "positive", "link": 4}, {"name": "negative", "link": 6}, {"name": "latent_image", "link": 2}]},
            {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd.ckpt"]},
            {"id": 5, "type": "EmptyLatentImage", "widgets_values": [768, 512, 1]},
            {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a fox"]}, {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["bad"]},
        ],
        "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [4, 6, 0, 3, 1, "C"], [6, 7, 0, 3, 2, "C"]],
    }  # fmt: skip
    reading = read_picture(png(workflow=json.dumps(workflow)))
    assert {name: reading.fields[name] for name in ("seed", "model", "width", "prompt", "negative")} == {
        "seed": 5, "model": "sd", "width": 768, "prompt": "a fox", "negative": "bad",
    }  # fmt: skip
    assert "drawn graph" in reading.warnings[0]


@pytest.mark.rule("M17")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("a (b:1.2) \\(c\\)", "a (b:1.2) \\(c\\)"), ("[a] \\ b\\n", "\\[a\\] \\\\ b\\\\n"), ("embedding:x y, embedding:dir/neg.safetensors", "x y, neg"),
        ("(embedding:bad-v2:1.2)", "(bad-v2:1.2)"),
    ],
)  # fmt: skip
def test_its_prompts_mean_the_same_here(theirs: str, ours: str) -> None:
    assert converted(theirs) == ours
