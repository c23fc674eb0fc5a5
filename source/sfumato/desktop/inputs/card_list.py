"""The rows of the strip: cards in their order, what is drawn of each, and which one is chosen. Knows no rule about them."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.inputs.cards import MASK, Card
from sfumato.desktop.inputs.views import CELLS, Viewing

Cards = tuple[Card, ...]


class CardList(QAbstractListModel):
    """Rows of `Card`; `current` is the chosen one."""

    changed = pyqtSignal()

    def __init__(self, cards: Cards, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cards = cards
        self._cells: list[dict[str, Any]] = [Viewing.empty(card) for card in cards]
        self._current = cards[0].id if cards else ""
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(CELLS)}
        self.mask_files = _files_of_masks(cards)

    @property
    def cards(self) -> Cards:
        return self._cards

    def find(self, identity: str) -> Card | None:
        """The card of that id, None if it is gone."""
        return next((card for card in self._cards if card.id == identity), None)

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._cards)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or role not in self._roles or index.row() >= len(self._cells):
            return None
        return self._cells[index.row()][self._roles[role]]

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return len(self._cards)

    @pyqtProperty(int, notify=changed)
    def current(self) -> int:
        return self.indexOf(self._current)

    @pyqtProperty(str, notify=changed)
    def chosen(self) -> str:
        """Id of the chosen card, "" for none."""
        return self._current if self.current >= 0 else ""

    @pyqtSlot(str, result=int)
    def indexOf(self, identity: str) -> int:
        """The place of a card, -1 if it is gone."""
        return next((index for index, card in enumerate(self._cards) if card.id == identity), -1)

    @pyqtSlot(int)
    def choose(self, index: int) -> None:
        if 0 <= index < len(self._cards):
            self._pick(self._cards[index].id)

    def _arrange(self, after: Cards) -> None:
        """Bring the rows into the new order, so that the scene keeps what stays."""
        rows, cells = list(self._cards), self._cells
        kept = {card.id for card in after}
        for index in reversed([index for index, card in enumerate(rows) if card.id not in kept]):
            self.beginRemoveRows(QModelIndex(), index, index)
            del rows[index], cells[index]
            self._cards = tuple(rows)
            self.endRemoveRows()
        for index, card in enumerate(after):
            place = next((at for at in range(index, len(rows)) if rows[at].id == card.id), -1)
            if place < 0:
                self.beginInsertRows(QModelIndex(), index, index)
                rows.insert(index, card)
                cells.insert(index, Viewing.empty(card))
                self._cards = tuple(rows)
                self.endInsertRows()
            elif place > index:
                self.beginMoveRows(QModelIndex(), place, place, QModelIndex(), index)
                rows.insert(index, rows.pop(place))
                cells.insert(index, cells.pop(place))
                self._cards = tuple(rows)
                self.endMoveRows()
        self._cards = after
        self.mask_files = _files_of_masks(after)
        if self.current < 0 and after:
            self._current = after[-1].id

    def _draw(self, cells: list[dict[str, Any]]) -> None:
        """Draw the rows of which anything has changed."""
        held, self._cells = self._cells, cells
        for row, cell in enumerate(cells):
            if row >= len(held) or held[row] != cell:
                self.dataChanged.emit(self.index(row), self.index(row))

    def _pick(self, identity: str) -> None:
        self._current = identity
        self.changed.emit()


def _files_of_masks(cards: Cards) -> frozenset[str]:
    return frozenset(file for card in cards if card.role == MASK for file in card.pictures)
