"""Small pictures on disk: made once, upright, never beyond the limit."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from sfumato.library.thumbnails import SIDE_PX, Thumbnails, small
from sfumato.protocol.errors import ImageUnreadable


def a_picture(path: Path, size: tuple[int, int] = (900, 600), mode: str = "RGB", **how: object) -> Path:
    Image.new(mode, size, 128 if mode == "L" else "teal").save(path, **how)
    return path


@pytest.mark.rule("D131", "R128")
def test_a_picture_is_decoded_once(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "thumbnails")
    picture = a_picture(tmp_path / "a.png")
    place, is_new = kept.get(picture)
    assert is_new and Image.open(io.BytesIO(place.read_bytes())).size == (512, 341)
    # A new process finds it as well.
    assert Thumbnails(tmp_path / "thumbnails").get(picture) == (place, False)


@pytest.mark.rule("D131")
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.avif"])
def test_every_format_of_pictures_is_read(tmp_path: Path, name: str) -> None:
    assert max(Image.open(io.BytesIO(small(a_picture(tmp_path / name, (1024, 512))))).size) == SIDE_PX


def test_a_small_picture_stays_as_small_as_it_is(tmp_path: Path) -> None:
    assert Image.open(io.BytesIO(small(a_picture(tmp_path / "a.png", (64, 32))))).size == (64, 32)


def test_a_photograph_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert Image.open(io.BytesIO(small(a_picture(tmp_path / "a.jpg", (900, 600), exif=exif)))).size == (341, 512)


def test_holes_stay_holes(tmp_path: Path) -> None:
    Image.new("RGBA", (800, 800), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert Image.open(io.BytesIO(small(tmp_path / "a.png"))).getpixel((5, 5))[3] == 0


@pytest.mark.rule("D131")
def test_a_changed_file_has_a_new_thumbnail(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "thumbnails")
    picture = a_picture(tmp_path / "a.png")
    before, _ = kept.get(picture)
    a_picture(picture, (100, 100))
    os.utime(picture, ns=(1, 1))
    after, is_new = kept.get(picture)
    assert is_new and after != before


@pytest.mark.rule("D131", "R128")
def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    pictures = [a_picture(tmp_path / f"{number}.png", (512, 512)) for number in range(12)]
    size = len(small(pictures[0]))
    kept = Thumbnails(tmp_path / "thumbnails", limit_bytes=size * 8)
    first = [kept.get(picture)[0] for picture in pictures[:8]]
    for age, place in enumerate(first):
        os.utime(place, (1000 + age, 1000 + age))
    kept.get(pictures[0])  # used now, so it stays
    kept.get(pictures[8])
    assert first[0].exists() and not first[1].exists()
    assert kept.bytes() == sum(place.stat().st_size for place in (tmp_path / "thumbnails").rglob("*") if place.is_file()) <= size * 8


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "odd.png").write_bytes(data)
    with pytest.raises(ImageUnreadable, match=r"odd\.png"):
        Thumbnails(tmp_path / "thumbnails").get(tmp_path / "odd.png")
    with pytest.raises(ImageUnreadable, match="gone"):
        Thumbnails(tmp_path / "thumbnails").get(tmp_path / "gone.png")
