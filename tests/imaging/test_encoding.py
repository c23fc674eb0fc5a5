"""A picture as a file of each format: where its texts stand, what does not fit, and that nothing else is in it."""

from __future__ import annotations

import io
import json
import random
import struct
from pathlib import Path

import pytest
from PIL import Image, features

from sfumato.imaging import encoding
from sfumato.imaging.document import BROKEN, written
from sfumato.imaging.encoding import FORMATS, encode, suffix_of
from sfumato.imaging.exif import EXIF_DIRECTORY, IMAGE_DESCRIPTION, SOFTWARE, USER_COMMENT
from sfumato.imaging.infotext import VERSION, write_infotext
from sfumato.imaging.picture import from_rgb, read_picture
from sfumato.protocol.errors import MissingPackage
from tests.imaging.origins.samples import png
from tests.imaging.test_picture import PAIRS, PIXELS, own, picture

INFOTEXT = write_infotext("a 猫, 😀", "bad", PAIRS)


def chunks(data: bytes) -> dict[bytes, bytes]:
    """PNG chunks by kind and keyword, cut by this test's own reading; the last must end the file."""
    found, place = {}, 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        found[kind + b" " + body.split(b"\0")[0] if kind[1:] in (b"EXt", b"TXt") else kind] = body
        place += length + 12
    assert place == len(data)
    assert list(found)[-1] == b"IEND"
    return found


@pytest.mark.rule("M1", "M30", "R65")
def test_pixels_survive_and_both_texts_are_where_others_look_for_them() -> None:
    encoded = encode(picture(), write_infotext("a café", "", PAIRS), own(prompt="a café"))
    assert (encoded.mime, encoded.suffix, encoded.sidecars, encoded.warnings) == ("image/png", ".png", {}, ())
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert (image.format, image.mode, image.size, image.tobytes()) == ("PNG", "RGB", (4, 4), PIXELS)
        assert image.text["parameters"].startswith("a café\nSteps: 20")  # type: ignore[attr-defined]  # a PNG
        assert json.loads(image.text["sfumato"])["request"] == {"prompt": "a café"}  # type: ignore[attr-defined]  # a PNG
    assert set(chunks(encoded.data)) == {b"IHDR", b"tEXt parameters", b"iTXt sfumato", b"IDAT", b"IEND"}


@pytest.mark.rule("M1")
@pytest.mark.parametrize(("prompt", "kind"), [("cat", b"tEXt"), ("café", b"tEXt"), ("猫", b"iTXt"), ("Ã©", b"iTXt")])
def test_the_infotext_is_latin_1_where_that_suffices_and_cannot_be_mistaken(prompt: str, kind: bytes) -> None:
    data = encode(picture(), prompt).data
    assert kind + b" parameters" in chunks(data)
    reading = read_picture(data)
    assert reading.infotext is not None
    assert reading.infotext.prompt == prompt


@pytest.mark.rule("M1")
def test_the_own_record_is_deflated_above_a_kibibyte_only() -> None:
    for length, flag in ((10, 0), (5000, 1)):
        body = chunks(encode(picture(), "", own(prompt="é" * length)).data)[b"iTXt sfumato"]
        assert body.split(b"\0", 1)[1][0] == flag


@pytest.mark.rule("M1")
def test_of_a_source_only_its_colours_and_its_physical_size_are_kept() -> None:
    source = Image.new("RGB", (4, 4))
    source.info = {"icc_profile": b"profile" * 20, "dpi": (300, 300), "Comment": "private", "gps": "home"}
    data = encode(source, "x", icc_profile=source.info["icc_profile"], dpi=source.info["dpi"]).data
    assert set(chunks(data)) == {b"IHDR", b"iCCP", b"pHYs", b"tEXt parameters", b"IDAT", b"IEND"}
    assert set(chunks(encode(source, "x").data)) == {b"IHDR", b"tEXt parameters", b"IDAT", b"IEND"}


@pytest.mark.rule("M5")
def test_an_upscaled_picture_keeps_the_sources_text_and_adds_its_own() -> None:
    data = encode(picture(), INFOTEXT, own(prompt="x"), postprocessing="Postprocess upscale by: 2, Postprocess upscaler: Lanczos").data
    assert b"tEXt postprocessing" in chunks(data)
    reading = read_picture(data)
    assert reading.unknown == {"postprocessing": "Postprocess upscale by: 2, Postprocess upscaler: Lanczos"}
    assert reading.infotext is not None
    assert reading.infotext.prompt == "a 猫, 😀"


@pytest.mark.rule("M2")
@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_other_formats_hold_both_texts_in_exif(form: str) -> None:
    document = own(prompt='é "猫" 😀')
    encoded = encode(picture(), INFOTEXT, document, form=form)
    assert (encoded.mime, encoded.warnings) == (f"image/{form}", ())
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert image.size == (4, 4)
        exif = image.getexif()
        comment = exif.get_ifd(EXIF_DIRECTORY)[USER_COMMENT]
        assert comment[:8] == b"UNICODE\0"
        assert comment[8:].decode("utf-16-be") == INFOTEXT
        assert exif[SOFTWARE] == VERSION
        assert exif[IMAGE_DESCRIPTION].isascii()
        assert json.loads(exif[IMAGE_DESCRIPTION].removeprefix("sfumato:")) == document
        assert set(exif) == {SOFTWARE, IMAGE_DESCRIPTION, EXIF_DIRECTORY}


@pytest.mark.rule("M4")
@pytest.mark.parametrize("form", FORMATS)
def test_no_text_at_all_if_none_is_given(form: str) -> None:
    data = encode(picture(), form=form).data
    assert read_picture(data).source == "none"
    assert b"Sfumato" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert not image.getexif()
    if form == "png":
        assert set(chunks(data)) == {b"IHDR", b"IDAT", b"IEND"}


def noise(count: int) -> str:
    """Text that hardly deflates."""
    return random.Random(count).randbytes(count).hex()[:count]


@pytest.mark.rule("M2", "M3", "M15")
def test_what_a_jpeg_cannot_hold_is_packed_then_put_beside_it(tmp_path: Path) -> None:
    # Given a record that fits when packed
    packed = encode(picture(), INFOTEXT, own(prompt="a" * 90_000), form="jpeg")
    assert (packed.warnings, packed.sidecars) == ((), {})
    assert read_picture(packed.data).fields["prompt"] == "a" * 90_000
    # And one that does not
    document = own(prompt=noise(140_000))
    too_long = encode(picture(), INFOTEXT, document, form="jpeg")
    assert too_long.sidecars == {".json": written(document)}
    assert "beside the picture" in too_long.warnings[0]
    assert read_picture(too_long.data).source == "automatic1111" or read_picture(too_long.data).infotext is not None
    # Then the file with its sidecar tells everything
    path = tmp_path / "a.jpg"
    path.write_bytes(too_long.data)
    path.with_suffix(".json").write_text(too_long.sidecars[".json"], encoding="utf-8")
    assert read_picture(path).own == document
    # And even an endless infotext is not lost
    endless = encode(picture(), "猫" * 40_000, document, form="jpeg")
    assert endless.sidecars.keys() == {".json", ".txt"}
    assert encode(picture(), "猫" * 40_000, document, form="webp").sidecars == {}


@pytest.mark.rule("M2")
@pytest.mark.parametrize(("form", "side"), [("webp", 16_384), ("jpeg", 65_501)])
def test_a_picture_too_large_for_a_format_is_a_png(form: str, side: int) -> None:
    encoded = encode(Image.new("RGB", (side, 1)), "x", form=form)
    assert (encoded.mime, encoded.suffix) == ("image/png", ".png")
    assert f"at most {side - 1} pixels a side" in encoded.warnings[0]
    assert encode(Image.new("RGB", (side - 1, 1)), "x", form=form).mime == f"image/{form}"


@pytest.mark.rule("M30")
def test_quality_100_is_lossless_for_webp_and_jpeg_keeps_every_colour() -> None:
    image = Image.frombytes("RGB", (32, 32), random.Random(3).randbytes(32 * 32 * 3))
    with Image.open(io.BytesIO(encode(image, form="webp", quality=100).data)) as read:
        assert read.tobytes() == image.tobytes()
    assert len(encode(image, form="webp", quality=92).data) != len(encode(image, form="webp", quality=50).data)
    with Image.open(io.BytesIO(encode(image, form="jpeg").data)) as read:
        assert {layer[1:3] for layer in read.layer} == {(1, 1)}  # type: ignore[attr-defined]  # a JPEG: 4:4:4


def test_a_format_that_pillow_was_built_without_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding.features, "check", lambda name: name != "avif")
    with pytest.raises(MissingPackage, match="AVIF"):
        encode(picture(), form="avif")
    assert features.check("webp")


@pytest.mark.rule("M21")
@pytest.mark.parametrize("form", FORMATS)
def test_lone_surrogates_are_replaced_with_a_warning(form: str) -> None:
    encoded = encode(picture(), write_infotext("a \ud800 b", "", PAIRS), own(prompt="a \udfff b 😀"), form=form)
    assert encoded.warnings == (BROKEN,)
    reading = read_picture(encoded.data)
    assert reading.own is not None
    assert reading.own["request"]["prompt"] == "a \ufffd b 😀"
    assert reading.infotext is not None
    assert reading.infotext.prompt == "a \ufffd b"
    assert encode(picture(), INFOTEXT, own(prompt="\\ud800 😀"), form=form).warnings == ()


@pytest.mark.rule("M21")
def test_lone_surrogates_of_others_are_replaced_when_they_are_read() -> None:
    reading = read_picture(png(sfumato=json.dumps({**own(prompt="a \ud800 b 😀"), "app": "other"})))
    assert (reading.fields["prompt"], reading.warnings) == ("a \ufffd b 😀", (BROKEN,))
    assert read_picture(png(invokeai_metadata='{"positive_prompt": "\\udc00x"}')).fields["prompt"] == "\ufffdx"


def test_names_of_formats_are_told_by_their_kind() -> None:
    assert [suffix_of(row.mime) for row in FORMATS.values()] == [".png", ".jpg", ".webp", ".avif"]
    assert suffix_of("image/other") == ".png"
    with pytest.raises(ValueError, match="4x4 pixels take 48 bytes, not 47"):
        from_rgb(4, 4, PIXELS[1:])
    with pytest.raises(ValueError, match="JSON"):
        encode(picture(), "", {**own(), "bad": float("nan")})
