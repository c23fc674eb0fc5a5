"""A link that was opened somewhere: the window asks, and until Connect nothing happens."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt

from sfumato.desktop.single import SingleWindow
from sfumato.transport.link import LINK_BYTES
from tests.desktop.conftest import Open
from tests.support.hosting import SharedPainter
from tests.support.window import OpenWindow, accessible, items, until

LINK = "sfumato:?endpoint=wss://far.example:8443/relay&password=hunter2-hunter2"


def names(window: OpenWindow) -> list[str]:
    return [str(accessible(item, "name")) for item in items(window.window.contentItem())]


def written(window: OpenWindow) -> str:
    return " ".join(str(item.property("text") or "") for item in items(window.window.contentItem()))


def links(window: OpenWindow) -> Any:
    return window.studio.property("links")


def remote(window: OpenWindow) -> Any:
    return window.studio.property("remote")


def ask(window: OpenWindow, link: str = LINK) -> None:
    window.studio.open_address(link)
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Cancel", "the question, with Cancel in focus")


@pytest.fixture
def tried(shown: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the window began to connect to."""
    made: list[str] = []
    before = remote(shown)._make_remote

    def make(link: Any, *others: Any) -> Any:
        made.append(link.endpoint)
        return before(link, *others)

    monkeypatch.setattr(remote(shown), "_make_remote", make)
    return made


@pytest.mark.rule("D16", "R110")
def test_a_link_names_host_port_and_what_is_in_use_and_hides_the_password(shown: OpenWindow, tried: list[str], tmp_path: Path) -> None:
    before = (tmp_path / "data" / "settings.json").exists()
    ask(shown)
    said = names(shown)
    assert {"Machine: far.example", "Port: 8443", "Password: In the link", "Now in use: This computer"} <= set(said)
    assert "hunter2" not in written(shown) + " ".join(said)
    # Nothing happened yet, and Enter is the harmless answer.
    assert (tmp_path / "data" / "settings.json").exists() == before
    shown.key(Qt.Key_Return)
    until(lambda: "Machine: far.example" not in names(shown), "the question is gone")
    assert not links(shown).property("isAsking")
    assert tried == [] and remote(shown).property("endpoint") == ""
    assert "hunter2" not in "".join(path.read_text(errors="replace") for path in (tmp_path / "data").rglob("*") if path.is_file())


@pytest.mark.rule("D16", "N13", "R110")
def test_only_connect_connects(shown: OpenWindow, tried: list[str], tmp_path: Path) -> None:
    ask(shown, "sfumato:?endpoint=ws://127.0.0.1:9&password=hunter2-hunter2")
    shown.key(Qt.Key_Escape)
    until(lambda: "Port: 9" not in names(shown))
    assert tried == []
    ask(shown, "sfumato:?endpoint=ws://127.0.0.1:9&password=hunter2-hunter2")
    shown.window.grabWindow()
    shown.click(shown.item("Connect", "Button"))
    until(lambda: tried == ["ws://127.0.0.1:9/relay"], "the connection")
    assert remote(shown).property("endpoint") == "ws://127.0.0.1:9/relay"
    until(lambda: "Port: 9" not in names(shown))
    shown.close()
    assert "hunter2" not in "".join(path.read_text(errors="replace") for path in (tmp_path / "data").rglob("*") if path.is_file())


REFUSED = (
    (LINK + "&command=calc", "does not know"),
    ("sfumato:?endpoint=https://far.example/relay&password=hunter2", "'ws://' or 'wss://'"),
    ("sfumato:?endpoint=file:///etc/passwd&password=hunter2", "'ws://' or 'wss://'"),
    ("sfumato:?endpoint=sfumato:?endpoint=ws://a.example:1&password=hunter2", "'ws://' or 'wss://'"),
    ("sfumato:?endpoint=ws://far.example:1&password=hunter2%0Ax", "characters"),
    ("sfumato:?endpoint=ws://far.example:1\u202e&password=hunter2", "characters"),
    ("sfumato:?endpoint=ws://far.example:1&password=" + "hunter2" * (LINK_BYTES // 7), "longer than"),
    ("https://far.example/?password=hunter2", "not a connection link"),
    ("--help", "not a connection link"),
)


@pytest.mark.rule("D16")
def test_what_is_no_plain_link_is_refused_with_a_sentence(shown: OpenWindow, tried: list[str]) -> None:
    for link, words in REFUSED:
        shown.studio.open_address(link)
        until(lambda words=words: words in str(shown.studio.notices.property("sentence")), words)
        assert not links(shown).property("isAsking")
        assert "hunter2" not in written(shown)
    assert tried == []


@pytest.mark.rule("D16")
def test_a_second_link_never_takes_the_place_of_the_one_that_is_read(shown: OpenWindow, tried: list[str]) -> None:
    ask(shown)
    for number in range(20):
        shown.studio.open_address(f"sfumato:?endpoint=ws://evil-{number}.example:1&password=hunter2")
    assert "Machine: far.example" in names(shown)
    assert "Another link was opened" in str(shown.studio.notices.property("sentence"))
    shown.key(Qt.Key_Escape)
    until(lambda: not links(shown).property("isAsking"))
    assert tried == []


@pytest.mark.rule("D17")
def test_a_link_of_any_length_reaches_the_window_that_is_open(shown: OpenWindow, tmp_path: Path) -> None:
    came: list[str] = []
    first = SingleWindow(tmp_path / "other")
    assert first.is_first()
    first.called.connect(came.append)
    try:
        for words in (LINK, "sfumato:?endpoint=" + "\U0001f98a" * 5000, "sfumato:?endpoint=" + "\x01" * 5000):
            second = SingleWindow(tmp_path / "other")
            assert hand_over(second, words)
            until(lambda words=words: came and came[-1] == words[: len(came[-1])] and len(came[-1]) == min(len(words), 2100), "the words")
        shown.studio.open_address(came[-2])
        until(lambda: "longer than" in str(shown.studio.notices.property("sentence")), "the refusal")
    finally:
        first.close()


def hand_over(second: SingleWindow, words: str) -> bool:
    """As another process would: the first one answers meanwhile."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(second.hand_over(words)))
    thread.start()
    until(lambda: answers, "the answer")
    thread.join()
    return answers[0]


@pytest.mark.rule("D169", "D164")
def test_a_link_that_one_window_copied_opens_the_question_of_another_and_connects_it(open_window: Open, tmp_path: Path) -> None:
    host = open_window(painter=SharedPainter(tmp_path / "host"), data=tmp_path / "host")
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    host.studio._shell.set("host_port", free.getsockname()[1])
    free.close()
    desk = host.studio.property("host")
    desk.start()
    until(lambda: desk.property("state") == "ready")
    link = desk._hosting.link.text()
    far = open_window(data=tmp_path / "far")
    ask(far, link)
    assert "Machine: 127.0.0.1" in names(far)
    far.window.grabWindow()
    far.click(far.item("Connect", "Button"))
    until(lambda: remote(far).property("state") == "connected" and far.studio.engine.property("state") == "ready", "the line")
    until(lambda: desk.property("clients").rowCount() == 1, "the client")
    far.studio.act("generate")
    until(lambda: list((tmp_path / "far").rglob("*.png")), "the picture")
