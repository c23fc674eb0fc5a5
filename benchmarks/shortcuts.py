"""What shortcuts and other attention save: passes of guided calls with each, against the same pass without, in turn.

Random weights of half SD 1.5's width at its size; on a graphics card of its own width. DeepCache needs several calls to show, the others one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from measuring import Row, compare, measure, print_table, timed

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch
from engine_loop import SD15, random_unet

from sfumato.engine.attachments import Attachment, Moment
from sfumato.engine.attention import KERNELS, Kernel, attending
from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.denoiser import Row as Side
from sfumato.engine.denoiser import UNetNetwork
from sfumato.engine.device import choose
from sfumato.engine.families import FAMILIES
from sfumato.engine.family import Model
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.patches.deepcache import DeepCache
from sfumato.engine.patches.hypertile import HyperTile
from sfumato.engine.patches.token_merging import TokenMerging

HALF = UNetConfiguration.regular((160, 320, 640, 640), (1, 1, 1, 0), 768, heads=8, linear_projection=False)
LATENT_PX = 64


class Pass:
    """Guided calls of one network, with something attached or computed otherwise."""

    def __init__(self, calls: int) -> None:
        device = choose()
        configuration = SD15 if device.torch.type == "cuda" else HALF
        family = FAMILIES[0]
        self._calls = calls
        self._model = Model(
            family=family,
            checkpoint=Checkpoint(Path("random"), "random", {}),
            device=device,
            unet=random_unet(configuration).to(memory_format=torch.channels_last),
            vae=None,  # type: ignore[arg-type]  nothing is decoded
            encoders=(),
            text=family.text,
            vector=family.vector,
            prediction="eps",
            table=NoiseTable(),
            latent=family.latent,
            native_px=LATENT_PX * family.latent.factor,
        )
        generator = torch.Generator("cpu").manual_seed(1)
        self._said = [Conditioning(torch.randn((1, 77, configuration.context_width), generator=generator)) for _ in range(2)]
        self._x = torch.randn((1, 4, LATENT_PX, LATENT_PX), generator=generator).to(device.torch)

    def run(self, *attachments: Attachment, kernel: Kernel = KERNELS["auto"]) -> None:
        """One pass."""
        network = UNetNetwork(replace(self._model), attachments=attachments)
        with torch.inference_mode(), attending([self._model.unet], kernel), network.patched():
            ready = network.prepare([Side(0, said) for said in self._said], 1)
            for call in range(self._calls):
                network(self._x, 5.0, ready, Moment(call, self._calls))
            if self._x.device.type == "cuda":
                torch.cuda.synchronize()


def rows(rounds: int = 3) -> list[Row]:
    """Some minutes on two idle cores."""
    work = Pass(calls=3)
    candidates = {
        "plain": lambda: work.run(),
        "token merging 0.5": lambda: work.run(TokenMerging(0.5)),
        "HyperTile 256 px": lambda: work.run(HyperTile(32)),
        "DeepCache 3": lambda: work.run(DeepCache(3)),
    }
    here = choose().torch.type
    for name in ("split", "xformers", "sage"):
        row = KERNELS[name]
        if row.is_installed and (not row.devices or here in row.devices):
            candidates[f"attention {name}"] = lambda row=row: work.run(kernel=row)
    found = measure({name: timed(candidate) for name, candidate in candidates.items()}, rounds)
    return [compare(f"{name} / none, 512 px, 3 calls", seconds, found["plain"]) for name, seconds in found.items() if name != "plain"]


if __name__ == "__main__":
    print_table(rows())
