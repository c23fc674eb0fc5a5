"""Two uploads of the same bytes: the later goes on with what the earlier has."""

from __future__ import annotations

import threading

import pytest

from sfumato.library.transfers import upload
from sfumato.library.transfers.upload import Writers
from sfumato.protocol.errors import FileBusy


@pytest.mark.rule("N52")
def test_the_earlier_is_asked_to_leave_and_waited_for() -> None:
    writers = Writers()
    asked, order = threading.Event(), []

    def earlier() -> None:
        with writers.only("me", "a", "x", asked.set):
            order.append("in")
            entered.set()
            assert asked.wait(30)
            order.append("out")

    entered = threading.Event()
    thread = threading.Thread(target=earlier)
    thread.start()
    assert entered.wait(30)
    with writers.only("me", "b", "x", asked.clear), writers.only("another", "a", "x", asked.clear):
        assert not asked.is_set()
    with writers.only("me", "a", "x", asked.clear):
        order.append("second")
    thread.join(30)
    assert order == ["in", "out", "second"]


def test_one_that_does_not_leave_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "LEAVING_S", 0.05)
    writers = Writers()
    with writers.only("me", "a", "mix", lambda: None), pytest.raises(FileBusy, match="mix"), writers.only("me", "a", "mix", lambda: None):
        pytest.fail("both were in")
