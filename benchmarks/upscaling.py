"""What tiles cost: a picture enlarged in pieces against the same at once, and the memory that the pieces take.

Random weights of the published sizes: Real-ESRGAN's compact network everywhere, ESRGAN itself where there is a graphics card.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from measuring import Row, compare, measure, print_table, timed

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch
from torch import nn

from sfumato.engine.device import Device, choose
from sfumato.engine.upscalers.compact import Compact
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.engine.upscalers.rrdb import Rrdb
from sfumato.engine.upscalers.tiles import Tiling, enlarge

ROUNDS = 3
# Tiles see what they share twice, and are whole multiples of 16 pixels: at these sizes they compute 1.15 and 1.27 times the picture.
GOAL = 1.3
SIDES = {"cpu": (400, 300)}
GPU_SIDE = (1024, 1024)


def _network(module: nn.Module, scale: int, device: Device) -> ImageNetwork:
    torch.manual_seed(0)
    module = module.eval().requires_grad_(False).to(device.torch, device.dtype)
    return ImageNetwork("benchmark", type(module).__name__, module, scale, 3, module, device.torch, device.dtype)


def _enlarging(network: ImageNetwork, side: tuple[int, int], tiling: Tiling) -> Callable[[], None]:
    pixels = np.random.default_rng(0).integers(0, 256, (side[1], side[0], 3), dtype=np.uint8)

    def run() -> None:
        enlarge(pixels, network, network.scale, tiling)

    return run


def _peak_bytes(run: Callable[[], None]) -> float:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return float(torch.cuda.max_memory_allocated() - before)


def rows() -> list[Row]:
    device = choose()
    is_gpu = device.torch.type == "cuda"
    side = SIDES.get(device.torch.type, GPU_SIDE)
    networks = {"Real-ESRGAN compact x4": _network(Compact(3, 3, 64, 16, 4), 4, device)}
    if is_gpu:
        networks["ESRGAN x4"] = _network(Rrdb(3, 3, 64, 32, 23, 2, 1), 4, device)
    found = []
    for name, network in networks.items():
        ways = {"whole": _enlarging(network, side, Tiling(0)), "tiled": _enlarging(network, side, Tiling())}
        spent = measure({way: timed(run) for way, run in ways.items()}, ROUNDS)
        found.append(compare(f"{name}, {side[0]}x{side[1]}: in tiles of 192 / at once", spent["tiled"], spent["whole"], GOAL))
        if is_gpu:
            tiled, whole = _peak_bytes(ways["tiled"]), _peak_bytes(ways["whole"])
            found.append(Row("the same: peak of memory in tiles / at once", f"{tiled / 2**20:.0f} MiB", f"{whole / 2**20:.0f} MiB", tiled / whole, 0.1))
    return found


if __name__ == "__main__":
    print_table(rows())
