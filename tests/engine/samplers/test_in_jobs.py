"""Every sampler in whole jobs with a tiny model: the one named is the one run, for as many evaluations as were announced."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from sfumato.engine.samplers import SAMPLERS
from tests.engine.conftest import Bench


@pytest.mark.slow
@pytest.mark.rule("R34", "R8", "E45", "E8")
def test_the_sampler_named_is_the_one_run(models: Path, tmp_path: Path) -> None:
    bench = Bench(models, tmp_path)
    pictures: dict[str, bytes] = {}
    for row in SAMPLERS:
        # When
        result = bench.run(sampler=row.name, schedule="karras", steps=3, width=64, height=64, guidance=1.5, eta_ddim=0.5)
        # Then
        denoising = [said for said in bench.recording.progress_made if said.stage == "denoise"]
        assert (result.sampler, denoising[-1].done) == (row.name, denoising[-1].total)
        if not row.varies:
            assert denoising[-1].total == row.calls(3), row.name
        (pictures[row.name],) = bench.pictures
    alike = {(name, other) for name in pictures for other in pictures if name < other and _pixels(pictures[name]) == _pixels(pictures[other])}
    # The same law, the same method below 20 steps, and the same method but for the last step.
    assert alike <= {("DDPM", "Euler a"), ("Heun", "Restart"), ("LMS", "iPNDM-v")}


def _pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()
