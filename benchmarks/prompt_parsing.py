"""What reading a prompt costs: time by length, as ratios, and the second reading of a job against the first.

Structured text of every construct the language has; the parts' texts at the first call are resolved, tokens are not laid out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from measuring import Row, compare, measure, print_table, shown, timed

from sfumato.prompts import EmptyLibrary, Lines, NetworkIndex, NetworkRecord, PassSpan, Reader, clip_tokenizer, understand

SPAN = PassSpan(25)
LIBRARY = EmptyLibrary(wildcards={"colour": Lines(("red", "blue"), (1.0, 2.0))}, loras=NetworkIndex([NetworkRecord("x")]))
UNIT = (
    "masterpiece, (best quality:1.2), [blurry], ((detailed)) face, \\(series\\), [cat:dog:0.4] and a [red|blue] {a|b|{c|d}} __colour__ "
    "<lora:x:[0:0.8:10]>, BREAK a very long (story (of:1.1) cats:[1.3:0.7:0.5]), by day AND by night:0.7, "
)
LENGTHS = (650, 2600, 10_400, 41_600)
LIMIT_MS = 5.0
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


def own_time(work: Callable[[], None], rounds: int) -> float:
    """Median seconds that this process works, whatever else runs on the machine."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return statistics.median(spent)


def rows() -> list[Row]:
    """A few seconds."""
    found = measure({str(length): timed(reading(length)) for length in LENGTHS}, rounds=50)
    by_length = [
        compare(f"{length} characters / {length // TIMES_THE_TEXT}", found[str(length)], found[str(length // TIMES_THE_TEXT)], TIMES_THE_TIME)
        for length in LENGTHS[1:]
    ]
    spent = own_time(reading(2600), rounds=50)
    limit = Row(f"2600 characters, own time / {LIMIT_MS:g} ms", shown(spent), shown(LIMIT_MS / 1000), spent * 1000 / LIMIT_MS, 1.0)

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
            "first": timed(reading(2600)),
            "again": timed(again),
            "phases": timed(lambda: Reader(library=LIBRARY).read(text, seed=1).phases(SPAN)),
            "known phases": timed(lambda: phases.phases(SPAN)),
            "editor": timed(lambda: understand(text, steps=25, library=LIBRARY)),
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
