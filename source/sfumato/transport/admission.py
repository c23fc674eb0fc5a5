"""How a stranger becomes somebody: greeting, handshake and the first proven message, within ten seconds and a few hundred bytes of memory (N4, N20, N21)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sfumato.transport.channel import Channel, ChannelError, Heard
from sfumato.transport.gate import Gate, Place
from sfumato.transport.greeting import Answer, Greeting, answer
from sfumato.transport.keys import Identity
from sfumato.transport.noise import HANDSHAKE_BYTES
from sfumato.transport.sockets import Socket

# The first message of the channel comes from somebody who has the secret, and need not hold more than who enters.
FIRST_MESSAGE_BYTES = 1024


@dataclass(frozen=True)
class Admitted:
    """Who it is, the channel to them, and what their first message said."""

    identity: Identity
    channel: Channel
    heard: Heard


async def admit(socket: Socket, place: Place, gate: Gate, salt: bytes, identities: Sequence[Identity], deadline: float) -> Admitted | None:
    """Greet the other side and find out who it is; None if it is nobody known. The caller closes the socket then, saying nothing.

    Args:
        place: of this connection at the gate.
        deadline: by the loop's clock; TimeoutError after it.

    Raises:
        SocketEnded: the other side left, or said what nobody says.
        TimeoutError: it took too long.
    """
    async with asyncio.timeout_at(deadline) as limit:
        if not _has_turn(place, gate, deadline):
            # Not greeted, so that it is not taken for a wrong secret; nor counted, or one that tries again every minute would never be looked at.
            gate.refuse(place.origin)
            return None
        greeting = Greeting(salt).to_bytes()
        await socket.send(greeting)
        knock = await socket.receive()
        if len(knock) != HANDSHAKE_BYTES:
            gate.failed(place)
            return None
        while (delay_s := gate.delay_s(place)) > 0:
            if not _has_turn(place, gate, deadline):
                gate.refuse(place.origin)
                return None
            await asyncio.sleep(delay_s)
            # The time in which the other side could do nothing is not its own.
            limit.reschedule((limit.when() or deadline) + delay_s)
        # No await between looking at the delay and counting a failure: of many attempts that wait together, each delays the next.
        answered = answer(knock, greeting, identities)
        if answered is None:
            gate.failed(place)
            return None
        place.is_proven = True
        return await _prove(socket, place, gate, answered)


def _has_turn(place: Place, gate: Gate, deadline: float) -> bool:
    """Whether an attempt of this origin may be looked at before `deadline`."""
    return asyncio.get_running_loop().time() + gate.delay_s(place) < deadline


async def _prove(socket: Socket, place: Place, gate: Gate, answered: Answer) -> Admitted | None:
    await socket.send(answered.reply)
    message = await socket.receive()
    try:
        if len(message) > FIRST_MESSAGE_BYTES:
            raise ChannelError("a first message that is too long")
        heard = answered.channel.receive(message)
    except ChannelError:
        gate.failed(place)
        return None
    gate.succeeded(place)
    return Admitted(answered.identity, answered.channel, heard)
