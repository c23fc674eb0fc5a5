"""Thumbnails reach the scene without ever making it wait."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PIL import Image

from sfumato.desktop import thumbnails as module
from sfumato.desktop.thumbnails import ThumbnailPool
from sfumato.library.thumbnails import Thumbnails
from tests.support.window import application_of_this_process, until


class Held:
    """Thumbnails that wait until they are let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked: list[str] = []
        self.at_once = 0
        self.most = 0
        self._lock = threading.Lock()

    def get(self, path: Path) -> tuple[Path, bool]:
        with self._lock:
            self.asked.append(str(path))
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.gate.wait(10)
        with self._lock:
            self.at_once -= 1
        return path, True


@pytest.mark.rule("D131")
def test_an_address_comes_later_and_is_known_from_then_on(tmp_path: Path) -> None:
    application_of_this_process()
    Image.new("RGB", (600, 600)).save(tmp_path / "a b#%.png")
    pool = ThumbnailPool(Thumbnails(tmp_path / "thumbnails"))
    told: list[tuple[str, str]] = []
    pool.ready.connect(lambda path, url: told.append((path, url)))
    path = str(tmp_path / "a b#%.png")
    assert pool.address(path) == ""
    until(lambda: told)
    assert told == [(path, pool.address(path))] and told[0][1].startswith("file:///")
    pool.forget(path)
    assert pool.address(path) == ""
    until(lambda: len(told) == 2)
    assert pool.made == 1
    pool.close()


@pytest.mark.rule("D131", "R128")
def test_at_most_four_at_once_newest_first_and_no_more_than_the_queue_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    application_of_this_process()
    monkeypatch.setattr(module, "WAITING_AT_MOST", 10)
    held = Held()
    pool = ThumbnailPool(held)  # type: ignore[arg-type]
    done: list[str] = []
    pool.ready.connect(lambda path, url: done.append(path))
    for number in range(20):
        pool.address(f"/{number}/x.png")
    until(lambda: len(held.asked) == 4)
    pool.cancel("/17/x.png")
    held.gate.set()
    until(lambda: len(done) >= 9 and len(done) == len(held.asked))
    assert held.most <= module.THREADS
    assert "/17/x.png" not in held.asked
    rest = held.asked[4:]
    assert rest[0] == "/19/x.png" or "/19/x.png" in held.asked[:4]
    assert len(held.asked) <= 14
    pool.close()


@pytest.mark.rule("D132")
def test_a_folder_that_does_not_answer_leaves_threads_for_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    application_of_this_process()

    class Half(Held):
        def get(self, path: Path) -> tuple[Path, bool]:
            return super().get(path) if "net" in str(path) else (path, True)

    held = Half()
    pool = ThumbnailPool(held)  # type: ignore[arg-type]
    done: list[str] = []
    pool.ready.connect(lambda path, url: done.append(path))
    for number in range(10):
        pool.address(f"/net/{number}.png")
    until(lambda: len(held.asked) == module.PER_FOLDER)
    pool.address("/local/a.png")
    until(lambda: "/local/a.png" in done)
    held.gate.set()
    pool.close()


@pytest.mark.rule("R128")
def test_what_is_known_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    application_of_this_process()
    monkeypatch.setattr(module, "KNOWN_AT_MOST", 50)
    held = Held()
    held.gate.set()
    pool = ThumbnailPool(held)  # type: ignore[arg-type]
    done: list[str] = []
    pool.ready.connect(lambda path, url: done.append(path))
    for number in range(200):
        pool.address(f"/{number}.png")
    until(lambda: len(done) == 200)
    assert len(pool._known) == 50
    pool.close()


def test_what_cannot_be_shown_is_said_once(tmp_path: Path) -> None:
    application_of_this_process()
    pool = ThumbnailPool(Thumbnails(tmp_path / "thumbnails"))
    said: list[str] = []
    pool.failed.connect(lambda path, sentence: said.append(sentence))
    pool.address(str(tmp_path / "gone.png"))
    until(lambda: said)
    assert "gone.png" in said[0]
    pool.close()
