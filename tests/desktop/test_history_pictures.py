"""The list of pictures: a window at a time, nothing jumps, and choosing is right where rows come and go."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from sfumato.desktop.history.pictures import KEPT, PictureList
from sfumato.library.history.index import Cell
from tests.support.window import application_of_this_process, until


def a_cell(number: int) -> Cell:
    return Cell(number, f"/p/{number}.png", f"{number}.png", 8, 8, 0, False, False, 0.0, "", 1)


class Asked:
    """Answers at once, and counts."""

    def __init__(self) -> None:
        self.numbers: list[list[int]] = []

    def __call__(self, numbers: list[int], done: Callable[[dict[int, Cell]], None]) -> None:
        self.numbers.append(numbers)
        done({number: a_cell(number) for number in numbers})


@pytest.fixture
def asked() -> Asked:
    application_of_this_process()
    return Asked()


def name_of(pictures: PictureList, row: int) -> str:
    role = next(role for role, name in pictures.roleNames().items() if bytes(name) == b"fileName")
    return pictures.data(pictures.index(row), role)


@pytest.mark.rule("D130")
def test_only_what_is_looked_at_is_fetched_and_little_is_kept(asked: Asked) -> None:
    pictures = PictureList(asked)
    pictures.show(array("q", range(100_000)))
    assert asked.numbers == []
    assert name_of(pictures, 50_000) == ""
    until(lambda: name_of(pictures, 50_000) == "50000.png")
    assert len(asked.numbers) == 1 and len(asked.numbers[0]) < 200
    for row in range(0, 100_000, 500):
        name_of(pictures, row)
        pictures._ask()  # what the timer does
    assert len(pictures._cells) <= KEPT


@pytest.mark.rule("D130")
def test_rows_come_and_go_where_they_are(asked: Asked) -> None:
    pictures = PictureList(asked)
    pictures.show(array("q", [5, 4, 3, 2, 1]))
    pictures.press(2, False, False)
    told: list[tuple[str, int, int]] = []
    pictures.rowsInserted.connect(lambda parent, first, last: told.append(("in", first, last)))
    pictures.rowsRemoved.connect(lambda parent, first, last: told.append(("out", first, last)))
    pictures.modelReset.connect(lambda: told.append(("reset", 0, 0)))
    pictures.follow(array("q", [6, 5, 4, 3, 2, 1]))
    pictures.follow(array("q", [6, 5, 4, 3, 1]))
    assert told == [("in", 0, 0), ("out", 4, 4)]
    assert pictures.property("current") == 3 and pictures.chosen == [3]
    pictures.follow(array("q", [6, 5]))
    assert pictures.property("current") == -1 and pictures.chosen == []


@pytest.mark.rule("D128")
def test_ranges_start_where_the_last_choice_was(asked: Asked) -> None:
    pictures = PictureList(asked)
    pictures.show(array("q", range(10, 20)))
    pictures.press(2, False, False)
    pictures.press(5, False, True)
    assert pictures.chosen == [12, 13, 14, 15]
    pictures.press(1, False, True)
    assert pictures.chosen == [11, 12]
    pictures.press(8, True, False)
    pictures.press(9, True, True)
    assert pictures.chosen == [11, 12, 18, 19]
    pictures.press(8, True, False)
    assert pictures.chosen == [11, 12, 19]
    pictures.move(50, False, False)
    assert pictures.chosen == [19]
    pictures.chooseAll()
    assert pictures.property("chosenCount") == 10
