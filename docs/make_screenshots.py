"""Takes the pictures of the window that docs/ shows: the real window on a virtual display, with an engine that does as it is told,
and once with the real one.

    python docs/make_screenshots.py [--out DIR] [--only NAME ...] [--all]

Xvfb has to be installed. Without --all each view is taken in the themes that docs/pictures shows, at 1280x720; with it every view in dark and light,
at 1280x720 and at 2560x1440 with a scale of 150 %. The views are the functions of docs/screenshots.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROGRAM), str(PROGRAM / "source")]

from tests.support.display import display_of_this_process

# Name of a size -> pixels of the picture, scale of the screen.
SIZES = {"": ((1280, 720), 1.0), "large": ((2560, 1440), 1.5)}
INSTALLER = "install"
MOST_COLOURS = 12_000
INSTALL_SCREEN = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/launcher"]
target, data = sys.argv[2:4]
sys.argv = sys.argv[:1]
import choose
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
QApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
application = QApplication([])
choose.take_fonts(application)
application.setStyleSheet(choose.STYLE)
chooser = choose.Chooser("nvidia", ["--data", data], data)
chooser.show()
QTest.qWait(1500)
chooser.grab().save(target)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PROGRAM / "docs" / "pictures")
    parser.add_argument("--only", nargs="*", help="names of views; all without it")
    parser.add_argument("--all", action="store_true", help="every view in every size and theme, not only the pictures of the documentation")
    parser.add_argument("--size", choices=SIZES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.size is None:
        # The scale of a screen is fixed when a program starts, so each size has a process of its own.
        again = [sys.executable, __file__, *sys.argv[1:]]
        return max(subprocess.run([*again, "--size", size], check=False).returncode for size in (SIZES if chosen.all else [""]))
    os.environ["QT_SCALE_FACTOR"] = str(SIZES[chosen.size][1])
    display_of_this_process()

    from screenshots import generating, machines, rooms
    from screenshots.view import VIEWS

    assert generating.__name__ and machines.__name__ and rooms.__name__  # their views are entered as they are read

    failures = 0
    for name, row in VIEWS.items():
        themes = (("dark",) if row.own else ("dark", "light")) if chosen.all else row.shown
        if themes and (not chosen.only or name in chosen.only):
            try:
                take(name, themes, chosen.out, chosen.size)
            except AssertionError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failures += 1
    if not chosen.only or INSTALLER in chosen.only:
        take_installer(chosen.out / _file(INSTALLER, "dark", chosen.size))
    return 1 if failures else 0


def take(name: str, themes: tuple[str, ...], out: Path, size: str) -> None:
    """One view in a window of its own, in each theme it is wanted."""
    from screenshots.view import VIEWS, wait

    from tests.support.painting import Painter
    from tests.support.window import OpenWindow

    row = VIEWS[name]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        row.prepare(data)
        painter: Painter = row.painter(data)
        window = OpenWindow(data, painter, real_engine=row.real)
        try:
            (width, height), scale = SIZES[size]
            window.window.setGeometry(0, 0, int(width / scale), int(height / scale))
            if not row.own:
                window.studio.act(f"theme_{themes[0]}")
            wait(200)
            row.act(window)
            for theme in themes:
                if not row.own:
                    window.studio.act(f"theme_{theme}")
                wait(400)
                path = out / _file(name, theme, size)
                window.window.grabWindow().save(str(path))
                quantise(path)
                print(path.name, flush=True)
        finally:
            window.close()


def take_installer(path: Path) -> None:
    """The install screen, which is a program of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", INSTALL_SCREEN, str(PROGRAM), str(path), folder], check=True, timeout=60)
    quantise(path)
    print(path.name)


def quantise(path: Path) -> None:
    """A quarter of the bytes: flat colours of a window need no more than 256 of them. A picture with gradients keeps all of its own."""
    from PIL import Image

    with Image.open(path) as picture:
        if picture.convert("RGB").getcolors(MOST_COLOURS) is not None:
            picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _file(*parts: str) -> str:
    return "-".join(part for part in parts if part) + ".png"


if __name__ == "__main__":
    sys.exit(main())
