"""Request -> picture -> text -> request, for random requests: through our own record exactly, through the infotext for what AUTOMATIC1111 knows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import FORMATS, encode
from sfumato.imaging.infotext import Value, read_infotext, write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.picture import read_picture
from sfumato.imaging.saying import Facts
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import acts
from tests.imaging.test_infotext import other_reader
from tests.support.random_requests import ROWS, requests, values

WHEN = datetime(2026, 11, 21, 2, 58, tzinfo=UTC)
PICTURE = Image.new("RGB", (8, 8), (120, 60, 20))
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

SAMPLERS = {"Euler a": ("eta", "s_noise"), "Euler": ("s_churn", "s_tmin", "s_tmax", "s_noise"), "DPM++ 2M": (), "DDIM": ("eta_ddim",),
            "DPM++ 2M SDE": ("eta", "s_noise", "solver"), "UniPC": ("unipc_variant", "unipc_skip_type", "order", "lower_order_final")}  # fmt: skip
SCHEDULES = {"Automatic": "automatic", "Karras": "karras", "Uniform": "uniform", "SGM Uniform": "sgm_uniform", "KL Optimal": "kl_optimal",
             "DDIM": "ddim_uniform",
             "Align Your Steps": "align_your_steps", "Simple": "simple", "Beta": "beta", "Polyexponential": "polyexponential"}  # fmt: skip
# Keys of AUTOMATIC1111 1.10.1 (rules M9 and M10 without those marked as our own).
FOREIGN_KEYS = {
    "Steps", "Sampler", "Schedule type", "CFG scale", "Image CFG scale", "Seed", "Size", "Model", "VAE", "Variation seed", "Variation seed strength",
    "Seed resize from", "Denoising strength", "Conditional mask weight", "Clip skip", "ENSD", "RNG", "Tiling", "Hires upscale", "Hires resize", "Hires steps",
    "Hires upscaler", "Hires checkpoint", "Hires sampler", "Hires schedule type", "Hires CFG Scale", "Hires prompt", "Hires negative prompt", "Refiner",
    "Refiner switch at", "Refiner switch by sampling steps", "Hires refiner", "Mask blur", "Mask mode", "Inpaint area", "Masked area padding", "Masked content",
    "Soft inpainting enabled", "Soft inpainting schedule bias", "Soft inpainting preservation strength", "Soft inpainting transition contrast boost",
    "Soft inpainting mask influence", "Soft inpainting difference threshold", "Soft inpainting difference contrast", "Noise multiplier", "Extra noise", "Eta",
    "Eta DDIM", "Sigma churn", "Sigma tmin", "Sigma tmax", "Sigma noise", "Schedule min sigma", "Schedule max sigma", "Schedule rho",
    "Discard penultimate sigma", "SGM noise multiplier", "UniPC variant", "UniPC skip type", "UniPC order", "UniPC lower order final", "Beta schedule alpha",
    "Beta schedule beta", "NGMS", "NGMS all steps", "Skip Early CFG", "Pad conds", "Pad conds v0", "Emphasis", "Old prompt editing timelines", "Noise Schedule",
}  # fmt: skip


def own(request: Generate) -> dict[str, Any]:
    return own_document("generate", request.model_dump(mode="json"), {"index": 0, "seed": 5, "variation_seed": 6, "width": 8, "height": 8}, WHEN)


@pytest.mark.slow
@pytest.mark.rule("M20", "M21", "R62", "R66")
@given(requests("prompt", "negative"))
@example(Generate(prompt='it\'s "a" \\ %', negative="''", hr_prompt="a,\n: b"))
@QUICK
def test_a_picture_gives_back_the_request_it_was_made_from(request: Generate) -> None:
    for form in FORMATS:
        reading = read_picture(encode(PICTURE, request.prompt, own(request), form=form).data)
        assert (reading.source, reading.warnings) == ("sfumato", ())
        assert reading.request() == request
        assert reading.own == own(request)


@pytest.mark.rule("M20")
def test_every_field_at_once_and_the_request_that_makes_this_very_picture() -> None:
    @given(st.fixed_dictionaries({name: values(name) for name in ROWS}))
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    def check(fields: dict[str, Any]) -> None:
        request = Generate(**fields)
        reading = read_picture(encode(PICTURE, "", own(request), form="webp").data)
        assert reading.request() == request
        # The place of a picture among all combinations is not repeated, but the texts it had (this record has none).
        alone = {"all_combinations": False, "styles": ()} if request.all_combinations else {}
        assert reading.repeated() == request.model_copy(update={"seed": 5, "variation_seed": 6, "batch_size": 1, "batch_count": 1, **alone})

    check()


def lines(text: str) -> str:
    """A prompt as an infotext keeps it: the outer blanks of its lines are lost (M6, M13)."""
    return "\n".join(line.strip() for line in text.replace("\0", " ").strip().split("\n")).strip()


@st.composite
def told(draw: st.DrawFn) -> tuple[Generate, Facts]:
    """A request in AUTOMATIC1111's words, and what an engine would make of it."""
    # A whole group of parameters, so that what needs another one acts often enough.
    group = draw(st.sampled_from(["image", "mask", "highres", "sampler", "schedule", "seed", "refiner", "guidance", "text", "model"]))
    request = draw(requests("steps", "guidance", "seed", "width", "height", *(name for name, row in ROWS.items() if row.group == group)))
    sampler, schedule = draw(st.sampled_from(sorted(SAMPLERS))), draw(st.sampled_from(sorted(SCHEDULES)))
    hr_sampler, hr_schedule = draw(st.sampled_from(["", *SAMPLERS])), draw(st.sampled_from(["", "Karras", "Beta"]))
    names = {name: draw(st.sampled_from(["", "model_1", "sub/my model v1.0"])) for name in ("model", "vae", "refiner", "hr_model")}
    pictures = {"image": "0" * 64, "mask": "1" * 64} if group in ("image", "mask") else {}
    changes = {**pictures, "sampler": sampler, "schedule": SCHEDULES[schedule], "seed": max(0, request.seed), "variation_seed": max(0,
    request.variation_seed), **names,
               "hr_sampler": hr_sampler or "same", "hr_schedule": SCHEDULES.get(hr_schedule, "same"), "width": request.width or 64,
               "height": request.height or 64,
               "prompt": "a cat, (blue:1.2)", "negative": "bad", "styles": ()}  # fmt: skip
    request = Generate.model_validate(request.model_dump() | changes)
    return request, Facts(
        sampler=sampler, schedule=schedule, width=request.width or 0, height=request.height or 0, seed=request.seed, variation_seed=request.variation_seed,
        strength=(0.5 if request.strength is None else request.strength) if request.image else None, clip_skip=request.clip_skip,
        acting=frozenset(SAMPLERS[sampler]), hashes={"model": "0123456789", "refiner": "abcdef0123"}, prompt=request.prompt, negative=request.negative,
        hr_prompt=request.hr_prompt, hr_negative=request.hr_negative, hr_sampler=hr_sampler, hr_schedule=hr_schedule,
    )  # fmt: skip


def acting(request: Generate, facts: Facts) -> dict[str, Any]:
    """The fields that AUTOMATIC1111 knows and that act, with what must be read for them."""
    fields = request.model_dump()
    is_highres = request.hr_scale != 1 or request.hr_width or request.hr_height
    found = {name: fields[name] for name, row in ROWS.items() if row.label in FOREIGN_KEYS and acts(ROWS, name, fields)}
    for name in [name for name in found if ROWS[name].group == "sampler" and name not in facts.acting]:
        del found[name]
    if "solver" in facts.acting and request.solver == "heun":
        found["sampler"] += " Heun"
    if "s_churn" in facts.acting and not request.s_churn:
        found.pop("s_noise", None)
    if request.hr_width or request.hr_height:
        found.pop("hr_scale")
    found.pop("strength", None)
    if facts.strength is not None:
        found["strength"] = facts.strength
    if not is_highres:
        found = {name: value for name, value in found.items() if not name.startswith("hr_")}
    if not request.variation_strength:
        found.pop("variation_seed", None)
    if not (request.seed_resize_width and request.seed_resize_height):
        found = {name: value for name, value in found.items() if not name.startswith("seed_resize")}
    if request.tiling not in ("both", "none"):
        del found["tiling"]
    return found


@pytest.mark.slow
@pytest.mark.rule("M10", "M11", "M12", "R67")
@given(told())
@example(
    (Generate(sampler="DPM++ 2M SDE", solver="heun", seed=1, width=64, height=64, rng="cpu"), Facts("DPM++ 2M SDE", 64, 64, 1, acting=frozenset({"solver"})))
)
@settings(QUICK, max_examples=80)
def test_the_infotext_alone_gives_back_what_automatic1111_knows(case: tuple[Generate, Facts]) -> None:
    request, facts = case
    pairs = pairs_of(request, facts)
    text = write_infotext(request.prompt, request.negative, pairs)
    reading = read_picture(encode(PICTURE, text).data)
    assert (reading.source, reading.unknown, reading.warnings) == ("sfumato", {}, ())
    read = reading.request().model_dump()
    for name, value in acting(request, facts).items():
        expected = lines(value) if name in ("prompt", "negative") else value
        assert read[name] == expected, (name, text)
    # Another reader of the form finds every value that was written, under its key.
    found = other_reader(text)
    for key, value in pairs.items():
        if value is not None and _said(value) != key:
            assert found[key] == _said(value)


def _said(value: Value) -> str:
    if isinstance(value, tuple):
        return f"{value[0]}x{value[1]}"
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e16 else str(value)


@pytest.mark.rule("M6", "M20")
def test_typed_and_understood_prompts_are_both_kept() -> None:
    request = Generate(prompt="{red|blue} cat # note", negative="bad", styles=("oil, thick",), dynamic=False)
    facts = Facts("Euler a", 64, 64, 3, prompt="blue cat, oil on canvas", negative="bad")
    text = write_infotext(facts.prompt, facts.negative, pairs_of(request, facts))
    assert text.startswith("blue cat, oil on canvas\nNegative prompt: bad\nSteps: 25")
    assert re.search(r'Prompt switches: "dynamic: False", Template: {red\|blue} cat # note,', text)
    reading = read_picture(encode(PICTURE, text).data)
    assert (reading.fields["prompt"], reading.fields["styles"], reading.fields["dynamic"]) == (request.prompt, request.styles, False)
    # Where nothing was added or chosen there is no template, and styles are in the text already.
    facts = Facts("Euler a", 64, 64, 3, prompt=request.prompt, negative="bad")
    reading = read_picture(encode(PICTURE, write_infotext(facts.prompt, "bad", pairs_of(request, facts))).data)
    assert "styles" not in reading.fields
    assert "Template" not in read_infotext(text.replace("Template", "Tmplt")).pairs
