"""qDiffusion: an infotext whose values are never quoted, so that they are told apart by the labels it is known to write. Rules: M17, P66.

It also writes `recipe` (a merge, as JSON) and `pose` (keypoints), which are kept.
"""

from __future__ import annotations

import re

from sfumato.imaging.claims import Claims, model_name
from sfumato.imaging.infotext import NEGATIVE
from sfumato.imaging.labels import sampler_fields
from sfumato.imaging.texts import Texts

# label -> field; "" is kept as it is
_LABELS = {
    "Mode": "", "Steps": "steps", "Sampler": "sampler", "Schedule": "schedule", "Scheduler": "schedule", "CFG scale": "guidance", "CFG rescale": "cfg_rescale",
    "Seed": "seed", "Size": "size", "Inputs": "", "Model": "model", "UNET": "model", "CLIP": "clip", "VAE": "vae", "Variation seed": "variation_seed",
    "Variation seed strength": "variation_strength", "Denoising strength": "strength", "Clip skip": "clip_skip", "LoRA": "", "LoRA strength": "", "HN": "",
    "HN strength": "", "Hires resize": "", "Hires factor": "hr_scale", "Hires strength": "hr_strength", "Hires upscaler": "hr_upscaler",
    "Hires sampler": "hr_sampler", "Hires steps": "hr_steps", "Hires sampler eta": "", "Hires CFG scale": "hr_guidance", "Hires model": "hr_model",
    "Hires prompt": "hr_prompt", "Eta": "eta", "Sampler eta": "eta", "Prediction type": "prediction", "Upscaler": "", "Padding": "mask_padding",
    "Mask blur": "mask_blur",
    "Mask expand": "mask_expand", "Mask fill": "mask_fill", "Control": "", "Segmentation": "", "Detailers": "", "Attention": "", "Device": "", "Precision": "",
    "VAE precision": "", "Deterministic": "",
}  # fmt: skip
_LABEL = re.compile(r"(?:^|, )(" + "|".join(re.escape(label) for label in sorted(_LABELS, key=len, reverse=True)) + r"): ?")
_IS_IT = re.compile(r"(?:^|, )(Mode|Hires factor): ")
_SCHEDULES = {"linear": "uniform", "uniform": "sgm_uniform", "default": "automatic"}
_PREDICTIONS = {"epsilon": "eps", "eps": "eps", "v": "v", "v_prediction": "v", "unknown": "auto", "default": "auto"}
_FILLS = {"original": "original", "fill": "fill", "noise": "noise", "latent noise": "noise", "zero": "nothing", "none": "original"}
_OTHER_CHUNKS = ("recipe", "pose")


def read(texts: Texts) -> Claims | None:
    """What a picture of qDiffusion claims; None if it is none."""
    lines = texts.keywords.get("parameters", "").strip().split("\n")
    if not _IS_IT.search(lines[-1]):
        return None
    values = _values(lines[-1])
    if len(values) < 3:
        return None
    claims = Claims("qdiffusion")
    _add_prompts(claims, lines[:-1])
    for label, value in values.items():
        if name := _LABELS[label]:
            _FIELDS.get(name, _plain)(claims, name, value)
        else:
            claims.keep({label: value})
    # Its merges and poses are kept whole.
    claims.keep({chunk: texts.keywords.get(chunk, "") for chunk in _OTHER_CHUNKS})
    claims.switch(lora_order="unet_te", and_default=0.8, negative_and=True, attention_negative="value")
    return claims


def _values(line: str) -> dict[str, str]:
    """Values by label: each reaches to the next label that is known, whatever signs it holds."""
    found = list(_LABEL.finditer(line))
    ends = [item.start() for item in found[1:]] + [len(line)]
    return {item[1]: line[item.end() : end].strip() for item, end in zip(found, ends, strict=True)}


def _add_prompts(claims: Claims, lines: list[str]) -> None:
    negative = next((index for index, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    claims.claim("prompt", "\n".join(line.strip() for line in lines[:negative]).strip())
    claims.claim("negative", "\n".join(line.strip() for line in lines[negative:]).removeprefix(NEGATIVE).strip())


def _plain(claims: Claims, name: str, value: str) -> None:
    claims.claim(name, value)


def _size(claims: Claims, name: str, value: str) -> None:
    width, _, height = value.partition("x")
    claims.claim("width", width)
    claims.claim("height", height)


def _sampler(claims: Claims, name: str, value: str) -> None:
    claims.fields |= {key: item for key, item in sampler_fields(value, name.removesuffix("sampler")).items() if key not in claims.fields}


def _schedule(claims: Claims, name: str, value: str) -> None:
    claims.claim(name, _SCHEDULES.get(value.casefold(), value.casefold()))


def _model(claims: Claims, name: str, value: str) -> None:
    if (title := model_name(value)) is not None:
        claims.fields.setdefault(name, title)


def _choice(words: dict[str, str]):
    def claim(claims: Claims, name: str, value: str) -> None:
        if value.casefold() in words:
            claims.claim(name, words[value.casefold()])
        else:
            claims.keep({name: value})

    return claim


_FIELDS = {
    "size": _size, "sampler": _sampler, "hr_sampler": _sampler, "schedule": _schedule, "model": _model, "clip": _model, "vae": _model, "hr_model": _model,
    "prediction": _choice(_PREDICTIONS), "mask_fill": _choice(_FILLS),
}  # fmt: skip
