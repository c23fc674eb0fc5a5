"""Undo and redo of the pose editor: poses as they were, to the bit. No Qt."""

from __future__ import annotations

from collections import deque

from sfumato.imaging.pose.keypoints import Pose

STEPS_KEPT = 200


class History:
    """The pose that is, those before it and those that were taken back. Steps of one `key` in a row are one."""

    def __init__(self, pose: Pose) -> None:
        self.pose = pose
        self._done: deque[tuple[str, Pose]] = deque(maxlen=STEPS_KEPT)
        self._undone: list[tuple[str, Pose]] = []
        self._key = ""

    def take(self, pose: Pose, words: str, key: str = "") -> bool:
        """Make `pose` the one that is; False where it already was."""
        if pose == self.pose:
            return False
        if not key or key != self._key:
            self._done.append((words, self.pose))
        self._key, self.pose = key, pose
        self._undone.clear()
        return True

    def undo(self) -> bool:
        return self._step(self._done, self._undone)

    def redo(self) -> bool:
        return self._step(self._undone, self._done)

    @property
    def undo_words(self) -> str:
        return self._done[-1][0] if self._done else ""

    @property
    def redo_words(self) -> str:
        return self._undone[-1][0] if self._undone else ""

    def _step(self, source: deque[tuple[str, Pose]] | list[tuple[str, Pose]], target: deque[tuple[str, Pose]] | list[tuple[str, Pose]]) -> bool:
        if not source:
            return False
        words, pose = source.pop()
        target.append((words, self.pose))
        self.pose, self._key = pose, ""
        return True
