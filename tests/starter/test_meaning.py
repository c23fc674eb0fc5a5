"""The starter model that ships draws what it is told; the goals and the judge are those of `models/starter/check.py`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "models" / "checkpoints" / "sfumato-starter.safetensors"
LIMIT_BYTES = 16_000_000


def test_the_file_is_small_enough() -> None:
    assert 8_000_000 < STARTER.stat().st_size <= LIMIT_BYTES


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_prompts_show_the_right_colours_and_shapes() -> None:
    # One thread: the model is so small that two spend their time waiting for each other, five times as long where the processor is shared.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(ROOT / "models" / "starter" / "check.py")], capture_output=True, text=True, timeout=380, env=environment)
    print(done.stdout)
    right = {name: int(count) for name, count in re.findall(r"^(shape colour|background|shape) +(\d+) of 100 right", done.stdout, re.MULTILINE)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert right["shape colour"] >= 90
    assert right["background"] >= 90
    assert right["shape"] >= 80
