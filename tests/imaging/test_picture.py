"""Reading pictures of any kind: whose word counts, and what hostile files do (nothing)."""

import json
import random
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.picture import from_rgb, read_picture, read_text
from sfumato.imaging.png_text import SIGNATURE, read_png_text

PIXELS = bytes(range(48))
WHEN = datetime(2026, 11, 21, 2, 58, tzinfo=UTC)
PAIRS = {"Steps": 20, "Seed": 5, "Size": (64, 64)}


def picture() -> Image.Image:
    return from_rgb(4, 4, PIXELS)


def own(**request: Any) -> dict[str, Any]:
    return own_document("generate", request, {"index": 0, "seed": 5, "width": 4, "height": 4}, WHEN)


def encode_png(image: Image.Image, infotext: str = "", own: Any = None) -> bytes:
    return encode(image, infotext, own).data


@pytest.mark.rule("M15")
def test_our_own_record_is_trusted_before_the_infotext() -> None:
    infotext = write_infotext("cat", "", PAIRS)
    reading = read_picture(encode_png(picture(), infotext, own(prompt="dog")))
    assert (reading.source, reading.width, reading.height, reading.warnings) == ("sfumato", 4, 4, ())
    assert dict(reading.fields) == {"prompt": "dog"}
    assert reading.infotext is not None
    assert reading.infotext.pairs["Steps"] == "20"
    for record in ({**own(), "format": 2}, {**own(), "format": "1"}, {}):
        reading = read_picture(encode_png(picture(), infotext, record))
        assert (reading.source, reading.own, len(reading.warnings)) == ("sfumato", None, 1)
        assert reading.fields["prompt"] == "cat"
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
        (with_chunk(b"zTXt", b"other\0\0" + zlib.compress(b"x" * ((64 << 20) + 9))), "at most 67108864"),
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
    assert (reading.own, reading.source, len(reading.warnings)) == (None, "automatic1111", 1)


@pytest.mark.rule("M18")
def test_no_bytes_raise_out_of_the_reader() -> None:
    random_ = random.Random(7)
    sound = encode_png(picture(), write_infotext("a 猫", "b", PAIRS), own(prompt="é" * 600))
    outcomes = set()
    for _ in range(1000):
        data = bytearray(sound)
        for _ in range(random_.randint(1, 6)):
            place = random_.randrange(len(data))
            if random_.random() < 0.7:
                data[place] = random_.randrange(256)
            else:
                del data[place : place + random_.randint(1, 20)]
        outcomes.add(read_picture(bytes(data)).source)
    assert outcomes >= {"sfumato", "none"}
    assert read_png_text(SIGNATURE + b"\xff" * 40).texts == {}


@pytest.mark.rule("D152")
def test_a_copied_text_is_read_like_the_text_of_a_picture() -> None:
    infotext = read_text('a, b\nNegative prompt: c\nSteps: 9, Sampler: Euler, Seed: 4, Extra: "x: y, z"')
    assert (infotext.fields["prompt"], infotext.fields["negative"], infotext.fields["steps"]) == ("a, b", "c", 9)
    assert infotext.unknown == {"Extra": "x: y, z"}
    # Two pairs are a prompt still.
    assert read_text("a: b, c: d").fields == {"prompt": "a: b, c: d"}
    record = read_text(json.dumps(own(prompt="dog", steps=8)))
    assert (record.source, dict(record.fields)) == ("sfumato", {"prompt": "dog", "steps": 8})
    assert read_text('{"a": 1}').fields == {"prompt": '{"a": 1}'}
    assert read_text("  ").fields == {}
    assert "16 MiB" in read_text("x" * (16 << 20) + "y").warnings[0]
