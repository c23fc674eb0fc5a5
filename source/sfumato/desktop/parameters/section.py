"""A part of the form as the panel shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt5.QtCore import QModelIndex, QSortFilterProxyModel, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.parameters.roles import ROLE
from sfumato.protocol.params import GROUPS

if TYPE_CHECKING:
    from sfumato.desktop.parameters.form import ParameterForm

TOLD_WHEN_FOLDED = 3
TELLING = frozenset({"model", "size", "sampling", "batch"})
OTHER_TITLES = {"pinned": "Pinned", "more": "More"}


class Section(QSortFilterProxyModel):
    """The rows of one group that are shown now."""

    counted = pyqtSignal()

    def __init__(self, form: ParameterForm, group: str) -> None:
        super().__init__(form)
        self._form = form
        self.group = group
        self.setSourceModel(form)
        form.changed.connect(self.invalidateFilter)
        form.changed.connect(self.counted)

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        return self._form.is_shown(row, self.group)

    @pyqtProperty(str, constant=True)
    def name(self) -> str:
        return self.group

    @pyqtProperty(str, notify=counted)
    def title(self) -> str:
        return tr(GROUPS.get(self.group) or OTHER_TITLES[self.group])

    @pyqtProperty(int, notify=counted)
    def count(self) -> int:
        """Rows that are shown."""
        return self.rowCount()

    @pyqtProperty(int, notify=counted)
    def changes(self) -> int:
        """Rows with a value of the user's."""
        return sum(bool(self.index(row, 0).data(ROLE["isSet"])) for row in range(self.rowCount()))

    @pyqtProperty(str, notify=counted)
    def summary(self) -> str:
        """What a folded section says: the values that were set, else the first ones where defaults tell something."""
        rows = [self.index(row, 0) for row in range(self.rowCount())]
        told = [row for row in rows if row.data(ROLE["isSet"])] or (rows if self.group in TELLING else [])
        values = [str(row.data(ROLE["text"]) or row.data(ROLE["placeholder"]) or "") for row in told]
        return " · ".join([value for value in values if value][:TOLD_WHEN_FOLDED])

    @pyqtSlot()
    def reset(self) -> None:
        """Give every row of the section its default."""
        self._form.reset_group(self.group)
