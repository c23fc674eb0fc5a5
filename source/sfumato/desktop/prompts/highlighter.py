"""Syntax colours of a prompt box: each paragraph by its looks when it changes, and over them the marks that came from reading the whole prompt."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt5.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from sfumato.desktop.prompts.marks import Mark, Marks
from sfumato.prompts.colouring import coloured
from sfumato.prompts.places import Units

_DEPTHS = 4
_STRONG = frozenset({"keyword"})


class Highlighter(QSyntaxHighlighter):
    """Colours by name: comment, network, wildcard, variable, keyword, choice, escape, weight, embedding, doubt, missing, depth0 ... depth3."""

    def __init__(self, document: QTextDocument, marks: Marks, colours: Mapping[str, str], active: bool) -> None:
        super().__init__(document)
        self._marks = marks
        self._formats: dict[str, QTextCharFormat] = {}
        self._active = active
        self.painted = 0  # paragraphs so far
        self._colour(colours)

    def set_colours(self, colours: Mapping[str, str], active: bool) -> None:
        """Take other colours, or none."""
        self._colour(colours)
        self._active = active
        self.rehighlight()

    def show(self, changed: list[Mark]) -> None:
        """Draw the paragraphs anew in which marks came or went."""
        document = self.document()
        blocks = {document.findBlock(mark.start).blockNumber() for mark in changed}
        blocks |= {document.findBlock(max(mark.end - 1, 0)).blockNumber() for mark in changed}
        for number in sorted(blocks):
            block = document.findBlockByNumber(number)
            if block.isValid():
                self.rehighlightBlock(block)

    def highlightBlock(self, text: str | None) -> None:
        """Called by Qt for each paragraph that changed."""
        if not self._active or not text:
            self.setCurrentBlockState(max(self.previousBlockState(), 0) if self._active else -1)
            return
        self.painted += 1
        units = Units(text)
        found, depth = coloured(text, max(self.previousBlockState(), 0))
        for item in found:
            form = self._formats.get(f"depth{item.depth % _DEPTHS}" if item.kind in ("bracket", "weight") else item.kind)
            if form is not None:
                start = units.to_units(item.start)
                self.setFormat(start, units.to_units(item.end) - start, form)
        self.setCurrentBlockState(depth)
        begin = self.currentBlock().position()
        for mark in self._marks.within(begin, begin + self.currentBlock().length()):
            self._mark(mark, begin)

    def _mark(self, mark: Mark, begin: int) -> None:
        start, end = max(mark.start - begin, 0), min(mark.end - begin, self.currentBlock().length() - 1)
        name = "embedding" if mark.kind == "embedding" and not mark.sentence else "missing" if mark.is_missing else "doubt"
        self.setFormat(start, end - start, self._formats[name])

    def _colour(self, colours: Mapping[str, str]) -> None:
        self._formats = {}
        for name, colour in colours.items():
            form = QTextCharFormat()
            form.setForeground(QColor(colour))
            if name in _STRONG:
                form.setFontWeight(QFont.Weight.DemiBold)
            if name in ("doubt", "missing"):
                form.setFontUnderline(True)
            self._formats[name] = form
        for name in ("embedding", "doubt", "missing"):
            self._formats.setdefault(name, QTextCharFormat())
