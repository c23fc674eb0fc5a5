"""Files that lie: whatever is changed in a sound one, nothing raises out of the reader, and nothing takes long or grows."""

from __future__ import annotations

import functools
import io
import json
import random
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sfumato.imaging import claims, isobmff, texts
from sfumato.imaging.bounded_json import NotJson, read_json, read_object
from sfumato.imaging.document import own_document, written_ascii
from sfumato.imaging.encoding import FORMATS, encode
from sfumato.imaging.exif import EXIF_DIRECTORY, decode_comment, decoded, read_exif, write_exif
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.picture import read_picture
from sfumato.imaging.png_text import CHUNK_LIMIT_BYTES
from sfumato.imaging.texts import read_texts
from sfumato.protocol.requests.generate import Generate
from tests.imaging.origins.samples import png
from tests.imaging.origins.test_comfyui import simple
from tests.imaging.origins.test_others import FOOOCUS, INVOKE, NOVEL
from tests.imaging.test_picture import WHEN
from tests.imaging.test_stealth import INFOTEXT, hide

PICTURE = Image.new("RGB", (8, 8), (9, 9, 9))
OWN = own_document("generate", Generate(prompt="é 猫" * 50).model_dump(mode="json"), {"seed": 5}, WHEN)
TEXT = write_infotext("a 猫", "b", {"Steps": 20, "Seed": 5, "Size": (64, 64)})


def gif() -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, "GIF", comment=TEXT)
    return file.getvalue()


def tiff() -> bytes:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = written_ascii(OWN)
    PICTURE.save(file, "TIFF", exif=exif)
    return file.getvalue()


SOUND: dict[str, Callable[[], bytes]] = {
    **{form: functools.partial(lambda form: encode(PICTURE, TEXT, OWN, form=form).data, form) for form in FORMATS},
    "gif": gif,
    "tiff": tiff,
    "comfyui": lambda: png(prompt=json.dumps(simple()), workflow="{}"),
    "invokeai": lambda: png(invokeai_metadata=json.dumps(INVOKE)),
    "novelai": lambda: png(Software="NovelAI", Description="{x}", Comment=json.dumps(NOVEL)),
    "fooocus": lambda: png(parameters=json.dumps(FOOOCUS), fooocus_scheme="fooocus"),
    "qdiffusion": lambda: png(parameters="x\nMode: txt2img, Steps: 2, Seed: 4, Size: 8x8"),
    "stealth": lambda: png(hide(INFOTEXT.encode(), b"stealth_pngcomp", (20, 64))),
}


@pytest.mark.rule("M18", "X10")
@pytest.mark.parametrize("kind", SOUND)
def test_no_changed_file_raises_out_of_the_reader(kind: str) -> None:
    """200 mutations of each of twelve kinds of files."""
    random_ = random.Random(kind)
    sound = SOUND[kind]()
    assert read_picture(sound).source != "none"
    # The texts are what is read; pixels would only be skipped.
    places = [place for place in range(len(sound)) if place < 400 or place > len(sound) - 400 or random_.random() < 0.3]
    for _ in range(200):
        data = bytearray(sound)
        for _ in range(random_.randint(1, 8)):
            place = random_.choice(places)
            match random_.randrange(5):
                case 0:
                    data[min(place, len(data) - 1)] ^= 1 << random_.randrange(8)
                case 1:
                    data[min(place, len(data) - 1)] = random_.choice([0, 1, 255, 128, ord('"'), ord("{"), ord(":")])
                case 2:
                    del data[place : place + random_.randint(1, 30)]
                case 3:
                    data[place:place] = random_.randbytes(random_.randint(1, 12))
                case _:
                    data[place : place + 4] = struct.pack(">I", random_.choice([0, 1, 2**31, 2**32 - 1, len(data)]))
            if not data:
                break
        if kind in ("png", "comfyui", "invokeai", "novelai", "fooocus", "qdiffusion") and random_.random() < 0.7:
            data = bytearray(with_sound_checksums(bytes(data)))
        reading = read_picture(bytes(data))
        reading.request()
        reading.repeated()


def with_sound_checksums(data: bytes) -> bytes:
    """A PNG whose chunks claim to be undamaged, as far as their lengths go."""
    place, pieces = 8, [data[:8]]
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        pieces.append(data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place += 12 + length
    return b"".join([*pieces, data[place:]])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["nan", "1e999", "9" * 5000, "(1, 2)", "a : b", "../../x", 10**400, -(10**30), ["4", -9], ["3", 0]]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.rule("M17", "M18", "X11", "X13")
@pytest.mark.parametrize("kind", ["invokeai_metadata", "sd_metadata", "novelai", "fooocus", "swarmui", "comfyui", "xmp", "own"])
def test_right_keys_with_wrong_values_never_raise(kind: str) -> None:
    keys = {
        "invokeai_metadata": list(INVOKE), "sd_metadata": ["image", "model_weights", "model_hash"], "novelai": [*NOVEL, "v4_prompt", "v4_negative_prompt"],
        "fooocus": list(FOOOCUS), "swarmui": ["prompt", "loras", "loraweights", "seed", "refinermethod", "refinermodel", "clipstopatlayer", "seamlesstileable"],
        "comfyui": ["3", "4", "5", "6", "8"], "xmp": ["c", "uc", "size", "lora", "sampler", "hires_fix", "first_stage_size", "refiner", "seed_mode"],
        "own": ["format", "request", "image", "models", "app"],
    }[kind]  # fmt: skip

    @given(st.dictionaries(st.sampled_from(keys), VALUES, max_size=8))
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def check(values: dict) -> None:
        match kind:
            case "novelai":
                data = png(Software="NovelAI", Comment=json.dumps(values))
            case "fooocus":
                data = png(parameters=json.dumps({**values, "base_model": "x"}), fooocus_scheme="fooocus")
            case "swarmui":
                data = png(parameters=json.dumps({"sui_image_params": values}))
            case "comfyui":
                nodes = simple()
                for number, value in values.items():
                    nodes[number]["inputs"] = dict.fromkeys(nodes[number]["inputs"], value)
                data = png(prompt=json.dumps(nodes))
            case "xmp":
                info = PngInfo()
                info.add_itxt("XML:com.adobe.xmp", f"<exif:UserComment>{json.dumps({'c': 'x'} | values)}</exif:UserComment>")
                file = io.BytesIO()
                PICTURE.save(file, "PNG", pnginfo=info)
                data = file.getvalue()
            case "own":
                data = png(sfumato=json.dumps({"format": 1, "request": {}, **values}))
            case _:
                data = png(**{kind: json.dumps(values)})
        reading = read_picture(data)
        reading.request()
        reading.repeated()

    check()


@pytest.mark.rule("M18", "X10")
@given(st.binary(max_size=200), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0MM\0*", b""]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_some_exif_or_none(body: bytes, head: bytes) -> None:
    read_exif(head + body)
    decoded(body)
    decode_comment(body)


@pytest.mark.rule("M18")
@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_boxes_are_some_avif_or_none(body: bytes) -> None:
    box = struct.pack(">I4s", len(body) + 12, b"meta") + bytes(4) + body
    isobmff.read_items(box)
    read_texts(b"\0\0\0\x18ftypavif" + bytes(12) + box)
    read_texts(b"GIF89a" + body)
    read_texts(b"\xff\xd8\xff" + body)
    read_texts(b"RIFF\0\0\0\0WEBP" + body)


@pytest.mark.rule("M18", "X10")
def test_limits_hold_in_every_container() -> None:
    long = b"x" * (CHUNK_LIMIT_BYTES + 1)
    webp = b"RIFF\0\0\0\0WEBP" + struct.pack("<4sI", b"EXIF", len(long)) + long + b"\0"
    assert "at most 16777216" in read_texts(webp).warnings[0]
    webp = b"RIFF\0\0\0\0WEBP" + struct.pack("<4sI", b"XMP ", len(long)) + long + b"\0"
    assert "at most 16777216" in read_texts(webp).warnings[0]
    # Many comments count together
    segment = b"\xff\xfe" + struct.pack(">H", 65_535) + b"y" * 65_533
    assert len(read_texts(b"\xff\xd8" + segment * 300 + b"\xff\xd9").comment) <= CHUNK_LIMIT_BYTES + 300
    # And so do many packed chunks of a PNG, whatever each of them grows to
    packed = b"a\0\0" + zlib.compress(b"z" * (40 << 20))
    chunk = struct.pack(">I", len(packed)) + b"zTXt" + packed + struct.pack(">I", zlib.crc32(b"zTXt" + packed))
    data = png()
    read = read_texts(data[:33] + chunk * 3 + data[33:])
    assert (len(read.keywords), len(read.warnings)) == (1, 2)
    # A picture of 400 megapixels and more is not looked into
    head = struct.pack(">II", 100_000, 5_000) + data[24:29]
    huge = data[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + png(parameters=TEXT)[33:]
    assert "megapixels" in read_picture(huge).warnings[0]
    assert read_picture(huge).infotext is None


@pytest.mark.rule("M18", "X13")
def test_json_is_bounded() -> None:
    assert read_json("[" * 64 + "]" * 64)
    assert read_json("[9" + "9" * 5000 + ", 12]") == [float("inf"), 12]
    for text in ("[" * 66 + "]" * 66, "[" * 200_000, "{"):
        with pytest.raises(NotJson):
            read_json(text)
    with pytest.raises(NotJson, match="no object"):
        read_object("[]")


@pytest.mark.rule("M18", "R65")
def test_texts_in_any_of_their_codes_and_data_behind_the_end() -> None:
    text = "a 猫 b: 1"
    for code in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        assert decoded(text.encode(code)) == text
    assert decoded("café".encode("latin-1")) == "café"
    for code in ("utf-16-le", "utf-16-be", "utf-16"):
        assert decode_comment(b"UNICODE\0" + TEXT.encode(code)) == TEXT
    assert decode_comment(b"ASCII\0\0\0plain") == decode_comment(b"plain") == decode_comment(bytes(8) + b"plain") == "plain"
    for kind in ("png", "jpeg", "webp", "avif", "gif"):
        assert read_picture(SOUND[kind]() + b"trailing bytes" * 99).source == "sfumato"
    # A tEXt chunk as several programs write it
    data = png()
    for body in (b"parameters\0" + TEXT.encode("utf-16-le"), b"parameters\0" + TEXT.encode()):
        chunk = struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))
        reading = read_picture(data[:33] + chunk + data[33:])
        assert reading.fields["prompt"] == "a 猫"


@pytest.mark.rule("M2")
def test_an_exif_block_of_ours_is_what_others_read() -> None:
    block = write_exif("sfumato:{}", TEXT, "Sfumato")
    read = Image.Exif()
    read.load(block)
    assert dict(read) == {0x010E: "sfumato:{}", 0x0131: "Sfumato", EXIF_DIRECTORY: read[EXIF_DIRECTORY]}
    assert read.get_ifd(EXIF_DIRECTORY) == {0x9286: b"UNICODE\0" + TEXT.encode("utf-16-be")}
    assert read_exif(block).texts == {0x010E: "sfumato:{}", 0x0131: "Sfumato", 0x9286: TEXT}
    assert write_exif() == b"MM\0*\0\0\0\x08\0\0\0\0\0\0"


@pytest.mark.rule("X11")
@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret.png", "image.png", "C:\\x", "https://example.org/x.png", "0" * 63])
def test_no_picture_of_this_machine_is_chosen_by_a_text(name: str) -> None:
    reading = read_picture(png(sfumato=json.dumps({"format": 1, "request": {"image": name, "mask": name, "areas": [name]}})))
    assert reading.fields == {}
    assert len(reading.warnings) == 3
    fields, warnings = claims.judged({"image": "0" * 64, "areas": ["1" * 64]})
    assert (fields, warnings) == ({"image": "0" * 64, "areas": ("1" * 64,)}, [])


@pytest.mark.rule("X10")
def test_only_listed_formats_are_looked_at() -> None:
    for data in (b"%PDF-1.7", b"<svg/>", b"%!PS-Adobe", b"", b"PK\3\4", b"\0" * 100, INFOTEXT.encode()):
        assert (read_picture(data).source, read_picture(data).format) == ("none", "")
    assert {name.strip("_") for name in (reader.__name__ for _, reader in texts._FORMATS)} == {"png", "jpeg", "webp", "avif", "gif", "tiff"}
