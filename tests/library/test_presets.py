"""Presets of distilled models: recognised by word, never by part of one, and filling only what nobody set."""

from __future__ import annotations

import pytest

from sfumato.engine.samplers import find_sampler
from sfumato.engine.schedules import find_schedule
from sfumato.library.presets import PRESETS, Preset, preset_for
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate


@pytest.mark.rule("E115")
@pytest.mark.parametrize(
    ("name", "preset", "steps"),
    [
        ("dreamshaper_8LCM", "lcm", 6),
        ("LCM_Dreamshaper_v7_4step", "lcm", 4),
        ("sd_xl_turbo_1.0_fp16", "turbo", 4),
        ("DreamShaperXL_TurboV2", "turbo", 4),
        ("juggernautXL_v9Rdphoto2Lightning_4S", "lightning", 4),
        ("sdxl_lightning_8step", "lightning", 8),
        ("sdxl_lightning_3step", "lightning", 4),
        ("Hyper-SDXL-1step-Unet", "hyper", 1),
        ("hyperrealism_v3", "", 0),
        ("turbine", "", 0),
        ("v1-5-pruned-emaonly", "", 0),
    ],
)
def test_files_are_known_by_the_words_in_their_names(name: str, preset: str, steps: int) -> None:
    found = preset_for(name)
    assert (found.name if found else "") == preset
    assert found is None or found.fields["steps"] == steps


@pytest.mark.rule("E115")
def test_what_a_file_says_of_itself_comes_before_its_name() -> None:
    found = preset_for("turbo-merge", {"modelspec.title": "Something LCM"})
    assert found is not None and found.name == "lcm"


@pytest.mark.rule("E115")
@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_is_a_request_that_can_be_made(preset: Preset) -> None:
    request = validate(Generate, dict(preset.fields))
    assert find_sampler(request.sampler) is not None
    assert request.schedule == "automatic" or find_schedule(request.schedule) is not None
    assert request.guidance <= 2 and request.steps <= 8


@pytest.mark.rule("E115")
def test_only_what_nobody_set_is_filled() -> None:
    assert PRESETS["lcm"].untouched({"steps": 4, "prompt": "a"}) == {"sampler": "LCM", "guidance": 1.5}
