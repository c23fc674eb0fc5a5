"""The window of a first start, driven by keys as a person without a mouse does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.modes import detect, offered
from tests.launcher.conftest import Program, make_wheel, real_python, served

pytest.importorskip("PyQt5.QtWidgets")

# A process of its own: other tests own the application object of this one. The installer it starts is the real launcher with the real interpreter.
DRIVER = """
import json, sys
sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[1] + "/launcher")
folder, python, data, keys, *flags = sys.argv[1:]
sys.argv = sys.argv[:1]
import choose
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
sys.executable = python
application = QApplication([])
application.setStyleSheet(choose.STYLE)
chooser = choose.Chooser("remote", ["--data", data, *flags], data)
chooser.show()
states = []
def finished(*_):
    states.append([chooser.title.text(), chooser.note.text(), chooser.install.text()])
    states.append([button.geometry().intersects(chooser.log.geometry()) for button in (chooser.install, chooser.quit, chooser.copy)])
    QTimer.singleShot(0, application.quit)
chooser.process.finished.connect(finished)
QTest.qWaitForWindowExposed(chooser)
for key in keys.split(","):
    QTest.keyClick(application.focusWidget() or chooser, getattr(Qt, "Key_" + key))
    states.append(chooser.chosen().name)
if chooser.isVisible():
    QTimer.singleShot(90000, application.quit)
    application.exec()
rows = [[chooser.packages.topLevelItem(row).text(column) for column in range(3)] for row in range(chooser.packages.topLevelItemCount())]
print(json.dumps({"rows": rows, "states": states, "status": chooser.status, "log": chooser.log.toPlainText()}))
"""


def drive(program: Program, keys: str, flags: tuple[str, ...] = ("--offline",), **variables: str) -> dict[str, list[object]]:
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen", **variables}
    command = [sys.executable, "-c", DRIVER, str(program.folder), real_python(), str(program.data), keys, *flags]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def complete_environment(program: Program) -> None:
    python = program.folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(real_python())
    (program.folder / ".venv/pyvenv.cfg").write_text("")
    (program.folder / ".venv/lib/python3.11/site-packages/sfumato_sample-1.0.dist-info").mkdir(parents=True)


def test_enter_installs_the_mode_that_the_arrows_chose_and_it_is_remembered(program: Program) -> None:
    complete_environment(program)
    told = drive(program, "Up,Return")
    assert told["states"][0] == "cpu"
    assert told["status"] == 0, told["log"]
    assert json.loads((program.data / "settings.json").read_text()) == {"mode": "cpu"}


def test_a_failure_is_told_in_its_sentence_and_can_be_tried_again(program: Program) -> None:
    complete_environment(program)
    (program.folder / "requirements_remote.txt").write_text("sfumato-new>=1,<2\n")
    told = drive(program, "Return")
    assert told["status"] == 130
    title, sentence, button = told["states"][-2]  # type: ignore[misc]
    assert (title, button) == ("The installation did not finish", "Retry")
    assert sentence.startswith("Offline, packages come from the folder")
    assert told["states"][-1] == [False, False, False], "a button lies over the output"
    assert not (program.data / "settings.json").exists()


@pytest.mark.rule("D9", "D10")
def test_the_packages_of_the_chosen_mode_are_listed_with_what_there_is_of_them(program: Program) -> None:
    complete_environment(program)
    (program.folder / "requirements_cpu.txt").write_text("sfumato-sample>=2,<3\nsfumato-absent>=1\n")
    told = drive(program, "Up,Escape")
    assert told["rows"] == [["sfumato-absent", ">=1", "Missing"], ["sfumato-sample", "1.0 there, >=2,<3 asked", "Other version"]]
    # The remote mode, chosen at first, had everything: it would have proceeded.
    assert told["states"][:2] == ["cpu", "cpu"]


@pytest.mark.rule("D10", "D12")
def test_what_becomes_of_each_package_is_shown_beside_it_and_a_failure_names_it(program: Program) -> None:
    complete_environment(program)
    (program.folder / "requirements_remote.txt").write_text("sfumato-new>=1,<2\nsfumato-sample\n")
    (program.folder / "wheels").mkdir()
    told = drive(program, "Return")
    assert told["rows"] == [["sfumato-new", ">=1,<2", "Failed"], ["sfumato-sample", "sfumato-sample", "Present"]]


@pytest.mark.slow
@pytest.mark.rule("D10", "D12")
def test_enter_installs_from_a_package_index_and_the_list_says_so(program: Program, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "index" / "simple" / "sfumato-sample", "sfumato-sample", "1.5")
    with served(tmp_path / "index") as address:
        told = drive(program, "Return", (), PIP_INDEX_URL=f"{address}/simple", PIP_TRUSTED_HOST="127.0.0.1")
    assert told["status"] == 0, told["log"]
    assert told["rows"] == [["sfumato-sample", ">=1,<2", "Done"]]
    assert wheel.name in str(told["log"])
    assert list(program.folder.glob(".venv/lib/python3.*/site-packages/sfumato_sample-1.5.dist-info"))
    assert json.loads((program.data / "settings.json").read_text()) == {"mode": "remote"}


def test_escape_closes_without_installing(program: Program) -> None:
    told = drive(program, "Escape")
    assert (told["status"], told["log"]) == (130, "")


def test_detection_offers_a_mode_that_exists_here() -> None:
    assert detect() in {mode.name for mode in offered()}
    assert [mode.name for mode in offered("darwin")] == ["cpu", "remote"]
    assert all(Path(__file__).parents[2].joinpath(mode.requirements_file).is_file() for mode in offered())
