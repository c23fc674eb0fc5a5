"""Descriptions of strangers as markup that is safe to show: no pictures, no scripts, no styles, and links to web pages alone. Rules: D110, R112."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

LIMIT = 40_000
_KEPT = frozenset({"p", "br", "b", "strong", "i", "em", "u", "s", "ul", "ol", "li", "h1", "h2", "h3", "h4", "code", "pre", "blockquote", "hr"})
_SINGLE = frozenset({"br", "hr"})
_SILENT = frozenset({"script", "style", "iframe", "object", "svg", "template", "head", "title", "noscript"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4"})
_LINK = re.compile(r"\[([^\]\n]{1,200})\]\((https?://[^\s()<>\"]{1,500})\)|(https?://[^\s<>\"')\]]{1,500})")
_MARKUP = re.compile(r"</?(?:p|br|div|span|strong|em|ul|li|h[1-6]|a|img)\b[^>]*>", re.IGNORECASE)


def is_web_address(address: str) -> bool:
    """Whether a link may be opened after asking."""
    return re.fullmatch(r"https?://[^\s\x00-\x1f\"<>\\]{1,2000}", address, re.IGNORECASE) is not None


def shown(text: str, is_html: bool = False) -> str:
    """A description as rich text; plain text keeps its lines and gets its links."""
    text = text[:LIMIT]
    if not is_html and not _MARKUP.search(text):
        return _plain(text)
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.result()


def _plain(text: str) -> str:
    parts, place = [], 0
    for match in _LINK.finditer(text):
        parts.append(html.escape(text[place : match.start()]))
        label, address = (match[1], match[2]) if match[1] else (match[3].rstrip(".,;:"), match[3].rstrip(".,;:"))
        parts.append(_anchor(address, html.escape(label)))
        parts.append(html.escape(match[3][len(address) :]) if match[3] else "")
        place = match.end()
    parts.append(html.escape(text[place:]))
    return "".join(parts).replace("\n", "<br>")


def _anchor(address: str, label: str) -> str:
    return f'<a href="{html.escape(address, quote=True)}">{label}</a>' if is_web_address(address) else label


class _Reader(HTMLParser):
    """Copies what is kept; what is not is left out with its attributes, and its words stay unless it is silent."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._open: list[str] = []
        self._silent = 0

    def result(self) -> str:
        return "".join(self._parts) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif self._silent:
            return
        elif tag in _SINGLE:
            self._parts.append(f"<{tag}>")
        elif tag == "a":
            address = (dict(attrs).get("href") or "").strip()
            if is_web_address(address):
                self._parts.append(f'<a href="{html.escape(address, quote=True)}">')
                self._open.append("a")
        elif tag in _KEPT:
            tag = "b" if tag in _HEADINGS else tag
            self._parts.append("<br><b>" if tag == "b" and self._parts else f"<{tag}>")
            self._open.append(tag)
        elif tag == "div":
            self._parts.append("<br>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
            return
        tag = "b" if tag in _HEADINGS else tag
        if tag in self._open:
            while self._open:
                last = self._open.pop()
                self._parts.append(f"</{last}>")
                if last == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._parts.append(html.escape(data))
