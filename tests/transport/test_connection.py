"""What was read of a client and waits to be obeyed is bounded, whatever way it came."""

from __future__ import annotations

import asyncio
from collections import deque

from sfumato.protocol.codec import encode
from sfumato.protocol.messages import Command, Submit
from sfumato.transport.admission import Admitted
from sfumato.transport.attached import parts_of
from sfumato.transport.channel import MESSAGE_BYTES
from sfumato.transport.connection import LOST, Connection
from sfumato.transport.limits import RelayLimits
from sfumato.transport.outbox import Outbox
from sfumato.transport.relay_words import Enter, encode_word
from tests.support.relaying import OWNER
from tests.transport.test_outgoing import channels


def test_what_was_attached_counts_among_what_waits_to_be_obeyed() -> None:
    inputs = bytes(3 << 20)
    ours, theirs = channels()
    outbox = Outbox(theirs)
    outbox.put(encode_word(Enter()))
    for number in range(10):
        submit = Submit(job=f"job-{number}", kind="count", blobs={"image": inputs})
        for part in parts_of(submit):
            outbox.put(encode_word(part), order="all")
        outbox.put(encode(submit.model_copy(update={"blobs": {}})), order="all")
    unread: deque[bytes] = deque()
    while (message := outbox.next()) is not None:
        unread.append(message)

    class Line:
        address = "192.0.2.1"

        async def receive(self) -> bytes:
            if not unread:
                await asyncio.Event().wait()
            return unread.popleft()

        async def send(self, message: bytes) -> None:
            """Nobody listens."""

        async def close(self, code: int = 0) -> None:
            """Nothing is open."""

        def abort(self) -> None:
            """As above."""

    class House:
        async def receive(self, connection: Connection, enter: Enter) -> bool:
            return True

        async def obey(self, connection: Connection, command: Command) -> None:
            await asyncio.Event().wait()

        def changed(self) -> None:
            """Nobody is shown anything."""

    async def talk() -> None:
        connection = Connection(Line(), Admitted(OWNER, ours, None), House(), RelayLimits())
        running = asyncio.ensure_future(connection.run())
        for _ in range(5000):
            await asyncio.sleep(0)
        left = len(unread)
        connection.end(LOST)
        await running
        # Of ten jobs of three MiB no more than five are taken while nobody obeys.
        assert left > 4 * len(inputs) // MESSAGE_BYTES

    asyncio.run(talk())
