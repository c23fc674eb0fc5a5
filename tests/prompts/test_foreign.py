"""The switches under which foreign prompts keep their meaning, and that pictures read from those programs set them."""

import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sfumato.imaging.picture import read_picture
from sfumato.prompts import PromptOptions, foreign_switches
from sfumato.prompts.options import Origin
from sfumato.protocol.requests.generate import Generate


def picture(infotext: str) -> bytes:
    info = PngInfo()
    info.add_text("parameters", infotext)
    written = io.BytesIO()
    Image.new("RGB", (64, 64)).save(written, "png", pnginfo=info)
    return written.getvalue()


@pytest.mark.rule("P66")
def test_foreign_prompts_set_the_switches_of_their_origin() -> None:
    usual = {"lone_weight": True, "tag_schedules": False, "dynamic": False}
    assert foreign_switches("automatic1111", version="v1.10.1", prompt="[a:b:5]") == usual
    assert foreign_switches("automatic1111", version="v1.5.2", prompt="a") == usual
    assert foreign_switches("automatic1111", version="v1.5.2", prompt="[a:b:5]") == {**usual, "timelines": "old"}
    assert foreign_switches("automatic1111", version="1.6.0-RC", prompt="[a]") == usual
    assert foreign_switches("automatic1111", version="", prompt="[a]") == usual
    assert foreign_switches("qdiffusion") == {"lora_order": "unet_te", "and_default": 0.8, "negative_and": True, "attention_negative": "value"}
    for origin in ("automatic1111", "qdiffusion"):
        assert PromptOptions(**foreign_switches(origin)).changed() == foreign_switches(origin)  # type: ignore[arg-type]


@pytest.mark.rule("P66")
@pytest.mark.parametrize(
    ("origin", "version", "infotext"),
    [
        ("automatic1111", "v1.10.1", "a [b:c:5]\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Version: v1.10.1"),
        ("automatic1111", "v1.5.2", "a [b:c:5]\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Version: v1.5.2"),
        ("qdiffusion", "", "a cat\nMode: txt2img, Steps: 5, Sampler: Euler, Schedule: Karras, Seed: 3"),
    ],
)
def test_pictures_set_those_switches_that_a_request_has(origin: Origin, version: str, infotext: str) -> None:
    reading = read_picture(picture(infotext))
    assert reading.source == origin
    expected = {name: value for name, value in foreign_switches(origin, version=version, prompt="a [b:c:5]").items() if name in Generate.model_fields}
    assert {name: value for name, value in reading.fields.items() if name in foreign_switches(origin, version="v1.0", prompt="[")} == expected
