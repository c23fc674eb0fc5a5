"""Live: shortly after the last change of prompts, parameters or inputs a picture of them is made, over and over, and nothing is saved until Keep."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.disk import Disk
from sfumato.desktop.drafts import KIND, SEED_DRAWS, Frozen
from sfumato.desktop.images import Frames, address
from sfumato.desktop.jobs import Job
from sfumato.desktop.outputs import OutputStrip
from sfumato.desktop.shell import Condition, Shell
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Artifact, Event, Failed

OWNER = "live"
DELAY_MS = 150


class Live(QObject):
    """At most one live job runs; a change cancels it, and jobs that wait come before it."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, outputs: OutputStrip, changes: tuple[QObject, ...], parent: QObject | None = None) -> None:
        """Args: changes: parts whose `changed` or `told` says that something else would be made now."""
        super().__init__(parent)
        self._shell = shell
        self._outputs = outputs
        self._on = self._owed = self._freezing = False
        self._seed = -1
        self._picture: tuple[Job, Artifact] | None = None
        self._revision = 0
        self._source = ""
        self._frames = Frames()
        self._disk = Disk(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._due)
        shell.parameters.edited.connect(self._edited)
        for part in changes:
            (part.told if hasattr(part, "told") else part.changed).connect(self._edited)
        shell.jobs.previewed.connect(self._previewed)
        shell.jobs.pictured.connect(self._pictured)
        shell.jobs.ended.connect(self._ended)
        shell.register({"live": self.toggle, "live_keep": self.keep})
        shell.describe({"live": Condition(ticked=lambda: self._on), "live_keep": Condition(can=lambda: self._picture is not None)})

    def close(self) -> None:
        """End the thread and drop the frames."""
        self._on = False
        self._disk.close()
        self._frames.close()

    # -- what QML reads and calls ----------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def on(self) -> bool:
        return self._on

    @pyqtProperty(str, notify=changed)
    def source(self) -> str:
        """The newest picture, or what emerges of it; "" before there is one."""
        return self._source

    @pyqtProperty(bool, notify=changed)
    def keeps(self) -> bool:
        """Whether there is a finished picture that could be kept."""
        return self._picture is not None

    @pyqtSlot()
    def toggle(self) -> None:
        """Switch it on or off; off, nothing of it stays but what was kept."""
        self._on = not self._on
        if self._on:
            # Kept while it is on: only what is changed shall change.
            self._seed = secrets.randbelow(SEED_DRAWS)
            self._due()
        else:
            self._timer.stop()
            self._owed = False
            self._stop()
            self._picture, self._source = None, ""
        self.changed.emit()

    @pyqtSlot()
    def keep(self) -> None:
        """Save the newest picture with the others."""
        if self._picture is not None:
            job, artifact = self._picture
            self._outputs.finish(replace(job, id=uuid.uuid4().hex, owner="", pictures=1), artifact)
            self._picture = None
            self.changed.emit()

    # -- a picture after each change -------------------------------------------------------------

    def _edited(self) -> None:
        if self._on:
            self._timer.start()

    def _due(self) -> None:
        jobs = self._shell.jobs
        running = jobs.running
        self._owed = running is not None or bool(jobs.waiting) or self._freezing
        if self._owed:
            self._stop()
            return
        draft = self._shell.drafting.draft()
        if draft.obstacle or draft.kind != KIND:
            return
        draft.params |= {"batch_size": 1, "batch_count": 1}
        if self._shell.parameters.value("seed") == -1:
            draft.params["seed"] = self._seed
        self._freezing = True
        self._shell.disk.run(draft.works()[0], self._submit, self._failed)

    def _stop(self) -> None:
        """Cancel the live job, if it is what runs."""
        running = self._shell.jobs.running
        if running is not None and running.owner == OWNER:
            self._shell.jobs.cancel()

    def _submit(self, frozen: Frozen) -> None:
        self._freezing = False
        if self._on and not self._owed:
            self._shell.jobs.submit(frozen.kind, frozen.params, frozen.blobs, owner=OWNER)
        elif self._on:
            self._due()

    def _failed(self, error: SfumatoError) -> None:
        self._freezing = False
        self._off_with(error)

    def _off_with(self, error: SfumatoError) -> None:
        self._shell.complain(error)
        if self._on:
            self.toggle()

    # -- what the engine says --------------------------------------------------------------------

    def _previewed(self, job: Job, pictures: tuple[bytes, ...]) -> None:
        if job.owner == OWNER and pictures:
            self._show(pictures[0])

    def _pictured(self, job: Job, artifact: Artifact) -> None:
        if job.owner == OWNER and artifact.media_type.startswith("image/"):
            self._picture = (job, artifact)
            self._show(artifact.data)

    def _show(self, data: bytes) -> None:
        self._revision += 1
        revision = self._revision

        def written(path: object) -> None:
            if self._on and revision == self._revision:
                self._source = address(path)  # type: ignore[arg-type]  # what Frames.write returns
                self.changed.emit()

        self._disk.run(lambda: self._frames.write(OWNER, revision, data), written, lambda error: None)

    def _ended(self, job: Job, event: Event) -> None:
        if job.owner == OWNER and isinstance(event, Failed) and self._on:
            self.toggle()  # its sentence stands in the notice
        if self._on and self._owed:
            self._timer.start(0)
            self._timer.setInterval(DELAY_MS)
