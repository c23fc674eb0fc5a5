"""What each field of a request is called in an infotext, and how its value is said there: one table, read in both directions.

A field with a label and no row below is said plainly: its value, when it acts and is not the default. The rows are the cases where AUTOMATIC1111 has words of
its own (v1.10.1: `modules/processing.py`, `infotext_utils.py`, `shared_options.py`), or where one key holds several fields. Rules: M10, M11, M14 of metadata.
Start at `pairs_of` and `claims_of`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from sfumato.imaging.controls import rows_of_controls
from sfumato.imaging.infotext import Value, quoted, read_pairs
from sfumato.imaging.saying import Facts, Fields, Read, Row, Said, Telling, Write, always, flag, pair, plain, rows, text_of, words
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec

SWITCHES = "Prompt switches"
TEMPLATES = {"prompt": "Template", "negative": "Negative Template"}
# Written by the engine about a picture, or by others; there is no field to fill, and nothing is lost without them.
REMARKS = frozenset({"Version", "Model hash", "VAE hash", "Lora hashes", "TI hashes", "Incomplete", "Brownian"})


# -- samplers and schedules ------------------------------------------------------------------------

_SCHEDULE_ENDING = re.compile(r"^(.+?)[ _](karras|exponential|polyexponential|sgm uniform)$", re.IGNORECASE)
# AUTOMATIC1111's titles -> our names.
_SCHEDULES = {
    "": "automatic", "automatic": "automatic", "uniform": "uniform", "karras": "karras", "exponential": "exponential", "polyexponential": "polyexponential",
    "sgm uniform": "sgm_uniform", "kl optimal": "kl_optimal", "align your steps": "align_your_steps", "simple": "simple", "normal": "uniform",
    "ddim": "ddim_uniform",
    "beta": "beta", "use same scheduler": "same",
}  # fmt: skip


def schedule_name(title: str) -> str:
    """The name by which a request calls a schedule that others title "SGM Uniform"; a title of ours stays as it is, which the engine knows as well."""
    return _SCHEDULES.get(title.strip().casefold(), title.strip())


def sampler_fields(title: str, prefix: str = "") -> Fields:
    """The fields of a sampler's title: a schedule at its end ("DPM++ 2M Karras") is a field of its own.

    Args:
        prefix: "hr_" for the highres pass.
    """
    found: Fields = {}
    title = title.strip()
    if ending := _SCHEDULE_ENDING.match(title):
        title = ending[1]
        found[f"{prefix}schedule"] = schedule_name(ending[2])
    found[f"{prefix}sampler"] = "same" if prefix and title.casefold() in ("use same sampler", "same") else title
    return found


def _write_sampler(told: Telling) -> Value:
    """AUTOMATIC1111 counts DPM++ 2M SDE with the solver Heun as a sampler of its own, and so do we where it is read."""
    is_heun = "solver" in told.facts.acting and told.values["solver"] == "heun"
    return f"{told.facts.sampler} Heun" if is_heun else told.facts.sampler


# -- the rows --------------------------------------------------------------------------------------

_INTERVAL = re.compile(r"\s*([0-9.eE+\-]+)\s+to\s+([0-9.eE+\-]+)\s*")


def _write_interval(told: Telling) -> Value:
    start, end = told.values["cfg_start"], told.values["cfg_end"]
    return None if (start, end) == (0, 1) else f"{start:g} to {end:g}"


def _read_interval(said: Said) -> Fields:
    if not (found := _INTERVAL.fullmatch(text_of(said))):
        raise ValueError(said)
    return {"cfg_start": found[1], "cfg_end": found[2]}


def _write_tiling(told: Telling) -> Value:
    return told.values["tiling"] if told.values["tiling"] in ("x", "y") else None


def _read_axes(said: Said) -> Fields:
    return {"tiling": text_of(said)}


def _has_seed_size(told: Telling) -> bool:
    return told.values["seed_resize_width"] > 0 and told.values["seed_resize_height"] > 0


def _read_size(said: Said) -> Fields:
    if not isinstance(said, tuple):
        raise ValueError(said)
    return {"width": said[0], "height": said[1]}


def _write_named(name: str) -> Write:
    """A second checkpoint as "title [hash]"."""

    def write(told: Telling) -> Value:
        if not told.values[name] or not told.acts(name):
            return None
        title, digits = told.facts.names.get(name, told.values[name]), told.facts.hashes.get(name)
        return f"{title} [{digits}]" if digits else title

    return write


def _read_named(name: str) -> Read:
    return lambda said: {name: re.sub(r"\s*\[[0-9a-fA-F]{6,64}\]\s*$", "", text_of(said))}


def _write_noise(told: Telling) -> Value:
    """s_noise, where it scales anything: with churn only if there is churn."""
    values, acting = told.values, told.facts.acting
    churns = "s_churn" not in acting or values["s_churn"] > 0
    return values["s_noise"] if "s_noise" in acting and churns and values["s_noise"] != 1 else None


def _write_strength(told: Telling) -> Value:
    return told.facts.strength if told.facts.strength is not None else told.values["hr_strength"] if told.is_highres else None


def _write_padding(told: Telling) -> Value:
    return told.values["mask_padding"] if told.acts("mask_padding") else None


def _read_area(said: Said) -> Fields:
    """Whether only the masked part is painted; how much is around it stands under a key of its own, unless it is the usual 32 pixels."""
    areas: dict[str, Fields] = {"only masked": {"mask_padding": 32}, "whole picture": {}}
    if (area := text_of(said).casefold()) not in areas:
        raise ValueError(said)
    return areas[area]


def _is_soft(told: Telling) -> bool:
    return told.values["mask_mode"] == "soft" and told.acts("mask_mode")


def _soft_row(name: str) -> Row:
    return always(name, _is_soft)


def _switch_specs() -> list[ParamSpec]:
    """The switches that have no key of their own."""
    return [spec for spec in rows().values() if spec.group == "text" and not spec.label]


def _write_switches(told: Telling) -> Value:
    """All of them in one value: "and_default: 0.8, dynamic: False"."""
    changed = [f"{spec.name}: {quoted(str(told.values[spec.name]))}" for spec in _switch_specs() if told.values[spec.name] != spec.default]
    return ", ".join(changed) or None


def _read_switches(said: Said) -> Fields:
    known = {spec.name for spec in _switch_specs()}
    found = read_pairs(text_of(said))
    if not found or found.keys() - known:
        raise ValueError(said)
    return dict(found)


def _template(name: str) -> Write:
    """The text as it was typed, where that is not what was understood (styles added, choices made)."""

    def write(told: Telling) -> Value:
        typed = told.values[name]
        return typed if typed != getattr(told.facts, name) else None

    return write


def _written(value: Callable[[Telling], Value]) -> Row:
    """A key that is written, and read elsewhere or not at all."""
    return Row(value, lambda said: {})


def _hash_list(hashes: Mapping[str, str]) -> Value:
    """`name: hash, name: hash`, names without the signs that part them."""
    return ", ".join(f"{re.sub('[:,]', '', name)}: {digits}" for name, digits in hashes.items()) or None


_EMPHASIS = {"original": None, "no_norm": "No norm", "ignore": "Ignore", "none": "None", "interpolate": "Interpolate"}
_CONTENT = {"original": None, "fill": "fill", "noise": "latent noise", "nothing": "latent nothing"}
_REFINER_PASS = {"second": None, "first": "first pass", "both": "both passes"}
_SOFT = {
    "Soft inpainting schedule bias": "soft_power",
    "Soft inpainting preservation strength": "soft_scale",
    "Soft inpainting transition contrast boost": "soft_contrast",
    "Soft inpainting mask influence": "soft_influence",
    "Soft inpainting difference threshold": "soft_threshold",
    "Soft inpainting difference contrast": "soft_difference",
}

_SPECIAL: dict[str, Row] = {
    "Steps": always("steps"),
    "Sampler": Row(_write_sampler, lambda said: sampler_fields(text_of(said))),
    "Schedule type": Row(lambda told: told.facts.schedule, lambda said: {"schedule": schedule_name(text_of(said))}),
    "CFG scale": always("guidance"),
    "Seed": Row(lambda told: told.facts.seed, lambda said: {"seed": text_of(said)}),
    "Size": Row(lambda told: (told.facts.width, told.facts.height), _read_size),
    "Model": Row(lambda told: told.facts.names.get("model", told.values["model"]) or None, lambda said: {"model": text_of(said)}),
    "Model hash": _written(lambda told: told.facts.hashes.get("model")),
    "VAE": Row(lambda told: told.facts.names.get("vae", told.values["vae"]) if told.values["vae"] else None, lambda said: {"vae": text_of(said)}),
    "VAE hash": _written(lambda told: told.facts.hashes.get("vae") if told.values["vae"] else None),
    "Clip skip": Row(lambda told: told.facts.clip_skip or None, lambda said: {"clip_skip": text_of(said)}),
    "Noise Schedule": words("zero_terminal_snr", {"auto": None, "on": "Zero Terminal SNR", "off": "Default"}),
    "Tiling": flag("tiling", "both"),
    "Tiling axes": Row(_write_tiling, _read_axes),
    "Original size": pair("original_width", "original_height"),
    "Crop": pair("crop_left", "crop_top"),
    "Target size": pair("target_width", "target_height"),
    "Variation seed": Row(
        lambda told: told.facts.variation_seed if told.values["variation_strength"] else None, lambda said: {"variation_seed": text_of(said)}
    ),
    "Seed resize from": pair("seed_resize_width", "seed_resize_height", _has_seed_size),
    "RNG": words("rng", {"cpu": "CPU", "nv": "NV", "gpu": None}, {"GPU": "nv"}),
    "Denoising strength": Row(_write_strength, lambda said: {"strength": text_of(said)}),
    "Hires denoising strength": Row(
        lambda told: told.values["hr_strength"] if told.is_highres and told.facts.strength is not None else None, lambda said: {"hr_strength": text_of(said)}
    ),
    "Hires upscale": Row(
        lambda told: told.values["hr_scale"] if told.is_highres and not (told.values["hr_width"] or told.values["hr_height"]) else None,
        lambda said: {"hr_scale": text_of(said)},
    ),
    "Hires resize": pair("hr_width", "hr_height"),
    "Hires upscaler": always("hr_upscaler", lambda told: told.is_highres),
    "Hires sampler": Row(lambda told: told.facts.hr_sampler or None if told.is_highres else None, lambda said: sampler_fields(text_of(said), "hr_")),
    "Hires schedule type": Row(
        lambda told: told.facts.hr_schedule or None if told.is_highres else None, lambda said: {"hr_schedule": schedule_name(text_of(said))}
    ),
    "Hires prompt": Row(lambda told: told.facts.hr_prompt or None if told.is_highres else None, lambda said: {"hr_prompt": text_of(said)}),
    "Hires negative prompt": Row(lambda told: told.facts.hr_negative or None if told.is_highres else None, lambda said: {"hr_negative": text_of(said)}),
    "Hires checkpoint": Row(_write_named("hr_model"), _read_named("hr_model")),
    "Refiner": Row(_write_named("refiner"), _read_named("refiner")),
    "Refiner switch at": always("refiner_switch_at", lambda told: bool(told.values["refiner"])),
    "Hires refiner": words("refiner_pass", _REFINER_PASS, {"second pass": "second"}),
    "Mask mode": words("mask_invert", {False: None, True: "Inpaint not masked"}, {"Inpaint masked": False}),
    "Mask blending": words("mask_mode", {"hard": None, "soft": None, "differential": "differential"}),
    "Soft inpainting enabled": flag("mask_mode", "soft"),
    **{label: _soft_row(name) for label, name in _SOFT.items()},
    "Inpaint area": Row(lambda told: "Only masked" if _write_padding(told) is not None else None, _read_area),
    "Mask blur": always("mask_blur", lambda told: told.acts("mask_blur")),
    "Masked area padding": Row(_write_padding, lambda said: {"mask_padding": text_of(said)}),
    "Masked content": words("mask_fill", _CONTENT, {"original": "original"}),
    "Sigma noise": Row(_write_noise, lambda said: {"s_noise": text_of(said)}),
    # AUTOMATIC1111 has no such key: the solver is a part of the sampler's name.
    "Solver": Row(lambda told: None, lambda said: {"solver": text_of(said)}),
    "CFG interval": Row(_write_interval, _read_interval),
    "Emphasis": words("emphasis", _EMPHASIS, {"Original": "original"}),
    "Old prompt editing timelines": flag("timelines", "old"),
    "Pad conds": flag("pad_conds", "on"),
    "Pad conds v0": flag("pad_conds", "v0"),
    # Where a mask acts is in the own document only: pictures are never named in a text for others.
    "Areas": _written(lambda told: None),
    **rows_of_controls(),
    SWITCHES: Row(_write_switches, _read_switches),
    "Template": _written(_template("prompt")),
    "Negative Template": _written(_template("negative")),
    "Lora hashes": _written(lambda told: _hash_list(told.facts.loras)),
    "TI hashes": _written(lambda told: _hash_list(told.facts.embeddings)),
    "Brownian": _written(lambda told: told.facts.brownian or None),
    "Incomplete": _written(lambda told: "{}/{}".format(*told.facts.incomplete) if told.facts.incomplete else None),
}


@cache
def _table() -> dict[str, Row]:
    others = {spec.label: plain(spec) for spec in rows().values() if spec.label and spec.label not in _SPECIAL and spec.name != "negative"}
    return _SPECIAL | others


def labels() -> Iterator[str]:
    """Every key that is written or read."""
    yield from _table()


def pairs_of(request: Generate, facts: Facts) -> dict[str, Value]:
    """The pairs of an infotext; what does not act is None (rule M10: each only when it acts)."""
    told = Telling({name: getattr(request, name) for name in rows()}, facts)
    return {label: row.write(told) for label, row in _table().items()}


def claims_of(pairs: Mapping[str, Said]) -> tuple[Fields, dict[str, Said]]:
    """The fields that pairs name, still as text, and the pairs that name none. Values are not judged here."""
    fields: Fields = {}
    unknown: dict[str, Said] = {}
    for label, said in pairs.items():
        row = _table().get(label)
        try:
            if row is None:
                raise ValueError(label)
            for name, value in row.read(said).items():
                if rows()[name].fields:
                    # Each of these keys tells one object of the list.
                    fields[name] = (*fields.get(name, ()), *value)
                    continue
                # What one key says of another's field (the schedule in a sampler's name) gives way to that key itself, unless that says nothing.
                is_own_word = rows()[name].label == label and value != rows()[name].default
                if is_own_word or fields.get(name, rows()[name].default) == rows()[name].default:
                    fields[name] = value
        except (ValueError, TypeError, RecursionError):
            unknown[label] = said
    return fields, unknown
