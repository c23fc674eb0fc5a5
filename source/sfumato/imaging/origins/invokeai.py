"""InvokeAI: `invokeai_metadata` (3.0 and later), `sd-metadata` (2.x) and `Dream` (1.x: a command line). Rule: M17."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, model_name, network_tag, objects, with_tags
from sfumato.imaging.origins.names import sampler_title
from sfumato.imaging.origins.weights import from_invokeai, split_negative
from sfumato.imaging.texts import Texts

_PLAIN = {
    "width": "width", "height": "height", "seed": "seed", "steps": "steps", "cfg_scale": "guidance", "cfg_rescale_multiplier": "cfg_rescale",
    "strength": "strength",
    "refiner_start": "refiner_switch_at", "refiner_positive_aesthetic_score": "aesthetic", "refiner_negative_aesthetic_score": "negative_aesthetic",
    "hrf_strength": "hr_strength",
}  # fmt: skip
# Said otherwise, or of no meaning here.
_TAKEN = {"positive_prompt", "negative_prompt", "positive_style_prompt", "negative_style_prompt", "scheduler", "clip_skip", "model", "vae", "loras",
          "seamless_x",
          "seamless_y", "refiner_model", "rand_device", "app_version", "generation_mode", *_PLAIN}  # fmt: skip
_COMPOSED = re.compile(r"\)\.(blend|and|swap)\(")
_FLAGS = {"s": "steps", "S": "seed", "W": "width", "H": "height", "C": "guidance", "A": "sampler", "f": "strength", "V": "", "v": "variation_strength"}
_DREAM = re.compile(r'\s*"((?:[^"\\]++|\\.)*+)"(.*)', re.DOTALL)


def read(texts: Texts) -> Claims | None:
    """What a picture of InvokeAI claims; None if it is none."""
    for keyword, reader in (("invokeai_metadata", _read_new), ("sd-metadata", _read_old)):
        if keyword in texts.keywords:
            try:
                found = read_object(texts.keywords[keyword])
            except NotJson:
                continue
            claims = Claims("invokeai")
            reader(found, claims)
            return _finished(claims)
    if "Dream" in texts.keywords and (dream := _DREAM.fullmatch(texts.keywords["Dream"])):
        claims = Claims("invokeai")
        _read_dream(dream[1], dream[2], claims)
        return _finished(claims)
    return None


def _finished(claims: Claims) -> Claims:
    for name in ("prompt", "negative", "prompt_2", "negative_2"):
        text = claims.fields.get(name)
        if isinstance(text, str) and _COMPOSED.search(text):
            claims.warnings.append("The prompt uses blend(), and() or swap() of InvokeAI, which are read as plain text.")
            break
    # It moves weighted words away from the empty text.
    claims.switch(emphasis="interpolate", comments=False, dynamic=False)
    return claims


def _title(model: object) -> str | None:
    """A model's name in any version's spelling."""
    if isinstance(model, dict):
        inner = model.get("model")
        named = inner if isinstance(inner, dict) else model
        return model_name(named.get("name") or named.get("model_name") or named.get("key"))
    return model_name(model)


def _add_scheduler(claims: Claims, spelled: object) -> None:
    if not isinstance(spelled, str) or not spelled:
        return
    is_karras = spelled.endswith("_k")
    title = sampler_title(spelled.removesuffix("_k"))
    claims.claim("sampler", title)
    claims.claim("schedule", "karras" if is_karras else "uniform")


def _read_new(data: Mapping[str, Any], claims: Claims) -> None:
    for theirs, ours in _PLAIN.items():
        claims.claim(ours, data.get(theirs))
    if "rand_device" in data or "app_version" in data:
        claims.claim("rng", "gpu" if data.get("rand_device") == "cuda" else "cpu")
    tags = []
    for lora in objects(data.get("loras")):
        tags.append(network_tag(_title(lora.get("lora") or lora.get("model")), lora.get("weight", 1.0)))
    positive, negative = data.get("positive_prompt"), data.get("negative_prompt")
    claims.claim("prompt", with_tags(from_invokeai(positive) if isinstance(positive, str) else "", tags))
    claims.claim("negative", from_invokeai(negative) if isinstance(negative, str) else "")
    for theirs, ours in (("positive_style_prompt", "prompt_2"), ("negative_style_prompt", "negative_2")):
        if isinstance(text := data.get(theirs), str) and text and text != data.get(theirs.replace("_style", "")):
            claims.claim(ours, from_invokeai(text))
    _add_scheduler(claims, data.get("scheduler"))
    for theirs, ours in (("model", "model"), ("vae", "vae"), ("refiner_model", "refiner")):
        claims.claim(ours, _title(data.get(theirs)))
    if isinstance(data.get("model"), dict):
        digits = str(data["model"].get("hash", "")).rpartition(":")[2]
        if re.fullmatch(r"[0-9a-f]{64}", digits) and "blake" not in str(data["model"].get("hash")):
            claims.hashes["model"] = digits
    if isinstance(skipped := data.get("clip_skip"), int) and skipped > 0:
        claims.claim("clip_skip", skipped + 1)
    axes = ("x" if data.get("seamless_x") else "") + ("y" if data.get("seamless_y") else "")
    claims.claim("tiling", {"x": "x", "y": "y", "xy": "both"}.get(axes))
    if data.get("hrf_enabled"):
        claims.claim("hr_scale", 2.0)
    elif "hr_strength" in claims.fields:
        del claims.fields["hr_strength"]
    claims.keep({key: value for key, value in data.items() if key not in _TAKEN})


def _read_old(data: Mapping[str, Any], claims: Claims) -> None:
    found = data.get("image")
    image = found if isinstance(found, dict) else {}
    prompts = image.get("prompt")
    text = prompts if isinstance(prompts, str) else " ".join(str(part.get("prompt", "")) for part in objects(prompts))
    _add_old_prompt(claims, text)
    for theirs, ours in (("steps", "steps"), ("cfg_scale", "guidance"), ("seed", "seed"), ("width", "width"), ("height", "height"), ("strength", "strength")):
        claims.claim(ours, image.get(theirs))
    claims.claim("sampler", sampler_title(image.get("sampler")))
    claims.claim("model", model_name(data.get("model_weights")))
    claims.claim("tiling", "both" if image.get("seamless") else None)
    if re.fullmatch(r"[0-9a-f]{64}", str(data.get("model_hash", ""))):
        claims.hashes["model"] = str(data["model_hash"])
    taken = {"prompt", "steps", "cfg_scale", "seed", "width", "height", "strength", "sampler", "seamless", "type"}
    claims.keep({key: value for key, value in image.items() if key not in taken and value not in (False, 0, [], None)})


def _add_old_prompt(claims: Claims, text: str) -> None:
    positive, negative = split_negative(text)
    claims.claim("prompt", from_invokeai(positive))
    claims.claim("negative", from_invokeai(negative))


def _read_dream(prompt: str, flags: str, claims: Claims) -> None:
    _add_old_prompt(claims, prompt.replace('\\"', '"'))
    for flag, value in re.findall(r"-([A-Za-z]) ?([^\s\-][^\s]*)", flags):
        name = _FLAGS.get(flag)
        if name == "sampler":
            claims.claim(name, sampler_title(value))
        elif name:
            claims.claim(name, value)
        else:
            claims.keep({f"-{flag}": value})
