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

    def register(self, handlers: dict[str, Callable[[], Any]]) -> None:
        """Say who runs which actions of the table."""
        self.handlers.update(handlers)

    def set(self, name: str, value: Any) -> None:
        """Change a setting for good; the file is written on the disk thread, a failure is told."""
        self.disk.run(partial(self.settings.set, name, value), lambda _: None, self.complain)

    def complain(self, error: SfumatoError) -> None:
        """Show an error's sentence."""
        self.notices.show(error.message, error.detail)
