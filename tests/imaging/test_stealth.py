"""Texts hidden in the lowest bits of pixels, hidden by this test after the description of the form."""

from __future__ import annotations

import gzip
import io
import json
import random

import pytest
from PIL import Image

from sfumato.imaging import stealth
from sfumato.imaging.picture import read_picture
from tests.imaging.origins.samples import png

INFOTEXT = "a fox 猫\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, Seed: 5, Size: 64x64, Version: v1.10.1"


def hide(text: bytes, mark: bytes, size: tuple[int, int] = (40, 64), announced: int | None = None, *, is_raw: bool = False) -> Image.Image:
    """A picture of random pixels with a text in it, bit by bit."""
    packed = gzip.compress(text) if mark.endswith(b"comp") and not is_raw else text
    data = mark + (len(packed) * 8 if announced is None else announced).to_bytes(4, "big") + packed
    bits = [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]
    width, height = size
    is_alpha = b"png" in mark
    image = Image.frombytes("RGBA" if is_alpha else "RGB", size, random.Random(1).randbytes(width * height * (4 if is_alpha else 3)))
    pixels = image.load()
    assert pixels is not None
    per_pixel = 1 if is_alpha else 3
    for number in range(0, len(bits), per_pixel):
        column, row = divmod(number // per_pixel, height)
        colour = list(pixels[column, row])
        for offset, bit in enumerate(bits[number : number + per_pixel]):
            place = 3 if is_alpha else offset
            colour[place] = colour[place] & 254 | bit
        pixels[column, row] = tuple(colour)
    return image


MARKS = (b"stealth_pnginfo", b"stealth_pngcomp", b"stealth_rgbinfo", b"stealth_rgbcomp")


@pytest.mark.rule("M17")
@pytest.mark.parametrize("mark", MARKS)
def test_a_hidden_infotext_is_found_where_nothing_else_is(mark: bytes) -> None:
    reading = read_picture(png(hide(INFOTEXT.encode(), mark)))
    assert (reading.source, reading.fields["seed"], reading.fields["prompt"], reading.warnings) == ("automatic1111", 5, "a fox 猫", ())


@pytest.mark.rule("M17")
def test_hidden_texts_of_a_whole_png_are_read_as_if_they_were_its_own() -> None:
    texts = {"Software": "NovelAI", "Source": "NovelAI Diffusion V4", "Description": "{x}", "Comment": json.dumps({"steps": 28, "seed": 7, "uc": ""})}
    reading = read_picture(png(hide(json.dumps(texts).encode(), b"stealth_pngcomp")))
    assert (reading.source, reading.fields["prompt"], reading.fields["steps"]) == ("novelai", "(x:1.05)", 28)
    nested = {**texts, "Comment": {"steps": 29}}
    assert read_picture(png(hide(json.dumps(nested).encode(), b"stealth_pnginfo"))).fields["steps"] == 29


@pytest.mark.rule("M15", "M17")
def test_other_texts_count_first_unless_it_is_asked_for() -> None:
    hidden = hide(INFOTEXT.encode(), b"stealth_pnginfo")
    data = png(hidden, parameters="other\nSteps: 3, Seed: 9, Size: 64x64")
    assert read_picture(data).fields["seed"] == 9
    assert read_picture(data, seek_hidden=True).fields["seed"] == 5
    assert read_picture(png(parameters="other\nSteps: 3, Seed: 9, Size: 64x64"), seek_hidden=True).fields["seed"] == 9


@pytest.mark.rule("M17")
def test_webp_without_loss_keeps_them_too() -> None:
    file = io.BytesIO()
    hide(INFOTEXT.encode(), b"stealth_rgbcomp").save(file, "WEBP", lossless=True)
    assert read_picture(file.getvalue()).fields["seed"] == 5


@pytest.mark.rule("M17", "M18")
@pytest.mark.parametrize("mark", MARKS)
def test_a_length_that_the_picture_cannot_hold_is_not_believed(mark: bytes) -> None:
    for announced in (2**32 - 1, 40 * 64 * 3 + 8, 12):
        reading = read_picture(png(hide(b"x", mark, announced=announced)))
        assert reading.source == "none"
        assert "cannot hold" in reading.warnings[0]


@pytest.mark.rule("M18")
def test_hidden_bombs_and_damage_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stealth, "INFLATED_LIMIT_BYTES", 1000)
    assert "larger than 1000" in read_picture(png(hide(b"x" * 5000, b"stealth_pngcomp"))).warnings[0]
    assert "damaged" in read_picture(png(hide(b"not gzip", b"stealth_pngcomp", is_raw=True))).warnings[0]
    assert read_picture(png(hide(b"{" * 280, b"stealth_pnginfo"))).source in ("none", "automatic1111")
    monkeypatch.setattr(stealth, "PIXELS_AT_MOST", 100)
    assert "megapixels" in read_picture(png(hide(INFOTEXT.encode(), b"stealth_pnginfo"))).warnings[0]


def test_small_and_plain_pictures_hide_nothing() -> None:
    for size in ((1, 1), (3, 50), (200, 1)):
        for mode in ("RGB", "RGBA", "L", "P", "LA"):
            assert read_picture(png(Image.new(mode, size))).source == "none"
