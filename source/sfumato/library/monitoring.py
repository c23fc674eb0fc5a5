"""Pictures of others, kept in the folder `monitor` of the outputs while the owner of the machine has switched that on; those who send jobs are told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sfumato.library.outputs import save_picture
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Artifact

log = logging.getLogger(__name__)

FOLDER = "monitor"


class Monitor:
    """Called with each client and what it is told, on a thread of the endpoint's own; writes there.

    Args:
        outputs: the folder of pictures.
        naming, sidecars: how pictures are named and which texts are written beside them.
        on_trouble: called once with the sentence when a picture could not be kept; the next one is tried again.
    """

    def __init__(self, outputs: Path, naming: str = "", sidecars: str = "", on_trouble: Callable[[SfumatoError], None] | None = None) -> None:
        self._outputs = outputs
        self._naming = naming
        self._sidecars = sidecars
        self._on_trouble = on_trouble

    def __call__(self, client: object, event: object) -> None:
        del client
        if not isinstance(event, Artifact) or not event.data or not event.media_type.startswith("image/"):
            return
        try:
            save_picture(self._outputs, FOLDER, event.data, pattern=self._naming, sidecars=self._sidecars)
        except SfumatoError as error:
            log.warning("a picture of another could not be kept: %s", error.message)
            if self._on_trouble is not None:
                told, self._on_trouble = self._on_trouble, None
                told(error)
