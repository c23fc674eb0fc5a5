"""The last step of a file: its name in a models folder, never over another, never outside. Rules: X15, X16 of security."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sfumato.imaging.writing import make_folder
from sfumato.library.carrying import carry
from sfumato.library.hashes import Hashes
from sfumato.library.models import FOLDERS, candidates
from sfumato.protocol.errors import CorruptFile, NameTaken, NotWritable, UnsafeName
from sfumato.protocol.params.transfers import AUTOMATIC
from sfumato.protocol.paths import contain

# The folder of each category that files are put into, and back.
FOLDER_OF = {category: names[0] for category, names in FOLDERS.items()}
CATEGORY_OF = {folder: category for category, folder in FOLDER_OF.items()}


def target(models: Path, folder: str, name: str) -> Path:
    """The path a file will have. `folder` may be automatic: then only the name is checked. Raises `UnsafeName`."""
    root = models / (folder if folder != AUTOMATIC else FOLDERS["checkpoint"][0])
    try:
        return contain(root, name)
    except UnsafeName as error:
        error.path = "name"
        raise


def refuse_taken(path: Path) -> None:
    """Raise `NameTaken` if the name is in use, also in another spelling that some systems take for the same."""
    wanted = _folded(path.name)
    with contextlib.suppress(OSError):
        for there in os.listdir(path.parent):
            if _folded(there) == wanted:
                raise NameTaken(there, path.parent.name)


def place(part: Path, models: Path, folder: str, name: str) -> Path:
    """Give a finished part its name, in one step that fails if the name is taken; folders on the way are made.

    Raises:
        UnsafeName: the name leads outside, also if a folder on the way became a link meanwhile.
        NameTaken, CorruptFile, DiskFull, NotWritable: nothing was changed; the part is where it was.
    """
    path = target(models, folder, name)
    make_folder(path.parent)
    if target(models, folder, name) != path:  # the folder was made through a link that came meanwhile
        raise UnsafeName(name[:80], "it leads outside its folder", path="name")
    refuse_taken(path)
    if os.name == "nt" or os.link not in os.supports_dir_fd:
        carry(part, path)
        return path
    with _open_folder(models / folder, path.parent, name) as descriptor:
        try:
            os.link(part, path.name, dst_dir_fd=descriptor, follow_symlinks=False)
        except FileExistsError:
            raise NameTaken(path.name, path.parent.name) from None
        except OSError:
            carry(part, path)  # another volume, or one without links
        else:
            part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    with contextlib.suppress(OSError):
        path.chmod(0o644 & ~_withheld_by(path.parent))
    return path


def find_same(models: Sequence[Path], size: int, sha256: str, hashes: Hashes, check: Callable[[], None]) -> tuple[str, str] | None:
    """(folder, name in it) of a file with these bytes, if one is there. Only files of that very size are read, and those whose checksum is known are not."""
    for category in FOLDERS:
        for path in candidates(models, category):
            check()
            with contextlib.suppress(OSError, CorruptFile):
                if path.is_file() and path.stat().st_size == size and hashes.compute(path, check) == sha256:
                    return FOLDER_OF[category], _name_in(models, category, path)
    return None


def _name_in(models: Sequence[Path], category: str, path: Path) -> str:
    """What a path is called below the folder of its category."""
    for root in models:
        for part in FOLDERS[category]:
            with contextlib.suppress(ValueError):
                return path.relative_to(root / part).as_posix()
    return path.name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _withheld_by(folder: Path) -> int:
    """What a folder withholds from others, so that the file withholds it too."""
    return 0o777 & ~folder.stat().st_mode


@contextlib.contextmanager
def _open_folder(root: Path, folder: Path, name: str) -> Iterator[int]:
    """A folder below `root`, entered step by step without following a link: one that is exchanged between check and use is not followed."""
    real_root, real = Path(os.path.realpath(root)), Path(os.path.realpath(folder))
    try:
        steps = real.relative_to(real_root).parts
    except ValueError:
        raise UnsafeName(name[:80], "it leads outside its folder", path="name") from None
    descriptor = -1
    try:
        descriptor = os.open(real_root, os.O_RDONLY | os.O_DIRECTORY)
        for step in steps:
            inner = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    except NotADirectoryError:
        raise UnsafeName(name[:80], "it leads outside its folder", path="name") from None
    except OSError as error:
        raise NotWritable(folder.name, error.strerror or type(error).__name__) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)
