"""The rules of the inputs strip without a window: links, modes, crops, bulk folders, extents, reading and what is sent."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageDraw

from sfumato.desktop.drafts import Draft
from sfumato.desktop.inputs.bulk import count, natural, partner, pictures_in, takes
from sfumato.desktop.inputs.cards import CONTROL, IMAGE, MASK, PAINTED, REFERENCE, REGIONS, Card
from sfumato.desktop.inputs.contributing import Situation, contribute
from sfumato.desktop.inputs.controls import Offers
from sfumato.desktop.inputs.crops import Box, Crop
from sfumato.desktop.inputs.extents import extent
from sfumato.desktop.inputs.linking import groups, links, moved
from sfumato.desktop.inputs.modes import inferred, of_job
from sfumato.desktop.inputs.reading import PIXELS_AT_MOST, Facts, glance, look, sent
from sfumato.desktop.inputs.sending import size_taken
from sfumato.desktop.inputs.troubles import trouble
from sfumato.protocol.errors import ImageUnreadable
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.requests.upscale import Upscale
from sfumato.protocol.specs import validate

PREPROCESSORS = (
    {"value": "none", "label": "None", "settings": [], "fields": [], "kind": ""},
    {"value": "canny", "label": "Canny", "settings": [], "fields": [], "kind": "canny"},
    {"value": "tile", "label": "Tile", "settings": [], "fields": [], "kind": "tile"},
    {"value": "spiral", "label": "Spiral", "settings": [], "fields": [], "kind": ""},
)
MODELS = (
    {"value": "sd15_depth", "kind": "ControlNet", "family": "SD1", "maps": 0},
    {"value": "xl_canny", "kind": "ControlNet", "family": "SDXL", "maps": 0},
    {"value": "sd15_canny", "kind": "ControlNet", "family": "SD1", "maps": 0},
    {"value": "sd15_tile", "kind": "ControlNet", "family": "SD1", "maps": 0},
    {"value": "prompt", "kind": "IP-Adapter", "family": "SD1", "maps": 0},
)
OFFERS = Offers(PREPROCESSORS, MODELS, (), {"value": "m", "family": "SD1", "width": 512, "height": 512}, known=True)


def card(identity: str, role: str = IMAGE, *files: str, **more: Any) -> Card:
    return Card(identity, role, tuple(files), **more)


def unknown(path: str) -> Facts | None:
    del path
    return None


def trouble_of(cards: list[Card], identity: str, facts: Any = unknown, offers: Offers = OFFERS, inverted: bool = False) -> Any:
    held = links(cards)
    chosen = {each.id: each for each in cards}
    unreadable = frozenset(file for each in cards for file in each.pictures if (known := facts(file)) is not None and known.problem)
    return trouble(chosen[identity], held[identity], chosen.get(held[identity].owner), facts, offers, unreadable, inverted=inverted)


def linear_profile() -> bytes:
    """An ICC profile with the primaries of sRGB whose numbers are light itself (gamma 1)."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*values)

    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    text = b"desc\0\0\0\0" + struct.pack(">I", 7) + b"linear\0" + bytes(79)
    parts = {
        b"desc": text,
        b"wtpt": xyz(0.9642, 1, 0.8249),
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    place, table, body = 128 + 4 + 12 * len(parts), struct.pack(">I", len(parts)), b""
    for name, part in parts.items():
        table += name + struct.pack(">II", place + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"\0\0\0\0", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp" + bytes(28)
    return (head + fixed(0.9642, 1, 0.8249)).ljust(128, b"\0") + table + body


# -- links -------------------------------------------------------------------------------------------


@pytest.mark.rule("D57")
def test_what_stands_behind_an_image_belongs_to_it() -> None:
    cards = [
        card("c0", CONTROL),
        card("a", IMAGE, "a.png"),
        card("m", MASK),
        card("c1", CONTROL),
        card("c2", CONTROL),
        card("b", IMAGE, "b.png"),
        card("r", REGIONS),
    ]
    assert {identity: link.owner for identity, link in links(cards).items()} == {"c0": "", "a": "", "m": "a", "c1": "a", "c2": "a", "b": "", "r": "b"}


@pytest.mark.rule("D57", "D45")
def test_a_card_that_cannot_be_used_says_why_and_what_to_do() -> None:
    image = card("a", IMAGE, "a.png")
    cards = [card("m0", MASK, "m.png"), image, card("m1", MASK, "m.png"), card("m2", MASK, "n.png"), card("c", CONTROL, settings={"model": "xl_canny"})]
    lone = trouble_of(cards, "m0")
    assert lone.stops and lone.sentence == "A mask needs an image to its left. Drag it behind one, or add an image."
    assert not trouble_of(cards, "m1").sentence
    assert trouble_of(cards, "m2").stops and "has a mask already" in trouble_of(cards, "m2").sentence
    assert trouble_of(cards, "c").sentence == "'xl_canny' is for SDXL, the checkpoint is SD1. Choose another control model."
    assert "no picture to read" in trouble_of([card("t", CONTROL, settings={"type": "tile"})], "t").sentence
    assert not trouble_of([replace(cards[0], enabled=False)], "m0").sentence, "what is off has no troubles"


@pytest.mark.rule("D45")
def test_an_all_black_mask_counts_as_none_and_its_card_says_so() -> None:
    cards = [card("a", IMAGE, "a.png"), card("m", MASK, "m.png")]
    black, white = Facts((8, 8), "", True, None, Box(0, 0, 1, 1)), Facts((8, 8), "", True, Box(0, 0, 1, 1), None)
    found = trouble_of(cards, "m", lambda path: black)
    assert not found.stops and "all black" in found.sentence
    assert not trouble_of(cards, "m", lambda path: white).sentence
    assert trouble_of(cards, "m", lambda path: white, inverted=True).sentence
    situation = Situation(cards, {}, (512, 512), OFFERS, lambda path: black)
    assert situation.mode(situation.groups()[0]).title == "Img2Img"
    assert situation.plans()[0].mask is None
    assert situation.given() == {"image": "given"}


@pytest.mark.rule("D64")
def test_a_region_without_text_and_text_without_a_region_are_marked() -> None:
    def said(*masks: str, parts: int) -> str:
        regions = card("r", REGIONS, masks=masks)
        return trouble(regions, links([regions])["r"], None, unknown, OFFERS, parts=parts).sentence

    assert said("1.png", "2.png", parts=2) == ""
    assert said("1.png", "2.png", parts=1).startswith("Region 2 has no text")
    assert said("", "2.png", parts=2).startswith("Part 1 behind AND has no region")
    assert said("1.png", parts=3).startswith("Part 2 behind AND")
    assert said("", parts=3).startswith("No region is painted yet")


def test_an_image_is_moved_with_what_belongs_to_it() -> None:
    cards = [card("a"), card("m", MASK), card("b"), card("c", CONTROL)]

    def order(identity: str, to: int) -> str:
        return "".join(each.id for each in moved(cards, identity, to))

    assert order("a", 3) == "bcam" and order("b", 0) == "bcam"
    assert order("m", 3) == "abcm" and order("c", 1) == "acmb"
    assert order("a", 0) == "ambc"


def test_a_common_control_serves_every_image_and_its_own_regions_go_first() -> None:
    regions = {"masks": ("1.png",)}
    cards = [card("c", CONTROL, "c.png"), card("r", REGIONS, **regions), card("a", IMAGE, "a.png"), card("b", IMAGE, "b.png"), card("s", REGIONS, **regions)]
    first, second = groups(cards)
    assert [each.id for each in first.steering] == [each.id for each in second.steering] == ["c"]
    assert (first.regions and first.regions.id, second.regions and second.regions.id) == ("r", "s")


# -- modes -------------------------------------------------------------------------------------------


@pytest.mark.rule("D44", "D45")
@pytest.mark.parametrize(
    ("values", "inputs", "title"),
    [
        ({}, {"image": False}, "Txt2Img"),
        ({"hr_scale": 2.0}, {"image": False}, "Txt2Img + HR"),
        ({"hr_scale": 2.0}, {"image": True}, "Img2Img"),
        ({"strength": 0.5}, {"image": True}, "Img2Img"),
        ({"strength": 0}, {"image": True}, "Upscaling"),
        ({}, {"image": True, "mask": True}, "Inpainting"),
        ({"outpaint_left": 64}, {"image": True}, "Outpainting"),
        ({}, {"image": True, "mask": True, "extended": True}, "Outpainting"),
        ({"tiled": "tiles"}, {"image": True}, "Tiled"),
        ({}, {"image": True, "tile": True}, "Tiled"),
    ],
)
def test_the_mode_follows_from_inputs_and_values(values: dict[str, Any], inputs: dict[str, bool], title: str) -> None:
    mode = inferred(values, **inputs)
    assert (mode.title, mode.kind) == (title, "upscale" if title == "Upscaling" else "generate")


@pytest.mark.rule("D44")
def test_a_frozen_job_is_called_by_the_same_words() -> None:
    assert [of_job("generate", params) for params in ({}, {"image": "x"}, {"image": "x", "mask": "y"}, {"hr_scale": 2})] == [
        "Txt2Img",
        "Img2Img",
        "Inpainting",
        "Txt2Img + HR",
    ]
    assert (of_job("upscale", {}), of_job("annotate", {})) == ("Upscaling", "Annotating")


# -- crops -------------------------------------------------------------------------------------------


@pytest.mark.rule("D59")
@pytest.mark.parametrize("size", [(1000, 500), (500, 1000), (640, 640)])
@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.7])
def test_a_crop_always_covers_the_target_and_stays_inside(size: tuple[int, int], aspect: float) -> None:
    crop = Crop()
    for step in range(60):
        crop = crop.zoomed(size, aspect, 1.3 if step % 3 else 0.9, 0.1 * (step % 10), 0.9) if step % 2 else crop.panned(size, aspect, 0.4, -0.3)
        box = crop.box(size, aspect)
        assert 1 <= crop.zoom <= 8
        assert box.x >= -1e-9 and box.y >= -1e-9 and box.x + box.width <= 1 + 1e-9 and box.y + box.height <= 1 + 1e-9
        assert box.width * size[0] / (box.height * size[1]) == pytest.approx(aspect)
    assert crop.zoom == 8


@pytest.mark.rule("D59")
def test_zooming_keeps_what_is_under_the_pointer_and_a_pan_back_acts_at_once() -> None:
    size, aspect = (800, 600), 1.0
    crop = Crop().zoomed(size, aspect, 2, 0.5, 0.5)
    before = crop.box(size, aspect)
    after = crop.zoomed(size, aspect, 1.5, 0.25, 0.75).box(size, aspect)
    assert after.x + 0.25 * after.width == pytest.approx(before.x + 0.25 * before.width)
    assert after.y + 0.75 * after.height == pytest.approx(before.y + 0.75 * before.height)
    pushed = crop
    for _ in range(9):
        pushed = pushed.panned(size, aspect, 1, 0)
    assert pushed.box(size, aspect).x == pytest.approx(0)
    assert pushed.panned(size, aspect, -0.1, 0).box(size, aspect).x == pytest.approx(0.1 * before.width)


@pytest.mark.rule("D59")
def test_the_drawn_extent_is_what_the_engine_paints() -> None:
    repainting = pytest.importorskip("sfumato.engine.inputs.repainting")
    masks = pytest.importorskip("sfumato.engine.inputs.masks")
    for size, working, box, padding, expand in [
        ((640, 480), (512, 512), (100, 90, 160, 200), 32, 0),
        ((640, 480), (512, 320), (0, 0, 30, 30), 0, 4),
        ((300, 900), (512, 512), (20, 700, 290, 890), 16, -3),
        ((640, 480), (256, 512), (600, 400, 640, 480), 300, 2),
    ]:
        mask = Image.new("L", size)
        mask.paste(255, box)
        shaped = masks.shaped(mask, masks.MaskShape(True, False, expand, 0, 0))
        expected = repainting.masked_box(shaped, padding, working)
        white = Box(box[0] / size[0], box[1] / size[1], (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
        found = extent(white, size, working, padding, expand)
        assert found is not None and found.box.pixels(size) == tuple(expected)
        assert found.is_reduced == (expected.size[0] > working[0] or expected.size[1] > working[1])


# -- bulk --------------------------------------------------------------------------------------------


@pytest.mark.rule("D55")
def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "2.PNG", "1.jpg", "b.webp", "a.jpeg", "c.bmp", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sub.png").mkdir()
    assert [Path(file).name for file in pictures_in(str(tmp_path))] == ["1.jpg", "2.PNG", "10.png", "a.jpeg", "b.webp", "c.bmp"]
    assert sorted(["x10", "X2"], key=natural) == ["X2", "x10"]
    # One name may be the beginning of another, and hold digits of other scripts.
    assert sorted(["/p/new2", "/p/new", "/p/new²", "/p/new10"], key=natural) == ["/p/new", "/p/new2", "/p/new10", "/p/new²"]


def test_a_canny_card_finds_a_model_of_edges_after_one_of_its_name() -> None:
    edges, canny = ({"value": name, "label": name, "kind": "ControlNet", "family": "SD1", "state": "ready", "maps": 0} for name in ("my-edges", "sd15_canny"))
    card = Card("a", CONTROL, settings={"type": "canny"})
    assert replace(OFFERS, models=(edges, canny)).control_model(card) == "sd15_canny"
    assert replace(OFFERS, models=(edges,)).control_model(card) == "my-edges"


@pytest.mark.rule("D58")
def test_linked_folders_go_together_by_stem_or_in_a_circle() -> None:
    images = ["i/b.png", "i/a.png", "i/c.png"]
    assert [partner(["m/a.jpg", "m/b.jpg", "m/c.jpg", "m/d.jpg"], images, index) for index in range(3)] == ["m/b.jpg", "m/a.jpg", "m/c.jpg"]
    assert [partner(["m/1.jpg", "m/2.jpg"], images, index) for index in range(3)] == ["m/1.jpg", "m/2.jpg", "m/1.jpg"]


@pytest.mark.rule("D58")
def test_unreadable_files_are_left_out_and_listed() -> None:
    cards = [card("a", IMAGE, "1.png", "bad.png", "3.png"), card("m", MASK, "1.png", "3.png")]
    made = takes(groups(cards), frozenset({"bad.png"}))
    assert count(groups(cards), frozenset({"bad.png"})) == 2
    assert [take.files for take in made] == [{"a": "1.png", "m": "1.png"}, {"a": "3.png", "m": "3.png"}]

    def facts(path: str) -> Facts:
        return Facts(problem="'bad.png' is not a picture.") if path == "bad.png" else Facts((8, 8))

    found = trouble_of(cards, "a", facts)
    assert not found.stops and found.sentence == "Left out, because they cannot be read: bad.png."
    assert trouble_of([card("a", IMAGE, "bad.png")], "a", facts).stops


# -- reading -----------------------------------------------------------------------------------------


@pytest.mark.rule("D65")
def test_pictures_are_upright_and_in_srgb(tmp_path: Path) -> None:
    picture = Image.new("RGB", (60, 40), (200, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert glance(tmp_path / "turned.jpg").size == (40, 60)
    assert look(tmp_path / "turned.jpg")[0].size == (40, 60)
    cut = Image.open(io.BytesIO(sent(tmp_path / "turned.jpg", Box(0, 0, 1, 0.5))))
    assert cut.size == (40, 30)

    Image.new("RGB", (10, 10), (55, 55, 55)).save(tmp_path / "linear.png", icc_profile=linear_profile())
    for data in (sent(tmp_path / "linear.png"), look(tmp_path / "linear.png")[1]):
        grey = Image.open(io.BytesIO(data)).convert("RGB").getpixel((5, 5))
        assert all(abs(value - 128) <= 2 for value in grey), "55 of 255 as light is 128 as a number of sRGB"
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    Image.new("RGB", (10, 10), (128, 128, 128)).save(tmp_path / "odd.png", icc_profile=lab.tobytes())
    assert sent(tmp_path / "odd.png"), "a profile that does not fit leaves the colours"
    picture.save(tmp_path / "plain.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert sent(tmp_path / "plain.png") == (tmp_path / "plain.png").read_bytes(), "sRGB is sent as it is"


@pytest.mark.rule("D65")
def test_pictures_of_every_kind_are_read(tmp_path: Path) -> None:
    Image.new("I;16", (9, 7), 257 * 100).save(tmp_path / "deep.png")
    Image.new("P", (9, 7)).save(tmp_path / "palette.gif")
    Image.new("LA", (9, 7), (10, 128)).save(tmp_path / "grey.png")
    Image.new("RGB", (9, 7)).save(tmp_path / "moving.gif", save_all=True, append_images=[Image.new("RGB", (9, 7), "red")])
    for path in tmp_path.iterdir():
        facts, face = look(path)
        assert facts.size == (9, 7) and Image.open(io.BytesIO(face)).size == (9, 7), path.name
        assert Image.open(io.BytesIO(sent(path, Box(0, 0, 0.5, 1)))).size == (4, 7)
    assert Image.open(io.BytesIO(look(tmp_path / "deep.png")[1])).convert("L").getpixel((3, 3)) == 100


@pytest.mark.rule("D65")
def test_a_picture_of_too_many_pixels_is_refused_before_decoding(tmp_path: Path) -> None:
    side = int(PIXELS_AT_MOST**0.5) + 1
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", b"not compressed at all")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    (tmp_path / "huge.png").write_bytes(data)
    facts, face = look(tmp_path / "huge.png")
    assert "more than 300 million pixels" in facts.problem and face == b""
    with pytest.raises(ImageUnreadable, match="300 million"):
        sent(tmp_path / "huge.png")


@pytest.mark.slow
@pytest.mark.rule("D65")
def test_fifty_megapixels_are_shown_cropped_and_sent(tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((8192, 6144)).convert("RGB").save(tmp_path / "large.jpg", quality=60)
    facts, face = look(tmp_path / "large.jpg")
    assert facts.size == (8192, 6144) and max(Image.open(io.BytesIO(face)).size) == 512
    assert Image.open(io.BytesIO(sent(tmp_path / "large.jpg", Crop().box((8192, 6144), 1.0)))).size == (6144, 6144)


def test_a_broken_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("<html>")
    assert look(tmp_path / "page.png")[0].problem == "'page.png' is not a picture Sfumato can read. Use PNG, JPEG or WebP."
    assert "no such file" in glance(tmp_path / "gone.png").problem


# -- what is sent ------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    made = {}
    for name, (width, height) in {"wide": (400, 200), "other": (200, 200)}.items():
        made[name] = str(tmp_path / f"{name}.png")
        Image.linear_gradient("L").resize((width, height)).convert("RGB").save(made[name])
    mask = Image.new("L", (400, 200))
    ImageDraw.Draw(mask).rectangle((150, 50, 250, 150), fill=255)
    made["mask"] = str(tmp_path / "mask.png")
    mask.save(made["mask"])
    return made


def frozen(cards: list[Card], params: dict[str, Any] | None = None, size: tuple[int, int] = (512, 512), offers: Offers = OFFERS) -> list[Any]:
    draft = Draft(params={"seed": 10, "batch_size": 2, "batch_count": 1, "prompt": "p", **(params or {})})
    contribute(draft, Situation(cards, params or {}, size, offers, lambda path: look(Path(path), is_mask="mask" in path)[0]), "")
    return [work() for work in draft.works()]


@pytest.mark.rule("D44", "D59")
def test_image_and_mask_are_cropped_alike_and_sent_under_their_hashes(files: dict[str, str]) -> None:
    crop = Crop(2.0, 0.5, 0.5)
    (job,) = frozen([card("a", IMAGE, files["wide"], crop=crop), card("m", MASK, files["mask"])])
    validate(Generate, job.params)
    image, mask = (Image.open(io.BytesIO(job.blobs[job.params[name]])) for name in ("image", "mask"))
    assert image.size == mask.size == (100, 100)
    assert mask.getextrema() == (255, 255), "the crop lies inside the white place"


@pytest.mark.rule("D44")
def test_strength_zero_is_an_upscale_job_of_the_shown_size(files: dict[str, str]) -> None:
    (job,) = frozen(
        [card("a", IMAGE, files["other"])], {"strength": 0.0, "width": 512, "height": 512, "hr_scale": 2.0, "resize_filter": "Bicubic", "dtype": "auto"}
    )
    request = validate(Upscale, job.params)
    assert job.kind == "upscale"
    assert (request.width, request.height, request.upscaler, len(request.images)) == (1024, 1024, "Bicubic", 1)
    assert set(request.images) == set(job.blobs)


@pytest.mark.rule("D58", "D46")
def test_a_folder_makes_a_job_for_each_picture_with_rising_seeds(files: dict[str, str]) -> None:
    jobs = frozen([card("a", IMAGE, files["wide"], files["other"], files["wide"])])
    assert [job.params["seed"] for job in jobs] == [10, 12, 14]
    assert jobs[0].params["image"] == jobs[2].params["image"] != jobs[1].params["image"]


@pytest.mark.rule("D60", "D61")
def test_a_control_is_sent_with_its_settings_or_as_it_was_painted(files: dict[str, str]) -> None:
    image = card("a", IMAGE, files["wide"])
    steering = card("c", CONTROL, settings={"type": "canny", "weight": 0.5, "threshold_a": 0.2})
    (job,) = frozen([image, steering])
    unit = validate(Generate, job.params).control[0]
    assert (unit.image, unit.preprocessor, unit.model, unit.weight, unit.threshold_a) == ("", "canny", "sd15_canny", 0.5, 0.2)
    (job,) = frozen([image, replace(steering, map=files["other"], map_key=PAINTED)])
    unit = validate(Generate, job.params).control[0]
    assert (unit.preprocessor, unit.union_type, unit.threshold_a) == ("none", "canny", None)
    assert job.blobs[unit.image] == Path(files["other"]).read_bytes()


@pytest.mark.rule("D54")
def test_a_reference_is_a_unit_of_an_image_prompt_model_and_regions_are_areas(files: dict[str, str]) -> None:
    (job,) = frozen([card("r", REFERENCE, files["other"]), card("s", REGIONS, masks=("", files["mask"], ""))], size=(400, 200))
    request = validate(Generate, job.params)
    assert request.control[0].model == "prompt" and job.blobs[request.control[0].image]
    assert len(request.areas) == 2
    assert job.blobs[request.areas[1]] == Path(files["mask"]).read_bytes()
    assert Image.open(io.BytesIO(job.blobs[request.areas[0]])).getextrema() == (255, 255), "a part without a layer acts everywhere"


@pytest.mark.rule("D44")
def test_a_tile_control_on_an_image_paints_in_tiles(files: dict[str, str]) -> None:
    (job,) = frozen([card("a", IMAGE, files["wide"]), card("t", CONTROL, settings={"type": "tile"})])
    request = validate(Generate, job.params)
    assert (request.tiled, request.tile_size, request.control[0].preprocessor) == ("tiles", 512, "tile")


@pytest.mark.rule("D54")
def test_kinds_that_nobody_named_come_from_the_catalog() -> None:
    assert [row.id for row in OFFERS.types()] == ["canny", "instruct", "tile", "qr", "spiral"]


def test_an_image_gives_its_size_or_its_shape() -> None:
    assert size_taken((640, 451), (512, 512)) == (640, 448)
    assert size_taken((4000, 3000), (512, 512)) == (592, 440)
    assert size_taken((4000, 3000), (0, 0)) == (4000, 3000)


def test_cards_survive_a_session() -> None:
    held = card("a", CONTROL, "x.png", "y.png", at=1, enabled=False, crop=Crop(2, 0.25, 0.75), settings={"type": "canny", "weight": 0.5}, pose="{}")
    assert Card.from_json(held.to_json()) == held
    assert Card.from_json({"id": "a", "role": "unheard"}) is None
    assert Card.from_json({"id": "a", "role": "image", "files": 3, "crop": ["x"], "at": 99}) == Card("a", "image")
