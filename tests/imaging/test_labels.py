"""What a request is called in an infotext, word by word, and what other writers' words mean."""

from __future__ import annotations

from typing import Any

import pytest

from sfumato.imaging.infotext import VERSION, read_infotext, read_pairs, write_infotext
from sfumato.imaging.labels import labels, pairs_of
from sfumato.imaging.origins.automatic1111 import parsed_version
from sfumato.imaging.picture import Reading, read_picture
from sfumato.imaging.saying import Facts, rows
from sfumato.protocol.requests.generate import Generate
from tests.imaging.test_picture import encode_png, picture

IMAGE = {"image": "0" * 64}
MASKED = {**IMAGE, "mask": "1" * 64}
HIGHRES = {"hr_scale": 2.0}


def facts(**changes: Any) -> Facts:
    return Facts(**{"sampler": "Euler a", "width": 64, "height": 96, "seed": 7, **changes})


def last_line(request: dict[str, Any], **changes: Any) -> str:
    made = facts(**changes)
    return write_infotext("", "", pairs_of(Generate(**request), made)).split("\n")[-1].removesuffix(f", Version: {VERSION}")


USUAL = "Steps: 25, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 7, Size: 64x96, RNG: CPU"


@pytest.mark.rule("M9", "M10", "M11")
@pytest.mark.parametrize(
    ("request_", "facts_", "written"),
    [
        ({}, {}, "RNG: CPU"),
        ({"rng": "nv"}, {}, "RNG: NV"),
        ({"rng": "gpu"}, {}, "Size: 64x96"),
        ({"model": "sub/a"}, {"names": {"model": "a"}, "hashes": {"model": "0123456789"}}, "Model hash: 0123456789, Model: a, RNG: CPU"),
        ({"vae": "v"}, {"hashes": {"vae": "abcdef0123"}}, "VAE hash: abcdef0123, VAE: v, RNG: CPU"),
        ({"variation_strength": 0.25, "ensd": 31337}, {"variation_seed": 9}, "Variation seed: 9, Variation seed strength: 0.25, ENSD: 31337, RNG: CPU"),
        ({"seed_resize_width": 512, "seed_resize_height": 640}, {}, "Seed resize from: 512x640, RNG: CPU"),
        ({}, {"clip_skip": 2}, "Clip skip: 2, RNG: CPU"),
        ({"tiling": "both"}, {}, "RNG: CPU, Tiling: True"),
        ({"tiling": "x"}, {}, "RNG: CPU, Tiling axes: x"),
        (IMAGE, {"strength": 0.5}, "Denoising strength: 0.5, RNG: CPU"),
        ({**MASKED, "mask_invert": True, "mask_padding": 48, "mask_fill": "noise", "mask_blur": 8}, {"strength": 1.0},
         ("Denoising strength: 1, RNG: CPU, Mask blur: 8, Mask mode: Inpaint not masked, Inpaint area: Only masked, Masked area padding: 48, "
         "Masked content: latent noise")),
        ({**MASKED, "mask_mode": "soft", "soft_power": 1.5}, {},
         ("RNG: CPU, Mask blur: 4, Soft inpainting enabled: True, Soft inpainting schedule bias: 1.5, Soft inpainting preservation strength: 0.5, "
         "Soft inpainting transition contrast boost: 4, Soft inpainting mask influence: 0, Soft inpainting difference threshold: 0.5, "
         "Soft inpainting difference contrast: 2")),
        ({**MASKED, "mask_mode": "differential", "mask_weight": 0.5, "noise_multiplier": 0.9}, {},
         "Conditional mask weight: 0.5, RNG: CPU, Mask blur: 4, Mask blending: differential, Noise multiplier: 0.9"),
        (HIGHRES, {}, "Denoising strength: 0.7, RNG: CPU, Hires upscale: 2, Hires upscaler: Lanczos"),
        ({"hr_width": 128, "hr_steps": 10, "hr_guidance": 5.0, "hr_prompt": "x"}, {"hr_sampler": "DDIM", "hr_schedule": "Karras", "hr_prompt": "x, y"},
         ("Denoising strength: 0.7, RNG: CPU, Hires resize: 128x0, Hires steps: 10, Hires upscaler: Lanczos, Hires sampler: DDIM, Hires schedule type: Karras, "
         'Hires CFG Scale: 5, Hires prompt: "x, y"')),
        ({"refiner": "r", "refiner_by_steps": True, "refiner_pass": "both", **HIGHRES}, {"hashes": {"refiner": "abcdef0123"}},
         ("Denoising strength: 0.7, RNG: CPU, Hires upscale: 2, Hires upscaler: Lanczos, Refiner: r [abcdef0123], Refiner switch at: 0.8, "
         "Refiner switch by sampling steps: True, Hires refiner: both passes")),
        ({"eta": 0.5, "s_churn": 3, "eta_ddim": 0.5}, {"acting": {"eta"}}, "RNG: CPU, Eta: 0.5"),
        ({"s_noise": 0.9}, {"acting": {"s_churn", "s_noise"}}, "RNG: CPU"),
        ({"s_noise": 0.9, "s_churn": 2}, {"acting": {"s_churn", "s_noise"}}, "RNG: CPU, Sigma churn: 2, Sigma noise: 0.9"),
        ({"lower_order_final": False, "unipc_variant": "bh2"}, {"acting": {"lower_order_final", "unipc_variant"}},
         "RNG: CPU, UniPC variant: bh2, UniPC lower order final: False"),
        ({"sigma_min": 0.1, "discard_penultimate": True, "sgm_noise_multiplier": True, "beta_alpha": 0.7}, {},
         "RNG: CPU, Schedule min sigma: 0.1, Discard penultimate sigma: True, SGM noise multiplier: True, Beta schedule alpha: 0.7"),
        ({"s_min_uncond": 2, "ngms_all": True, "skip_early": 0.1, "cfg_end": 0.5, "cfg_rescale": 0.7, "pag_scale": 3}, {},
         "RNG: CPU, NGMS: 2, NGMS all steps: True, Skip Early CFG: 0.1, CFG rescale: 0.7, CFG interval: 0 to 0.5, PAG scale: 3"),
        ({"pad_conds": "on", "emphasis": "no_norm", "timelines": "old", "zero_terminal_snr": "on", "prediction": "v"}, {},
         "RNG: CPU, Pad conds: True, Emphasis: No norm, Old prompt editing timelines: True, Noise Schedule: Zero Terminal SNR, Prediction type: v"),
        ({"pad_conds": "v0", "lone_weight": True, "and_default": 0.8}, {},
         'RNG: CPU, Pad conds v0: True, Prompt switches: "and_default: 0.8, lone_weight: True"'),
        ({}, {"loras": {"a:b, c": "0123456789ab"}, "embeddings": {"e": "ba9876543210"}},
         'RNG: CPU, Lora hashes: "ab c: 0123456789ab", TI hashes: "e: ba9876543210"'),
        ({}, {"incomplete": (5, 20), "brownian": "own"}, "RNG: CPU, Brownian: own, Incomplete: 5/20"),
    ],
)  # fmt: skip
def test_each_parameter_is_written_when_it_acts_and_as_others_write_it(request_: dict[str, Any], facts_: dict[str, Any], written: str) -> None:
    expected = USUAL.removesuffix("RNG: CPU").removesuffix("Size: 64x96, ") + (written if written.startswith("Size") else f"Size: 64x96, {written}")
    assert last_line(request_, **facts_) == expected


@pytest.mark.rule("M11")
def test_a_solver_is_a_part_of_the_samplers_name() -> None:
    assert "Sampler: DPM++ 2M SDE Heun, " in last_line({"solver": "heun"}, sampler="DPM++ 2M SDE", acting={"solver"})
    assert "Sampler: DPM++ 2M SDE, " in last_line({}, sampler="DPM++ 2M SDE", acting={"solver"})


@pytest.mark.rule("M10")
def test_every_parameter_with_a_label_has_a_key_that_readers_take() -> None:
    known = set(labels())
    assert {spec.label for spec in rows().values() if spec.label and spec.name != "negative"} <= known
    for label in known:
        assert read_pairs(f"{label}: 1") == {label: "1"}


def read(line: str, prompt: str = "a cat", negative: str = "bad") -> Reading:
    return read_picture(encode_png(picture(), f"{prompt}\nNegative prompt: {negative}\n{line}"))


@pytest.mark.rule("M14", "P66", "R67")
def test_what_automatic1111_leaves_out_is_its_default_not_ours() -> None:
    reading = read("Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x768, Model hash: 0123456789, Model: anything, Version: v1.10.1")
    assert reading.source == "automatic1111"
    assert dict(reading.fields) == {
        "prompt": "a cat", "negative": "bad", "steps": 20, "sampler": "Euler a", "guidance": 7.0, "seed": 5, "width": 512, "height": 768, "model": "anything",
        "rng": "nv", "clip_skip": 0, "lone_weight": True, "tag_schedules": False, "dynamic": False,
    }  # fmt: skip
    assert reading.switches == {"lone_weight", "tag_schedules", "dynamic"}
    assert (reading.hashes, reading.unknown, reading.warnings) == ({"model": "0123456789"}, {}, ())
    ours = read_picture(encode_png(picture(), write_infotext("a", "", pairs_of(Generate(rng="gpu"), facts()))))
    assert (ours.source, ours.fields["rng"], ours.fields.get("lone_weight")) == ("sfumato", "gpu", None)


BASE = "Steps: 20, Seed: 5, Size: 512x512, "


@pytest.mark.rule("M14", "R67")
@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("Sampler: DPM++ 2M Karras", {"sampler": "DPM++ 2M", "schedule": "karras"}),
        ("Sampler: DPM++ 2M, Schedule type: Karras", {"sampler": "DPM++ 2M", "schedule": "karras"}),
        ("Sampler: DPM++ 2M Karras, Schedule type: Automatic", {"sampler": "DPM++ 2M", "schedule": "karras"}),
        ("Schedule type: SGM Uniform, Sampler: k_euler_a", {"sampler": "k_euler_a", "schedule": "sgm_uniform"}),
        ("Sampler: DPM++ 2M SDE Heun Exponential", {"sampler": "DPM++ 2M SDE Heun", "schedule": "exponential"}),
        ("Sampler: Euler, Schedule type: DDIM", {"schedule": "ddim_uniform"}),
        ("Sampler: Euler, Schedule type: Align Your Steps", {"schedule": "align_your_steps"}),
        ("Clip skip: 2, ENSD: 31337", {"clip_skip": 2, "ensd": 31337}),
        ("RNG: CPU", {"rng": "cpu"}),
        ("Emphasis: No norm, Noise Schedule: Zero Terminal SNR", {"emphasis": "no_norm", "zero_terminal_snr": "on"}),
        ("Hires upscale: 2, Hires upscaler: Latent, Denoising strength: 0.6", {"hr_scale": 2.0, "hr_upscaler": "Latent", "hr_strength": 0.6}),
        ("Hires resize: 1024x0, Hires upscaler: R-ESRGAN 4x+, Denoising strength: 0.6, Hires steps: 12", {"hr_width": 1024, "hr_height": 0, "hr_steps": 12}),
        ("Hires upscale: 2, Hires sampler: Use same sampler, Hires schedule type: Use same scheduler", {"hr_sampler": "same", "hr_schedule": "same"}),
        ("Hires upscale: 2, Hires sampler: DPM++ 2M Karras", {"hr_sampler": "DPM++ 2M", "hr_schedule": "karras"}),
        ("Denoising strength: 0.6", {"strength": 0.6}),
        ("Denoising strength: 0.6, Mask blur: 4, Inpaint area: Only masked", {"mask_padding": 32, "mask_blur": 4.0}),
        ("Inpaint area: Only masked, Masked area padding: 64, Masked content: latent nothing", {"mask_padding": 64, "mask_fill": "nothing"}),
        ("Mask mode: Inpaint not masked, Soft inpainting enabled: True, Soft inpainting schedule bias: 2", {"mask_invert": True, "mask_mode": "soft",
        "soft_power": 2.0}),
        ("Refiner: xl refiner [0123456789], Refiner switch at: 0.7", {"refiner": "xl refiner", "refiner_switch_at": 0.7}),
        ("Variation seed: 8, Variation seed strength: 0.2, Seed resize from: 512x768", {"variation_seed": 8, "variation_strength": 0.2,
        "seed_resize_height": 768}),
        ("Tiling: True, Pad conds: True, NGMS: 2", {"tiling": "both", "pad_conds": "on", "s_min_uncond": 2.0}),
        ("First pass size: 512x320, Denoising strength: 0.7", {"width": 512, "height": 320, "hr_width": 512, "hr_height": 512, "hr_strength": 0.7,
        "hr_upscaler": "Latent"}),
        ("Hypernet: anime(0123abcd), Hypernet strength: 0.8", {"prompt": "a cat <hypernet:anime:0.8>"}),
        ("Model: sub\\a v1.safetensors", {"model": "sub/a v1"}),
        ('VAE: "a, b.pt", Size: 8x8', {"vae": "a, b"}),
    ],
)  # fmt: skip
def test_words_of_automatic1111_become_fields(line: str, fields: dict[str, Any]) -> None:
    reading = read(BASE + line)
    assert {name: reading.fields.get(name) for name in fields} == fields
    assert reading.unknown == {}


@pytest.mark.rule("M14")
def test_the_first_pass_of_2022_is_computed_where_it_was_left_open() -> None:
    reading = read("Steps: 20, Seed: 5, Size: 1024x768, First pass size: 0x0, Denoising strength: 0.7")
    # 512² pixels of the same shape, each side rounded up to 64
    assert (reading.fields["width"], reading.fields["height"]) == (640, 448)
    assert (reading.fields["hr_width"], reading.fields["hr_height"]) == (1024, 768)


@pytest.mark.rule("M14", "P66")
@pytest.mark.parametrize(
    ("version", "prompt", "sampler", "changed"),
    [
        ("v1.5.2", "a [b:c:5]", "Euler", {"timelines": "old", "downcast_alphas": True, "refiner_by_steps": True}),
        ("v1.5.2", "a", "DDIM", {"pad_conds": "v0", "downcast_alphas": True, "refiner_by_steps": True}),
        ("v1.6.0", "a [b:c:5]", "DDIM", {"downcast_alphas": True, "refiner_by_steps": True}),
        ("v1.7.0", "[a]", "Euler", {"downcast_alphas": True, "refiner_by_steps": True}),
        ("v1.7.0-225-g0123abcd", "[a]", "Euler", {"refiner_by_steps": True}),
        ("v1.8.0", "[a]", "PLMS", {}),
        ("f2.0.1v1.10.1-previous", "[a]", "DDIM", {}),
        ("9449c83", "[a]", "DDIM", {}),
    ],
)  # fmt: skip
def test_old_versions_did_some_things_in_another_way(version: str, prompt: str, sampler: str, changed: dict[str, Any]) -> None:
    reading = read(f"Steps: 20, Sampler: {sampler}, Seed: 5, Refiner: r, Version: {version}", prompt)
    names = ("timelines", "pad_conds", "downcast_alphas", "refiner_by_steps")
    assert {name: reading.fields[name] for name in names if name in reading.fields} == changed
    assert parsed_version("v1.7.0-225-gabc") == (1, 7, 0, 225)
    assert parsed_version("ComfyUI") is None


@pytest.mark.rule("M15", "M17")
def test_forge_and_sd_next_are_named_and_what_has_no_field_is_kept() -> None:
    forge = read(BASE + "Distilled CFG Scale: 3.5, Hires upscale: 2, Hires CFG Scale: 6, Module 1: ae, Version: f2.0.1v1.10.1")
    assert (forge.source, forge.fields["hr_guidance"]) == ("forge", 6.0)
    assert forge.unknown == {"Distilled CFG Scale": "3.5", "Module 1": "ae"}
    assert read(BASE + "App: SD.Next, Version: 9449c83, Operations: txt2img").source == "sdnext"
    reading = read(BASE + 'ADetailer model: "a, b", Face restoration: CodeFormer')
    assert reading.unknown == {"ADetailer model": "a, b", "Face restoration": "CodeFormer"}


@pytest.mark.rule("M15", "X11")
def test_a_value_that_no_person_could_type_is_left_out_with_a_sentence() -> None:
    reading = read("Steps: 9999, Seed: -7, CFG scale: nan, Size: 8x8, Eta: x, Sampler: " + "x" * 99 + ", Masked content: pixels")
    assert reading.fields.keys() == {"prompt", "negative", "rng", "clip_skip", "lone_weight", "tag_schedules", "dynamic"}
    assert len(reading.warnings) == 7
    assert any("Steps must be between 1 and 150." in sentence for sentence in reading.warnings)
    assert reading.unknown == {"Masked content": "pixels"}


@pytest.mark.rule("R39", "M13")
def test_old_files_whose_values_were_not_quoted_are_still_read() -> None:
    line = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512, Model: a b: c, Hires prompt: one, two, Denoising strength: 0.6"
    pairs = read_infotext(f"x\n{line}").pairs
    assert (pairs["Seed"], pairs["Denoising strength"], pairs["Size"]) == ("5", "0.6", (512, 512))
    assert read(line).fields["steps"] == 20
    assert read("Steps: 20, Seed: 5").fields["prompt"] == "a cat"
    assert read("Steps: 20, Seed: 5").fields["negative"] == "bad\nSteps: 20, Seed: 5"
