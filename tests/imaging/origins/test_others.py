"""InvokeAI, NovelAI, Fooocus, qDiffusion, SwarmUI and Draw Things, from the descriptions of what they write."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sfumato.imaging.origins.weights import from_invokeai, from_novelai
from sfumato.imaging.picture import Reading, read_picture
from tests.imaging.origins.samples import PICTURE, png, with_exif


def some(reading: Reading, *names: str) -> dict[str, Any]:
    return {name: reading.fields.get(name) for name in names}


# -- InvokeAI ----------------------------------------------------------------------------------------

INVOKE = {
    "app_version": "4.2.0", "generation_mode": "txt2img", "positive_prompt": "a cat+ and (red ball)1.3", "negative_prompt": "bad--", "width": 640,
    "height": 448,
    "seed": 77, "rand_device": "cpu", "steps": 30, "cfg_scale": 7.5, "cfg_rescale_multiplier": 0.5, "scheduler": "dpmpp_2m_k", "clip_skip": 1,
    "seamless_x": True,
    "seamless_y": False, "model": {"key": "1", "hash": "sha256:" + "ab" * 32, "name": "deliberate", "base": "sd-1", "type": "main"}, "vae": {"name": "vae-ft"},
    "loras": [{"model": {"name": "style"}, "weight": 0.75}], "refiner_model": {"model_name": "xl-refiner"}, "refiner_start": 0.7, "strength": 0.4,
    "controlnets": [{"control_weight": 1}], "positive_style_prompt": "oil", "negative_style_prompt": "",
}  # fmt: skip


@pytest.mark.rule("M17")
def test_invokeai_of_today() -> None:
    reading = read_picture(png(invokeai_metadata=json.dumps(INVOKE)))
    assert (reading.source, reading.warnings) == ("invokeai", ())
    assert dict(reading.fields) == {
        "prompt": "a (cat:1.1) and (red ball:1.3) <lora:style:0.75>", "negative": "(bad:0.81)", "width": 640, "height": 448, "seed": 77, "steps": 30,
        "guidance": 7.5,
        "cfg_rescale": 0.5, "sampler": "DPM++ 2M", "schedule": "karras", "clip_skip": 2, "tiling": "x", "model": "deliberate", "vae": "vae-ft",
        "refiner": "xl-refiner",
        "refiner_switch_at": 0.7, "strength": 0.4, "prompt_2": "oil", "rng": "cpu", "emphasis": "interpolate", "comments": False, "dynamic": False,
    }  # fmt: skip
    assert (reading.hashes, reading.unknown) == ({"model": "ab" * 32}, {"controlnets": [{"control_weight": 1}]})


@pytest.mark.rule("M17")
def test_older_invokeai_and_its_command_lines() -> None:
    image = {"prompt": [{"prompt": "a fox [ugly, blurred]", "weight": 1.0}], "steps": 50, "cfg_scale": 7.5, "height": 512, "width": 768, "seed": 9,
    "seamless": False,
             "type": "txt2img", "sampler": "k_euler_a"}  # fmt: skip
    old = read_picture(png(sd_metadata=json.dumps({"model_weights": "sd-1.5", "model_hash": "cd" * 32, "app_version": "v2.2.4", "image": image})))
    assert some(old, "prompt", "negative", "steps", "width", "sampler", "model") == {
        "prompt": "a fox", "negative": "ugly, blurred", "steps": 50, "width": 768, "sampler": "Euler a", "model": "sd-1.5",
    }  # fmt: skip
    oldest = read_picture(png(Dream='"a fox, \\"red\\" [ugly]" -s 40 -S 123 -W 512 -H 640 -C 7.5 -A k_lms -f 0.6'))
    assert some(oldest, "prompt", "negative", "steps", "seed", "height", "guidance", "sampler", "strength") == {
        "prompt": 'a fox, "red"', "negative": "ugly", "steps": 40, "seed": 123, "height": 640, "guidance": 7.5, "sampler": "LMS", "strength": 0.6,
    }  # fmt: skip


@pytest.mark.rule("M17")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("cat++", "(cat:1.21)"), ("cat-", "(cat:0.9)"), ("t-shirt, x-ray", "t-shirt, x-ray"), ("(a b)+", "(a b:1.1)"), ("(a (b)1.2)0.5", "(a (b:1.2):0.5)"),
        ("(plain)", "plain"), ("[x] \\(y\\)", "\\[x\\] \\(y\\)"), ("(open", "\\(open"), ("shut)2", "shut\\)2"), ("a - b + c", "a - b + c"), ("", ""),
        ("(a).5", "(a:0.5)"),
    ],
)  # fmt: skip
def test_weights_of_invokeai(theirs: str, ours: str) -> None:
    assert from_invokeai(theirs) == ours


# -- NovelAI -----------------------------------------------------------------------------------------

NOVEL = {"prompt": "{{cat}}, [dog] (smile)", "steps": 28, "height": 640, "width": 512, "scale": 11.0, "seed": 4242, "sampler": "k_euler_ancestral",
         "uc": "{bad}",
         "noise_schedule": "karras", "request_type": "PromptGenerateRequest", "n_samples": 1, "signed_hash": "x", "sm": True}  # fmt: skip


def novel(source: str, **changes: Any) -> bytes:
    return png(Software="NovelAI", Title="AI generated image", Source=source, Description="{{cat}}, [dog] (smile)", Comment=json.dumps(NOVEL | changes))


@pytest.mark.rule("M17")
def test_novelai_with_its_first_models() -> None:
    reading = read_picture(novel("Stable Diffusion 1D44365E"))
    assert (reading.source, reading.warnings) == ("novelai", ())
    assert some(reading, "prompt", "negative", "steps", "width", "height", "guidance", "seed", "sampler", "schedule", "clip_skip", "ensd", "special_words") == {
        "prompt": "((cat:1.05):1.05), (dog:0.952) \\(smile\\)", "negative": "(bad:1.05)", "steps": 28, "width": 512, "height": 640, "guidance": 11.0,
        "seed": 4242,
        "sampler": "Euler a", "schedule": "karras", "clip_skip": 2, "ensd": 31337, "special_words": False,
    }  # fmt: skip
    assert reading.unknown == {"Source": "Stable Diffusion 1D44365E", "sm": True}
    assert "ensd" not in read_picture(novel("Stable Diffusion XL 7BCCAA2C")).fields


@pytest.mark.rule("M17")
def test_novelai_version_4() -> None:
    caption = {"caption": {"base_caption": "2girls, 1.5::rain::", "char_captions": [{"char_caption": "girl, {red hair}", "centers": [{"x": 0.5, "y": 0.5}]}]}}
    negative = {"caption": {"base_caption": "blurry", "char_captions": []}}
    reading = read_picture(novel("NovelAI Diffusion V4 37442FCA", v4_prompt=caption, v4_negative_prompt=negative, cfg_rescale=0.4, noise_schedule="native"))
    assert some(reading, "prompt", "negative", "cfg_rescale", "schedule", "clip_skip") == {
        "prompt": "2girls, (rain:1.5), girl, (red hair:1.05)", "negative": "blurry", "cfg_rescale": 0.4, "schedule": "uniform", "clip_skip": None,
    }  # fmt: skip


@pytest.mark.rule("M17")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("{x}", "(x:1.05)"), ("{{x}}", "((x:1.05):1.05)"), ("[x]", "(x:0.952)"), ("-1::x::", "(x:-1)"), ("1.5::a, b:: c", "(a, b:1.5) c"), ("2::open",
        "(open:2)"),
        ("1.2::a 0.8::b", "(a :1.2)(b:0.8)"), ("{open", "{open"), ("[open", "\\[open"), ("shut} ]", "shut} \\]"), ("a :: b", "a :: b"), ("\\o/", "\\\\o/"),
        ("{a [b}", "{a \\[b}"),
    ],
)  # fmt: skip
def test_weights_of_novelai(theirs: str, ours: str) -> None:
    assert from_novelai(theirs) == ours


# -- Fooocus -----------------------------------------------------------------------------------------

FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8", "base_model_hash": "aeb7e9e689", "full_negative_prompt": ["ugly", "blur"],
    "full_prompt": ["cinematic still a fox", "highly detailed"], "guidance_scale": 4, "lora_combined_1": "offset_example : 0.1", "metadata_scheme": "fooocus",
    "negative_prompt": "ugly", "performance": "Speed", "prompt": "a fox", "refiner_model": "None", "refiner_switch": 0.5, "resolution": "(1152, 896)",
    "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "1234", "sharpness": 2, "steps": 30, "styles": "['Fooocus V2', 'Fooocus Sharp']",
    "version": "Fooocus v2.4.3",
    "vae": "Default (model)",
}  # fmt: skip


@pytest.mark.rule("M17")
def test_fooocus_in_its_own_scheme() -> None:
    reading = read_picture(png(parameters=json.dumps(FOOOCUS), fooocus_scheme="fooocus"))
    assert (reading.source, reading.warnings) == ("fooocus", ())
    assert dict(reading.fields) == {
        "prompt": "cinematic still a fox, highly detailed <lora:offset_example:0.1>", "negative": "ugly, blur", "width": 1152, "height": 896, "steps": 30,
        "guidance": 4.0,
        "seed": 1234, "sampler": "DPM++ 2M SDE", "schedule": "karras", "model": "juggernautXL_v8", "rng": "cpu", "comments": False, "dynamic": False,
    }  # fmt: skip
    assert reading.hashes == {"model": "aeb7e9e689"}
    assert reading.unknown == {"adm_guidance": "(1.5, 0.8, 0.3)", "performance": "Speed", "sharpness": 2, "styles": FOOOCUS["styles"], "prompt": "a fox"}


@pytest.mark.rule("M17")
def test_fooocus_in_exif_and_in_the_scheme_of_automatic1111() -> None:
    for form in ("JPEG", "WEBP"):
        exif = Image.Exif()
        exif[0x9286], exif[0x0131], exif[0x927C] = json.dumps(FOOOCUS), "Fooocus v2.4.3", "fooocus"
        assert read_picture(with_exif(form, exif)).fields["seed"] == 1234
    text = "a fox, cinematic\nNegative prompt: ugly\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 1234, Size: 1152x896, Version: Fooocus v2.4.3"
    assert some(read_picture(png(parameters=text, fooocus_scheme="a1111")), "seed", "schedule") == {"seed": 1234, "schedule": "karras"}
    assert read_picture(png(parameters='{"base_model": __import__("os")}', fooocus_scheme="fooocus")).source == "none"
    assert "width" not in read_picture(png(parameters=json.dumps(FOOOCUS | {"resolution": "__import__('os').system('x')"}), fooocus_scheme="fooocus")).fields


# -- qDiffusion --------------------------------------------------------------------------------------


@pytest.mark.rule("M17", "P66", "R67")
def test_qdiffusion_values_hold_any_sign() -> None:
    text = (
        "a cat, AND a dog\nNegative prompt: bad\nworse\nMode: txt2img, Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 5, Size: 512x640, "
        "Model: my, model: v1, VAE: my vae, Clip skip: 2, Hires factor: 1.5, Hires upscaler: Latent (nearest), Hires strength: 0.6, Hires steps: 12, "
        "CFG rescale: 0.3, Prediction type: V, Hires sampler: Euler a, Inputs: 2"
    )
    reading = read_picture(png(parameters=text, recipe='{"operations": []}'))
    assert (reading.source, reading.warnings) == ("qdiffusion", ())
    assert dict(reading.fields) == {
        "prompt": "a cat, AND a dog", "negative": "bad\nworse", "steps": 25, "sampler": "DPM++ 2M", "schedule": "karras", "guidance": 7.0, "seed": 5,
        "width": 512,
        "height": 640, "model": "my, model: v1", "vae": "my vae", "clip_skip": 2, "hr_scale": 1.5, "hr_upscaler": "Latent (nearest)", "hr_strength": 0.6,
        "hr_steps": 12,
        "cfg_rescale": 0.3, "prediction": "v", "hr_sampler": "Euler a",
        "lora_order": "unet_te", "and_default": 0.8, "negative_and": True, "attention_negative": "value",
    }  # fmt: skip
    assert reading.switches == {"lora_order", "and_default", "negative_and", "attention_negative"}
    assert reading.unknown == {"Mode": "txt2img", "Inputs": "2", "recipe": '{"operations": []}'}


@pytest.mark.rule("M17")
@pytest.mark.parametrize(("theirs", "ours"), [("Linear", "uniform"), ("Uniform", "sgm_uniform"), ("Karras", "karras")])
def test_schedules_of_qdiffusion(theirs: str, ours: str) -> None:
    reading = read_picture(png(parameters=f"x\nMode: img2img, Steps: 5, Sampler: Euler, Schedule: {theirs}, Seed: 3"))
    assert reading.fields["schedule"] == ours


# -- SwarmUI, Draw Things ----------------------------------------------------------------------------


@pytest.mark.rule("M17")
def test_swarmui() -> None:
    params = {"prompt": "a fox", "negativeprompt": "bad", "model": "Official/sd_xl_base_1.0", "seed": 11, "steps": 20, "cfgscale": 7.0, "aspectratio": "1:1",
    "width": 1024,
              "height": 1024, "comfyuisampler": "dpmpp_2m", "comfyuischeduler": "karras", "loras": ["style"], "loraweights": ["0.6"], "variationseed": 3,
              "clipstopatlayer": -2,
              "variationseedstrength": 0.1, "refinerupscale": 1.5, "refinercontrolpercentage": 0.3, "refinermethod": "PostApply",
              "swarm_version": "0.9"}  # fmt: skip
    reading = read_picture(png(parameters=json.dumps({"sui_image_params": params, "sui_models": [{"param": "model", "hash": "0x" + "ef" * 32}]})))
    assert (reading.source, reading.warnings, reading.unknown) == ("swarmui", (), {"aspectratio": "1:1"})
    assert dict(reading.fields) == {
        "prompt": "a fox <lora:style:0.6>", "negative": "bad", "model": "Official/sd_xl_base_1.0", "seed": 11, "steps": 20, "guidance": 7.0, "width": 1024,
        "height": 1024,
        "sampler": "DPM++ 2M", "schedule": "karras", "variation_seed": 3, "variation_strength": 0.1, "clip_skip": 2, "hr_scale": 1.5, "hr_strength": 0.3,
        "rng": "cpu",
        "emphasis": "interpolate", "comments": False, "dynamic": False,
    }  # fmt: skip
    swap = params | {"refinermethod": "StepSwap", "refinermodel": "sd_xl_refiner.safetensors"}
    swapped = read_picture(png(parameters=json.dumps({"sui_image_params": swap})))
    assert some(swapped, "refiner", "refiner_switch_at", "hr_scale", "hr_strength") == {
        "refiner": "sd_xl_refiner", "refiner_switch_at": 0.7, "hr_scale": None, "hr_strength": None,
    }  # fmt: skip


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description xmp:CreatorTool="Draw Things">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a fox</rdf:li></rdf:Alt></dc:description>
<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"""
DRAWN = {"c": 'a <fox> & "friends"', "uc": "bad", "steps": 30, "sampler": "DPM++ 2M Karras", "scale": 7.5, "seed": 42, "size": "1024x768",
         "model": "sd_xl_base.ckpt", "strength": 1,
         "seed_mode": "Torch CPU Compatible", "lora": [{"model": "add_detail.ckpt", "weight": 0.7}], "refiner": "xl_refiner.ckpt", "refiner_start": 0.85,
         "hires_fix": True, "first_stage_size": "512x384", "second_stage_strength": 0.6, "shift": 1}  # fmt: skip


@pytest.mark.rule("M17")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_draw_things(form: str) -> None:
    packet = XMP.format(json.dumps(DRAWN).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;"))
    if form == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        options: dict[str, Any] = {"pnginfo": info}
    else:
        options = {"xmp": packet.encode()}
    file = io.BytesIO()
    PICTURE.save(file, form, **options)
    reading = read_picture(file.getvalue())
    assert (reading.source, reading.warnings, reading.unknown) == ("draw_things", (), {"shift": 1})
    assert dict(reading.fields) == {
        "prompt": 'a <fox> & "friends" <lora:add_detail:0.7>', "negative": "bad", "steps": 30, "sampler": "DPM++ 2M", "schedule": "karras", "guidance": 7.5,
        "seed": 42,
        "width": 512, "height": 384, "hr_width": 1024, "hr_height": 768, "hr_strength": 0.6, "model": "sd_xl_base", "strength": 1.0, "rng": "cpu",
        "refiner": "xl_refiner",
        "refiner_switch_at": 0.85, "comments": False, "dynamic": False,
    }  # fmt: skip


@pytest.mark.rule("M15")
def test_what_only_one_program_writes_counts_before_the_infotext() -> None:
    graph = {"3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 4, "latent_image": 0}}}
    infotext = "x\nSteps: 20, Seed: 2, Size: 8x8"
    assert read_picture(png(prompt=json.dumps(graph), parameters=infotext)).fields["seed"] == 1
    assert read_picture(png(prompt="no graph", parameters=infotext)).fields["seed"] == 2
