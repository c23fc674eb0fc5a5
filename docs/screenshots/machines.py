"""Working with other machines: connecting to one, and letting others use this one. The relays are real and stand on this computer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from PyQt5.QtGui import QGuiApplication

from screenshots.view import until, view, wait
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from tests.support.hosting import SharedPainter, Visitor
from tests.support.relaying import SALT, relay_before
from tests.support.window import OpenWindow

FAR = "sfumato:?endpoint=wss://studio.example.org&password=sfk1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def _section(window: OpenWindow, name: str) -> None:
    window.studio.show("settings")
    wait(200)
    window.studio.settings.sectionAsked.emit(name)
    wait(400)


@contextmanager
def _far(data: Path) -> Iterator[str]:
    """Another machine; the endpoint and the key of its owner, with a blank between."""
    secret, painter = make_secret(), SharedPainter(data)
    painter.open(lambda event: None)
    owner = Identity("owner", "owner", psk_of(secret, SALT, ScryptParameters()), "owner")
    with closing(painter), relay_before(painter, [owner]) as relay:
        yield f"ws://127.0.0.1:{relay.port}/relay {secret.reveal()}"


@view()
def remote_none(window: OpenWindow) -> None:
    _section(window, "remote")


@view("dark")
def remote(window: OpenWindow) -> None:
    held = _far(Path(window.studio.about["data"]) / "far")
    endpoint, secret = held.__enter__().split()
    window.studio.leaving.connect(lambda: held.__exit__(None, None, None))
    assert window.studio.remote.connectWith(endpoint, secret, "Studio", False)
    until(lambda: window.studio.engine.property("state") == "ready" and window.studio.remote.property("isRemote"), "the other machine")
    _section(window, "remote")
    wait(2500)


@view("dark")
def remote_refused(window: OpenWindow) -> None:
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    window.studio.remote.connectWith(f"ws://127.0.0.1:{free.getsockname()[1]}", "a password of mine", "", False)
    until(lambda: window.studio.engine.property("state") == "refused", "the refusal")
    free.close()
    _section(window, "remote")


@view("dark")
def link(window: OpenWindow) -> None:
    window.studio.open_address(FAR)
    wait(600)


@view()
def host_off(window: OpenWindow) -> None:
    _section(window, "host")


@view("dark", painter=SharedPainter)  # type: ignore[arg-type]  # an engine that can be shared
def host(window: OpenWindow) -> None:
    _section(window, "host")
    window.studio.host.start()
    until(lambda: window.studio.host.property("state") == "ready", "the relay")
    window.studio.host.copyLink()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    visitor = Visitor(clipboard.text(), "Ann's notebook")
    window.studio.leaving.connect(visitor.close)
    visitor.wait(lambda me: me.state == "ready")
    wait(2500)
