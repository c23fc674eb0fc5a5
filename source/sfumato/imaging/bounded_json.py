"""JSON from strangers: read within limits, or refused in one sentence. Rules: M18 of metadata, X13 of security."""

import json
from typing import Any

DEPTH_LIMIT = 64
LENGTH_LIMIT = 64 << 20


class NotJson(ValueError):
    """The text is no JSON, or more than is read; the message completes "it is left out: ..."."""


def read_json(text: str) -> Any:
    """The value of a JSON text of at most 64 MiB and 64 levels. Raises `NotJson` and nothing else."""
    if len(text) > LENGTH_LIMIT:
        raise NotJson(f"it has {len(text)} characters, {LENGTH_LIMIT} are read")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # ValueError: also an integer of thousands of digits
        raise NotJson("it is not JSON") from None
    if _is_deeper(value, DEPTH_LIMIT):
        raise NotJson(f"it nests deeper than {DEPTH_LIMIT}")
    return value


def read_object(text: str) -> dict[str, Any]:
    """The same of a text that must hold an object."""
    value = read_json(text)
    if not isinstance(value, dict):
        raise NotJson("it holds no object")
    return value


def _is_deeper(value: object, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit`; level by level, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
