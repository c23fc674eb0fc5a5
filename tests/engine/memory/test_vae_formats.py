"""Numbers of a VAE that leave float16: known beforehand for a family, found out and remembered for a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sfumato.engine import decoding
from sfumato.engine.device import choose
from sfumato.engine.memory import Loaded
from tests.engine.memory.conftest import Workshop
from tests.support.small_device import small_device
from tests.support.studio import SmallFiles, Studio

CPU_HALF = choose("fp16", "cpu")


def overflowing(files: SmallFiles) -> str:
    """The name of a checkpoint whose VAE's numbers leave float16, but not bfloat16."""
    path = files.root / "checkpoints" / "overflowing.safetensors"
    if not path.exists():
        with safe_open(files.single("sd1"), "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
        tensors["first_stage_model.decoder.conv_in.weight"] *= 3000
        tensors["first_stage_model.post_quant_conv.weight"] *= 300
        save_file(tensors, path, metadata={"modelspec.resolution": "64x64"})
    return path.stem


@pytest.fixture
def formats(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.dtype]]:
    """The number formats in which a VAE decoded."""
    seen: list[torch.dtype] = []
    real = decoding.decoded

    def watched(model: object, latent: torch.Tensor) -> torch.Tensor:
        seen.append(model.vae.dtype)  # type: ignore[attr-defined]
        return real(model, latent)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "decoded", watched)
    return seen


@pytest.mark.rule("E108")
def test_what_overflows_is_decoded_in_wider_formats_which_is_remembered_of_the_file(studio: Studio, formats: list[torch.dtype]) -> None:
    name = overflowing(studio.files)  # type: ignore[arg-type]
    fields = {"model": name, "dtype": "fp32", "vae_dtype": "fp16"}
    first = studio.one(**fields)
    assert formats[0] == torch.float16
    assert formats[-1] in (torch.bfloat16, torch.float32)
    assert first.std() > 0
    # The next job begins there, and paints the same
    found = formats[-1]
    formats.clear()
    assert np.array_equal(studio.one(**fields), first)
    assert formats == [found]
    # But one that is to be the same whatever was before it tries again, and other settings are what they were
    formats.clear()
    studio.one(**fields, deterministic=True)
    assert formats[0] == torch.float16
    formats.clear()
    studio.one(**{**fields, "vae_dtype": "fp32"})
    assert formats == [torch.float32]
    model = studio.kept.get(Loaded).held(studio.files.root / "checkpoints" / f"{name}.safetensors", choose("fp32", "cpu", "fp16"))
    assert model is not None
    assert model.vae.dtype == torch.float16


@pytest.mark.rule("E108")
@pytest.mark.parametrize(("has_bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_vae_of_a_family_known_to_overflow_is_wide_from_the_start(small_files: SmallFiles, has_bfloat16: bool, expected: torch.dtype) -> None:
    with small_device(has_bfloat16=has_bfloat16):
        loaded, report = Loaded(), lambda done, total: None
        assert loaded.load(small_files.single("sdxl"), choose("auto"), report).vae.dtype == expected
        assert loaded.load(small_files.single("sdxl"), choose("auto"), report).unet.dtype == torch.float16
        assert loaded.load(small_files.single("sd1"), choose("auto"), report).vae.dtype == torch.float16
        # What is asked for is done
        assert loaded.load(small_files.single("sdxl"), choose("auto", vae_precision="fp32"), report).vae.dtype == torch.float32


@pytest.mark.rule("E108")
def test_a_vae_that_is_known_to_be_fixed_stays_in_half_precision(small_files: SmallFiles, tmp_path: Path) -> None:
    fixed = tmp_path / "sdxl-vae-fp16-fix.safetensors"
    shutil.copy(small_files.single("sdxl"), fixed)
    assert Loaded().load(fixed, CPU_HALF, lambda done, total: None).vae.dtype == torch.float16
    assert Loaded().load(small_files.single("sdxl"), CPU_HALF, lambda done, total: None).vae.dtype == torch.bfloat16


@pytest.mark.rule("E108")
def test_widening_works_where_the_vae_comes_piece_by_piece(workshop: Workshop, formats: list[torch.dtype]) -> None:
    overflowing(workshop.files)  # type: ignore[arg-type]
    made = workshop.one(model="overflowing", vae_dtype="fp16", offload="sequential")
    assert made.std() > 0
    assert formats[0] == torch.float16
    assert formats[-1] != torch.float16
