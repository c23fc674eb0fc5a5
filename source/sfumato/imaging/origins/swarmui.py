"""SwarmUI: JSON with `sui_image_params` in `parameters`, or in the UserComment of a JPEG. Rule: M17."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, model_name, network_tag, objects, with_tags
from sfumato.imaging.exif import USER_COMMENT
from sfumato.imaging.origins.names import comfy_schedule, sampler_title
from sfumato.imaging.texts import Texts

_PLAIN = {
    "seed": "seed", "steps": "steps", "cfgscale": "guidance", "width": "width", "height": "height", "variationseed": "variation_seed",
    "wildcardseed": "wildcard_seed",
    "variationseedstrength": "variation_strength", "initimagecreativity": "strength", "ip2pcfg2": "image_guidance", "maskblur": "mask_blur",
    "maskgrow": "mask_expand",
    "samplersigmamin": "sigma_min", "samplersigmamax": "sigma_max", "samplerrho": "rho", "refinercontrolpercentage": "hr_strength", "refinersteps": "hr_steps",
    "refinerupscale": "hr_scale", "refinercfgscale": "hr_guidance",
}  # fmt: skip
_TAKEN = {"prompt", "negativeprompt", "model", "vae", "sampler", "comfyuisampler", "scheduler", "comfyuischeduler", "loras", "loraweights", "clipstopatlayer",
          "refinermodel",
          "refinermethod", "seamlesstileable", "images", "swarm_version", *_PLAIN}  # fmt: skip


def read(texts: Texts) -> Claims | None:
    """What a picture of SwarmUI claims; None if it is none."""
    for text in (texts.keywords.get("parameters", ""), texts.exif.get(USER_COMMENT, "")):
        if "sui_image_params" not in text:
            continue
        try:
            found = read_object(text)
        except NotJson:
            continue
        if isinstance(found.get("sui_image_params"), dict):
            claims = Claims("swarmui")
            _read_data(found["sui_image_params"], claims)
            for model in objects(found.get("sui_models")):
                digits = str(model.get("hash", "")).removeprefix("0x")
                if model.get("param") == "model" and len(digits) == 64 and set(digits) <= set("0123456789abcdef"):
                    # Its checksum leaves the header out, as that of a LoRA does.
                    claims.hashes["model:behind header"] = digits
            return claims
    return None


def _read_data(data: Mapping[str, Any], claims: Claims) -> None:
    for theirs, ours in _PLAIN.items():
        claims.claim(ours, data.get(theirs))
    names, weights = _list(data.get("loras")), _list(data.get("loraweights"))
    tags = [network_tag(name, weights[index] if index < len(weights) else 1.0) for index, name in enumerate(names)]
    claims.claim("prompt", with_tags(data.get("prompt"), tags))
    claims.claim("negative", data.get("negativeprompt"))
    claims.claim("model", model_name(data.get("model")))
    claims.claim("vae", model_name(data.get("vae")))
    claims.claim("sampler", sampler_title(data.get("comfyuisampler") or data.get("sampler")))
    claims.claim("schedule", comfy_schedule(data.get("comfyuischeduler") or data.get("scheduler")))
    stop = data.get("clipstopatlayer")
    claims.claim("clip_skip", -stop if isinstance(stop, int) and -12 <= stop <= -1 else None)
    if data.get("seamlesstileable") in ("true", True):
        claims.claim("tiling", "both")
    elif str(data.get("seamlesstileable", "")).startswith(("X", "Y")):
        claims.claim("tiling", str(data["seamlesstileable"])[0].casefold())
    _add_second(data, claims)
    claims.claim("rng", "cpu")
    claims.switch(emphasis="interpolate", comments=False, dynamic=False)
    claims.keep({key: value for key, value in data.items() if key not in _TAKEN})


def _add_second(data: Mapping[str, Any], claims: Claims) -> None:
    """Its refiner repaints after enlarging (our highres pass), or takes over on the way (our refiner)."""
    model = model_name(data.get("refinermodel"))
    if str(data.get("refinermethod", "")).casefold() == "stepswap":
        share = claims.fields.pop("hr_strength", None)
        for name in ("hr_steps", "hr_scale", "hr_guidance"):
            claims.fields.pop(name, None)
        if model is not None:
            claims.claim("refiner", model)
            claims.claim("refiner_switch_at", 1 - share if isinstance(share, int | float) else None)
            claims.claim("refiner_by_steps", True)
    elif model is not None and model != claims.fields.get("model"):
        claims.claim("hr_model", model)


def _list(value: object) -> list[Any]:
    """A list, or a text of items parted by commas."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value if isinstance(value, list) else []
