"""Comments: `#` to the end of the line. Rules: P59, P60 of the prompt language."""

import re

from sfumato.prompts.traced import Traced, Weaver

_CUTS = re.compile(r"\\(?:\r\n|[\s\S])|#[^\r\n]*+")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_LAST_NEWLINE = re.compile(r"(?:\r\n|\n|\r)\Z")


def find_comments(text: str) -> list[tuple[int, int]]:
    """The places of comments, from the hash sign to the end of its line; an escaped hash sign begins none."""
    return [cut.span() for cut in _CUTS.finditer(text) if cut[0][0] == "#"]


def without_comments(traced: Traced) -> Traced:
    """The text without its comments; a line that is nothing else disappears with its newline."""
    text = traced.text
    comments = find_comments(text) if "#" in text else []
    if not comments:
        return traced
    kept: list[tuple[int, int]] = []
    place = 0
    ends_blank = False
    for start, end in comments:
        line = max(text.rfind("\n", place, start), text.rfind("\r", place, start)) + 1 or place
        is_whole = not text[line:start].strip() and (line == 0 or text[line - 1] in "\r\n")
        if is_whole:
            newline = _NEWLINE.match(text, end)
            ends_blank = newline is None
            start, end = line, newline.end() if newline else end
        kept.append((place, start))
        place = end
    kept.append((place, len(text)))
    kept = [(start, end) for start, end in kept if start < end]
    if ends_blank and kept:
        # The last line is gone; so is the newline before it.
        start, end = kept.pop()
        kept.append((start, start + len(_LAST_NEWLINE.sub("", text[start:end]))))
    weaver = Weaver()
    for start, end in kept:
        weaver.copy(traced, start, end)
    return weaver.done()
