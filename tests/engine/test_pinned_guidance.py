"""The numbers of every guidance rule and patch stay what they are: a change is meant, written down, and pinned anew by `data/guidance.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.engine.data.guidance import CASES, KINDS, PINNED, fresh, pinned_values
from tests.support.tiny_models import Kind


@pytest.mark.rule("E123")
@pytest.mark.parametrize("kind", KINDS)
def test_guidance_gives_the_pinned_numbers(tmp_path: Path, kind: Kind) -> None:
    model, pinned = fresh(kind, tmp_path), json.loads(PINNED.read_text())[kind]
    assert pinned.keys() == CASES.keys()
    for name, settings in CASES.items():
        np.testing.assert_allclose(pinned_values(model, **settings), pinned[name], atol=2e-3, err_msg=name)
    values = list(pinned.values())
    assert all(not np.allclose(one, other, atol=1e-2) for number, one in enumerate(values) for other in values[:number])
