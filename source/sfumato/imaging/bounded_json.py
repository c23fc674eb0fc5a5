"""JSON from strangers: read within limits, or refused in one sentence. Rules: M18 of metadata, X13 of security."""

import json
import re
from typing import Any

DEPTH_LIMIT = 64
LENGTH_LIMIT = 64 << 20


_INTEGER_DIGITS = 25
_LONE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """The text is no JSON, or more than is read; the message completes "it is left out: ..."."""


def read_json(text: str) -> Any:
    """The value of a JSON text of at most 64 MiB and 64 levels, with every lone surrogate replaced by U+FFFD. Raises `NotJson` and nothing else.

    An integer of more digits than any number here may have becomes a float, which is infinite if it must be.
    """
    if len(text) > LENGTH_LIMIT:
        raise NotJson(f"it has {len(text)} characters, {LENGTH_LIMIT} are read")
    try:
        value = json.loads(text, parse_int=_whole)
        if holds_lone(text):
            value = json.loads(whole_characters(json.dumps(value, ensure_ascii=False)), parse_int=_whole)
    except (ValueError, RecursionError):
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


def holds_lone(text: str) -> bool:
    """Whether a JSON text holds a lone surrogate, as a character or escaped."""
    if _LONE.search(text):
        return True
    # Escaped pairs are whole characters once they are read.
    return bool(_ESCAPED.search(text)) and bool(_LONE.search(json.dumps(json.loads(text), ensure_ascii=False)))


def whole_characters(text: str) -> str:
    """A text with every lone surrogate, which no file can hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _INTEGER_DIGITS else float(digits)


def _is_deeper(value: object, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit`; level by level, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
