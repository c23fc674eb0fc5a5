"""Sorts the keys of a single checkpoint file of the original layout into parts with canonical (diffusers) names, and back.

Parts: `unet`, `vae`, `clip_l`; what belongs to none of them stays in `other` under its own name and is counted, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sfumato.engine.layouts import clip, unet, vae

UNET = "model.diffusion_model."
VAE = "first_stage_model."
CLIP_L = "cond_stage_model.transformer."
OTHER = "other"


def sort_keys(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Part -> {canonical name: stored key}."""
    groups: dict[str, list[str]] = {UNET: [], VAE: [], CLIP_L: [], OTHER: []}
    for key in keys:
        prefix = next((prefix for prefix in (UNET, VAE, CLIP_L) if key.startswith(prefix)), OTHER)
        groups[prefix].append(key if prefix == OTHER else key[len(prefix) :])
    translated = {
        "unet": (UNET, unet.to_diffusers(groups[UNET])),
        "vae": (VAE, vae.to_diffusers(groups[VAE])),
        "clip_l": (CLIP_L, clip.canonical(groups[CLIP_L])),
        OTHER: ("", {key: key for key in groups[OTHER]}),
    }
    return {part: {name: prefix + key for key, name in table.items()} for part, (prefix, table) in translated.items() if table}


def spell(names: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    """Part -> {canonical name: key in a file of the original layout}, for writing one."""
    writers = {
        "unet": lambda part: {name: UNET + key for name, key in unet.to_original(part).items()},
        "vae": lambda part: {name: VAE + key for name, key in vae.to_original(part).items()},
        "clip_l": lambda part: {name: CLIP_L + clip.WRAPPER + name for name in part},
    }
    return {part: writers[part](list(table)) for part, table in names.items()}
