"""Files that are there whole or not at all, whatever happens while they are written. Rules: M28, M29 of metadata.

The bytes go into a hidden temporary file in the target folder, are forced to the disk, and get their name in one step that never replaces an existing file
(`write_new`) or replaces it whole (`replace_file`). The names of these steps are given to an `on_step` callable, which is how tests stop a writer at each of
them.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sfumato.protocol.errors import DiskFull, NotWritable

STEPS = ("create", "write", "flush", "fsync", "rename", "fsync folder", "done")
TEMPORARY_SUFFIX = ".tmp"
STALE_AFTER_S = 24 * 3600.0

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EXDEV}
_WRITE_BYTES = 1 << 20

OnStep = Callable[[str], None]


def _no_step(step: str) -> None:
    del step


def write_new(path: Path, data: bytes, *, on_step: OnStep = _no_step) -> None:
    """Write a file that must not exist yet.

    Args:
        path: in a folder that exists.
        data: the whole content.
        on_step: is told each of `STEPS` before it is taken.

    Raises:
        FileExistsError: the name is taken; the file there is untouched.
        DiskFull, NotWritable: nothing is left behind.
    """
    with _temporary(path, data, on_step) as temporary:
        _name_without_replacing(temporary, path)
    _finish(path.parent, on_step)


def publish_new(temporary: Path, path: Path) -> None:
    """Give a finished temporary file beside `path` its name. Raises `FileExistsError` if the name is taken, `DiskFull`, `NotWritable`."""
    with _as_sentences(path.parent, 0):
        _name_without_replacing(temporary, path)
    _finish(path.parent, _no_step)


def save_new(paths: Iterable[Path], data: bytes, *, beside: Mapping[str, bytes] | None = None, on_step: OnStep = _no_step) -> Path:
    """Write a file under the first of `paths` that is free, and return it. The bytes are written once, whatever the number of tries.

    Args:
        paths: in one folder that exists.
        data: the whole content.
        beside: contents of files with the same name and other endings, by ending; they are there before the file is.
        on_step: is told each of `STEPS` before it is taken.

    Raises:
        FileExistsError: all names are taken.
        DiskFull, NotWritable: nothing is left behind.
    """
    tries = iter(paths)
    first = next(tries, None)
    if first is None:
        raise FileExistsError("There is no name to write under.")
    with ExitStack() as stack:
        others = {ending: stack.enter_context(_temporary(first.with_suffix(ending), content, _no_step)) for ending, content in (beside or {}).items()}
        path = _first_free(stack.enter_context(_temporary(first, data, on_step)), others, first, tries)
    _finish(path.parent, on_step)
    return path


def replace_file(path: Path, data: bytes, *, private: bool = False, on_step: OnStep = _no_step) -> None:
    """Write a file, replacing an older one as a whole: a reader sees the old content or the new, never a part.

    Args:
        path: in a folder that exists.
        data: the whole content.
        private: nobody but this user may open it (mode 0600), at no moment.
        on_step: is told each of `STEPS` before it is taken.

    Raises:
        DiskFull, NotWritable: the older file is untouched and nothing is left behind.
    """
    with _temporary(path, data, on_step, private) as temporary:
        temporary.replace(path)
    _finish(path.parent, on_step)


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it, and return it. Raises `DiskFull` or `NotWritable`."""
    with _as_sentences(folder, 4096):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotWritable(str(folder), "a file has this name") from error
    return folder


def is_temporary(path: Path) -> bool:
    """Whether a file is one of ours that was not finished; watchers and indexers leave it alone."""
    return path.name.startswith(".") and path.name.endswith(TEMPORARY_SUFFIX)


def remove_stale(folder: Path, now: float | None = None) -> list[Path]:
    """Remove temporary files of `folder` that are older than a day (a writer that died left them), and return them.

    Args:
        folder: looked through without its sub-folders; need not exist.
        now: seconds since the epoch; default the clock's.
    """
    removed = []
    limit = (time.time() if now is None else now) - STALE_AFTER_S
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                if is_temporary(path) and path.lstat().st_mtime < limit:
                    path.unlink()
                    removed.append(path)
    return removed


@contextmanager
def _temporary(path: Path, data: bytes, on_step: OnStep, private: bool = False) -> Iterator[Path]:
    """A hidden file beside `path` with `data` safely on the disk; gone afterwards, unless it was renamed."""
    temporary = path.with_name(f".{_shortened(path.name)}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
    try:
        with _as_sentences(path.parent, len(data)):
            on_step("create")
            with open(temporary, "xb", buffering=0, opener=_open_private if private else None) as file:
                on_step("write")
                _write_all(file.fileno(), data)
                on_step("flush")
                file.flush()
                on_step("fsync")
                os.fsync(file.fileno())
            on_step("rename")
            yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _shortened(name: str) -> str:
    """So much of a name that the temporary one stays within the 255 bytes of a file system."""
    return name.encode("utf-8", "surrogateescape")[:200].decode("utf-8", "ignore")


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest[:_WRITE_BYTES]) :]


def _first_free(temporary: Path, beside: Mapping[str, Path], first: Path, others: Iterator[Path]) -> Path:
    path: Path | None = first
    while path is not None:
        named: list[tuple[Path, Path]] = []
        try:
            for ending, other in beside.items():
                _name_without_replacing(other, path.with_suffix(ending))
                named.append((path.with_suffix(ending), other))
            _name_without_replacing(temporary, path)
        except BaseException as error:
            for there, back in named:
                there.replace(back)
            if not isinstance(error, FileExistsError):
                raise
            path = next(others, None)
        else:
            return path
    raise FileExistsError(f"No free name was found after {first.name}.")


def _name_without_replacing(temporary: Path, path: Path) -> None:
    """Give a file its name in one step that fails if the name is taken."""
    if os.name == "nt":
        temporary.rename(path)  # refuses to replace there
        return
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_over_reservation(temporary, path)
    else:
        temporary.unlink()


def _rename_over_reservation(temporary: Path, path: Path) -> None:
    """Where a file system has no hard links (FAT, some network folders): reserve the name with an empty file, exclusively, and rename over it.

    A writer killed between the two leaves the empty file; that is the least such a file system allows.
    """
    path.open("xb").close()
    try:
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _finish(folder: Path, on_step: OnStep) -> None:
    """Force the new name to the disk where the system can (POSIX); the file itself is already whole."""
    on_step("fsync folder")
    if os.name != "nt":
        with suppress(OSError):  # some network file systems refuse to sync a folder
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    on_step("done")


@contextmanager
def _as_sentences(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Turn a full disk and missing rights into the errors a person can act on."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFull(str(folder), free_bytes(folder), needed_bytes) from error
        raise NotWritable(str(folder), error.strerror or type(error).__name__) from error


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written to the disk of a folder; 0 if that cannot be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
