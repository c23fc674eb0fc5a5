"""Weights of other prompt languages as ours: InvokeAI's (`word+`, `(a b)1.3`) and NovelAI's (`{x}`, `[x]`, `1.5::x::`). Rule: M17.

Each is one scan with a stack; brackets that do not match are plain signs, so that no text is refused.
"""

from __future__ import annotations

import re

_PLUS, _MINUS = 1.1, 0.9  # InvokeAI, per sign
_BRACE, _BRACKET = "1.05", "0.952"  # NovelAI, per bracket

_INVOKE = re.compile(
    r"(?P<escape>\\.)|(?P<open>\()|(?P<close>\))(?P<by>[+\-]+|[0-9]{0,4}\.?[0-9]{1,4})?|(?P<sign>[\[\]\\])|(?P<word>[^\s()\[\]\\,]+)", re.DOTALL
)
_SIGNED = re.compile(r"(.*[^+\-])([+\-]+)", re.DOTALL)
_NOVEL = re.compile(r"(?P<number>-?(?:[0-9]{1,4}\.?[0-9]{0,4}|\.[0-9]{1,4}))::|(?P<end>::)|(?P<sign>[{}\[\]()\\])")


def _number(weight: float) -> str:
    return f"{weight:.4f}".rstrip("0").rstrip(".")


def _of_signs(signs: str) -> float:
    return (_PLUS if signs[0] == "+" else _MINUS) ** min(len(signs), 20)


def from_invokeai(text: str) -> str:
    """InvokeAI's prompt in our language: signs behind a word or bracket are its weight, a bracket without one only groups, [ ] are plain signs."""
    pieces: list[str] = []
    opened: list[int] = []
    place = 0
    for found in _INVOKE.finditer(text):
        pieces.append(text[place : found.start()])
        place = found.end()
        if found["open"]:
            opened.append(len(pieces))
            pieces.append("\\(")
        elif found["close"]:
            by = found["by"] or ""
            if not opened:
                pieces.append("\\)" + by)
            elif not by:
                pieces[opened.pop()] = ""
            else:
                weight = _of_signs(by) if by[0] in "+-" else float(by)
                pieces[opened.pop()] = "("
                pieces.append(f":{_number(weight)})")
        elif found["sign"]:
            pieces.append("\\" + found["sign"])
        elif found["word"] and (signed := _SIGNED.fullmatch(found["word"])) and len(set(signed[2])) == 1:
            pieces.append(f"({signed[1]}:{_number(_of_signs(signed[2]))})")
        else:
            pieces.append(found[0])
    return "".join([*pieces, text[place:]])


def split_negative(text: str) -> tuple[str, str]:
    """InvokeAI's prompts of before 3.0: what stands in [ ] is the negative prompt."""
    negative = [part.strip() for part in re.findall(r"\[([^\[\]]*)\]", text)]
    return re.sub(r"\[[^\[\]]*\]", "", text).strip(), ", ".join(filter(None, negative))


def from_novelai(text: str) -> str:
    """NovelAI's prompt in our language; its round brackets and backslashes are plain signs."""
    pieces: list[str] = []
    opened: list[tuple[str, int]] = []
    place = 0
    for found in _NOVEL.finditer(text):
        pieces.append(text[place : found.start()])
        place = found.end()
        pieces += _novel(found, pieces, opened)
    pieces.append(text[place:])
    if opened and opened[-1][0] not in "{[":  # a number reaches to the end
        pieces.append(_closed(pieces, opened))
    return "".join(pieces)


def _novel(found: re.Match[str], pieces: list[str], opened: list[tuple[str, int]]) -> list[str]:
    """What one sign becomes; opening signs stay as they are until something closes them."""
    sign, number = found["sign"] or "", found["number"]
    is_weighing = bool(opened) and opened[-1][0] not in "{["
    if number:
        before = [_closed(pieces, opened)] if is_weighing else []
        opened.append((number, len(pieces) + len(before)))
        return [*before, found[0]]
    if found["end"]:
        return [_closed(pieces, opened) if is_weighing else found[0]]
    if sign in "{[":
        opened.append((sign, len(pieces)))
        return [sign if sign == "{" else "\\["]
    if sign in "}]":
        closes = bool(opened) and opened[-1][0] == {"}": "{", "]": "["}[sign]
        return [_closed(pieces, opened) if closes else (sign if sign == "}" else "\\]")]
    return ["\\" + sign]


def _closed(pieces: list[str], opened: list[tuple[str, int]]) -> str:
    sign, index = opened.pop()
    pieces[index] = "("
    return f":{ {'{': _BRACE, '[': _BRACKET}.get(sign, sign) })"
