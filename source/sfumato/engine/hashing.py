"""Checksums of checkpoints and networks, computed while no job runs, so that later pictures can name the very file that painted them. Rule: M24 of metadata.

A reading that a job interrupts waits where it is and goes on afterwards; a job is held up by no more than the block being read.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sfumato.library.hashes import Hashes
from sfumato.protocol.errors import SfumatoError

log = logging.getLogger(__name__)

_LOWEST_PRIORITY = 19


class IdleHashing:
    """One per process, by `context.shared(IdleHashing)`; its thread lives while there is something to read."""

    def __init__(self) -> None:
        self._idle = threading.Event()
        self._idle.set()
        self._wanted: dict[tuple[Path, bool], Hashes] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is read while inside."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    def want(self, path: Path, hashes: Hashes, *, behind_header: bool = False) -> None:
        """Have a checksum computed, unless it is known already; `behind_header`: of the weights of a .safetensors file alone."""
        if hashes.known(path, behind_header=behind_header) is not None:
            return
        with self._lock:
            self._wanted[path, behind_header] = hashes
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hashing", daemon=True)
                self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait until everything wanted was read; False if that took longer."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _work(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)  # a thread has a priority of its own there
        while (found := self._next()) is not None:
            path, is_behind_header, hashes = found
            try:
                hashes.compute(path, self._check, behind_header=is_behind_header)
            except (SfumatoError, OSError) as error:
                log.info("no checksum of %s: %s", path.name, error)

    def _next(self) -> tuple[Path, bool, Hashes] | None:
        with self._lock:
            if not self._wanted:
                self._thread = None
                return None
            wanted = next(iter(self._wanted))
            return *wanted, self._wanted.pop(wanted)

    def _check(self) -> None:
        self._idle.wait()
