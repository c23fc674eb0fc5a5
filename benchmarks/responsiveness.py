"""How long the window's thread does not answer: inputs of 50 megapixels, progress 200 times a second, eight previews of 1024x1024 a second, and a busy person.

`waited` is what a person feels, with all that the machine does besides; `worked` is what the window's thread itself had a processor for.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measuring import ROOT, Row, print_table, shown

sys.path.insert(0, str(ROOT))

GOAL_S = 0.05
TURNS = 100


def rows() -> list[Row]:
    """For each thing that is done: the 99th percentile and the longest wait against 50 ms."""
    os.environ.setdefault("QT_QUICK_BACKEND", "software")
    from tests.support.display import display_of_this_process

    display_of_this_process()
    from tests.support.strain import large_pictures, strained
    from tests.support.window import OpenWindow

    found: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        pictures = large_pictures(Path(scratch) / "pictures")
        window = OpenWindow(Path(scratch) / "data")
        for name, beats in strained(window, pictures, TURNS).items():
            waited, worked = sorted(beat.waited for beat in beats), sorted(beat.worked for beat in beats)
            last = min(int(len(beats) * 0.99), len(beats) - 1)
            for what, seconds in (("waited, p99", waited[last]), ("waited, longest", waited[-1]), ("worked, longest", worked[-1])):
                found.append(Row(f"{name}: {what} of {len(beats)} / 50 ms", shown(seconds), shown(GOAL_S), seconds / GOAL_S, 1.0))
            longest = max(beats, key=lambda beat: beat.waited)
            print(f"{name}, longest wait in:\n{longest.where}", file=sys.stderr)
        window.close()
    return found


if __name__ == "__main__":
    print_table(rows())
