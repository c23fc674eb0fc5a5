"""What previews cost at their default interval: the denoising stage of the same job in each mode against none, with the model that ships.

The tiny autoencoder has the published size (2.4 million weights) and random numbers in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from measuring import ROOT, Row, compare, measure, print_table

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from sfumato.engine.tasks.generate import run
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.protocol.requests.generate import Generate

GOAL = 1.05
MODES = ("linear", "tiny", "full")


class Counting:
    """A reporter that counts previews and forgets everything else."""

    def __init__(self) -> None:
        self.previews = 0

    def progress(self, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None:
        self.previews += len(preview)

    def artifact(self, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None:
        pass


def write_tiny(models: Path) -> None:
    """`vae_approx/taesd_decoder.safetensors`: the decoder of diffusers' AutoencoderTiny, untrained."""
    decoder = AutoencoderTiny().decoder.state_dict()
    target = models / "vae_approx" / "taesd_decoder.safetensors"
    target.parent.mkdir(parents=True)
    save_file({f"decoder.{key}": value.contiguous() for key, value in decoder.items()}, target)


def compared(size: int, steps: int, rounds: int) -> list[Row]:
    """One row for each mode."""
    # Checksums are computed while nothing else is done, and may still be written there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        root = Path(scratch)
        write_tiny(root / "models")
        places, kept = Places(root, root / "outputs", (ROOT / "models", root / "models")), Kept()
        counts: dict[str, int] = {}

        def candidate(mode: str) -> Callable[[], float]:
            request = Generate(prompt="a red circle", model="sfumato-starter", steps=steps, sampler="Euler", seed=1, width=size, height=size, preview=mode)

            def seconds() -> float:
                reporter = Counting()
                result = run(request, JobContext("benchmark", places, reporter, kept, {}))
                counts[mode] = reporter.previews
                return result.seconds["denoise"]

            return seconds

        found = measure({mode: candidate(mode) for mode in ("off", *MODES)}, rounds)
    return [compare(f"starter, {size} px, {steps} steps: {mode} previews ({counts[mode]} made) / none", found[mode], found["off"], GOAL) for mode in MODES]


def rows() -> list[Row]:
    """A minute or two on two idle cores; busy ones tell nothing."""
    return compared(size=64, steps=64, rounds=7) + compared(size=256, steps=24, rounds=3)


if __name__ == "__main__":
    print_table(rows())
