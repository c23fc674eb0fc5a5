"""From a key in the prompt to the letter on the screen: a prompt of 10,000 characters, 5,000 networks, 20,000 words of a vocabulary."""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from measuring import ROOT, Row, compare

sys.path.insert(0, str(ROOT))

CHARACTERS = 10_000
NETWORKS = 5000
WORDS = 20_000
KEYS = 120
GOAL_S = 0.016
# A quick typist.
BETWEEN_MS = 60


def fill(data: Path) -> str:
    """Write networks and a vocabulary into a data folder; the prompt that names some of them."""
    chance = random.Random(1)

    def word() -> str:
        return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(3, 9)))

    loras, wildcards = data / "models" / "loras", data / "wildcards"
    loras.mkdir(parents=True)
    wildcards.mkdir()
    names = [f"{word()}-{word()}-{number}" for number in range(NETWORKS)]
    for name in names:
        (loras / f"{name}.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    (wildcards / "tags.csv").write_text("".join(f"{word()} {word()},{chance.randint(1, 10**6)}\n" for _ in range(WORDS)), encoding="utf-8")
    (data / "settings.json").write_text('{"vocabulary": "tags", "version": 1}', encoding="utf-8")
    pieces = [f"{word()} ({word()} {word()}:1.2)", f"[{word()}:{word()}:0.4]", f"<lora:{names[7]}:0.6>", "{" + word() + "|" + word() + "}"]
    text = ""
    while len(text) < CHARACTERS:
        text += chance.choice(pieces).replace("a", word()[0]) + ", " + word() + (",\n" if chance.random() < 0.06 else ", ")
    return text[:CHARACTERS]


def latencies() -> tuple[list[float], list[float], list[float]]:
    """Seconds from each key to the text being changed, those in which the window's thread worked for it, and to the frame that shows it."""
    from PyQt5.QtTest import QTest

    from tests.support.display import display_of_this_process

    display_of_this_process()
    from tests.support.painting import Painter
    from tests.support.window import OpenWindow, until

    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        text = fill(data)
        window = OpenWindow(data, Painter())
        prompts = window.studio.prompts
        until(lambda: prompts.knowledge.is_whole and len(prompts.knowledge.now.suggestions) >= NETWORKS + WORDS, "the names", 120)
        prompts.setProperty("text", text)
        QTest.qWait(1500)
        shown: list[float] = []
        window.window.frameSwapped.connect(lambda: shown.append(time.perf_counter()))
        chance = random.Random(2)
        changed, worked, drawn = [], [], []
        for _ in range(KEYS):
            shown.clear()
            before = prompts.property("text")
            started, spent = time.perf_counter(), time.thread_time()
            QTest.keyClick(window.window, chance.choice("abcdefghij ,"))
            changed.append(time.perf_counter() - started)
            worked.append(time.thread_time() - spent)
            assert prompts.property("text") != before
            until(lambda: shown, "the frame")
            drawn.append(shown[0] - started)
            QTest.qWait(BETWEEN_MS)
        window.close()
    return changed, worked, drawn


def rows() -> list[Row]:
    """p95 of both against one frame."""
    os.environ.setdefault("QT_QUICK_BACKEND", "software")
    changed, worked, drawn = latencies()
    return [
        compare("key to text, p95 / 16 ms", [percentile(changed)], [GOAL_S], 1.0),
        compare("key to text, p95 of what the window's thread works / 16 ms", [percentile(worked)], [GOAL_S], 1.0),
        compare("key to the frame that shows it, p95 / 16 ms", [percentile(drawn)], [GOAL_S]),
        compare("key to the frame that shows it, median / 16 ms", [statistics.median(drawn)], [GOAL_S]),
    ]


def percentile(seconds: list[float], share: float = 0.95) -> float:
    return sorted(seconds)[min(int(len(seconds) * share), len(seconds) - 1)]


if __name__ == "__main__":
    from measuring import print_table

    print_table(rows())
