"""Small pictures with something to see in them, and a workshop on the CPU."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.annotators import Maps, Workshop
from sfumato.engine.annotators.networks.files import KeptNetworks, Networks


@pytest.fixture
def disc() -> NDArray[np.uint8]:
    """(60, 80, 3): a light disc of radius 20 on dark ground."""
    rows, columns = np.mgrid[:60, :80]
    inside = (columns - 40) ** 2 + (rows - 30) ** 2 <= 20**2
    return np.where(inside[..., None], np.array([230, 200, 180]), np.array([20, 30, 60])).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(Maps(), Networks(KeptNetworks(), (tmp_path / "models",), torch.device("cpu")), lambda: None)
