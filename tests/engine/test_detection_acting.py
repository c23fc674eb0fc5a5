"""Parameters that a model does not read are refused by name, all at once, instead of doing nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sfumato.engine.acting import ACTING, acts, check_acting
from sfumato.engine.catalog import model_row
from sfumato.library.models import ModelEntry
from sfumato.protocol.errors import Invalid
from sfumato.protocol.requests.generate import Generate
from tests.engine.conftest import load
from tests.support.tiny_models import Kind, TinyFiles

_TOLD = ("original_width", "original_height", "crop_left", "crop_top")
_SET: dict[str, Any] = {
    "vae": "x", "clip": "x", "clip_2": "x", "prompt_2": "x", "negative_2": "x", "original_width": 64, "original_height": 64, "crop_left": 8, "crop_top": 8,
    "target_width": 64, "target_height": 64, "aesthetic": 5.0, "negative_aesthetic": 1.0, "zero_empty_negative": False, "image_guidance": 2.0,
    "mask_weight": 0.5,
}  # fmt: skip
_ACTS: dict[tuple[Kind, int], set[str]] = {
    ("sd1", 4): {"vae", "clip"},
    ("sd2", 4): {"vae", "clip"},
    ("sd1", 9): {"vae", "clip", "mask_weight"},
    ("sd1", 8): {"vae", "clip", "image_guidance"},
    ("sdxl", 4): {"vae", "clip", "clip_2", "prompt_2", "negative_2", *_TOLD, "target_width", "target_height", "zero_empty_negative"},
    ("refiner", 4): {"vae", "clip_2", *_TOLD, "aesthetic", "negative_aesthetic", "zero_empty_negative"},
}


@pytest.mark.rule("E16", "E126")
@pytest.mark.parametrize(("kind", "channels"), _ACTS)
def test_what_does_not_act_is_refused(tiny_files: TinyFiles, kind: Kind, channels: int) -> None:
    model = load(tiny_files.single(kind, channels))
    assert _SET.keys() == ACTING.keys()
    check_acting(Generate(), model)
    check_acting(Generate(**{name: _SET[name] for name in _ACTS[kind, channels]}), model)
    for name, value in _SET.items():
        assert acts(name, model) is (name in _ACTS[kind, channels])
        if not acts(name, model):
            with pytest.raises(Invalid) as caught:
                check_acting(Generate(**{name: value}), model)
            assert caught.value.path == name
            assert caught.value.message == f"{model.family.title} does not use '{name}'."


@pytest.mark.rule("E16", "D49")
@pytest.mark.parametrize(("kind", "channels"), _ACTS)
def test_the_catalog_says_the_same_from_the_header_alone(tiny_files: TinyFiles, kind: Kind, channels: int) -> None:
    path = tiny_files.single(kind, channels)
    stat = path.stat()
    row = model_row(ModelEntry(path.stem, path, "safetensors", stat.st_size, stat.st_mtime_ns))
    assert set(row["idle"]) == ACTING.keys() - _ACTS[kind, channels]


@pytest.mark.rule("E16", "E120", "E126")
def test_all_idle_fields_are_named_at_once_and_later_models_count(tiny_files: TinyFiles) -> None:
    base, refiner = load(tiny_files.single("sdxl")), load(tiny_files.single("refiner"))
    with pytest.raises(Invalid, match=r"SDXL refiner does not use 'clip'\. SDXL refiner does not use 'target_width'\.") as caught:
        check_acting(Generate(clip="x", target_width=64), refiner)
    assert caught.value.path == "clip,target_width"
    with pytest.raises(Invalid):
        check_acting(Generate(aesthetic=5.0), base)
    check_acting(Generate(aesthetic=5.0), base, (refiner,))
    assert acts("steps", base)
