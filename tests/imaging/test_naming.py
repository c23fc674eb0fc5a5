"""Patterns of file names: every token, every system's rules, and no way out of the folder."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.naming import DEFAULT_PATTERN, PRESETS, Values, free_names, highest_number, save_named
from sfumato.imaging.naming_values import dated, values_of
from sfumato.imaging.picture import read_picture
from sfumato.imaging.saying import Facts
from sfumato.protocol.errors import UnsafeName
from sfumato.protocol.requests.generate import Generate
from tests.imaging.test_picture import picture

WHEN = datetime(2026, 11, 21, 2, 58, 7, tzinfo=timezone(timedelta(hours=-5)))


def told(prompt: str = "a big red cat, on the old mat", *, index: int = 2, **changes: Any) -> Values:
    request = Generate(prompt=prompt, negative="bad", steps=20, batch_size=2, batch_count=3, styles=("oil",), strength=0.4, image="0" * 64, **changes)
    facts = Facts(
        "Euler a",
        512,
        640,
        77,
        schedule="Karras",
        clip_skip=2,
        strength=0.4,
        names={"model": "my model"},
        hashes={"model": "0123456789"},
        prompt=prompt,
        negative="bad",
    )
    own = own_document("generate", request.model_dump(mode="json"), {"index": index, "seed": 77}, WHEN, resolved={"prompt": prompt, "negative": "bad"})
    data = encode(picture(), write_infotext(prompt, "bad", pairs_of(request, facts)), own).data
    return values_of(read_picture(data), data, WHEN, "txt2img")


def name(pattern: str, values: Values | None = None, number: int = 42) -> str:
    """The name and its folders, without the ending."""
    path = next(free_names(Path("/out"), pattern, told() if values is None else values, known=number - 1))
    return path.relative_to("/out").with_suffix("").as_posix()


def digest(text: str, digits: int = 8) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


PROMPT = "a big red cat, on the old mat"


@pytest.mark.rule("M26")
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[number]", "42"), ("[number:5]", "00042"), ("%index%", "00000042"), ("[number]-[seed]", "42-77"), ("[number] [seed_first]-[seed_last]", "42 75-80"),
        ("[number]-[steps]-[cfg]", "42-20-7"), ("[number]-[sampler]-[scheduler]", "42-Euler a-Karras"), ("[number]-[sampler_scheduler]", "42-Euler a Karras"),
        ("[number]-[width]x[height]", "42-4x4"), ("[number]-[model_name]-[model_hash]", "42-my model-0123456789"), ("[number]-%model%-%seed%-%mode%",
        "42-my model-77-txt2img"),
        ("[number]-[clip_skip]-[denoising]", "42-2-0.4"), ("[number]-[styles]", "42-oil"), ("[number]-[prompt]", "42-a_big_red_cat,_on_the_old_mat"),
        ("[number]-[prompt_spaces]", f"42-{PROMPT}"), ("[number]-[prompt_words]", "42-a big red cat on the old mat"), ("[number]-[prompt_no_styles]",
        "42-a_big_red_cat,_on_the_old_mat"),
        ("[number]-[prompt_hash]", f"42-{digest(PROMPT)}"), ("[number]-[prompt_hash<4>]", f"42-{digest(PROMPT, 4)}"), ("[number]-[negative_prompt_hash]",
        f"42-{digest('bad')}"),
        ("[number]-[full_prompt_hash<10>]", f"42-{digest(PROMPT + ' bad', 10)}"), ("[number]-[date]", "42-2026-11-21"), ("[number]-%date%-%time%",
        "42-2026-11-21-02-58-07"),
        ("[number]-[datetime]", "42-20261121025807"), ("[number]-[datetime<%d.%m.>]", "42-21.11"), ("[number]-[datetime<%H><UTC>]", "42-07"),
        ("[number]-[datetime<%H><No/Where>]", "42-02"),
        ("[number]-[job_timestamp]", "42-20261121025807"), ("[number]-[batch_number]-[batch_size]-[generation_number]", "42-1-2-3"),
        ("[number]-[hasprompt<cat|none>]", "42-cat"), ("[number]-[hasprompt<dog|none><Red>]", "42-noneRed"), ("[number]-[hasprompt<dog>]", "42"),
        # Without a value: dropped with the text before it; unknown: literal.
        ("[number]-[vae_filename]-[seed]", "42-77"), ("[number] by [user], [seed]", "42, 77"), ("[none]x[number]", "x42"), ("[number]-[nobody] %what%",
        "42-[nobody] %what%"),
        (PRESETS["AUTOMATIC1111"], "2026-11-21/00042-77"), (DEFAULT_PATTERN, "00000042-11210258"), ("grid-[number:4]", "grid-0042"),
        # One that yields nothing is the number alone.
        ("[vae_filename]", "00000042"), ("", "00000042"), ("[user]/[vae_filename]", "00000042"), (" . ", "00000042"),
    ],
)  # fmt: skip
def test_every_token(pattern: str, expected: str) -> None:
    assert name(pattern) == expected


@pytest.mark.rule("M26")
def test_a_picture_that_tells_nothing_still_has_a_number_and_a_time() -> None:
    assert name("[number:8]-[seed]-[prompt]-[datetime<%m%d>]", dated(WHEN)) == "00000042-1121"
    assert name("[prompt]-[seed]", dated(WHEN)) == "00000042"


@pytest.mark.rule("M26")
def test_the_image_hash_is_that_of_the_bytes() -> None:
    data = encode(picture(), "x").data
    assert values_of(read_picture(data), data, WHEN, "")["image_hash"](()) == hashlib.sha256(data).hexdigest()[:8]


@pytest.mark.rule("M27")
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("../../[seed]", "77"), ("/etc/[seed]", "etc/77"), ("C:\\x\\[seed]", "C_/x/77"), ("~/[seed]", "~/77"), ("a//b/./[seed]", "a/b/77"), ("[prompt]",
        "__.._etc_passwd"), ("CON/nul", "_CON/_nul"),
        ("x/[prompt]/[seed]", "x/__.._etc_passwd/77"), ("a\u0000b[seed]", "a_b77"), ("e\u0301[seed]", "é77"), ("con .[seed]", "con .77"),
    ],
)  # fmt: skip
def test_nothing_in_a_pattern_or_a_prompt_climbs_out(pattern: str, expected: str) -> None:
    assert name(pattern, told("//../etc/passwd")) == expected


@pytest.mark.rule("M27")
@given(st.text(max_size=60), st.text(max_size=40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_pattern_stays_inside_and_is_a_name_every_system_takes(pattern: str, prompt: str) -> None:
    values = dated(WHEN) | {"prompt": lambda arguments: prompt, "seed": lambda arguments: None}  # type: ignore[operator]  # dictionaries both
    path = next(free_names(Path("/out"), pattern, values))
    parts = path.relative_to("/out").parts
    assert path.name.endswith(".png")
    for part in parts:
        assert part not in (".", "..")
        assert not set(part) & set('#<>:"/\\|?*\0\n')
        assert len(part) <= 140
        assert len(part.encode()) <= 255


@pytest.mark.rule("M27")
def test_a_path_on_windows_has_at_most_240_characters() -> None:
    values = dated(WHEN) | {"prompt": lambda arguments: "word " * 100}  # type: ignore[operator]  # dictionaries both
    folder = Path("/" + "f" * 150)
    path = next(free_names(folder, "[number:8]-[prompt]", values, path_characters=240))
    assert len(str(path)) <= 240
    assert path.name.startswith("00000001-word word")


@pytest.mark.rule("M27")
def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outputs, outside = tmp_path / "outputs", tmp_path / "outside"
    (outputs / "inside").mkdir(parents=True)
    outside.mkdir()
    (outputs / "link").symlink_to(outside, target_is_directory=True)
    (outputs / "loop").symlink_to(outputs / "inside", target_is_directory=True)
    with pytest.raises(UnsafeName, match="outside"):
        save_named(outputs, b"x", "link/[number]", dated(WHEN))
    assert list(outside.iterdir()) == []
    assert save_named(outputs, b"x", "loop/[number]", dated(WHEN)).name == "1.png"
    # The folder itself may be a link of the person's
    (tmp_path / "pictures").symlink_to(outside, target_is_directory=True)
    save_named(tmp_path / "pictures", b"x", "[date]/[number]", dated(WHEN))
    assert [path.name for path in outside.iterdir()] == ["2026-11-21"]


@pytest.mark.rule("M28")
def test_numbers_go_on_wherever_the_pattern_has_them(tmp_path: Path) -> None:
    for file in ("grid-0007.png", "grid-0012.jpg", "00000500-1.png", ".grid-0900.png.ab.tmp"):
        (tmp_path / file).write_bytes(b"")
    assert save_named(tmp_path, b"x", "grid-[number:4]", dated(WHEN)).name == "grid-0013.png"
    values = dated(WHEN) | {"seed": lambda arguments: "99"}  # type: ignore[operator]  # dictionaries both
    assert save_named(tmp_path, b"x", "[seed]-[number:5]", values, suffix=".webp").name == "99-00001.webp"
    assert save_named(tmp_path, b"x", "[seed]-[number:5]", values).name == "99-00002.png"
    assert highest_number(tmp_path, "[seed]-[number:5]", values) == 2


@pytest.mark.rule("M28")
def test_a_name_without_a_number_gets_one_when_it_is_taken(tmp_path: Path) -> None:
    values = dated(WHEN) | {"prompt": lambda arguments: "cat"}  # type: ignore[operator]  # dictionaries both
    assert [save_named(tmp_path, b"x", "[prompt]", values).name for _ in range(3)] == ["cat.png", "cat-2.png", "cat-3.png"]


@pytest.mark.rule("M3", "M28")
def test_texts_beside_a_picture_have_its_name_and_take_nobodys(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("mine")
    seen: list[set[str]] = []

    def on_step(step: str) -> None:
        if step == "fsync folder":
            seen.append({path.name for path in tmp_path.iterdir()})

    path = save_named(tmp_path, b"x", "[number]", dated(WHEN), beside={".txt": b"infotext\n", ".json": b"{}"}, on_step=on_step)
    assert path.name == "2.png"
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"1.txt": b"mine", "2.txt": b"infotext\n", "2.json": b"{}", "2.png": b"x"}
    assert seen == [set(os.listdir(tmp_path))]


@pytest.mark.rule("M26", "R145")
def test_the_manual_names_every_token() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "metadata.md").read_text(encoding="utf-8")
    assert [token for token in dated(WHEN) if f"[{token}]" not in page and f"[{token}<" not in page] == []
