"""The job that takes a model file from its client. Rules: N51, N52."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from sfumato.library.transfers.arrival import Telling, already, keep, own_folder, refuse_beginning, refuse_name, refuse_second
from sfumato.library.transfers.quarantine import Part, Quarantine
from sfumato.library.transfers.surroundings import Surroundings
from sfumato.protocol.errors import FileBusy, Stopped, TransferDamaged, TransferIncomplete
from sfumato.protocol.requests.upload import STAGE, Stored, Upload

LEAVING_S = 20.0
# A client that sends nothing for so long has no line any more; its turn is for others, and it goes on from what is here when it comes back.
SILENCE_S = 120.0


class Writers:
    """The uploads that run, by whose they are and what they bring: of two that bring the same, the later goes on with what the earlier has.

    That is how a client comes back that was started anew: nobody speaks for its earlier job any more, which would wait for its session to end.
    """

    def __init__(self) -> None:
        self._leave: dict[tuple[str, str], Callable[[], None]] = {}
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def only(self, identity: str, sha256: str, name: str, leave: Callable[[], None]) -> Iterator[None]:
        """Be the only one to bring these bytes; who did so before is asked to leave. Raises `FileBusy` if it does not."""
        key = (identity, sha256)
        with self._changed:
            before = self._leave.get(key)
            if before is not None:
                before()
            if not self._changed.wait_for(lambda: key not in self._leave, LEAVING_S):
                raise FileBusy(name, path="name")
            self._leave[key] = leave
        try:
            yield
        finally:
            with self._changed:
                del self._leave[key]
                self._changed.notify_all()


def run(request: Upload, context: Surroundings) -> Stored:
    """Receive one file, check it and give it its name.

    What has arrived is kept when the line or the program breaks off, or the client ends the upload early; a cancel removes it.

    Raises:
        UnsafeName, NameTaken: of a name that cannot be; the second of two uploads to one name ends so.
        QuotaExceeded, DiskFull, NotWritable: there is no room.
        TransferIncomplete, TransferDamaged: fewer bytes than announced, or others.
        PickleRefused, CorruptFile, ModelUnsupported: of what it is.
    """
    refuse_name(context, request.folder, request.name)
    if (found := already(context, request.size, request.sha256)) is not None:
        return found
    refuse_second(context, request.folder, request.name)
    quarantine = Quarantine(own_folder(context), context.identity)
    writers = context.shared(Writers)
    with (
        writers.only(context.identity, request.sha256, request.name, lambda: context.cancel(is_abandoned=True)),
        quarantine.part(request.sha256, request.size, request.name, context.check) as part,
    ):
        try:
            _receive(part, request, context)
        except Stopped:
            if not context.is_abandoned:
                part.remove()
            raise
        return keep(part, context, request.folder, request.name, sha256=request.sha256)


def _receive(part: Part, request: Upload, context: Surroundings) -> None:
    telling = Telling(context, STAGE, request.size)
    refuse_beginning(part, request.name, request.size)
    telling.tell(part.done)
    if part.done == request.size:
        return
    is_known = part.done > 0
    for data in context.receive(part.done, SILENCE_S):
        if part.done + len(data) > request.size:
            part.remove()
            raise TransferDamaged(request.name, f"more than the {request.size} bytes that were announced came")
        part.write(data)
        if not is_known:
            refuse_beginning(part, request.name, request.size)
            is_known = part.done >= 16
        telling.tell(part.done)
        if part.done == request.size:
            telling.tell(part.done, now=True)
            return
    raise TransferIncomplete(request.name, part.done, request.size)
