"""The list of packages in the install screen: what there is, and what becomes of each while it installs."""

# PyQt5's stubs know no properties as constructor arguments.
# pyright: reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from launcher import requirements
from launcher.progress import DONE, FAILED, FETCHED, FETCHING, INSTALLING, LOOKING, Progress

WORDS = {
    "present": "Present",
    "other version": "Other version",
    "missing": "Missing",
    LOOKING: "Looking for it",
    FETCHING: "Fetching",
    FETCHED: "Fetched",
    INSTALLING: "Installing",
    DONE: "Done",
    FAILED: "Failed",
}
COLOURS = {"present": "#9a9da3", "other version": "#e0b25c", "missing": "#e3e4e6", DONE: "#8fc68b", FAILED: "#f0887c"}
ROW_PX = 24
NAME_PX = 160


class PackageList(QTreeWidget):
    """Name, what is asked for, and its state in words; a colour besides."""

    def __init__(self) -> None:
        super().__init__(rootIsDecorated=False, columnCount=3, uniformRowHeights=True)
        self.setAccessibleName("Packages")
        self.setHeaderHidden(True)
        self.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for column, how in enumerate((QHeaderView.ResizeMode.Fixed, QHeaderView.ResizeMode.Stretch, QHeaderView.ResizeMode.ResizeToContents)):
            self.header().setSectionResizeMode(column, how)
        self.setColumnWidth(0, NAME_PX)
        self.header().setStretchLastSection(False)
        self._rows: dict[str, QTreeWidgetItem] = {}
        self._wanted: dict[str, bool] = {}

    def show_packages(self, packages: list[requirements.Package], enforce: bool) -> int:
        """Fill the list, those to be installed first; the number of them."""
        self.clear()
        self._rows.clear()
        self._wanted = {package.name: package.state == "missing" or (enforce and package.state == "other version") for package in packages}
        for package in sorted(packages, key=lambda package: not self._wanted[package.name]):
            asked = package.line.removeprefix(package.name).strip() or package.line
            row = QTreeWidgetItem([package.name, f"{package.version} there, {asked} asked" if package.state == "other version" else asked, ""])
            row.setSizeHint(0, QSize(0, ROW_PX))
            row.setForeground(1, QColor("#9a9da3"))
            self.addTopLevelItem(row)
            self._rows[package.name] = row
            self._say(package.name, package.state)
        return sum(self._wanted.values())

    def follow(self, progress: Progress) -> None:
        """Show how far each package is; one that pip has not spoken of keeps its state."""
        for name, state in progress.states.items():
            if name in self._rows and (self._wanted.get(name) or state == FAILED):
                self._say(name, state, progress.sizes.get(name, "") if state == FETCHING else "")

    def _say(self, name: str, state: str, more: str = "") -> None:
        row = self._rows[name]
        row.setText(2, WORDS[state] + (f" {more}" if more else ""))
        row.setForeground(2, QColor(COLOURS.get(state, "#5cc8b4")))
