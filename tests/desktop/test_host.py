"""Hosting from the window: a real relay before the window's own engine, and visitors that connect by the copied link."""

from __future__ import annotations

import socket
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QGuiApplication

from sfumato.config import SETTINGS
from sfumato.desktop.host import HostDesk
from sfumato.protocol.messages import Failed, Finished
from sfumato.transport.hosting import HOST_DEFAULTS
from sfumato.transport.keys import is_key
from sfumato.transport.link import Link
from tests.desktop.conftest import Open
from tests.support.hosting import SharedPainter, Visitor, ending_of, picture, pictures_of
from tests.support.window import OpenWindow, accessible, items, until

CTRL = Qt.ControlModifier


@pytest.fixture
def hosting(open_window: Open, tmp_path: Path) -> OpenWindow:
    """A window whose engine can be shared, on a free port, with the section open."""
    shown = open_window(painter=SharedPainter(tmp_path / "data"))
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    shown.studio._shell.set("host_port", free.getsockname()[1])
    free.close()
    shown.studio.act("host_settings")
    until(lambda: "Start hosting" in names(shown), "the panel")
    shown.window.grabWindow()
    return shown


@pytest.fixture
def visit() -> Iterator[Callable[..., Visitor]]:
    came: list[Visitor] = []

    def connect(link: str, label: str = "a friend's studio") -> Visitor:
        came.append(Visitor(link, label))
        return came[-1]

    yield connect
    for visitor in came:
        visitor.close()


def host(window: OpenWindow) -> HostDesk:
    return window.studio.property("host")


def names(window: OpenWindow) -> list[str]:
    return [str(accessible(item, "name")) for item in items(window.window.contentItem())]


def written(window: OpenWindow) -> list[str]:
    """Every text that can be read in the window; what a field shows as dots cannot."""
    found = items(window.window.contentItem())
    return [str(item.property("displayText") if item.property("echoMode") is not None else item.property("text") or "") for item in found]


def press(window: OpenWindow, name: str) -> None:
    window.window.grabWindow()
    window.click(window.item(name, "Button"))


def start(window: OpenWindow) -> str:
    """Start by the button; the link that Copy gives."""
    press(window, "Start hosting")
    until(lambda: host(window).property("state") == "ready", "Ready")
    until(lambda: "Copy link" in names(window), "the link")
    press(window, "Copy link")
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    return clipboard.text()


def rows(window: OpenWindow) -> list[dict[str, str]]:
    clients = host(window).property("clients")
    roles = {number: bytes(name).decode() for number, name in clients.roleNames().items()}
    return [{name: clients.index(row, 0).data(number) for number, name in roles.items()} for row in range(clients.rowCount())]


@pytest.mark.rule("D165")
def test_the_defaults_are_those_of_the_machine() -> None:
    said = {name: SETTINGS[f"host_{name}"].default for name in ("address", "port", "read_only", "monitor", "tunnel")}
    assert tuple(said.values()) == (HOST_DEFAULTS.address, HOST_DEFAULTS.port, HOST_DEFAULTS.is_read_only, HOST_DEFAULTS.is_monitored, HOST_DEFAULTS.tunnel)
    assert tuple(said.values()) == ("127.0.0.1", 28888, True, False, "")


@pytest.mark.rule("D164", "D166", "D168", "N60", "R78")
def test_a_visitor_paints_by_the_copied_link_while_the_window_works_and_a_guest_writes_nothing(
    hosting: OpenWindow, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    link = start(hosting)
    parsed = Link.parse(link)
    assert parsed.is_loopback and parsed.secret is not None and is_key(parsed.secret)
    assert "Nobody yet. Copy the link and give it to somebody; who comes is listed here." in names(hosting)
    friend = visit(link)
    friend.wait(lambda me: me.hello)
    assert friend.hello.role == "guest" and not friend.hello.monitored
    until(lambda: len(rows(hosting)) == 1, "the client is listed")
    until(lambda: rows(hosting)[0]["latency"].endswith(" ms"), "its latency")
    assert rows(hosting)[0] | {"session": "", "latency": ""} == {
        "session": "",
        "title": "a friend's studio",
        "address": "127.0.0.1",
        "rights": "Read-only",
        "latency": "",
        "jobs": "No jobs",
    }
    # The window is one client more: both paint.
    painted = friend.run("theirs", "generate", prompt="a fox", seed=7)
    assert pictures_of(painted) == [picture(7)]
    hosting.studio.act("generate")
    until(lambda: list((tmp_path / "data" / "outputs").rglob("*.png")), "the window's own picture")
    # What writes is refused by name.
    refused = ending_of(friend.run("bad", "write"))
    assert isinstance(refused, Failed) and refused.code == "forbidden" and "write" in refused.message.lower()
    assert not (tmp_path / "data" / "written").exists()
    # Disconnect ends it, and the list says so.
    until(lambda: "Disconnect a friend's studio" in names(hosting), "the row")
    press(hosting, "Disconnect a friend's studio")
    friend.wait(lambda me: me.state in ("disconnected", "refused", "reconnecting", "connecting"))
    press(hosting, "Stop hosting")
    until(lambda: host(hosting).property("state") == "off", "Off")
    assert rows(hosting) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", parsed.port), timeout=10)
    # Nothing of a picture of others is kept where that was not asked for.
    assert not (tmp_path / "data" / "outputs" / "monitor").exists()


@pytest.mark.rule("D166")
def test_with_full_rights_the_secret_is_an_owners(hosting: OpenWindow, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    hosting.studio._shell.set("host_read_only", False)
    friend = visit(start(hosting))
    friend.wait(lambda me: me.hello)
    assert friend.hello.role == "owner"
    assert isinstance(ending_of(friend.run("w", "write")), Finished)
    assert (tmp_path / "data" / "written").exists()


@pytest.mark.rule("D168", "N31")
def test_monitored_pictures_are_kept_and_those_who_come_are_told(hosting: OpenWindow, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    friend = visit(start(hosting))
    friend.wait(lambda me: me.hello)
    friend.run("unseen", "generate", seed=1)
    # Switched on while somebody is there: it acts at once, and they hear it.
    assert hosting.studio.settings.commit("host_monitor", "true")
    friend.wait(lambda me: me.hello.monitored)
    friend.run("seen", "generate", seed=2)
    folder = tmp_path / "data" / "outputs" / "monitor"
    until(lambda: list(folder.glob("*.png")), "the picture")
    assert [path.read_bytes() for path in folder.glob("*.png")] == [picture(2)]
    assert hosting.studio.settings.commit("host_monitor", "false")
    friend.wait(lambda me: not me.hello.monitored)


@pytest.mark.rule("D165", "N12", "R121")
def test_a_short_password_is_refused_off_loopback_and_one_is_made_on_request(hosting: OpenWindow) -> None:
    hosting.studio._shell.set("host_address", "0.0.0.0")
    field = next(item for item in items(hosting.item("Password", "HostPassword")) if "Field" in item.metaObject().className())
    hosting.click(field)
    hosting.type("short")
    press(hosting, "Start hosting")
    until(lambda: host(hosting).property("state") == "failed")
    assert "at least 12 characters" in host(hosting).property("problem")
    assert any("at least 12 characters" in name for name in names(hosting))
    # Only the programs of this computer: the person may choose as they like.
    hosting.studio._shell.set("host_address", "127.0.0.1")
    assert Link.parse(start(hosting)).secret.reveal() == "short"
    press(hosting, "Stop hosting")
    until(lambda: host(hosting).property("state") == "off")
    hosting.window.grabWindow()
    press(hosting, "Make one for me")
    hosting.studio._shell.set("host_address", "0.0.0.0")
    link = Link.parse(start(hosting))
    assert is_key(link.secret)
    assert link.host != "0.0.0.0"
    assert "short" not in " ".join(written(hosting))


@pytest.mark.rule("D168", "R111")
def test_secrets_are_dots_until_they_are_shown_and_never_in_the_log(hosting: OpenWindow, tmp_path: Path, visit: Callable[..., Visitor]) -> None:
    hosting.studio._shell.set("debug_log", True)
    secret = Link.parse(start(hosting)).secret.reveal()
    visit("sfumato:?endpoint=" + Link.parse(host(hosting).property("link").partition("&")[0]).endpoint + "&password=wrong-wrong-wrong").wait(
        lambda me: me.state == "refused"
    )
    assert secret not in "".join(written(hosting))
    press(hosting, "Show password and link")
    until(lambda: "".join(written(hosting)).count(secret) == 2, "link and password")
    press(hosting, "Hide password and link")
    until(lambda: secret not in "".join(written(hosting)))
    press(hosting, "Show the link as a QR code")
    until(lambda: "The connection link as a QR code" in names(hosting), "the code")
    code = host(hosting).code()
    assert len(code) == len(code[0]) >= 33
    assert all(set(row) <= {"0", "1"} for row in code)
    press(hosting, "Stop hosting")
    until(lambda: host(hosting).property("state") == "off")
    hosting.close()
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
            assert b"wrong-wrong-wrong" not in path.read_bytes(), path


def test_a_port_that_is_taken_is_named_where_it_was_started(hosting: OpenWindow) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        hosting.studio._shell.set("host_port", other.getsockname()[1])
        press(hosting, "Start hosting")
        until(lambda: host(hosting).property("state") == "failed")
        assert str(other.getsockname()[1]) in host(hosting).property("problem")
    start(hosting)


def test_an_address_that_is_none_and_an_empty_command_are_named(hosting: OpenWindow) -> None:
    hosting.studio._shell.set("host_address", "my computer")
    press(hosting, "Start hosting")
    until(lambda: "'my computer' is no address" in host(hosting).property("problem"))
    hosting.studio._shell.set("host_address", "127.0.0.1")
    hosting.studio._shell.set("host_tunnel", "command")
    press(hosting, "Start hosting")
    until(lambda: "command is empty" in host(hosting).property("problem"))


@pytest.mark.rule("D167", "N60")
def test_a_tunnels_address_is_in_the_link_as_soon_as_printed_and_the_tunnel_ends_with_hosting(hosting: OpenWindow, tmp_path: Path) -> None:
    script = tmp_path / "tunnel.py"
    alive = tmp_path / "alive"
    script.write_text(
        textwrap.dedent("""
            import atexit, pathlib, signal, sys, time
            alive = pathlib.Path(sys.argv[1])
            alive.write_text(sys.argv[2])
            atexit.register(alive.unlink)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
            print("INF |  https://calm-lake.example.com  |", flush=True)
            time.sleep(600)
        """)
    )
    hosting.studio._shell.set("host_tunnel", "command")
    hosting.studio._shell.set("host_tunnel_command", f"'{sys.executable}' '{script}' '{alive}' {{port}}")
    start(hosting)
    until(lambda: host(hosting).property("publicEndpoint") == "wss://calm-lake.example.com/relay" or "calm-lake" in host(hosting).property("publicEndpoint"))
    until(lambda: "calm-lake" in host(hosting).property("link"), "the link leads there")
    assert alive.read_text() == str(hosting.studio._shell.settings["host_port"])
    press(hosting, "Stop hosting")
    until(lambda: host(hosting).property("state") == "off")
    assert not alive.exists()


def test_a_tunnel_that_ends_by_itself_is_told_and_the_relay_stays(hosting: OpenWindow, visit: Callable[..., Visitor]) -> None:
    hosting.studio._shell.set("host_tunnel", "command")
    hosting.studio._shell.set("host_tunnel_command", f"'{sys.executable}' -c 'raise SystemExit(3)'")
    link = start(hosting)
    until(lambda: "The tunnel ended with status 3" in host(hosting).property("problem"), "the sentence")
    visit(link).wait(lambda me: me.hello)


def test_settings_that_were_changed_act_after_a_new_start(hosting: OpenWindow, visit: Callable[..., Visitor]) -> None:
    link = start(hosting)
    assert not host(hosting).property("isPending")
    assert hosting.studio.settings.commit("host_read_only", "false")
    until(lambda: "Start again" in names(hosting), "the offer")
    hosting.window.grabWindow()
    press(hosting, "Start again")
    until(lambda: host(hosting).property("state") == "ready" and not host(hosting).property("isPending"))
    # With a secret of its own again: the old link opens nothing.
    visit(link).wait(lambda me: me.state == "refused")


def test_a_window_whose_engine_cannot_be_shared_says_why(shown: OpenWindow) -> None:
    shown.studio.act("host_settings")
    until(lambda: "Start hosting" in names(shown), "the panel")
    assert host(shown).property("obstacle")
    assert host(shown).property("obstacle") in names(shown)
    host(shown).start()
    assert host(shown).property("state") == "off"


def test_hosting_begins_with_the_window_where_that_is_wanted(open_window: Open, tmp_path: Path) -> None:
    first = open_window(painter=SharedPainter(tmp_path / "data"))
    first.studio._shell.set("host_at_start", True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        first.studio._shell.set("host_port", free.getsockname()[1])
    first.close()
    again = open_window(painter=SharedPainter(tmp_path / "data"))
    until(lambda: host(again).property("state") == "ready", "hosting by itself")


@pytest.mark.parametrize(("setting", "title"), [("host_port", "Port"), ("links", "Links to other machines")])
def test_a_setting_of_a_section_with_a_panel_is_found_and_takes_the_focus(shown: OpenWindow, setting: str, title: str) -> None:
    shown.studio.act("tab_settings")
    shown.studio.settings.reveal(setting)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == title, "the control")
