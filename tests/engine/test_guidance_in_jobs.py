"""The parameters of texts and guidance reach the picture through a whole job; that each of them acts on the prediction is proven in `test_guiding`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sfumato.engine import conditioning
from sfumato.protocol.errors import Invalid
from tests.support.painting import encoded
from tests.support.studio import Studio, box_mask, gradient
from tests.support.tiny_models import PIX2PIX, Kind, TinyFiles

LONG = "a red circle BREAK blue sky"
AREA = {"areas": encoded(box_mask((0, 0, 32, 64)))}

# What the picture is compared with, and what is turned there.
ACTING: list[tuple[Kind, dict[str, Any], dict[str, Any]]] = [
    ("sd1", {"prompt": "a (red:1.4) circle"}, {"emphasis": "no_norm"}),
    ("sd1", {"prompt": "a (red:1.4) circle"}, {"emphasis": "interpolate"}),
    ("sd1", {"prompt": "a (red:-1.4) circle"}, {"attention_negative": "value"}),
    ("sd1", {"prompt": "a [red:blue:1] circle", "steps": 5}, {"prompt": "a [red:blue:3] circle"}),
    ("sd1", {"prompt": "[a:b:1.0]"}, {"timelines": "old"}),
    ("sd1", {"prompt": "a AND b"}, {"and_default": 0.5}),
    ("sd1", {"prompt": "a:2"}, {"lone_weight": True}),
    ("sd1", {"negative": "b AND c"}, {"negative_and": True}),
    ("sd1", {"prompt": "a START b, END"}, {"special_words": False}),
    ("sd1", {"prompt": ", ".join(["a very long tale told"] * 20)}, {"comma_padding_backtrack": 0}),
    ("sd1", {"prompt": LONG, "guidance": 20.0}, {"pad_conds": "on"}),
    ("sd1", {"prompt": LONG, "guidance": 20.0}, {"pad_conds": "v0"}),
    ("sd1", {"prompt": "a circle"}, {"clip_skip": 2}),
    ("sdxl", {"prompt": "a circle"}, {"clip_skip": 1}),
    ("sdxl", {"prompt": "a circle"}, {"prompt_2": "a square"}),
    ("sdxl", {"negative": "dark"}, {"negative_2": "blurry"}),
    ("sdxl", {}, {"zero_empty_negative": False}),
    ("sdxl", {}, {"original_width": 512}),
    ("sdxl", {}, {"crop_top": 128}),
    ("sdxl", {}, {"target_height": 512}),
    ("refiner", {}, {"aesthetic": 2.0}),
    ("sd1", {}, {"cfg_rescale": 0.7}),
    ("sd1", {}, {"cfg_start": 0.4}),
    ("sd1", {}, {"s_min_uncond": 10.0}),
    ("sd1", {}, {"pag_scale": 3.0}),
    ("sd1", {}, {"guidance_rule": "apg", "apg_eta": 0.0}),
    ("sd1", {"negative": "dark"}, {"guidance_rule": "perp_neg"}),
    ("sd1", {"guidance": 20.0}, {"guidance_rule": "dynamic"}),
    ("sd1", {}, {"freeu_b1": 1.5}),
    ("sd1", {"prompt": "a AND b"}, {"areas": ("areas",)}),
    ("sd1", {"prompt": "a AND b", "areas": ("areas",)}, {"area_feather": 8.0}),
]


Plain = dict[tuple[Kind, str], np.ndarray]


@pytest.fixture(scope="module")
def plain() -> Plain:
    """The pictures that others are compared with, each made once."""
    return {}


@pytest.mark.slow
@pytest.mark.rule("P65", "E28", "E29", "E52", "E53", "E54", "E55", "E56", "E57", "P29")
@pytest.mark.parametrize(("kind", "base", "turned"), ACTING, ids=lambda value: "-".join(value) if isinstance(value, dict) else value)
def test_parameters_act_in_a_job(studio: Studio, plain: Plain, kind: Kind, base: dict[str, Any], turned: dict[str, Any]) -> None:
    common = {"model": studio.model(kind), "blobs": AREA}
    if (kind, repr(base)) not in plain:
        plain[kind, repr(base)] = studio.one(**{**common, **base})
    assert not np.array_equal(plain[kind, repr(base)], studio.one(**{**common, **base, **turned}))


@pytest.mark.rule("E58")
def test_freeu_has_numbers_for_two_levels(tmp_path: Path) -> None:
    studio = Studio(TinyFiles(tmp_path / "models"), tmp_path)
    pictures = [studio.one(steps=2, **turned) for turned in ({}, {"freeu_b2": 1.6}, {"freeu_s2": 0.2})]
    assert len({picture.tobytes() for picture in pictures}) == 3


@pytest.mark.rule("P29", "E120")
def test_more_areas_than_parts_are_refused(studio: Studio) -> None:
    with pytest.raises(Invalid) as refused:
        studio.one(prompt="a circle", areas=("areas",), blobs=AREA)
    assert refused.value.path == "areas"


@pytest.mark.rule("E25", "E120")
def test_and_is_refused_by_models_that_change_pictures(studio: Studio) -> None:
    model = studio.model("sd1", PIX2PIX)
    with pytest.raises(Invalid) as refused:
        studio.one(gradient(), model=model, prompt="a AND b")
    assert refused.value.path == "prompt"
    plain = studio.one(gradient(), model=model, prompt="a AND b", image_guidance=1.0)
    assert not np.array_equal(plain, studio.one(gradient(), model=model, prompt="a"))
    assert not np.array_equal(studio.one(gradient(), model=model), studio.one(gradient(), model=model, image_guidance=2.5))


@pytest.mark.rule("R133", "E112", "P25")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_R133_the_same_texts_again_call_no_encoder(studio: Studio, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    texts = {"model": studio.model(kind), "prompt": "a [new|fresh] circle AND b", "negative": "[dark:grim:1]"}
    studio.one(**texts)
    monkeypatch.setattr(conditioning, "read_chunk", lambda *args: pytest.fail("a text was encoded again"))
    studio.one(**texts, seed=5, guidance=3.0, sampler="Heun", steps=4)


@pytest.mark.rule("E58")
def test_cfgpp_samplers_evaluate_both_sides_at_guidance_1(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    from sfumato.engine.denoiser import UNetNetwork

    original = UNetNetwork.__call__

    def counted(self: UNetNetwork, x: torch.Tensor, sigma: float, evaluation: Any, moment: Any) -> torch.Tensor:
        batches.append(evaluation.count)
        return original(self, x, sigma, evaluation, moment)

    monkeypatch.setattr(UNetNetwork, "__call__", counted)
    studio.one(sampler="Euler", guidance=1.0, steps=2)
    studio.one(sampler="Euler CFG++", guidance=1.0, steps=2)
    assert batches == [1, 1, 2, 2]
