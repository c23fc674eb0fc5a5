"""The one resolver of names that come from outside: inside the root after links, on every system, or refused.

Every text that becomes a path and was not written by this program goes through `contain`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from sfumato.protocol.errors import UnsafeName

MAX_PART_BYTES = 255
MAX_NAME_CHARACTERS = 1024
_DEVICES = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(\..*)?$", re.IGNORECASE)
# Characters that look like separators or steer text direction; no honest file name needs them.
_LOOKALIKES = frozenset("\u2044\u2215\u29f5\u29f8\uff0f\uff3c\u2024\uff0e\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
_FORBIDDEN = frozenset('<>:"|?*\\')


def contain(root: Path, name: str) -> Path:
    """`root` joined with `name` ("/" separates), guaranteed to stay inside `root` also after following links.

    The path need not exist. Raises `UnsafeName` for anything absolute, climbing, reserved on some system, or leading outside through a link.
    """
    parts = _checked_parts(name)
    base = Path(os.path.realpath(root))
    real = Path(os.path.realpath(base.joinpath(*parts)))
    if real != base and base not in real.parents:
        raise UnsafeName(name, "it leads outside its folder")
    return base.joinpath(*parts)


def _checked_parts(name: str) -> list[str]:
    if not name or len(name) > MAX_NAME_CHARACTERS:
        raise UnsafeName(name[:80], "it is empty or too long")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafeName(name.encode("utf-8", "replace").decode(), "it is not valid text") from None
    parts = name.split("/")
    for part in parts:
        reason = _part_reason(part)
        if reason:
            raise UnsafeName(name[:80], reason)
    return parts


def _part_reason(part: str) -> str:
    if part in ("", ".", ".."):
        return "a part of it is empty or climbs up"
    if len(part.encode("utf-8")) > MAX_PART_BYTES:
        return "a part of it is too long"
    if any(character in _FORBIDDEN for character in part):
        return "it holds a character that is not allowed in file names"
    if any(character in _LOOKALIKES or unicodedata.category(character) in ("Cc", "Cs") for character in part):
        return "it holds an invisible or misleading character"
    if part[0] in " -~" or part[-1] in " .":
        return "a part of it begins or ends with a character that some systems drop"
    if _DEVICES.match(part):
        return "it is the name of a device on some systems"
    if re.search(r"%[0-9a-fA-F]{2}", part) or part.startswith("$") or (part.startswith("%") and part.endswith("%")):
        return "it looks like an encoded or variable name"
    return ""
