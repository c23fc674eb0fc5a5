"""Names of a CLIP text tower's weights. Canonical is transformers' naming without the wrapper `text_model.`

Files write that wrapper or not (NovelAI's do not), and installed versions of transformers have it or not (gone in 5.6); both are bridged here.
"""

from __future__ import annotations

from collections.abc import Iterable

WRAPPER = "text_model."
_IGNORED = ("embeddings.position_ids",)  # a counter 0..76 that old files carry; the module makes its own


def canonical(keys: Iterable[str]) -> dict[str, str]:
    """Keys of a stored tower -> canonical names; counters that are no weights are left out."""
    named = {key: key.removeprefix(WRAPPER) for key in keys}
    return {key: name for key, name in named.items() if name not in _IGNORED}
