"""Sorts the keys of a single file into parts with canonical names, and back.

Parts: `unet`, `vae`, `clip_l`, `clip_h`, `clip_g`; `clip` is a text tower on its own, whose role its user decides. What belongs to none of them stays in
`other` under its own name and is counted, never an error. Prefixes are those of the original layout (CompVis, Stability), of ComfyUI, and none at all, as
files with a single component have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sfumato.engine.layouts import clip, unet, vae
from sfumato.engine.layouts.place import Place

UNET = "unet"
VAE = "vae"
CLIP = "clip"
OTHER = "other"

# Prefix -> part. Of a file's spellings the longest counts.
_PREFIXES = {
    "model.diffusion_model.": UNET,
    "diffusion_model.": UNET,
    "first_stage_model.": VAE,
    "vae.": VAE,
    "cond_stage_model.transformer.": "clip_l",
    "cond_stage_model.model.": "clip_h",
    "conditioner.embedders.0.transformer.": "clip_l",
    "conditioner.embedders.0.model.": "clip_g",
    "conditioner.embedders.1.model.": "clip_g",
    "clip_l.": "clip_l",
    "clip_h.": "clip_h",
    "clip_g.": "clip_g",
}
# First word -> the prefixes that begin with it, longest first.
_BY_FIRST_WORD = {
    word: sorted((prefix for prefix in _PREFIXES if prefix.startswith(f"{word}.")), key=len, reverse=True)
    for word in {prefix.partition(".")[0] for prefix in _PREFIXES}
}
# Keys that together say what a file without prefixes holds.
_BARE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (UNET, ("input_blocks.0.0.weight", "time_embed.0.weight", "out.2.weight")),
    (UNET, ("conv_in.weight", "time_embedding.linear_1.weight", "conv_out.weight", "conv_norm_out.weight")),
    (VAE, ("encoder.conv_in.weight", "decoder.conv_in.weight")),
    (CLIP, ("text_model.embeddings.token_embedding.weight",)),
    (CLIP, ("transformer.text_model.embeddings.token_embedding.weight",)),
    (CLIP, ("embeddings.token_embedding.weight", "final_layer_norm.weight")),
    (CLIP, ("token_embedding.weight", "transformer.resblocks.0.ln_1.weight")),
)
# Which towers a file has -> where they are in the original layout.
TOWERS: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("clip_l",): {"clip_l": "cond_stage_model.transformer."},
    ("clip_h",): {"clip_h": "cond_stage_model.model."},
    ("clip_g", "clip_l"): {"clip_l": "conditioner.embedders.0.transformer.", "clip_g": "conditioner.embedders.1.model."},
    ("clip_g",): {"clip_g": "conditioner.embedders.0.model."},
}


def sort_keys(keys: Iterable[str]) -> dict[str, dict[str, Place]]:
    """Part -> {canonical name: where it is stored}."""
    groups: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        prefix = _prefix(key)
        groups.setdefault((_PREFIXES.get(prefix, OTHER), prefix), []).append(key[len(prefix) :])
    rest = groups.get((OTHER, ""), [])
    bare = _bare(rest) if all(part == OTHER for part, _ in groups) else ""
    sorted_parts: dict[str, dict[str, Place]] = {}
    for (part, prefix), members in groups.items():
        sorted_parts.setdefault(bare or part, {}).update(canonical(bare or part, members, prefix))
    return sorted_parts


def canonical(part: str, keys: Iterable[str], prefix: str = "") -> dict[str, Place]:
    """Canonical name -> place, for one part's keys in any of the spellings there are; `prefix` stood before each of them."""
    keys = list(keys)
    if part == UNET:
        return _plain(unet.to_diffusers(keys) if unet.is_original(keys) else {key: key for key in keys}, prefix)
    if part == VAE:
        return _plain(vae.to_diffusers(keys), prefix)
    if part.startswith(CLIP) and clip.is_open_clip(keys):
        return {name: place.under(prefix) for name, place in clip.from_open_clip(keys).items()}
    return _plain(clip.canonical(keys) if part.startswith(CLIP) else {key: key for key in keys}, prefix)


def spell(names: Mapping[str, Iterable[str]]) -> dict[str, dict[str, Place]]:
    """Part -> {canonical name: its place in a file of the original layout}, for writing one."""
    prefixes = {UNET: "model.diffusion_model.", VAE: "first_stage_model.", **TOWERS.get(tuple(sorted(part for part in names if part.startswith(CLIP))), {})}
    spelt: dict[str, dict[str, Place]] = {}
    for part, table in names.items():
        if part == UNET:
            places = {name: Place(key) for name, key in unet.to_original(table).items()}
        elif part == VAE:
            places = {name: Place(key) for name, key in vae.to_original(table).items()}
        elif part == "clip_l":
            places = {name: Place(name if name == clip.PROJECTION else clip.WRAPPER + name) for name in table}
        else:
            places = clip.to_open_clip(table)
        spelt[part] = {name: place.under(prefixes[part]) for name, place in places.items()}
    return spelt


def _prefix(key: str) -> str:
    """The longest known prefix of a key, "" if none."""
    for prefix in _BY_FIRST_WORD.get(key.partition(".")[0], ()):
        if key.startswith(prefix):
            return prefix
    return ""


def _bare(keys: Iterable[str]) -> str:
    """The part that a file without prefixes holds, "" if it is none."""
    present = set(keys)
    return next((part for part, evidence in _BARE if present.issuperset(evidence)), "")


def _plain(keys_to_names: Mapping[str, str], prefix: str) -> dict[str, Place]:
    return {name: Place(prefix + key) for key, name in keys_to_names.items()}
