"""Names of a CLIP vision transformer's weights in the spellings that files have -> transformers' names.

OpenCLIP's files stack query, key and value in one matrix and hold the projection transposed.
"""

from __future__ import annotations

from collections.abc import Iterable

from sfumato.engine.layouts import clip
from sfumato.engine.layouts.place import Place

_VISION, _OPEN = "vision_model.", "visual."
_IGNORED = f"{_VISION}embeddings.position_ids"
_PROJECTION, _OPEN_PROJECTION = "visual_projection.weight", "proj"
_OPEN_SINGLE = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}


def vision_places(keys: Iterable[str]) -> dict[str, Place]:
    """transformers name -> place; what belongs to the text tower of the same file is left out."""
    keys = list(keys)
    opened = [key.removeprefix(_OPEN) for key in keys if key.startswith(_OPEN)]
    if not opened:
        return {key: Place(key) for key in keys if (key.startswith(_VISION) and key != _IGNORED) or key == _PROJECTION}
    places = {_VISION + name: Place(_OPEN + key) for key, name in _OPEN_SINGLE.items() if key in opened}
    if _OPEN_PROJECTION in opened:
        places[_PROJECTION] = Place(_OPEN + _OPEN_PROJECTION, is_transposed=True)
    layers = clip.from_open_clip(key for key in opened if key.startswith("transformer."))
    return places | {_VISION + name: place.under(_OPEN) for name, place in layers.items()}
