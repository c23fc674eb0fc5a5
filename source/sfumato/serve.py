"""`sfumato serve`: the engine of this machine for clients elsewhere, until Ctrl+C or SIGTERM.

LocalInference runs the jobs, a Relay lets clients in, a Tunnel may give it a public address. Who may come is decided in `inviting.py`.
"""

from __future__ import annotations

import io
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler

from sfumato.inviting import Invited, Wanted, invite
from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.clients import Role
from sfumato.jobs.places import Places
from sfumato.library.monitoring import Monitor
from sfumato.protocol.messages import Event
from sfumato.protocol.redaction import Redactor, install
from sfumato.protocol.secret import Secret
from sfumato.transport.endpoint import State
from sfumato.transport.hosting import HOST_DEFAULTS, endpoint_of
from sfumato.transport.link import Link, is_loopback_host
from sfumato.transport.local import LocalInference
from sfumato.transport.relay import Relay
from sfumato.transport.tunnel import Tunnel, command_of

log = logging.getLogger(__name__)

LOG_FILE = "serve.log"
LOG_BYTES, LOGS_KEPT = 5 << 20, 3
SESSIONS_FILE = "relay-sessions.json"
JOBS_FILE = "relay-jobs.sqlite"
# How often the clock is looked at; also how soon a signal is noticed where it cannot interrupt a wait.
TICK_S = 0.5


@dataclass(frozen=True)
class Serving:
    """What was asked for.

    Attributes:
        address, port: where to listen; port 0 takes a free one.
        role: of the link that is shown first.
        guests: labels of guests who get links of their own.
        password: for the first link; None: a key is made.
        keep: keep the keys for the next run.
        tunnel: "", "cloudflared", or a command.
        public: the endpoint by which a proxy in front of this relay is reached, "" if there is none.
        trusted_proxies: addresses whose word about the client's address is believed.
        monitor: keep the pictures of guests in outputs/monitor.
        idle_s: end after so long without a client; 0 never.
    """

    address: str = HOST_DEFAULTS.address
    port: int = HOST_DEFAULTS.port
    role: Role = "owner"
    guests: tuple[str, ...] = ()
    password: Secret | None = None
    keep: bool = False
    tunnel: str = HOST_DEFAULTS.tunnel
    public: str = ""
    trusted_proxies: tuple[str, ...] = ()
    monitor: bool = HOST_DEFAULTS.is_monitored
    idle_s: float = 0.0


def serve(asked: Serving, places: Places, registrars: Sequence[str] = (REGISTRAR,)) -> None:
    """Serve until a signal comes or nobody was there for too long; raises `SfumatoError` if it cannot begin.

    Args:
        registrars: "module:function" names that fill the registry of jobs.
    """
    redactor = Redactor()
    _log_to(places, redactor)
    wanted = [Wanted(asked.role, asked.role, asked.password), *(Wanted(label, "guest") for label in asked.guests)]
    salt, invited = invite(wanted, places.data, address=asked.address, tunnel=asked.tunnel, public=asked.public, keep=asked.keep)
    for one in invited:
        redactor.add(one.identity.psk)
    if asked.tunnel:
        command_of(asked.tunnel, asked.address, asked.port)  # a helper that is missing is told before anything starts
    with ExitStack() as stack:
        house = _House(asked, places, salt, invited, registrars)
        stopping = stack.enter_context(_signals())
        stack.callback(house.close)
        house.open()
        house.wait(stopping)


class _House:
    """Endpoint, relay and tunnel of one run, and what is said about them."""

    def __init__(self, asked: Serving, places: Places, salt: bytes, invited: Sequence[Invited], registrars: Sequence[str]) -> None:
        self._asked = asked
        self._invited = invited
        self._voice = _Voice()
        self._count = 0
        self._last_seen = time.monotonic()
        self._tunnel: Tunnel | None = None
        # Jobs of a secret that is not valid any more would run for nobody.
        known = {one.identity.name for one in invited}
        self._endpoint = LocalInference(places, registrars, on_state=self._tell, kept_jobs=places.data / JOBS_FILE, kept_for=known)
        if asked.monitor:
            self._endpoint.monitor = Monitor(places.outputs, places.naming, places.sidecars)
        self._relay = Relay(
            self._endpoint,
            lambda: [one.identity for one in invited],
            salt=salt,
            address=asked.address,
            port=asked.port,
            hosts=[Link.of(asked.public).host] if asked.public else [],
            trusted_proxies=asked.trusted_proxies,
            sessions_path=places.data / SESSIONS_FILE,
            monitored=asked.monitor,
            on_change=self._look_round,
        )

    def open(self) -> None:
        """Listen first, so that clients find the door open however long the engine takes; raises `PortTaken` or `Invalid`."""
        self._relay.open()
        self._endpoint.open(_nothing_to_say)
        here = endpoint_of(self._asked.address, self._relay.port)
        self._voice.say(f"Ready: {here}")
        if not is_loopback_host(self._asked.address):
            self._voice.say("The connection is encrypted by Sfumato itself; ws:// without TLS is as safe as wss://.")
        if self._asked.public:
            self._show(self._asked.public)
        elif self._asked.tunnel:
            self._voice.say("Waiting for the tunnel's public address")
            self._tunnel = Tunnel(command_of(self._asked.tunnel, self._asked.address, self._relay.port), self._show_tunnel, self._tunnel_ended)
            self._tunnel.open()
        else:
            self._show(here)

    def wait(self, stopping: threading.Event) -> None:
        """Until `stopping` is set, or nobody was connected for as long as was asked."""
        idle_s = self._asked.idle_s
        while not stopping.wait(TICK_S):
            if self._count:
                self._last_seen = time.monotonic()
            elif idle_s and time.monotonic() - self._last_seen > idle_s:
                self._voice.say(f"Nobody was connected for {idle_s / 60:g} minutes.")
                break
        self._voice.say("Closing")

    def close(self) -> None:
        """Everything that was opened, the outermost first. May be called twice."""
        if self._tunnel is not None:
            self._tunnel.close()
        self._relay.close()
        self._endpoint.close()

    def _show_tunnel(self, endpoint: str) -> None:
        self._relay.answer_for(Link.of(endpoint).host)
        self._show(endpoint)

    def _tunnel_ended(self, sentence: str) -> None:
        self._voice.complain(f"{sentence} Clients can no longer come through it.")

    def _show(self, endpoint: str) -> None:
        for one in self._invited:
            self._voice.show(one, one.link(endpoint))

    def _tell(self, state: State) -> None:
        self._relay.tell(state)
        if state.name == "failed":
            self._voice.complain(state.sentence)

    def _look_round(self) -> None:
        count = len(self._relay.clients())
        if count != self._count:
            self._count = count
            self._last_seen = time.monotonic()
            self._voice.say(f"{count or 'No'} client{'' if count == 1 else 's'} connected")


class _Voice:
    """What the person is told: on standard output, one line at a time, from whatever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, sentence: str) -> None:
        with self._lock:
            print(sentence, flush=True)

    def complain(self, sentence: str) -> None:
        with self._lock:
            print(f"sfumato: {sentence}", file=sys.stderr, flush=True)

    def show(self, one: Invited, link: Link) -> None:
        """A connection link; on a terminal also as a picture for a camera."""
        who = one.identity.label if one.identity.label == one.identity.role else f"{one.identity.role} {one.identity.label}"
        if one.secret is None:
            lines = [f"Connection link ({who}), asks for the password that is known already: {link.text()}"]
        else:
            lines = [f"Connection link ({who}), whoever has it can connect; it is shown once: {link.text()}"]
            if sys.stdout.isatty():
                lines.append(_drawing(link.text()))
        self.say("\n".join(lines))


def _drawing(text: str) -> str:
    """A QR code of block characters, "" where the terminal cannot show them."""
    import segno  # late: only a terminal needs it

    drawn = io.StringIO()
    segno.make_qr(text, error="l").terminal(drawn, compact=True)
    try:
        drawn.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return drawn.getvalue()


def _nothing_to_say(event: Event) -> None:
    """Nobody sits at this machine: what is said to the local client is not heard."""
    del event


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Set at Ctrl+C, SIGTERM and a terminal that was closed (on Windows also Ctrl+Break), while inside."""
    stopping = threading.Event()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    # Under nohup the end of the terminal is to be passed over.
    heeded = [number for number in numbers if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in heeded}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_to(places: Places, redactor: Redactor) -> None:
    """Log to standard error and, where that can be, to a file of the data folder; both without secrets."""
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    trouble = ""
    try:
        places.logs.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(places.logs / LOG_FILE, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8"))
    except OSError as error:
        trouble = f"{places.logs} cannot be written to ({error.strerror}); the log goes to standard error alone."
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        handler.setFormatter(form)
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("sfumato").setLevel(logging.INFO)
    install(redactor)
    if trouble:
        log.warning(trouble)
