"""The networks that the prompts name, as a list with switches and weights. The tags in the texts are the only truth: each change here is an edit there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.prompts.box import PromptBox
from sfumato.prompts.editing import Edit
from sfumato.prompts.options import LoraOrder
from sfumato.prompts.tag_editing import ListedTag, listed_tags, with_blocks, with_clip, with_tag, with_weight, without_tag

if TYPE_CHECKING:
    from sfumato.desktop.prompts.prompts import Prompts

ROLES = ("name", "kind", "on", "weight", "clip", "follows", "blocks", "plain", "missing", "family", "foreign", "side")
LARGEST = 10.0
_KINDS = {"lora": "LoRA", "hypernet": "Hypernetwork"}


@dataclass(frozen=True)
class Row:
    """A tag in a text, or one that was switched off: `parked` is then its text, and `tag` what that says."""

    box: PromptBox = field(compare=False)
    tag: ListedTag
    parked: str = ""

    @property
    def identity(self) -> tuple[bool, str, str, bool]:
        return self.box.is_negative, self.tag.kind, self.tag.name, bool(self.parked)


class NetworkList(QAbstractListModel):
    """Rows in the order of the texts, those switched off behind them."""

    changed = pyqtSignal()

    def __init__(self, prompts: Prompts) -> None:
        super().__init__(prompts)
        self._prompts = prompts
        self._rows: list[Row] = []
        self._roles = {Qt.ItemDataRole.UserRole + 1 + number: name for number, name in enumerate(ROLES)}
        kept = prompts.session.restored("networks_off", list, [])
        self._parked = [(bool(item[0]), str(item[1])) for item in kept if isinstance(item, list) and len(item) == 2]
        prompts.session.keep("networks_off", lambda: [list(item) for item in self._parked])
        for box in prompts.boxes:
            box.paused.connect(self.look)
        prompts.knowledge.changed.connect(self.look)
        prompts.knowledge.modelChanged.connect(self._draw_anew)
        self.look()

    # -- the model -------------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def roleNames(self) -> dict[int, Any]:
        return {role: name.encode() for role, name in self._roles.items()}

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        name = self._roles.get(role)
        if name is None or not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        tag = row.tag
        if name in ("family", "foreign"):
            family = self._prompts.knowledge.families.get((tag.kind, tag.name), "")
            own = self._prompts.knowledge.family
            return family if name == "family" else bool(family and own and family != own)
        cells: dict[str, Any] = {
            "name": tag.name,
            "kind": tr(_KINDS[tag.kind]),
            "on": not row.parked,
            "weight": tag.weight,
            "clip": tag.clip,
            "follows": tag.follows,
            "blocks": tag.blocks,
            "plain": tag.is_plain,
            "missing": self._prompts.knowledge.is_read and self._prompts.knowledge.now.library.networks(tag.kind).find(tag.name) is None,
            "side": tr("negative") if row.box.is_negative else "",
        }
        return cells[name]

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return len(self._rows)

    @pyqtProperty(str, notify=changed)
    def summary(self) -> str:
        """The networks that are on, in few words."""
        return ", ".join(f"{row.tag.name} {row.tag.weight:g}" for row in self._rows if not row.parked)

    @pyqtSlot()
    def look(self) -> None:
        """Read the tags of both texts."""
        order = self._order
        rows = [Row(box, tag) for box in self._prompts.boxes for tag in listed_tags(box.text, None, order, box.is_negative)]
        for negative, text in self._parked:
            box = self._prompts.boxes[negative]
            rows += [Row(box, tag, text) for tag in listed_tags(text, None, order)[:1]]
        if rows == self._rows:
            return
        same = [row.identity for row in rows] == [row.identity for row in self._rows]
        if same:
            # Sliders that are being dragged stay.
            self._rows = rows
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
        else:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        self.changed.emit()

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(int, float)
    def setWeight(self, number: int, weight: float) -> None:
        """Of the denoiser, -10..10."""
        row = self._rows[number]
        text = row.parked or row.box.text
        self._rewrite(row, with_weight(text, row.tag, _bounded(weight), self._order), "weight")

    @pyqtSlot(int, float)
    def setClip(self, number: int, weight: float) -> None:
        """Of the text encoders, -10..10."""
        row = self._rows[number]
        self._rewrite(row, with_clip(row.parked or row.box.text, row.tag, _bounded(weight), self._order), "clip")

    @pyqtSlot(int)
    def followClip(self, number: int) -> None:
        """Let the text encoders have the same weight as the denoiser again."""
        row = self._rows[number]
        self._rewrite(row, with_clip(row.parked or row.box.text, row.tag, None, self._order), "")

    @pyqtSlot(int, str)
    def setBlocks(self, number: int, blocks: str) -> None:
        """Numbers with commas, the name of a preset, or nothing."""
        row = self._rows[number]
        self._rewrite(row, with_blocks(row.parked or row.box.text, row.tag, blocks.replace(":", "").replace(">", "")), "")

    @pyqtSlot(int, bool)
    def switch(self, number: int, on: bool) -> None:
        """Take a tag out of the text and keep it here, or put it back behind the text."""
        row = self._rows[number]
        if on and row.parked:
            self._parked.remove((row.box.is_negative, row.parked))
            self._edit(row, with_tag(row.box.text, row.parked), tr("Switch {name} on", name=row.tag.name))
        elif not on and not row.parked:
            self._parked.append((row.box.is_negative, row.box.text[row.tag.start : row.tag.end]))
            self._edit(row, without_tag(row.box.text, row.tag), tr("Switch {name} off", name=row.tag.name))
        self._prompts.session.touch()
        self.look()

    @pyqtSlot(int)
    def remove(self, number: int) -> None:
        """Take a network out of the prompt and of the list."""
        row = self._rows[number]
        if row.parked:
            self._parked.remove((row.box.is_negative, row.parked))
            self._prompts.session.touch()
        else:
            self._edit(row, without_tag(row.box.text, row.tag), tr("Remove {name}", name=row.tag.name))
        self.look()

    @pyqtSlot()
    def removeAll(self) -> None:
        """Take every network out."""
        for number in reversed(range(len(self._rows))):
            self.remove(number)

    @pyqtSlot(str, str)
    def add(self, kind: str, name: str) -> None:
        """Write a tag behind the prompt, with the weight and words noted beside its file."""
        self._prompts.add_network(kind, name)

    @pyqtSlot(str, result="QVariantList")
    def offered(self, words: str) -> list[dict[str, Any]]:
        """Networks to add, best first."""
        knowledge = self._prompts.knowledge
        found = knowledge.now.suggestions.search(words, knowledge.family, frozenset({"lora", "hypernet"}), 50)
        return [
            {
                "name": entry.name,
                "type": entry.kind,
                "kind": tr(_KINDS[entry.kind]),
                "family": entry.family,
                "foreign": bool(knowledge.family and entry.family and entry.family != knowledge.family),
            }
            for entry in found
        ]

    @property
    def _order(self) -> LoraOrder:
        return self._prompts.options().lora_order

    def _rewrite(self, row: Row, edit: Edit | None, key: str) -> None:
        if edit is None:
            return
        if row.parked:
            place = self._parked.index((row.box.is_negative, row.parked))
            self._parked[place] = (row.box.is_negative, edit.applied(row.parked))
            self._prompts.session.touch()
        else:
            self._edit(row, edit, tr("Change {name}", name=row.tag.name), f"network {key} {row.tag.name}" if key else "")
        self.look()

    def _edit(self, row: Row, edit: Edit, words: str, key: str = "") -> None:
        box, before = row.box, row.box.text
        box.edit(edit, key=key)
        after = box.text
        if after != before:
            self._prompts.edits.push(words, partial(_swap, box, after, before), partial(_swap, box, before, after), key=key)

    def _draw_anew(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))


def _swap(box: PromptBox, there: str, wanted: str) -> None:
    """Undo or redo in a text, unless something else was written into it meanwhile: that must not be lost."""
    if box.text == there:
        box.text = wanted


def _bounded(weight: float) -> float:
    return max(-LARGEST, min(LARGEST, weight))
