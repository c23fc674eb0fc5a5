"""Loading a checkpoint against a bare read of the same file by safetensors: time, and the peak of memory; switching back to a model that is kept.

Each measurement is a process of its own, so that nothing is warm but the system's cache of files, and the two take turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import random_checkpoint
from measuring import ROOT, Row, print_table, shown

TIME_GOAL = 1.3
MEMORY_GOAL = 1.15

# What both processes have done before they are measured: imported everything, and used it once.
_COMMON = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
path, warm = Path(sys.argv[2]), Path(sys.argv[3])
from sfumato.engine import modules
from sfumato.engine.device import choose
from sfumato.engine.memory import Loaded
from safetensors.torch import load_file
device = choose("fp16", "cpu")
Loaded().load(warm, device, lambda done, total: None)
{name: tensor.clone() for name, tensor in load_file(warm).items()}

def memory(name):
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(name))

if Path("/proc/self/clear_refs").exists():
    Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
started = time.perf_counter()
"""
_LOADED = """
loaded = Loaded()
model = loaded.load(path, device, lambda done, total: None)
spent = time.perf_counter() - started
peak = memory("VmHWM") - before
loaded.load(warm, device, lambda done, total: None)
started = time.perf_counter()
assert loaded.load(path, device, lambda done, total: None) is model
print(json.dumps({"seconds": spent, "peak": peak, "again": time.perf_counter() - started}))
"""
# The tensors are taken out of the mapped file, as a program must that wants to keep them when the file changes.
_BARE = """
tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
print(json.dumps({"seconds": time.perf_counter() - started, "peak": memory("VmHWM") - before, "again": 0}))
"""


def rows(pairs: int = 7) -> list[Row]:
    """Medians over pairs of processes, with a file of the size of Stable Diffusion 1.5 in half precision."""
    with tempfile.TemporaryDirectory() as scratch:
        name = random_checkpoint.write_sd15_size(Path(scratch))
        path = Path(scratch) / "checkpoints" / f"{name}.safetensors"
        warm = ROOT / "models" / "checkpoints" / "sfumato-starter.safetensors"
        size = path.stat().st_size
        ours, bare = [], []
        for pair in range(pairs + 1):
            told = _run(_LOADED, path, warm), _run(_BARE, path, warm)
            if pair:  # the first brings the file into the system's cache
                ours.append(told[0])
                bare.append(told[1])
    time_ratio = statistics.median(mine["seconds"] / theirs["seconds"] for mine, theirs in zip(ours, bare, strict=True))
    spent, reference = (statistics.median(run["seconds"] for run in runs) for runs in (ours, bare))
    again = statistics.median(run["again"] for run in ours)
    found = [Row("SD 1.5 size, fp16: load / bare safetensors read", shown(spent), shown(reference), time_ratio, TIME_GOAL)]
    if ours[0]["peak"]:
        peak = statistics.median(run["peak"] for run in ours)
        found.append(Row("peak memory of the load / file", f"{peak / 1e9:.2f} GB", f"{size / 1e9:.2f} GB", peak / size, MEMORY_GOAL))
    return [*found, Row("switching back to it / loading it", shown(again), shown(spent), again / spent, 0.05)]


def _run(script: str, path: Path, warm: Path) -> dict[str, float]:
    command = [sys.executable, "-c", _COMMON + script, str(ROOT / "source"), str(path), str(warm)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print_table(rows())
