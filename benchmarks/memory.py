"""What Stable Diffusion takes of a graphics card in each way of keeping its networks: SD 1.5 at 512x512 and SDXL at 1024x1024, batch 1, half precision.

Whole jobs run through the engine with weights of the real size. On a graphics card the weights are random and the peak is the true one, of torch's
allocator. Without one the card is simulated: tensors have sizes and no numbers, and the peak is what all of them that live at once would take; what kernels
use inside themselves, some tens of megabytes, is not in it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from measuring import ROOT, Row, print_table

sys.path.insert(0, str(ROOT))

WAYS = ("none", "components", "blocks", "sequential")
STEPS = 2
# Bytes in the tightest way, as asked for.
GOALS = {"SD 1.5": 1.2e9, "SDXL": 2.5e9}


def rows() -> list[Row]:
    """Peaks as shares of what it takes to keep everything resident; the tightest way against its goal."""
    import torch

    from tests.support import published

    sizes: dict[str, tuple[Mapping[str, Any], int]] = {"SD 1.5": (published.sd15(), 512), "SDXL": (published.sdxl(), 1024)}
    is_real = torch.cuda.is_available()
    if not is_real:
        print("No graphics card here: the peaks are simulated, and count tensors only.")
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for title, (shapes, side) in sizes.items():
            peaks = {way: (_real if is_real else _simulated)(Path(scratch), title, shapes, side, way) for way in WAYS}
            for way, peak in peaks.items():
                found.append(Row(f"{title}, {side}x{side}: {way}", _gigabytes(peak), _gigabytes(peaks["none"]), peak / peaks["none"]))
            tightest = min(peaks.values())
            found.append(Row(f"{title}, {side}x{side}: tightest / goal", _gigabytes(tightest), _gigabytes(GOALS[title]), tightest / GOALS[title], 1.0))
    return found


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


def _job(scratch: Path, title: str, shapes: Mapping[str, Any], side: int, way: str) -> None:
    from sfumato.engine.tasks.generate import run
    from sfumato.jobs.context import JobContext, Kept
    from sfumato.jobs.places import Places
    from sfumato.protocol.requests.generate import Generate
    from tests.support.recording import Recording
    from tests.support.tiny_models import write_headers_only

    name = title.replace(" ", "-").lower()
    path = scratch / "models" / "checkpoints" / f"{name}.safetensors"
    if not path.exists():
        write_headers_only(path, shapes)
    context = JobContext("memory", Places(scratch, scratch / "outputs", (scratch / "models",)), Recording(), Kept(), {})
    run(Generate(model=name, prompt="a red circle", width=side, height=side, steps=STEPS, seed=1, preview="off", dtype="fp16", offload=way), context)


@contextmanager
def _weights(make: Callable[..., Any]) -> Iterator[None]:
    """Weights come from `make` instead of from a file; finished pictures are grey, as random weights may give none."""
    import numpy as np

    from sfumato.engine import decoding, reading

    def read(self: Any, wanted: Mapping[str, Any], dtype: Any, device: Any) -> dict[str, Any]:
        return {name: make(stored.shape, dtype, device) for name, stored in wanted.items()}

    grey = mock.patch.object(decoding, "to_pixels", lambda picture: np.full((*picture.shape[-2:], 3), 128, np.uint8))
    with mock.patch.object(reading.Reader, "read", read), grey:
        yield


def _simulated(scratch: Path, title: str, shapes: Mapping[str, Any], side: int, way: str) -> int:
    import torch

    from tests.support.small_device import small_device

    # A number for each weight, shown in its shape: it takes no memory until it comes to the device.
    with small_device(sizes_only=True) as device, _weights(lambda shape, dtype, place: torch.zeros((), dtype=dtype).expand(shape).to(place)):
        _job(scratch, title, shapes, side, way)
        return device.highest_bytes


def _real(scratch: Path, title: str, shapes: Mapping[str, Any], side: int, way: str) -> int:
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    peaks = [0]

    def begin() -> None:
        # The engine measures its own units by the same counter; the highest of all readings is the job's.
        peaks[0] = max(peaks[0], torch.cuda.max_memory_allocated())
        torch.cuda.reset_peak_memory_stats()

    from dataclasses import replace

    from sfumato.engine import device as devices

    row = replace(devices.KINDS["cuda"], begin_peak=begin)
    with mock.patch.dict(devices.KINDS, {"cuda": row}), _weights(lambda shape, dtype, place: torch.randn(shape, dtype=dtype, device=place) * 0.02):
        _job(scratch, title, shapes, side, way)
        torch.cuda.synchronize()
        return max(peaks[0], torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    print_table(rows())
