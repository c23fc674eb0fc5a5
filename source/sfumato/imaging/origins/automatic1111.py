"""Infotext of AUTOMATIC1111, Forge, reForge, SD.Next and of Sfumato itself. Rules: M13, M14, P66.

What an infotext leaves out means the writer's default, not ours; old versions did some things in another way, which is switched on here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from sfumato.imaging.claims import Claims, model_name, network_tag
from sfumato.imaging.controls import hash_of, key_of, role_of
from sfumato.imaging.infotext import Infotext
from sfumato.imaging.labels import REMARKS, TEMPLATES, claims_of
from sfumato.imaging.saying import Said
from sfumato.protocol.params.control import UNITS

_VERSION = re.compile(r"(?:f[0-9.]+)?v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-(\d{1,6}))?")
_OLD_FIRST_PASS_PIXELS = 512 * 512
_OLD_FIRST_PASS_STEP = 64
_FIRST_PASS_AT_MOST = 16384
# How writers beside AUTOMATIC1111 spell its keys.
_OTHER_KEYS = {"CFG Scale": "CFG scale", "CLIP skip": "Clip skip", "Schedule Type": "Schedule type", "Hires Schedule type": "Hires schedule type"}


def source_of(pairs: Mapping[str, Said]) -> str:
    """Who wrote an infotext, by its version."""
    version = str(pairs.get("Version", ""))
    if version.startswith("Sfumato"):
        return "sfumato"
    if str(pairs.get("App", "")).startswith("SD.Next"):
        return "sdnext"
    if re.match(r"f\d", version) or "Distilled CFG Scale" in pairs or any(key.startswith("Module ") for key in pairs):
        return "forge"
    return "comfyui" if version.startswith("ComfyUI") else "automatic1111"


def read_infotext_claims(text: Infotext) -> Claims:
    """What an infotext claims."""
    claims = Claims(source_of(text.pairs))
    pairs = {_OTHER_KEYS.get(key, key): value for key, value in text.pairs.items()}
    claims.fields, unknown = claims_of(pairs)
    claims.fields |= {"prompt": text.prompt, "negative": text.negative}
    _add_strength(claims, pairs)
    _add_hashes(claims, pairs, unknown)
    for name in ("model", "vae", "refiner", "hr_model"):
        if name in claims.fields and claims.source != "sfumato":
            claims.fields[name] = model_name(claims.fields[name]) or ""
    if claims.source == "sfumato":
        _as_typed(claims, pairs)
    else:
        _add_old_first_pass(claims, unknown)
        _add_hypernetwork(claims, unknown)
        _add_defaults(claims, pairs)
    claims.keep({key: value for key, value in unknown.items() if key not in REMARKS})
    return claims


def _as_typed(claims: Claims, pairs: Mapping[str, Said]) -> None:
    """Our own infotext: what it leaves out is our default, and the prompts are taken as they were typed."""
    claims.fields.setdefault("rng", "gpu")
    templates = {name: str(pairs[label]) for name, label in TEMPLATES.items() if label in pairs}
    claims.fields |= templates
    if not templates:
        # The texts hold them already.
        claims.fields.pop("styles", None)


def _add_strength(claims: Claims, pairs: Mapping[str, Said]) -> None:
    """One key is the strength of image to image, or of the highres pass where there is one."""
    is_highres = "Hires upscale" in pairs or "Hires resize" in pairs
    if is_highres and "strength" in claims.fields and "Hires denoising strength" not in pairs:
        claims.fields["hr_strength"] = claims.fields.pop("strength")


def _add_hashes(claims: Claims, pairs: Mapping[str, Said], unknown: dict[str, Said]) -> None:
    for label, name in (("Model hash", "model"), ("VAE hash", "vae")):
        if re.fullmatch(r"[0-9a-fA-F]{6,64}", digits := str(pairs.get(label, ""))):
            claims.hashes[name] = digits.lower()
    for label, name in (("Refiner", "refiner"), ("Hires checkpoint", "hr_model")):
        if found := re.search(r"\[([0-9a-fA-F]{6,64})\]\s*$", str(pairs.get(label, ""))):
            claims.hashes[name] = found[1].lower()
    for number in range(UNITS):
        if digits := hash_of(pairs.get(key_of(number), "")):
            claims.hashes[role_of(number)] = digits
    for label in ("Lora hashes", "TI hashes"):
        for item in str(pairs.get(label, "")).split(","):
            name, _, digits = item.rpartition(":")
            if name.strip() and re.fullmatch(r"[0-9a-fA-F]{6,64}", digits.strip()):
                claims.hashes[f"{label.split()[0].casefold()}:{name.strip()}"] = digits.strip().lower()
    unknown.pop("Model hash", None)


def _add_old_first_pass(claims: Claims, unknown: dict[str, Said]) -> None:
    """Highres of 2022: `Size` is the final size, `First pass size` that of the first pass; 0x0 was computed from 512² pixels."""
    first = unknown.get("First pass size")
    if not isinstance(first, tuple):
        return
    del unknown["First pass size"]
    width, height = int(claims.fields.get("width", 512) or 512), int(claims.fields.get("height", 512) or 512)
    if not first[0] or not first[1]:
        scale = math.sqrt(_OLD_FIRST_PASS_PIXELS / max(1, width * height))
        first = tuple(min(_FIRST_PASS_AT_MOST, math.ceil(scale * side / _OLD_FIRST_PASS_STEP) * _OLD_FIRST_PASS_STEP) for side in (width, height))
    claims.fields |= {"width": first[0], "height": first[1], "hr_width": width, "hr_height": height}
    claims.fields.setdefault("hr_upscaler", "Latent")
    if "strength" in claims.fields:
        claims.fields["hr_strength"] = claims.fields.pop("strength")


def _add_hypernetwork(claims: Claims, unknown: dict[str, Said]) -> None:
    if (name := model_name(unknown.pop("Hypernet", None))) is not None:
        name = re.sub(r"\s*\([0-9a-fA-F]{6,}\)$", "", name)
        tag = network_tag(name, unknown.pop("Hypernet strength", 1.0)).replace("<lora:", "<hypernet:", 1)
        claims.fields["prompt"] = " ".join(filter(None, [str(claims.fields["prompt"]), tag]))


def _add_defaults(claims: Claims, pairs: Mapping[str, Said]) -> None:
    """What the writer's program does where its text says nothing (M14), and how it reads prompts (P66)."""
    # Noise of a comfyui node's infotext is drawn on the processor, as ComfyUI does.
    claims.fields.setdefault("rng", "cpu" if claims.source == "comfyui" else "nv")
    # Layer 1 is SD1's own, and the others' own is read whatever the text says.
    if str(claims.fields.get("clip_skip", "")).strip() in ("", "1"):
        claims.fields["clip_skip"] = 0
    claims.switch(lone_weight=True, tag_schedules=False, dynamic=False)
    version = parsed_version(str(pairs.get("Version", "")))
    if version is None:
        return
    if version < (1, 6, 0, 0):
        if "[" in str(claims.fields["prompt"]):
            claims.switch(timelines="old")
        if claims.fields.get("sampler") in ("DDIM", "PLMS"):
            claims.switch(pad_conds="v0")
    if version < (1, 7, 0, 225):
        claims.fields["downcast_alphas"] = True
    if version < (1, 8, 0, 0) and claims.fields.get("refiner"):
        claims.fields["refiner_by_steps"] = True


def parsed_version(text: str) -> tuple[int, int, int, int] | None:
    """ "v1.7.0-225-gabc" as (1, 7, 0, 225); None for what is no such version. Forge's "f2.0.1v1.10.1" counts by the part it builds on."""
    if not (found := _VERSION.match(text.strip())):
        return None
    major, minor, patch, commits = (int(part or 0) for part in found.groups())
    return major, minor, patch, commits
