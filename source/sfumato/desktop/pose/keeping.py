"""Where the pose of a card comes from and how it is kept; everything here is for the disk thread. No Qt."""

from __future__ import annotations

import time
from pathlib import Path

from sfumato.desktop.language import tr
from sfumato.imaging.pose.drawing import as_png
from sfumato.imaging.pose.editing import with_person
from sfumato.imaging.pose.keypoints import Pose, read_pose, write_pose
from sfumato.imaging.writing import make_folder, replace_file, write_new
from sfumato.protocol.errors import Invalid, Problem, SfumatoError

LARGEST_BYTES = 64 << 20
ENDINGS = (".png", ".json")


def opened(text: str, file: str, size: tuple[int, int], *, has_picture: bool) -> Pose:
    """The pose a card is opened with: its own, the one its file carries, else one person, or none where there is a picture to find people in.

    Raises `Invalid` where its own cannot be read.
    """
    if text:
        return read_pose(text.encode(), "pose")
    if file.lower().endswith(ENDINGS):
        try:
            return read_file(Path(file))
        except SfumatoError:
            pass  # a picture like any other
    empty = Pose((), *size)
    return empty if has_picture else with_person(empty)


def read_file(path: Path) -> Pose:
    """The pose in OpenPose's JSON, or in a PNG that carries it. Raises `Invalid`."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            words = tr("'{file}' is larger than {size} MiB, which no pose is; choose another file.", file=path.name, size=LARGEST_BYTES >> 20)
            raise Invalid([Problem("file", words)])
        data = path.read_bytes()
    except OSError as error:
        words = tr("'{file}' cannot be read ({reason}); choose another file.", file=path.name, reason=error.strerror)
        raise Invalid([Problem("file", words)]) from error
    return read_pose(data, path.name)


def name(folder: Path) -> Path:
    """A new name for the map of one opening."""
    return folder / f"pose-{time.time_ns():x}.png"


def keep(path: Path, pose: Pose) -> None:
    """Write the map. Raises `DiskFull` or `NotWritable`."""
    make_folder(path.parent)
    replace_file(path, as_png(pose))


def export(path: Path, pose: Pose) -> Path:
    """Write a pose where the user wants it, as JSON or as a PNG with the pose in it; the file, never over another one.

    Raises:
        Invalid: the file is there, or its ending is another.
        DiskFull, NotWritable: nothing is left behind.
    """
    path = path if path.suffix else path.with_suffix(".png")
    if path.suffix.lower() not in ENDINGS:
        raise Invalid([Problem("file", tr("A pose is saved as .png or .json, not as {ending}; give the file one of these endings.", ending=path.suffix))])
    make_folder(path.parent)
    try:
        write_new(path, as_png(pose) if path.suffix.lower() == ".png" else write_pose(pose).encode())
    except FileExistsError:
        raise Invalid([Problem("file", tr("'{file}' exists already and is not replaced; give another name.", file=path.name))]) from None
    return path
