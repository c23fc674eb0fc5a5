"""Writes `brownian_increments.json`: increments of torchsde's BrownianTree over Philox noise, for the program's own tree to be checked against.

Run it by hand with torchsde installed and `source` on the path: `python tests/engine/data/brownian_increments.py`. Philox stands in for torch's
generator, as in AUTOMATIC1111 with its noise source NV, because its numbers are the same in every version of torch.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
import torchsde
from torchsde._brownian import brownian_interval

from sfumato.engine.philox import normal

CASES = [
    (0, 0.029167, 14.614641, [(14.614641, 9.5), (9.5, 3.25), (14.614641, 3.25), (3.25, 0.7), (0.7, 0.0321), (0.0321, 0.029167)]),
    (1234567890123, 0.1, 10.0, [(10.0, 5.05), (5.05, 5.04), (7.7, 0.1)]),
    (2**63 - 1, 0.029167, 4518.764, [(4518.764, 81.0), (81.0, 2.0), (2.0, 1.999999)]),
]


def main() -> None:
    def noise(size: tuple[int, ...], dtype: torch.dtype, device: Any, seed: int) -> torch.Tensor:
        return torch.from_numpy(normal(int(seed), 0, math.prod(size))).view(size).to(dtype)

    brownian_interval._randn = noise
    cases = []
    for seed, low, high, intervals in CASES:
        tree = torchsde.BrownianTree(low, torch.zeros(1, 2, 3, dtype=torch.float64), high, entropy=seed)
        # From the higher level to the lower: minus what the tree gives.
        increments = [[round(-value, 12) for value in tree(end, start).flatten().tolist()] for start, end in intervals]
        cases.append({"seed": seed, "low": low, "high": high, "intervals": intervals, "increments": increments})
    Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
