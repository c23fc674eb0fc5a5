"""NovelAI: `Software` = NovelAI, the prompt in `Description`, everything else as JSON in `Comment`; also by stealth. Rule: M17."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, objects
from sfumato.imaging.exif import SOFTWARE, USER_COMMENT
from sfumato.imaging.origins.names import sampler_title
from sfumato.imaging.origins.weights import from_novelai
from sfumato.imaging.texts import Texts

_PLAIN = {"steps": "steps", "scale": "guidance", "seed": "seed", "width": "width", "height": "height", "strength": "strength", "cfg_rescale": "cfg_rescale"}
_SCHEDULES = {"native": "uniform", "karras": "karras", "exponential": "exponential", "polyexponential": "polyexponential"}
_TAKEN = {"prompt", "uc", "sampler", "noise_schedule", "v4_prompt", "v4_negative_prompt", "signed_hash", "request_type", "n_samples", *_PLAIN}


def read(texts: Texts) -> Claims | None:
    """What a picture of NovelAI claims; None if it is none."""
    keywords = texts.keywords
    if "NovelAI" not in keywords.get("Software", "") and "NovelAI" not in texts.exif.get(SOFTWARE, ""):
        return None
    try:
        data = read_object(keywords.get("Comment") or texts.exif.get(USER_COMMENT, ""))
        if isinstance(data.get("Comment"), str):  # a WebP holds all texts of the PNG as one object
            keywords = {key: value for key, value in data.items() if isinstance(value, str)}
            data = read_object(data["Comment"])
    except NotJson:
        data = {}
    claims = Claims("novelai")
    _read_data(data, keywords, claims)
    return claims


def _caption(prompt: object) -> str:
    """The base text of a prompt of version 4 with its characters' texts behind it."""
    caption = prompt.get("caption") if isinstance(prompt, dict) else None
    if not isinstance(caption, dict):
        return ""
    texts = [caption.get("base_caption"), *(item.get("char_caption") for item in objects(caption.get("char_captions")))]
    return ", ".join(text for text in texts if isinstance(text, str) and text)


def _read_data(data: Mapping[str, Any], keywords: Mapping[str, str], claims: Claims) -> None:
    prompt, negative = data.get("prompt"), data.get("uc")
    text = _caption(data.get("v4_prompt")) or (prompt if isinstance(prompt, str) and prompt else keywords.get("Description", ""))
    claims.claim("prompt", from_novelai(text))
    claims.claim("negative", from_novelai(_caption(data.get("v4_negative_prompt")) or (negative if isinstance(negative, str) else "")))
    for theirs, ours in _PLAIN.items():
        claims.claim(ours, data.get(theirs))
    claims.claim("sampler", sampler_title(str(data["sampler"]).removesuffix("_v3")) if isinstance(data.get("sampler"), str) else None)
    claims.claim("schedule", _SCHEDULES.get(str(data.get("noise_schedule"))))
    source = keywords.get("Source", "")
    if source.startswith("Stable Diffusion") and "XL" not in source and "v4_prompt" not in data:
        claims.claim("clip_skip", 2)
        claims.claim("ensd", 31337)
    claims.switch(comments=False, dynamic=False, special_words=False)
    claims.keep({"Source": source, **{key: value for key, value in data.items() if key not in _TAKEN}})
