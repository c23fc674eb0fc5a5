"""Files and folders carried from one place to another: the bytes stay what they are, nothing is replaced, and what fails leaves the source where it was.

On one volume it is a rename. Across volumes the copy is made under a temporary name, compared with its source by checksum, forced to the disk, named, and
only then is the source removed. Rules: D114 of the window, R52-R54.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from sfumato.imaging.writing import TEMPORARY_SUFFIX, free_bytes, make_folder, publish_new
from sfumato.protocol.errors import CorruptFile, DiskFull, NameTaken, NotWritable

_BLOCK_BYTES = 1 << 20


def carry(source: Path, target: Path) -> None:
    """Give a file or folder another path; the folders above it are made.

    Raises:
        NameTaken: there is something at `target`.
        CorruptFile: the copy on another volume differs from its source, or the source cannot be read.
        DiskFull, NotWritable: nothing was changed.
    """
    make_folder(target.parent)
    if not _is_same(source, target) and os.path.lexists(target):
        raise NameTaken(target.name, target.parent.name)
    try:
        _rename(source, target)
    except FileExistsError:
        raise NameTaken(target.name, target.parent.name) from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise NotWritable(str(target.parent), error.strerror or type(error).__name__) from error
        copy(source, target)
        _remove(source)


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder, compared byte by byte before it gets its name. Errors as `carry`."""
    make_folder(target.parent)
    needed = _bytes_of(source)
    free = free_bytes(target.parent)
    if free and free < needed:
        raise DiskFull(str(target.parent), free, needed)
    temporary = target.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    try:
        if source.is_dir():
            _copy_folder(source, temporary)
            if os.path.lexists(target):
                raise NameTaken(target.name, target.parent.name)
            temporary.rename(target)
        else:
            _copy_file(source, temporary)
            publish_new(temporary, target)
    except FileExistsError:
        raise NameTaken(target.name, target.parent.name) from None
    except OSError as error:
        raise NotWritable(str(target.parent), error.strerror or type(error).__name__) from error
    finally:
        _discard(temporary)


def _is_same(source: Path, target: Path) -> bool:
    """Whether the target is the source under another spelling, as on a disk that knows no upper case."""
    with suppress(OSError):
        return os.path.samefile(source, target) and source.name != target.name
    return False


def _rename(source: Path, target: Path) -> None:
    """Rename in one step that fails if the name is taken meanwhile, where the file system can."""
    if os.name != "nt" and not source.is_dir() and not source.is_symlink() and not _is_same(source, target):
        try:
            os.link(source, target)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise
        else:
            try:
                source.unlink()
            except OSError:
                target.unlink()
                raise
            return
    source.rename(target)


def _copy_folder(source: Path, target: Path) -> None:
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _copy_folder(path, target / path.name)
        else:
            _copy_file(path, target / path.name)
    shutil.copystat(source, target)


def _copy_file(source: Path, target: Path) -> None:
    """Copy the bytes and times of a file; the copy is read again and compared."""
    expected = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while block := reading.read(_BLOCK_BYTES):
            expected.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    found = hashlib.sha256()
    with target.open("rb") as reading:
        while block := reading.read(_BLOCK_BYTES):
            found.update(block)
    if found.digest() != expected.digest():
        raise CorruptFile(source.name, "its copy differs from it")
    shutil.copystat(source, target)


def _bytes_of(path: Path) -> int:
    with suppress(OSError):
        if not path.is_dir():
            return path.stat().st_size
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return 0


def _remove(path: Path) -> None:
    """Remove a source whose copy is safe; one that cannot go stays as a second copy, which is said."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise NotWritable(str(path.parent), f"'{path.name}' was copied but cannot be removed: {error.strerror}") from error


def _discard(temporary: Path) -> None:
    with suppress(OSError):
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)
