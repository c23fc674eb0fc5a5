"""How a person has arranged the panel: sections folded, pinned to the top or hidden, and single rows pinned or hidden."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.parameters.form import PINNED, ParameterForm
from sfumato.desktop.parameters.section import Section
from sfumato.desktop.session import Session
from sfumato.protocol.params import GROUPS

# Sections that are open until somebody folds them; the others are folded until somebody opens them.
OPEN_AT_FIRST = frozenset({PINNED, "model", "size", "sampling", "batch", "image", "mask", "highres"})
KEY = "panel"


class Arrangement(QObject):
    """The sections in the order of the panel. Kept in the session; presets and imports do not change it."""

    changed = pyqtSignal()

    def __init__(self, form: ParameterForm, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self._session = session
        kept = session.restored(KEY, dict, {})
        self._turned = _names(kept.get("turned"))  # sections that are not as at first
        self._pinned = _names(kept.get("pinned"))
        self._hidden = _names(kept.get("hidden"))
        form.arrange(_names(kept.get("rows_pinned")), _names(kept.get("rows_hidden")))
        session.keep(KEY, self._kept)

    def _kept(self) -> dict[str, list[str]]:
        pinned, hidden = self._form.arranged
        return {
            "turned": sorted(self._turned),
            "pinned": sorted(self._pinned),
            "hidden": sorted(self._hidden),
            "rows_pinned": sorted(pinned),
            "rows_hidden": sorted(hidden),
        }

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty("QVariantList", notify=changed)
    def shown(self) -> list[Section]:
        """The sections that are not hidden, pinned ones first."""
        sections = [section for section in self._form.property("sections") if section.group not in self._hidden]
        return sorted(sections, key=lambda section: section.group != PINNED and section.group not in self._pinned)

    @pyqtProperty("QVariantList", notify=changed)
    def hidden(self) -> list[dict[str, str]]:
        """What is hidden, {name, title}: sections, and rows by the names of their parameters."""
        sections = [{"name": f"section:{name}", "title": self._section(name).property("title")} for name in GROUPS if name in self._hidden]
        rows = [{"name": f"row:{name}", "title": self._form.cell(name, "title")} for name in sorted(self._form.arranged[1]) if name in self._form.specs]
        return sections + rows

    @pyqtProperty("QStringList", notify=changed)
    def open(self) -> list[str]:
        """The sections that are not folded."""
        return [section.group for section in self._form.property("sections") if self._is_open(section.group)]

    @pyqtProperty("QStringList", notify=changed)
    def pinned(self) -> list[str]:
        """The sections that stand at the top."""
        return sorted(self._pinned)

    @pyqtProperty("QStringList", notify=changed)
    def pinnedRows(self) -> list[str]:
        return sorted(self._form.arranged[0])

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str)
    def fold(self, name: str) -> None:
        """Fold a section, or open it."""
        self._turned ^= {name}
        self._tell()

    @pyqtSlot(str)
    def pin(self, name: str) -> None:
        """Put a section at the top, or back into its place."""
        self._pinned ^= {name}
        self._tell()

    @pyqtSlot(str)
    def hide(self, name: str) -> None:
        """Take a section off the panel; its values stay in force."""
        self._hidden |= {name}
        self._tell()

    @pyqtSlot(str)
    def pinRow(self, name: str) -> None:
        """Put one parameter at the top, or back into its section."""
        pinned, hidden = self._form.arranged
        self._form.arrange(pinned ^ {name}, hidden - {name})
        self._tell()

    @pyqtSlot(str)
    def hideRow(self, name: str) -> None:
        """Take one parameter off the panel; its value stays in force."""
        pinned, hidden = self._form.arranged
        self._form.arrange(pinned - {name}, hidden | {name})
        self._tell()

    @pyqtSlot(str)
    def bringBack(self, name: str) -> None:
        """Show again what `hidden` lists under this name."""
        what, _, which = name.partition(":")
        pinned, hidden = self._form.arranged
        if what == "section":
            self._hidden -= {which}
        else:
            self._form.arrange(pinned, hidden - {which})
        self._tell()

    @pyqtSlot(str)
    def unfold(self, name: str) -> None:
        """Open the section that a parameter stands in, and show what hides it: somebody looks for it."""
        spec = self._form.specs[name]
        self._hidden -= {spec.group}
        pinned, hidden = self._form.arranged
        self._form.arrange(pinned, hidden - {name})
        home = PINNED if name in pinned else spec.group
        if not self._is_open(home):
            self._turned ^= {home}
        self._tell()

    def _is_open(self, name: str) -> bool:
        return (name in OPEN_AT_FIRST) != (name in self._turned)

    def _section(self, name: str) -> Section:
        return next(section for section in self._form.property("sections") if section.group == name)

    def _tell(self) -> None:
        self._session.touch()
        self.changed.emit()


def _names(value: object) -> frozenset[str]:
    return frozenset(name for name in value if isinstance(name, str)) if isinstance(value, Iterable) and not isinstance(value, str) else frozenset()
