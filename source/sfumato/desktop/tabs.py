"""The pages of the window, in the order of their tabs."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.desktop.language import tr


@dataclass(frozen=True)
class Tab:
    """`page` is the QML file under qml/, made at the first visit and kept; `action` the row of the table that opens it."""

    id: str
    title: str
    page: str
    icon: str

    @property
    def action(self) -> str:
        return f"tab_{self.id}"


TABS: tuple[Tab, ...] = (
    Tab("generate", "Generate", "generate/GeneratePage.qml", "sparkles"),
    Tab("models", "Models", "models/ModelsPage.qml", "box"),
    Tab("history", "History", "history/HistoryPage.qml", "history"),
    Tab("settings", "Settings", "settings/SettingsPage.qml", "settings"),
)


def rows() -> list[dict[str, str]]:
    """The table as QML reads it."""
    return [{"id": tab.id, "title": tr(tab.title), "page": tab.page, "icon": tab.icon, "action": tab.action} for tab in TABS]
