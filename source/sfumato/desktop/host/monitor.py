"""Pictures of others, kept in the folder `monitor` of the outputs while the person has switched that on; those who send jobs are told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sfumato.jobs.clients import Client
from sfumato.jobs.places import Places
from sfumato.library.outputs import save_picture
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Artifact, JobEvent

log = logging.getLogger(__name__)

FOLDER = "monitor"


class Monitor:
    """Hears what is said to others, on a thread of the endpoint's own, and writes there.

    Args:
        on_trouble: called once with the sentence, when a picture could not be kept; the next one is tried again.
    """

    def __init__(self, places: Places, on_trouble: Callable[[SfumatoError], None]) -> None:
        self._places = places
        self._on_trouble = on_trouble
        self._was_told = False

    def __call__(self, client: Client, event: JobEvent) -> None:
        del client
        if not isinstance(event, Artifact) or not event.data or not event.media_type.startswith("image/"):
            return
        try:
            save_picture(self._places.outputs, FOLDER, event.data, pattern=self._places.naming, sidecars=self._places.sidecars)
        except SfumatoError as error:
            log.warning("a picture of another could not be kept: %s", error.message)
            if not self._was_told:
                self._was_told = True
                self._on_trouble(error)
