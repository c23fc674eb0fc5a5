"""What every part of the window is given: folders, settings, the disk thread, the engine, the queue, the session, undo, and the table of actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sfumato.config import Settings
from sfumato.desktop.disk import Disk
from sfumato.desktop.drafts import Drafting
from sfumato.desktop.edits import Edits
from sfumato.desktop.engine_link import EngineLink
from sfumato.desktop.jobs import JobQueue
from sfumato.desktop.notices import Notices
from sfumato.desktop.parameters import ParameterForm
from sfumato.desktop.session import Session
from sfumato.desktop.thumbnails import ThumbnailPool
from sfumato.jobs.places import Places
from sfumato.protocol.errors import SfumatoError


@dataclass(frozen=True)
class Condition:
    """What a menu asks about an action when it opens: can it act, is it in force, what is it called now; None where that never changes."""

    can: Callable[[], Any] | None = None
    ticked: Callable[[], Any] | None = None
    title: Callable[[], str] | None = None


@dataclass
class Shell:
    """One of each; a part takes what it needs in its constructor and registers what it can do."""

    places: Places
    settings: Settings
    disk: Disk
    notices: Notices
    engine: EngineLink
    jobs: JobQueue
    parameters: ParameterForm
    session: Session
    edits: Edits
    drafting: Drafting
    thumbnails: ThumbnailPool
    handlers: dict[str, Callable[[], Any]] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    observers: dict[str, list[Callable[[], Any]]] = field(default_factory=dict)

    def register(self, handlers: dict[str, Callable[[], Any]]) -> None:
        """Say who runs which actions of the table."""
        self.handlers.update(handlers)

    def describe(self, conditions: dict[str, Condition]) -> None:
        """Say which actions of the table cannot always act, are ticked, or change their words."""
        self.conditions.update(conditions)

    def set(self, name: str, value: Any) -> None:
        """Change a setting for good: at once here and for those who observe it, on the disk thread in the file. Raises `Invalid`."""
        self.disk.run(partial(self.settings.write, self.settings.change(name, value)), lambda _: None, self.complain)
        for hear in (*self.observers.get(name, ()), *self.observers.get("", ())):
            hear()

    def observe(self, name: str, hear: Callable[[], Any]) -> None:
        """Call `hear` after each change of a setting, "" for any of them."""
        self.observers.setdefault(name, []).append(hear)

    def complain(self, error: SfumatoError) -> None:
        """Show an error's sentence."""
        self.notices.show(error.message, error.detail)
