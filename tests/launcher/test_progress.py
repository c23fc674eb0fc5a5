"""What pip prints, read as states of packages."""

from __future__ import annotations

import pytest

from launcher.progress import Progress

OUTPUT = """
Looking in links: file:///wheels
Collecting torch==2.13.0 (from -r /tmp/r.txt (line 1))
  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)
Collecting typing-extensions>=4.10.0 (from torch==2.13.0)
  Using cached typing_extensions-4.15.0-py3-none-any.whl.metadata (3.3 kB)
Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (190.4 MB)
Using cached typing_extensions-4.15.0-py3-none-any.whl (44 kB)
Requirement already satisfied: numpy>=2 in /venv/lib (2.2.0)
"""


@pytest.mark.rule("D10")
def test_the_states_follow_the_output_and_never_go_back() -> None:
    progress = Progress(["torch", "numpy", "pillow"])
    for line in OUTPUT.splitlines():
        progress.feed(line)
    assert progress.states == {"torch": "fetching", "typing-extensions": "fetched", "numpy": "done"}
    assert progress.sizes["torch"] == "190.4 MB"
    halfway = progress.fraction
    progress.feed("Installing collected packages: typing-extensions, torch")
    progress.feed("Collecting torch")
    assert progress.states["torch"] == "installing" and progress.fraction > halfway > 0
    progress.feed("Successfully installed torch-2.13.0+cpu typing-extensions-4.15.0")
    assert progress.states["torch"] == "done"
    progress.feed("ERROR: No matching distribution found for pillow<14,>=12.0")
    assert progress.states["pillow"] == "failed"


def test_what_was_being_installed_when_pip_ended_badly_has_failed() -> None:
    progress = Progress(["torch"])
    progress.feed("Installing collected packages: torch")
    progress.fail()
    assert progress.states == {"torch": "failed"} and progress.fraction == 0
