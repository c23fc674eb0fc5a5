"""How long a client waits for what, and its clocks; tests give others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timing:
    """All in seconds.

    Attributes:
        connect_s: for the connection up to the server's greeting.
        handshake_s: for each answer after that, up to the welcome.
        ping_s: between two pings.
        dropping_s, lost_s: a line on which nothing was heard for so long is told, and ended.
        first_retry_s, longest_retry_s: the wait after the first loss, which doubles up to the longest.
        jitter: each wait is up to this share shorter, by chance.
        slow_secret_s: a password that took longer than this is tried on a fresh connection, as the server does not wait for ever.
        goodbye_s: how long the end of a connection may take.
        asleep_s: a clock that jumped by more than this means that the machine slept.
        monotonic, wall: the two clocks; the second goes on while the machine sleeps.
        chance: between 0 and 1.
    """

    connect_s: float = 10.0
    handshake_s: float = 10.0
    ping_s: float = 1.0
    dropping_s: float = 10.0
    lost_s: float = 30.0
    first_retry_s: float = 1.0
    longest_retry_s: float = 30.0
    jitter: float = 0.2
    slow_secret_s: float = 5.0
    goodbye_s: float = 1.0
    asleep_s: float = 20.0
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    chance: Callable[[], float] = field(default=random.random)

    def retry_s(self, attempt: int) -> float:
        """The wait before attempt 1, 2, 3 ... after a loss."""
        doubled = self.first_retry_s * 2.0 ** min(attempt - 1, 16)
        return min(doubled, self.longest_retry_s) * (1 - self.jitter * self.chance())
