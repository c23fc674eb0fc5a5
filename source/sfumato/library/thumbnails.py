"""Small pictures kept on disk, so that a picture is decoded once and shown often.

A thumbnail belongs to a file as it was: its key holds path, size and time, so that a file that changed has a new one. What was shown longest ago goes first
when the folder grows over its limit.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from sfumato.imaging.writing import is_temporary, make_folder, replace_file
from sfumato.protocol.errors import ImageUnreadable

SIDE_PX = 512
LIMIT_BYTES = 2 << 30
# No picture beyond this is opened (M18).
PIXELS_AT_MOST = 400_000_000
QUALITY = 86
# A file used again within this time keeps the time of use it has: showing costs no write.
USE_GRAIN_S = 3600.0
# The folder shrinks to this share of its limit, so that it is not looked through at each new thumbnail.
SHRINK_TO = 0.9


class Thumbnails:
    """The thumbnails of one folder; safe to use from several threads.

    Args:
        folder: made when the first thumbnail is written.
        limit_bytes: what it may hold.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None  # unknown until the folder was looked through

    def get(self, path: Path) -> tuple[Path, bool]:
        """The thumbnail of a picture, made if there is none yet, and whether it was made now.

        Raises:
            ImageUnreadable: the file is gone, or is no picture.
            DiskFull, NotWritable: the thumbnail cannot be kept.
        """
        try:
            facts = path.stat()
        except (OSError, ValueError) as error:
            raise ImageUnreadable(f"'{path.name}'", getattr(error, "strerror", None) or str(error)) from error
        place = self._place(path, facts.st_size, facts.st_mtime_ns)
        if self._used(place):
            return place, False
        data = small(path)
        make_folder(place.parent)
        replace_file(place, data)
        self._count(len(data))
        return place, True

    def bytes(self) -> int:
        """What the folder holds."""
        with self._lock:
            return self._known()

    def _place(self, path: Path, size: int, mtime_ns: int) -> Path:
        key = hashlib.sha256(f"{os.fspath(path)}\0{size}\0{mtime_ns}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
        return self._folder / key[:2] / key[2:]

    def _used(self, place: Path) -> bool:
        """Whether a thumbnail is there; it then counts as used now."""
        try:
            if time.time() - place.stat().st_mtime > USE_GRAIN_S:
                os.utime(place)
        except OSError:
            return False
        return True

    def _known(self) -> int:
        if self._bytes is None:
            self._bytes = sum(size for _, size, _ in self._held())
        return self._bytes

    def _count(self, size: int) -> None:
        with self._lock:
            known = self._bytes
            self._bytes = self._known() + (size if known is not None else 0)
            if self._bytes > self._limit:
                self._shrink()

    def _held(self) -> list[tuple[float, int, Path]]:
        """Time of use, size and file of every thumbnail."""
        found = []
        for inner in _entries(self._folder):
            for entry in _entries(Path(inner.path)) if inner.is_dir() else ():
                try:
                    facts = entry.stat()
                except OSError:
                    continue
                if not is_temporary(Path(entry.path)):
                    found.append((facts.st_mtime, facts.st_size, Path(entry.path)))
        return found

    def _shrink(self) -> None:
        held = sorted(self._held())
        left = sum(size for _, size, _ in held)
        for _, size, path in held:
            if left <= self._limit * SHRINK_TO:
                break
            try:
                path.unlink()
            except OSError:
                continue
            left -= size
        self._bytes = left


def small(path: Path) -> bytes:
    """A picture at most `SIDE_PX` a side, upright, as JPEG, or as PNG if it has holes; never larger than it is.

    Raises:
        ImageUnreadable: the file cannot be read, or is no picture.
    """
    name = f"'{path.name}'"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                if opened.width * opened.height > PIXELS_AT_MOST:
                    raise ImageUnreadable(name, "it has more than 400 megapixels")
                # A JPEG is decoded at a half, a quarter or an eighth of its size where that is enough.
                opened.draft("RGB", (SIDE_PX, SIDE_PX))
                opened.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
                picture = ImageOps.exif_transpose(opened)
                has_holes = picture.has_transparency_data
                held = io.BytesIO()
                if has_holes:
                    picture.convert("RGBA").save(held, "PNG", compress_level=4)
                else:
                    picture.convert("RGB").save(held, "JPEG", quality=QUALITY)
                return held.getvalue()
    except ImageUnreadable:
        raise
    except OSError as error:
        raise ImageUnreadable(name, error.strerror or "it is no picture, or a damaged one") from error
    except (Image.DecompressionBombError, ValueError, SyntaxError, ArithmeticError, LookupError, EOFError) as error:
        raise ImageUnreadable(name, "it is damaged") from error


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except OSError:
        return []
