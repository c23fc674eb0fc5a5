"""Help for who writes a query: the fields with an example each, and what the word at the cursor may become."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sfumato.library.history.query import FIELDS, HAS, IS, fold

EXAMPLES: Mapping[str, str] = {
    "prompt": "prompt:fox",
    "negative": "negative:blurry",
    "model": "model:dream",
    "lora": "lora:ink",
    "sampler": "sampler:euler",
    "seed": "seed:42",
    "steps": "steps>30",
    "scale": "scale:5..7.5",
    "size": "size:512x768",
    "width": "width>=1024",
    "height": "height<512",
    "strength": "strength<0.5",
    "mode": "mode:inpaint",
    "folder": "folder:grids",
    "tag": "tag:keep",
    "rating": "rating:>=4",
    "date": "date:2026-03..2026-05",
    "has": "has:control",
    "is": "is:favourite",
    "name": "name:0001",
    "hash": "hash:4ca9",
}
ROWS_AT_MOST = 8
_WORD = re.compile(r"[^\s;]*$")


def completions(text: str, cursor: int, known: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What the word before the cursor may become.

    Args:
        known: names that are there, by field (model, lora, tag).

    Returns:
        Rows {text, note, whole, cursor}: what is offered, an example, the whole query with it, and where the cursor then is.
    """
    before = text[:cursor]
    found = _WORD.search(before)
    word = found[0] if found else ""
    sign = "-" if word.startswith("-") else ""
    field, colon, value = word[len(sign) :].partition(":")
    if not colon:
        if not field:
            return []
        offers = [(f"{name}:", EXAMPLES[name]) for name in FIELDS if name.startswith(field.casefold()) and name in EXAMPLES]
    else:
        names = {"has": HAS, "is": [name for name in IS if name != "favorite"]}.get(field.casefold(), known.get(field.casefold(), ()))
        offers = [(f"{field}:{_quoted(name)}", "") for name in names if fold(value.strip('"')) in fold(name) and '"' not in name]
    rows = []
    for offered, note in offers[:ROWS_AT_MOST]:
        head = before[: len(before) - len(word)] + sign + offered
        if offered == word[len(sign) :]:
            continue
        rows.append({"text": offered, "note": note, "whole": head + text[cursor:], "cursor": len(head)})
    return rows


def _quoted(name: str) -> str:
    return f'"{name}"' if any(sign.isspace() or sign == ";" for sign in name) else name
