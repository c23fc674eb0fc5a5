"""Draw Things: XMP whose exif:UserComment is JSON (c, uc, steps, scale, seed, size, sampler, model, lora ...). Rule: M17.

The packet is searched as text; no XML is parsed, so that entities cannot grow.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, model_name, network_tag, objects, with_tags
from sfumato.imaging.labels import sampler_fields
from sfumato.imaging.texts import Texts

_PLAIN = {"steps": "steps", "scale": "guidance", "seed": "seed", "strength": "strength", "mask_blur": "mask_blur", "refiner_start": "refiner_switch_at"}
_RNG = {"torch cpu compatible": "cpu", "nvidia gpu compatible": "nv"}
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_TAKEN = {"c", "uc", "size", "sampler", "model", "lora", "seed_mode", "hires_fix", "first_stage_size", "second_stage_strength", "refiner", *_PLAIN}


def read(texts: Texts) -> Claims | None:
    """What a picture of Draw Things claims; None if it is none."""
    try:
        data = read_object(_comment(texts.xmp))
    except NotJson:
        return None
    if "c" not in data:
        return None
    claims = Claims("draw_things")
    _read_data(data, claims)
    return claims


def _comment(xmp: str) -> str:
    """The text of exif:UserComment, an element or an attribute."""
    name = "exif:UserComment"
    start = xmp.find(f"<{name}")
    if start >= 0:
        end = xmp.find(f"</{name}>", start)
        body = xmp[xmp.find(">", start) + 1 : end] if end >= 0 else ""
        return html.unescape(re.sub(r"<[^<>]*>", "", body)).strip()
    start = xmp.find(f'{name}="')
    end = xmp.find('"', start + len(name) + 2)
    return html.unescape(xmp[start + len(name) + 2 : end]) if 0 <= start < end else ""


def _sides(value: object) -> tuple[int, int] | None:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return (int(found[1]), int(found[2])) if found else None


def _read_data(data: Mapping[str, Any], claims: Claims) -> None:
    for theirs, ours in _PLAIN.items():
        claims.claim(ours, data.get(theirs))
    tags = [network_tag(lora.get("model") or lora.get("file"), lora.get("weight", 1.0)) for lora in objects(data.get("lora"))]
    claims.claim("prompt", with_tags(data.get("c"), tags))
    claims.claim("negative", data.get("uc"))
    claims.claim("model", model_name(data.get("model")))
    if isinstance(spelled := data.get("sampler"), str):
        trailing = spelled.removesuffix(" Trailing")
        claims.fields |= sampler_fields(trailing.replace("Euler A", "Euler a"))
        claims.claim("schedule", "trailing" if trailing != spelled else None)
    size, first = _sides(data.get("size")), _sides(data.get("first_stage_size")) if data.get("hires_fix") else None
    if size and first:
        claims.fields |= {"width": first[0], "height": first[1], "hr_width": size[0], "hr_height": size[1]}
        claims.claim("hr_strength", data.get("second_stage_strength"))
    elif size:
        claims.fields |= {"width": size[0], "height": size[1]}
    if (refiner := model_name(data.get("refiner"))) is not None:
        claims.claim("refiner", refiner)
    else:
        claims.fields.pop("refiner_switch_at", None)
    mode = str(data.get("seed_mode", ""))
    claims.claim("rng", _RNG.get(mode.casefold()))
    if mode and mode.casefold() not in _RNG:
        claims.warnings.append(f"The picture's noise was drawn in the way '{mode[:40]}' of Draw Things, which cannot be repeated here.")
    claims.switch(comments=False, dynamic=False)
    claims.keep({key: value for key, value in data.items() if key not in _TAKEN})
