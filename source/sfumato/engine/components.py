"""Parts from other files: a VAE or text encoders chosen in the request replace a checkpoint's own, or complete a UNet that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sfumato.engine.checkpoint import Checkpoint, open_checkpoint
from sfumato.engine.configuration import TITLES
from sfumato.engine.family import Family
from sfumato.engine.layouts.original import CLIP, UNET
from sfumato.protocol.errors import CorruptFile, FileTrouble, Invalid, ModelIncompatible, ModelIncomplete, ModelUnsupported, PickleRefused, Problem


def complete(checkpoint: Checkpoint, family: Family, chosen: Mapping[str, Path]) -> Checkpoint:
    """The checkpoint with the parts that were chosen, from their headers.

    Args:
        chosen: request field ("vae", "clip", "clip_2") -> file.

    Raises:
        Invalid: the family has no such part.
        ModelIncomplete, ModelIncompatible: the file does not hold the part, or one for other models. Widths are checked where the networks are built.
        CorruptFile, PickleRefused, ModelUnsupported: with the field they are about.
    """
    strangers = [field for field in chosen if field not in family.roles]
    if strangers:
        raise Invalid([Problem(field, f"{family.title} does not use '{field}'.") for field in strangers])
    for field, path in chosen.items():
        part = family.roles[field]
        source = _opened(path, field)
        source_part = next((name for name in _spellings(part) if name in source.parts), None)
        if source_part is None:
            raise ModelIncomplete(source.name, TITLES[part], path=field)
        _check_scale(source, source_part, family, field)
        checkpoint = checkpoint.with_part(part, source, source_part)
    return checkpoint


def _spellings(part: str) -> tuple[str, ...]:
    """What a part may be called in a file: by its own name, or as a text tower that does not say which it is."""
    return (part, CLIP) if part.startswith(CLIP) else (part,)


def _opened(path: Path, field: str) -> Checkpoint:
    try:
        return open_checkpoint(path)
    except (CorruptFile, PickleRefused, ModelUnsupported) as error:
        error.path = field
        raise


def _check_scale(source: Checkpoint, part: str, family: Family, field: str) -> None:
    """VAEs of SD1 and SDXL have the same shapes; which of them one is, tells its configuration, or the checkpoint that it is taken from."""
    if part != "vae":
        return
    scale = source.configs.get(part, {}).get("scaling_factor")
    if isinstance(scale, int | float) and scale > 0 and scale != family.latent.scale:
        raise ModelIncompatible(source.name, f"latents scaled by {scale}", f"{family.title}, which scales them by {family.latent.scale}", path=field)
    other = _family_of(source)
    if other is not None and other.latent != family.latent:
        raise ModelIncompatible(source.name, other.title, family.title, path=field)


def _family_of(source: Checkpoint) -> Family | None:
    if UNET not in source.parts:
        return None
    from sfumato.engine.families import recognise  # late: the rows stand above this module

    try:
        return recognise(source)
    except FileTrouble:
        return None
