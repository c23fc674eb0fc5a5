"""Another mode from the window: the install screen as a process, and what becomes of the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.desktop.conftest import Open
from tests.support.window import until

# Stands for the launcher's install screen, which has tests of its own: it says how it was called, and ends as it is told.
SCREEN = """
import json, pathlib, sys
data = pathlib.Path(sys.argv[sys.argv.index("--data") + 1])
(data / "called.json").write_text(json.dumps(sys.argv[1:]))
if {status} == 0:
    settings = data / "settings.json"
    kept = json.loads(settings.read_text()) if settings.exists() else {{}}
    settings.write_text(json.dumps({{**kept, "mode": "remote"}}))
sys.exit({status})
"""


@pytest.mark.rule("D14")
@pytest.mark.parametrize(("status", "mode"), [(0, "remote"), (130, "cpu")])
def test_the_mode_is_changed_by_the_install_screen_and_a_closed_one_leaves_the_old(
    open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, mode: str
) -> None:
    (tmp_path / "launcher").mkdir()
    (tmp_path / "launcher" / "choose.py").write_text(SCREEN.format(status=status))
    monkeypatch.setenv("SFUMATO_LAUNCHER", str(tmp_path / "launcher"))
    data = tmp_path / "data"
    data.mkdir()
    (data / "settings.json").write_text('{"mode": "cpu"}')
    window = open_window(data=data)
    process = window.studio._install_mode._process
    window.studio.act("change_mode")
    until(lambda: (data / "called.json").exists() and process.state() == process.NotRunning, "the end of the install screen")
    assert json.loads((data / "called.json").read_text())[:2] == ["--preselect", "cpu"]
    # What the window writes afterwards does not bring the old mode back.
    window.studio._shell.set("density", "compact")
    window.close()
    assert json.loads((data / "settings.json").read_text())["mode"] == mode
