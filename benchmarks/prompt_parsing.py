"""What reading a prompt costs: time by length, as ratios, and the second reading of a job against the first.

Structured text of every construct the language has; the parts' texts at the first call are resolved, tokens are not laid out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from measuring import Row, compare, measure, print_table

from sfumato.prompts import EmptyLibrary, Lines, NetworkIndex, NetworkRecord, PassSpan, Reader, clip_tokenizer, understand

SPAN = PassSpan(25)
LIBRARY = EmptyLibrary(wildcards={"colour": Lines(("red", "blue"), (1.0, 2.0))}, loras=NetworkIndex([NetworkRecord("x")]))
UNIT = (
    "masterpiece, (best quality:1.2), [blurry], ((detailed)) face, \\(series\\), [cat:dog:0.4] and a [red|blue] {a|b|{c|d}} __colour__ "
    "<lora:x:[0:0.8:10]>, BREAK a very long (story (of:1.1) cats:[1.3:0.7:0.5]), by day AND by night:0.7, "
)
LENGTHS = (650, 2600, 10_400, 41_600)
TIMES_THE_TEXT, TIMES_THE_TIME = 4, 5.0


def text_of(length: int) -> str:
    return (UNIT * (length // len(UNIT) + 1))[:length]


def reading(length: int) -> Callable[[], None]:
    """Reads a text of this length anew, and what its parts say at the first call."""
    text = text_of(length)

    def read() -> None:
        for part in Reader(library=LIBRARY).read(text, seed=1).parts:
            part.at(0, SPAN)

    return read


def five_milliseconds() -> None:
    """What CPython 3.11 does in about this time on one core of a desktop: the limit as work, so that it holds on slow and busy machines too."""
    made: dict[int, tuple[int, str]] = {}
    for number in range(50_000):
        made[number & 1023] = (number, str(number & 7))


def own(work: Callable[[], object]) -> Callable[[], float]:
    """`work` as a candidate: the seconds this process works for it, whatever else runs on the machine."""

    def candidate() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return candidate


def rows() -> list[Row]:
    """A few seconds."""
    found = measure({"limit": own(five_milliseconds)} | {str(length): own(reading(length)) for length in LENGTHS}, rounds=50)
    by_length = [
        compare(f"{length} characters / {length // TIMES_THE_TEXT}", found[str(length)], found[str(length // TIMES_THE_TEXT)], TIMES_THE_TIME)
        for length in LENGTHS[1:]
    ]
    limit = compare("2600 characters / five milliseconds of a desktop core", found["2600"], found["limit"], 1.0)

    text = text_of(2600)
    reader = Reader(library=LIBRARY)
    whole = Reader(library=LIBRARY)
    phases = whole.read(text, seed=1)

    def again() -> None:
        for part in reader.read(text, seed=1).parts:
            part.at(0, SPAN)

    again()
    clip_tokenizer()
    job = measure(
        {
            "first": own(reading(2600)),
            "again": own(again),
            "phases": own(lambda: Reader(library=LIBRARY).read(text, seed=1).phases(SPAN)),
            "known phases": own(lambda: phases.phases(SPAN)),
            "editor": own(lambda: understand(text, steps=25, library=LIBRARY)),
        },
        rounds=20,
    )
    return [
        limit,
        *by_length,
        compare("2600 characters: next image of the job / first", job["again"], job["first"]),
        compare("2600 characters: all 25 calls / first call", job["phases"], job["first"]),
        compare("2600 characters: all 25 calls again / once", job["known phases"], job["phases"]),
        compare("2600 characters: with tokens, count and marks (editor) / first call", job["editor"], job["first"]),
    ]


if __name__ == "__main__":
    print_table(rows())
