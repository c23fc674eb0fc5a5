"""Encoding a picture with its texts, and reading any bytes back."""

import io
import json
import random
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.imaging.infotext import VERSION, write_infotext
from sfumato.imaging.picture import encode_png, from_rgb, own_document, read_picture
from sfumato.imaging.png_text import SIGNATURE, read_png_text

PIXELS = bytes(range(48))
WHEN = datetime(2026, 11, 21, 2, 58, tzinfo=UTC)
PAIRS = {"Steps": 20, "Seed": 5, "Size": (4, 4)}


def picture() -> Image.Image:
    return from_rgb(4, 4, PIXELS)


def own(**request: Any) -> dict[str, Any]:
    return own_document("generate", request, {"index": 0, "seed": 5, "width": 4, "height": 4}, WHEN)


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Text chunks by kind and keyword, cut by this test's own reading."""
    found, place = {}, 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        found[kind + b" " + data[place + 8 :].split(b"\0")[0] if b"EXt" in kind or b"TXt" in kind else kind] = data[place + 8 : place + 8 + length]
        place += length + 12
    return found


@pytest.mark.rule("M1", "M30")
def test_pixels_survive_and_both_texts_are_where_others_look_for_them() -> None:
    data = encode_png(picture(), write_infotext("a café", "", PAIRS), own(prompt="a café"))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size, image.tobytes()) == ("PNG", "RGB", (4, 4), PIXELS)
        assert image.text["parameters"].startswith("a café\nSteps: 20")
        assert json.loads(image.text["sfumato"])["request"] == {"prompt": "a café"}
    kinds = set(chunks(data))
    assert {b"tEXt parameters", b"iTXt sfumato"} <= kinds


@pytest.mark.rule("M1")
@pytest.mark.parametrize(("prompt", "kind"), [("cat", b"tEXt"), ("café", b"tEXt"), ("猫", b"iTXt"), ("Ã©", b"iTXt")])
def test_the_infotext_is_latin_1_where_that_suffices_and_cannot_be_mistaken(prompt: str, kind: bytes) -> None:
    data = encode_png(picture(), prompt)
    assert kind + b" parameters" in chunks(data)
    assert read_png_text(data).texts == {"parameters": prompt}


@pytest.mark.rule("M1")
def test_the_own_record_is_deflated_above_a_kibibyte_only() -> None:
    for length, flag in ((10, 0), (5000, 1)):
        body = chunks(encode_png(picture(), "", own(prompt="é" * length)))[b"iTXt sfumato"]
        assert body.split(b"\0", 1)[1][0] == flag


@pytest.mark.rule("M4")
def test_no_text_at_all_if_none_is_given() -> None:
    assert set(chunks(encode_png(picture()))) == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.rule("M19")
def test_the_own_record_has_its_shape() -> None:
    record = own_document("generate", {"steps": 3}, {"seed": 1}, WHEN, models=[{"role": "checkpoint", "name": "x"}], engine={"rng": "cpu"})
    assert record == {
        "format": 1, "app": VERSION, "kind": "generate", "request": {"steps": 3}, "image": {"seed": 1}, "resolved": {},
        "models": [{"role": "checkpoint", "name": "x"}], "inputs": [], "engine": {"rng": "cpu"}, "warnings": [], "created": "2026-11-21T02:58:00+00:00",
    }  # fmt: skip
    with pytest.raises(ValueError, match="zone"):
        own_document("generate", {}, {}, WHEN.replace(tzinfo=None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), lambda inner: st.lists(inner, max_size=4)
)


@pytest.mark.rule("M21")
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON.filter(lambda value: "\\ud" not in json.dumps(value)), max_size=5))
@settings(max_examples=100, deadline=None)
def test_the_own_record_comes_back_bit_for_bit(request: dict[str, Any]) -> None:
    record = own(**{"prompt": "", **request})
    assert read_picture(encode_png(picture(), "", record)).own == record


@pytest.mark.rule("M21")
def test_lone_surrogates_are_replaced() -> None:
    reading = read_picture(encode_png(picture(), "a \ud800 b", own(prompt="a \udfff b 😀")))
    assert reading.own is not None
    assert reading.own["request"]["prompt"] == "a \ufffd b 😀"
    assert reading.infotext is not None
    assert reading.infotext.prompt == "a \ufffd b"


@pytest.mark.rule("M15")
def test_our_own_record_is_trusted_before_the_infotext() -> None:
    infotext = write_infotext("cat", "", PAIRS)
    reading = read_picture(encode_png(picture(), infotext, own(prompt="dog")))
    assert (reading.source, reading.width, reading.height, reading.warnings) == ("sfumato", 4, 4, ())
    assert reading.infotext is not None
    assert reading.infotext.pairs["Steps"] == "20"
    for record in ({**own(), "format": 2}, {**own(), "format": "1"}, {}):
        reading = read_picture(encode_png(picture(), infotext, record))
        assert (reading.source, reading.own, len(reading.warnings)) == ("infotext", None, 1)
    assert read_picture(encode_png(picture())).source == "none"
    assert read_picture(b"no picture").source == "none"


def with_chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    """A picture with one more chunk, right behind its header."""
    data = encode_png(picture(), "kept", own())
    extra = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) if checksum is None else checksum)
    return data[:33] + extra + data[33:]


@pytest.mark.rule("M18")
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (with_chunk(b"tEXt", b"other\0x", 7), "damaged"),
        (with_chunk(b"tEXt", b"other\0" + b"x" * ((16 << 20) + 1)), "at most 16777216"),
        (with_chunk(b"zTXt", b"other\0\0" + zlib.compress(b"x" * ((64 << 20) + 9))), "larger than 67108864"),
        (with_chunk(b"zTXt", b"other\0\0nonsense"), "compressed text is damaged"),
        (with_chunk(b"zTXt", b"other\0\x05" + zlib.compress(b"x")), "not known"),
        (with_chunk(b"iTXt", b"other\0\0\0\0\0\xff\xfe"), "not UTF-8"),
        (with_chunk(b"iTXt", b"other\0\0"), "not known"),
    ],
    ids=range(7),
)
def test_a_damaged_or_oversized_chunk_spoils_only_itself(data: bytes, says: str) -> None:
    reading = read_picture(data)
    assert reading.source == "sfumato"
    assert len(reading.warnings) == 1
    assert says in reading.warnings[0]
    assert reading.infotext is not None
    assert reading.infotext.prompt == "kept"


@pytest.mark.rule("M18")
def test_utf_8_in_a_plain_chunk_and_nested_json_and_data_after_the_end() -> None:
    assert read_png_text(with_chunk(b"tEXt", "other\0猫".encode())).texts["other"] == "猫"
    assert read_png_text(encode_png(picture(), "cat") + b"trailing bytes").texts == {"parameters": "cat"}
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    reading = read_picture(encode_png(picture(), "cat", own(deep=deep)))
    assert (reading.source, len(reading.warnings)) == ("infotext", 1)


@pytest.mark.rule("M18")
def test_no_bytes_raise_out_of_the_reader() -> None:
    random_ = random.Random(7)
    sound = encode_png(picture(), write_infotext("a 猫", "b", PAIRS), own(prompt="é" * 600))
    outcomes = set()
    for _ in range(3000):
        data = bytearray(sound)
        for _ in range(random_.randint(1, 6)):
            place = random_.randrange(len(data))
            if random_.random() < 0.7:
                data[place] = random_.randrange(256)
            else:
                del data[place : place + random_.randint(1, 20)]
        outcomes.add(read_picture(bytes(data)).source)
    assert outcomes == {"sfumato", "infotext", "none"}
    assert read_png_text(SIGNATURE + b"\xff" * 40).texts == {}


def test_a_wrong_number_of_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="4x4 pixels take 48 bytes, not 47"):
        from_rgb(4, 4, PIXELS[1:])
