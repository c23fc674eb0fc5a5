"""Cycles end on the GUI thread and nowhere else."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from sfumato.desktop.tidying import Tidying
from tests.desktop.conftest import Open
from tests.support.window import application_of_this_process


class Ring:
    """Holds itself, so that only the collector ends it; tells on which thread that was."""

    def __init__(self, ends: list[int]) -> None:
        self.me = self
        weakref.finalize(self, lambda: ends.append(threading.get_ident()))


@pytest.mark.rule("D180")
def test_what_a_worker_leaves_behind_ends_on_the_gui_thread() -> None:
    application_of_this_process()
    tidying, ends = Tidying(), list[int]()
    try:
        worker = threading.Thread(target=lambda: [Ring(ends) for _ in range(20_000)] and None)
        worker.start()
        worker.join()
        assert ends == [], "collected while it worked"
        tidying.tidy()
        assert len(ends) == 20_000 and set(ends) == {threading.get_ident()}
    finally:
        tidying.close()
    assert gc.isenabled()


def test_an_open_window_collects_by_itself_and_a_closed_one_leaves_it_to_python(open_window: Open) -> None:
    window = open_window()
    assert not gc.isenabled()
    window.close()
    assert gc.isenabled()
