"""Two hundred mixed jobs: afterwards memory is what it was after the first ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
JOBS, SETTLED = 200, 10
TOLERANCE = 0.02

# In a process of its own, whose memory is nobody else's. Prints what tensors and what the process take, after every ten jobs.
_PROCESS = """
import ctypes, gc, random, sys
from pathlib import Path

import psutil
import torch

from sfumato.protocol.errors import SfumatoError, Stopped
from tests.support.studio import SmallFiles, Studio, box_mask, gradient

torch.set_num_threads(1)
jobs, scratch = int(sys.argv[1]), Path(sys.argv[2])
studio = Studio(SmallFiles(scratch / "models"), scratch / "data")
shuffler = random.Random(3)
process = psutil.Process()

KINDS = (
    lambda: studio.paint(),
    lambda: studio.paint(prompt=f"a circle {shuffler.random()}", batch_size=2),
    lambda: studio.paint(gradient(phase=shuffler.randrange(100)), strength=0.7),
    lambda: studio.paint(gradient(), box_mask((8, 8, 40, 40)), strength=0.7, mask_mode="soft"),
    lambda: studio.paint(hr_scale=1.5),
    lambda: studio.paint(model=studio.model("sdxl")),
    lambda: studio.paint(model=studio.model("sd2"), prediction="v"),
    lambda: studio.paint(pag_scale=2.0, tiling="x"),
    lambda: studio.paint(dtype="bf16"),
    lambda: studio.paint(vae_tiling="on", width=128, height=64),
    lambda: studio.paint(cancel_at=("denoise", shuffler.randrange(1, 3)), steps=4),
    lambda: studio.paint(model="there is none"),
    lambda: studio.paint(width=64, sampler="there is none"),
    lambda: studio.paint("broken", blobs={"broken": b"no picture"}),
)


def taken():
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    storages = [each.untyped_storage() for each in gc.get_objects() if isinstance(each, torch.Tensor) and each.device.type == "cpu"]
    return sum({each.data_ptr(): each.nbytes() for each in storages}.values()), process.memory_info().rss


endings = {}
for number in range(1, jobs + 1):
    kind = KINDS[(number - 1) % len(KINDS)] if number <= len(KINDS) else shuffler.choice(KINDS)
    try:
        kind()
        ending = "finished"
    except (SfumatoError, Stopped, ValueError) as error:
        ending = type(error).__name__
    endings[ending] = endings.get(ending, 0) + 1
    if number % 10 == 0:
        print("after", number, *taken(), flush=True)
print("endings", endings)
"""


@pytest.mark.slow
@pytest.mark.rule("E112", "E118")
def test_after_two_hundred_mixed_jobs_memory_is_what_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROCESS, str(JOBS), str(tmp_path)]
    environment = {"PYTHONPATH": f"{ROOT / 'source'}:{ROOT}", "OMP_NUM_THREADS": "1", "PATH": "", "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("after")]
    measured = {int(number): (int(live), int(resident)) for _, number, live, resident in lines}
    early, late = measured[SETTLED], measured[JOBS]
    assert late[0] <= early[0] * (1 + TOLERANCE), measured
    assert late[1] <= early[1] * (1 + TOLERANCE), measured
    assert "Stopped" in done.stdout
