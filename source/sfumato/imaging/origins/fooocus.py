"""Fooocus: `parameters` as JSON where `fooocus_scheme` is fooocus; in JPEG and WebP in UserComment with the scheme in MakerNote. Rule: M17.

Its other scheme, a1111, is an infotext. Lists and tuples in its values are Python literals; they are picked apart, never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, model_name, network_tag, with_tags
from sfumato.imaging.exif import MAKER_NOTE, USER_COMMENT
from sfumato.imaging.origins.names import comfy_schedule, sampler_title
from sfumato.imaging.texts import Texts

_PAIR = re.compile(r"\s*[(\[]\s*([0-9]{1,5})\s*,\s*([0-9]{1,5})\s*[)\]]\s*")
_TAKEN = {"prompt", "negative_prompt", "full_prompt", "full_negative_prompt", "resolution", "sampler", "scheduler", "base_model", "base_model_hash",
          "refiner_model",
          "refiner_switch", "loras", "metadata_scheme", "vae", "seed", "steps", "guidance_scale", "clip_skip", "version"}  # fmt: skip


def read(texts: Texts) -> Claims | None:
    """What a picture of Fooocus claims in its own scheme; None if it is none."""
    in_exif = texts.exif.get(MAKER_NOTE, "").strip() == "fooocus"
    text = texts.keywords.get("parameters", "") if texts.keywords.get("fooocus_scheme") == "fooocus" else texts.exif.get(USER_COMMENT, "") if in_exif else ""
    text = text or texts.keywords.get("Comment", "") or texts.comment
    if not text.lstrip().startswith("{"):
        return None
    try:
        data = read_object(text)
    except NotJson:
        return None
    if "base_model" not in data and "Base Model" not in data:
        return None
    if "Base Model" in data:  # before version 2.2 the titles of the log were the keys
        data = {key.casefold().replace(" ", "_"): value for key, value in data.items()}
    claims = Claims("fooocus")
    _read_data(data, claims)
    return claims


def _joined(value: object) -> str:
    """A text, or the texts of a list."""
    if isinstance(value, list):
        return ", ".join(item for item in value if isinstance(item, str) and item)
    return value if isinstance(value, str) else ""


def _read_data(data: Mapping[str, Any], claims: Claims) -> None:
    tags = [network_tag(*_weighted(value)) for key, value in data.items() if re.fullmatch(r"lora_combined_[0-9]+", key) and isinstance(value, str)]
    if not tags and isinstance(data.get("loras"), list):
        tags = [network_tag(item[0], item[1]) for item in data["loras"] if isinstance(item, list) and len(item) >= 2]
    # Its styles have names that ours need not have; the full texts hold what they added.
    claims.claim("prompt", with_tags(_joined(data.get("full_prompt")) or _joined(data.get("prompt")), tags))
    claims.claim("negative", _joined(data.get("full_negative_prompt")) or _joined(data.get("negative_prompt")))
    if found := _PAIR.fullmatch(str(data.get("resolution", ""))):
        claims.claim("width", int(found[1]))
        claims.claim("height", int(found[2]))
    for theirs, ours in (("steps", "steps"), ("guidance_scale", "guidance"), ("seed", "seed"), ("clip_skip", "clip_skip")):
        claims.claim(ours, data.get(theirs))
    claims.claim("sampler", sampler_title(data.get("sampler")))
    claims.claim("schedule", comfy_schedule(data.get("scheduler")))
    claims.claim("model", model_name(data.get("base_model")))
    claims.claim("vae", model_name(str(data.get("vae", "")).removeprefix("Default (model)")))
    if re.fullmatch(r"[0-9a-f]{10}", str(data.get("base_model_hash", ""))):
        claims.hashes["model"] = str(data["base_model_hash"])
    if (refiner := model_name(data.get("refiner_model"))) is not None:
        claims.claim("refiner", refiner)
        claims.claim("refiner_switch_at", data.get("refiner_switch"))
        claims.claim("refiner_by_steps", True)
    claims.claim("rng", "cpu")
    claims.switch(comments=False, dynamic=False)
    claims.keep({key: value for key, value in data.items() if key not in _TAKEN and not key.startswith("lora_combined_")})
    claims.keep({"prompt": _joined(data.get("prompt"))} if data.get("full_prompt") else {})


def _weighted(text: str) -> tuple[str, str]:
    """ "name : weight" as its two parts."""
    name, _, weight = text.rpartition(" : ")
    return (name, weight) if name else (text, "1.0")
