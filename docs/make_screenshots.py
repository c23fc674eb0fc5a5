"""Takes the pictures of the window that docs/ shows: the real window on a virtual display, with an engine that does as it is told,
and once with the real one.

    python docs/make_screenshots.py [--out DIR] [--only NAME ...] [--all]

Xvfb has to be installed. Each state is taken in dark and light at 1280x720 and, where it matters, at 2560x1440 and 1024x600.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROGRAM), str(PROGRAM / "source")]

from tests.support.display import display_of_this_process
from tests.support.painting import Painter, emerging, encoded, scene

PROMPT = "a red circle, white background"
SCENES = [
    ("red", "circle", "white"),
    ("blue", "star", "yellow"),
    ("green", "heart", "white"),
    ("orange", "moon", "purple"),
    ("white", "ring", "red"),
    ("pink", "cross", "blue"),
]
# The pictures of docs/window.md: state, theme, size.
SHOWN = {
    ("first-light", "dark", ""),
    ("empty", "dark", ""),
    ("starting", "dark", ""),
    ("painting", "dark", ""),
    ("painting", "light", ""),
    ("queued", "dark", ""),
    ("queue", "dark", ""),
    ("queue", "light", ""),
    ("several", "dark", ""),
    ("several", "dark", "large"),
    ("several", "light", "small"),
    ("full", "dark", ""),
    ("advanced", "dark", ""),
    ("invalid", "dark", ""),
    ("error", "dark", ""),
    ("details", "light", ""),
    ("shortcuts", "dark", ""),
}
# States painted by the real engine with the starter model.
REAL = {"first-light"}
SIZES = {"small": (1024, 600), "": (1280, 720), "large": (2560, 1440)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PROGRAM / "docs" / "pictures")
    parser.add_argument("--only", nargs="*", help="names of states; all without it")
    parser.add_argument("--all", action="store_true", help="every state in every size, not only the pictures of the documentation")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    os.environ["QT_SCALE_FACTOR"] = "1"
    display_of_this_process()
    for name, state in STATES.items():
        if not chosen.only or name in chosen.only:
            take(name, state, chosen.out, everything=chosen.all or bool(chosen.only))
    return 0


def take(name: str, state: Callable[[object, Painter], None], out: Path, everything: bool) -> None:
    """One state in a window of its own, in each size and theme it is wanted."""
    from PyQt5.QtTest import QTest

    from tests.support.window import OpenWindow

    wanted = [(size, theme) for size in SIZES for theme in ("dark", "light") if everything or (name, theme, size) in SHOWN]
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        painter = Painter(greet=name != "starting")
        shot = OpenWindow(Path(folder), painter, real_engine=name in REAL)
        try:
            shot.window.setGeometry(0, 0, 1280, 720)
            state(shot, painter)
            for size, theme in wanted:
                shot.window.setGeometry(0, 0, *SIZES[size])
                shot.studio.act(f"theme_{theme}")
                QTest.qWait(400)
                path = out / ("-".join(part for part in (name, theme, size) if part) + ".png")
                shot.window.grabWindow().save(str(path))
                print(path.name)
        finally:
            shot.close()


def _make(shot: object, painter: Painter, what: tuple[str, str, str], side: int = 64) -> None:
    shot.studio.act("generate")
    _wait()
    painter.stage("denoise", 20, 20, 14.0)
    painter.picture(encoded(scene(*what, side=side)), side=side)
    painter.finish()
    _wait()


def _wait(milliseconds: int = 120) -> None:
    from PyQt5.QtTest import QTest

    QTest.qWait(milliseconds)


def empty(shot: object, painter: Painter) -> None:
    _wait(300)


def typing(shot: object, painter: Painter) -> None:
    shot.type(PROMPT)
    _wait()


def first_light(shot: object, painter: Painter) -> None:
    from tests.support.window import until

    for number, (colour, shape, background) in enumerate((*SCENES[1:], SCENES[0])):
        shot.studio.prompts.setProperty("text", f"a {colour} {shape}, {background} background")
        shot.studio.parameters.commit("seed", str(number + 1))
        shot.studio.act("generate")
        until(lambda: not shot.studio.jobs.property("busy"), "a picture")
    shot.studio.parameters.reset("seed")
    _wait(400)


def painting(shot: object, painter: Painter) -> None:
    _several(shot, painter, 2)
    shot.studio.act("generate")
    _wait()
    painter.stage("denoise", 9, 25, 13.6, (emerging(scene(*SCENES[0], side=64), 0.45),))
    _wait(300)


def queued(shot: object, painter: Painter) -> None:
    painting(shot, painter)
    for _ in range(3):
        shot.studio.act("generate")
    _wait()


def queue(shot: object, painter: Painter) -> None:
    """A done job, a failed one, one that runs and some that wait."""
    from tests.support.window import until

    jobs = shot.studio.jobs
    for number, (colour, shape, background) in enumerate((*SCENES, SCENES[1])):
        shot.studio.prompts.setProperty("text", f"a {colour} {shape}, {background} background")
        shot.studio.parameters.commit("batch_count", str(1 + number % 3))
        shot.studio.act("generate")
        until(lambda number=number: len(jobs.rows.waiting) + (jobs.running is not None) == number + 1, "the job")
    until(lambda: len(painter.submits) == 1, "the first")
    painter.stage("denoise", 20, 20, 14.0)
    _wait(700)  # so that the speed that is learnt is one of a picture, not of a script
    painter.picture(encoded(scene(*SCENES[0])))
    painter.finish()
    until(lambda: len(painter.submits) == 2, "the second")
    painter.fail("out_of_memory", "Not enough memory for 64x64. Use a smaller size.")
    until(lambda: len(painter.submits) == 3, "the third")
    painter.stage("denoise", 9, 25, 13.6, (emerging(scene(*SCENES[2]), 0.5),))
    shot.studio.notices.dismiss()
    shot.studio.act("queue")
    shot.studio.queue.choose(2, 0)
    _wait(300)


def finished(shot: object, painter: Painter) -> None:
    typing(shot, painter)
    _make(shot, painter, SCENES[0])


def _several(shot: object, painter: Painter, count: int) -> None:
    for colour, shape, background in SCENES[-count:]:
        shot.studio.prompts.setProperty("text", f"a {colour} {shape}, {background} background")
        _make(shot, painter, (colour, shape, background), 512)
    shot.studio.prompts.setProperty("text", PROMPT)


def several(shot: object, painter: Painter) -> None:
    _several(shot, painter, 6)
    shot.studio.outputs.choose(1)
    shot.studio.parameters.commit("steps", "30")
    _wait(300)


def full(shot: object, painter: Painter) -> None:
    _several(shot, painter, 3)
    shot.studio.act("view_open")
    _wait(300)


def error(shot: object, painter: Painter) -> None:
    finished(shot, painter)
    shot.studio.act("generate")
    _wait()
    painter.fail(
        "worker_died",
        "The engine stopped unexpectedly in stage 'denoise' (killed for memory). It is being restarted; run the job again.",
        detail="exit status -9",
    )
    _wait(300)


def details(shot: object, painter: Painter) -> None:
    error(shot, painter)
    shot.click(shot.item("Details"))
    _wait(400)


def invalid(shot: object, painter: Painter) -> None:
    shot.studio.parameters.commit("steps", "900")
    shot.studio.parameters.commit("seed", "12345")
    _wait()


def advanced(shot: object, painter: Painter) -> None:
    shot.studio.parameters.commit("s_noise", "1.05")
    shot.studio.act("advanced")
    _wait(300)


def starting(shot: object, painter: Painter) -> None:
    typing(shot, painter)
    shot.studio.act("generate")
    _wait(300)


def shortcuts(shot: object, painter: Painter) -> None:
    shot.studio.act("shortcuts")
    _wait(400)


def about(shot: object, painter: Painter) -> None:
    shot.studio.act("about")
    _wait(400)


def menu(shot: object, painter: Painter) -> None:
    several(shot, painter)
    shot.click(shot.item("View"))
    _wait(300)


def models(shot: object, painter: Painter) -> None:
    several(shot, painter)
    shot.click(shot.item("Model", "Choice"))
    _wait(300)


def unsaved(shot: object, painter: Painter) -> None:
    outputs = shot.studio.outputs
    blocked = Path(str(outputs.parent().property("about")["outputs"]))
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    finished(shot, painter)
    _wait(300)


def quitting(shot: object, painter: Painter) -> None:
    painting(shot, painter)
    shot.studio.act("quit")
    _wait(400)


STATES: dict[str, Callable[[object, Painter], None]] = {
    state.__name__.replace("_", "-"): state
    for state in (
        empty,
        typing,
        first_light,
        painting,
        queued,
        queue,
        finished,
        several,
        full,
        error,
        details,
        invalid,
        advanced,
        starting,
        shortcuts,
        about,
        menu,
        models,
        unsaved,
        quitting,
    )
}

if __name__ == "__main__":
    sys.exit(main())
