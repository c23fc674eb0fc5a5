"""Image prompts in whole jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine.control.kept import ControlModels
from sfumato.engine.image_prompts.loading import LoadedEncoder, LoadedImagePrompt
from sfumato.engine.memory import Loaded
from sfumato.protocol.requests.control import ControlUnit
from tests.support.image_prompt_files import HIDDEN, adapter, encoder, save
from tests.support.painting import encoded
from tests.support.studio import Pixels, SmallFiles, Studio, box_mask, gradient

BLOBS = {"one": encoded(gradient()), "other": encoded(gradient(96, 48, 90)), "half": encoded(box_mask((0, 0, 32, 64)))}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A process with tiny adapters for tiny checkpoints: plain, plus and full for SD1, xl and xl-plus for SDXL, and one image encoder."""
    files = SmallFiles(tmp_path_factory.mktemp("prompted"))
    for name, kind, projection in (
        ("plain", "sd1", "plain"),
        ("plus", "sd1", "plus"),
        ("full", "sd1", "full"),
        ("xl", "sdxl", "plain"),
        ("xl-plus", "sdxl", "plus"),
    ):
        save(adapter(files.modules(kind).unet, projection), files.root / "ipadapter" / f"{name}.safetensors")  # type: ignore[arg-type]
    save(encoder().state_dict(), files.root / "clip_vision" / "tiny.safetensors")
    return Studio(files, tmp_path_factory.mktemp("data"))


def unit(model: str = "plain", **fields: Any) -> ControlUnit:
    return ControlUnit(**{"image": "one", "model": model, **fields})


def paint(studio: Studio, *units: ControlUnit, **fields: Any) -> list[Pixels]:
    return studio.paint(blobs=BLOBS, control=units, **fields)


def one(studio: Studio, *units: ControlUnit, **fields: Any) -> Pixels:
    (made,) = paint(studio, *units, **fields)
    return made


def differs(picture: Pixels, other: Pixels) -> bool:
    return picture.shape != other.shape or float(np.abs(picture.astype(int) - other).mean()) > 0.5


def weights(studio: Studio) -> dict[str, Tensor]:
    model = studio.kept.get(Loaded).latest
    assert model is not None
    return {name: tensor.clone() for name, tensor in model.unet.state_dict().items()}


@pytest.mark.rule("E83", "E105")
@pytest.mark.parametrize(("kind", "name"), [("sd1", "plain"), ("sd1", "plus"), ("sd1", "full"), ("sdxl", "xl"), ("sdxl", "xl-plus")])
def test_a_picture_prompts_and_leaves_no_trace(shown: Studio, kind: Any, name: str) -> None:
    checkpoint = shown.model(kind)
    plain = one(shown, model=checkpoint)
    before = weights(shown)
    prompted = one(shown, unit(name), model=checkpoint)
    assert differs(prompted, plain)
    assert differs(one(shown, unit(name, image="other"), model=checkpoint), prompted)
    after = weights(shown)
    assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
    unet = shown.kept.get(Loaded).latest.unet  # type: ignore[union-attr]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())
    assert np.array_equal(one(shown, model=checkpoint), plain)
