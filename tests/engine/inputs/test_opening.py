"""What the engine takes for a picture, and the sentence where it does not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sfumato.engine.inputs import opening
from sfumato.engine.inputs.opening import FORMATS, PIXEL_LIMIT, flattened, open_mask, open_picture, open_pixels
from sfumato.protocol.errors import ImageUnreadable


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colourful(width: int = 6, height: int = 4) -> Image.Image:
    values = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header announces a size, and that holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.rule("X10")
@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_on_the_list_is_read(kind: str) -> None:
    flat = Image.new("RGB", (16, 16), (200, 40, 90))
    opened = open_picture(encoded(flat, kind))
    assert opened.mode == "RGB" and opened.size == (16, 16)
    assert np.abs(np.asarray(opened).astype(int) - np.asarray(flat)).max() <= 6  # lossy ones; GIF's palette holds the colour


@pytest.mark.rule("X10")
@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "EPS", "PCX", "SGI"])
def test_a_format_off_the_list_is_refused(kind: str) -> None:
    with pytest.raises(ImageUnreadable):
        open_picture(encoded(colourful(), kind))


@pytest.mark.rule("E120")
@pytest.mark.parametrize(("field", "what"), [("mask", "The mask"), ("image", "The image"), ("control_image", "The control image")])
def test_unreadable_names_the_field(field: str, what: str) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        open_pixels(b"no picture", field)
    assert caught.value.code == "image_unreadable" and caught.value.path == field
    assert caught.value.message == f"{what} is not a picture Sfumato can read. Use PNG, JPEG or WebP."


@pytest.mark.rule("X10")
@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (10_000, 10_000), (65_535, 65_535)])
def test_too_many_pixels_are_an_error_before_anything_is_decoded(width: int, height: int) -> None:
    # Without pixels inside, so that only the announced size can be what was refused.
    with pytest.raises(ImageUnreadable, match=r"more than 64 million\. Make it smaller") as caught:
        open_picture(png_of_size(width, height), "mask")
    assert caught.value.path == "mask"


@pytest.mark.rule("X10")
def test_the_limit_itself_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PIXEL_LIMIT == 64_000_000
    monkeypatch.setattr(opening, "PIXEL_LIMIT", 24)
    assert open_picture(encoded(colourful(6, 4))).size == (6, 4)
    with pytest.raises(ImageUnreadable):
        open_picture(encoded(colourful(5, 5)))


@pytest.mark.rule("E61")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    # Given: what the camera stored, by the definition of each value: where row 0 and column 0 of the stored picture are seen
    upright = np.asarray(colourful(5, 3))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    # Then
    opened = open_picture(encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options))
    assert np.array_equal(np.asarray(opened), upright)


@pytest.mark.rule("E61")
@pytest.mark.parametrize("kind", ["profile", "xmp"])
def test_orientation_in_the_texts_of_a_png_is_applied(kind: str) -> None:
    exif, texts = Image.Exif(), PngInfo()
    exif[0x0112] = 6
    block = exif.tobytes()
    if kind == "profile":
        texts.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    else:
        texts.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
    opened = open_picture(encoded(colourful(5, 3), pnginfo=texts))
    assert np.array_equal(np.asarray(opened), np.rot90(np.asarray(colourful(5, 3)), -1))


def test_a_damaged_exif_turns_nothing() -> None:
    assert open_picture(encoded(colourful(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")).size == (6, 4)


@pytest.mark.rule("E61")
def test_transparency_shows_the_background() -> None:
    values = np.zeros((1, 256, 4), np.uint8)
    values[0, :, :3], values[0, :, 3] = (10, 200, 77), np.arange(256)
    data = encoded(Image.fromarray(values))
    for background, colour in (("#ffffff", (255, 255, 255)), ("#102030", (16, 32, 48))):
        alpha = np.arange(256)[:, None] / 255
        wanted = np.array((10, 200, 77)) * alpha + np.array(colour) * (1 - alpha)
        opened = np.asarray(open_picture(data, background=background))[0]
        assert np.abs(opened - wanted).max() <= 0.5 + 1e-9
    assert np.array_equal(np.asarray(open_picture(data)), np.asarray(open_picture(data, background="#ffffff")))


def test_opaque_alpha_is_dropped_and_flattening_rgb_is_nothing() -> None:
    opaque = colourful().convert("RGBA")
    opened = open_pixels(encoded(opaque))
    assert opened.mode == "RGB" and np.array_equal(np.asarray(opened), np.asarray(colourful()))
    assert flattened(opened, "#000000") is opened


def test_palettes_with_a_transparent_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    opened = open_picture(encoded(image, transparency=0), background="#00ff00")
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_rounded_to_eight(kind: str) -> None:
    values = np.arange(0, 65536, 41, dtype=np.uint16).reshape(1, -1)
    opened = np.asarray(open_picture(encoded(Image.fromarray(values), kind)))
    assert np.array_equal(opened[..., 0], np.floor(values / 257 + 0.5).astype(np.uint8))
    assert np.array_equal(opened[..., 0], opened[..., 2])


def test_floating_point_pictures_reach_from_black_to_white() -> None:
    values = np.array([[0, 0.25, 1, 7, -3, np.nan]], np.float32)
    assert list(np.asarray(open_picture(encoded(Image.fromarray(values), "TIFF")))[0, :, 1]) == [0, 64, 255, 255, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = {"CMYK": "TIFF", "YCbCr": "TIFF", "LAB": "TIFF"}.get(mode, "PNG")
    assert open_picture(encoded(Image.new(mode, (3, 2)), kind)).mode == "RGB"


def test_a_print_picture_keeps_its_colours() -> None:
    opened = open_picture(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert np.abs(np.asarray(opened).astype(int) - (255, 0, 0)).max() <= 3


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP"):
        assert open_picture(encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)).getpixel((0, 0))[0] > 250


def test_large_texts_do_not_keep_a_picture_from_being_opened() -> None:
    # Our own record of a long prompt unpacks to more than Pillow would take.
    texts = PngInfo()
    texts.add_itxt("sfumato", "x" * 3_000_000, zip=True)
    texts.add_text("parameters", "y" * 2_000_000, zip=True)
    opened = open_picture(encoded(colourful(), pnginfo=texts))
    assert np.array_equal(np.asarray(opened), np.asarray(colourful()))


@pytest.mark.rule("E63")
def test_a_mask_is_its_brightness_or_its_transparency() -> None:
    grey = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10)
    assert np.array_equal(np.asarray(open_mask(encoded(grey))), np.asarray(grey))
    # Painted over a picture: the colour is that of the picture or of the brush, the mask is where the brush was.
    painted = colourful().convert("RGBA")
    painted.putalpha(grey)
    assert np.array_equal(np.asarray(open_mask(encoded(painted))), np.asarray(grey))
    opaque = Image.merge("RGBA", [grey, grey, grey, Image.new("L", (6, 4), 255)])
    assert np.array_equal(np.asarray(open_mask(encoded(opaque))), np.asarray(grey))


def test_truncated_files_are_refused() -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        data = encoded(noisy, kind)
        with pytest.raises(ImageUnreadable):
            open_picture(data[: len(data) // 2])


SAMPLES = {kind: encoded(colourful(12, 9), kind, **({"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"} if kind in ("JPEG", "PNG") else {})) for kind in FORMATS}


@pytest.mark.rule("X10")
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(FORMATS), damage=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=12), cut=st.integers(0, 400))
def test_damaged_files_are_opened_or_refused_and_nothing_else(kind: str, damage: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(SAMPLES[kind])
    for place, value in damage:
        data[place % len(data)] = value
    try:
        opened = open_picture(bytes(data[: len(data) - cut] if cut < len(data) // 2 else data), "image")
    except ImageUnreadable:
        return
    assert opened.mode == "RGB"
