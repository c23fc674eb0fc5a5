"""A pickled model to a safetensors file beside it, by a process of its own; the original is left as it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sfumato.imaging.writing import free_bytes, publish_new
from sfumato.library.file_kind import FIRST_BYTES, kind_of_bytes
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import ConversionRefused, DiskFull, Invalid, ModelNotFound, ModelUnsupported, NotWritable, Problem

_SCRIPT = Path(__file__).with_name("isolated.py")
_BLOCK = 1 << 20
# Room for the interpreter and a description of 100,000 tensors; the numbers themselves pass through in blocks.
_MEMORY_BYTES = 1 << 30
_OUTPUT_EXTRA_BYTES = 16 << 20
_SECONDS, _BYTES_A_SECOND = 60, 20 << 20
_LOOK_EVERY_S = 0.2
SOURCE_HASH = "sfumato.source_sha256"


@dataclass(frozen=True)
class Converted:
    """`left_out` stood beside the weights; `placeholders` are names in the pickle that would have run code or made objects, and did not."""

    path: Path
    tensors: int
    source_sha256: str
    left_out: tuple[str, ...] = field(default=())
    placeholders: tuple[str, ...] = field(default=())


def convert(source: Path, target: Path | None = None, check: Callable[[], None] = lambda: None) -> Converted:
    """Convert `source` to `target` (default: beside it, ending .safetensors), which must not exist.

    `check` is called now and then and may raise to stop; nothing is left then. Raises `ModelNotFound`, `Invalid`, `ModelUnsupported`,
    `ConversionRefused` (with what is wrong), `DiskFull`, `NotWritable`.
    """
    target = target or source.with_suffix(".safetensors")
    if not source.is_file():
        raise ModelNotFound("file", source.name)
    with source.open("rb") as opened:
        if kind_of_bytes(opened.read(FIRST_BYTES)) != "pickle":
            raise ModelUnsupported(source.name, "no pickled model", use="convert it")
    if target.exists():
        raise _taken(target)
    size = source.stat().st_size
    if free_bytes(target.parent) < size + _OUTPUT_EXTRA_BYTES:
        raise DiskFull(str(target.parent), free_bytes(target.parent), size + _OUTPUT_EXTRA_BYTES)
    with source.open("rb") as opened:
        sha256 = _sha256(opened, check)
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.stem[:40]}.", suffix=".tmp", dir=target.parent)
        except OSError as error:
            raise NotWritable(str(target.parent)) from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as output:
                report = _run(opened, output, source.name, _limits(size, sha256), check)
                output.flush()
                os.fsync(output.fileno())
            read_header(temporary, target.name)  # our own reader has the last word
            publish_new(temporary, target)
        except FileExistsError as error:
            raise _taken(target) from error
        finally:
            temporary.unlink(missing_ok=True)
    return Converted(target, report["tensors"], sha256, tuple(report["left_out"]), tuple(report["placeholders"]))


def _taken(target: Path) -> Invalid:
    return Invalid([Problem("output", f"'{target.name}' exists already; move it or choose another name.")])


def _limits(size: int, sha256: str) -> dict[str, Any]:
    """What the reader of a file of `size` bytes may use."""
    return {
        "source_bytes": size,
        "output_bytes": size + size // 4 + _OUTPUT_EXTRA_BYTES,
        "memory_bytes": _MEMORY_BYTES + size // 8,
        "seconds": _SECONDS + size // _BYTES_A_SECOND,
        "metadata": {SOURCE_HASH: sha256, "format": "pt"},
    }


def _sha256(file: BinaryIO, check: Callable[[], None]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        check()
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _run(source: BinaryIO, output: BinaryIO, name: str, limits: dict[str, Any], check: Callable[[], None]) -> dict[str, Any]:
    """Start the isolated process and wait for its report; it dies with whatever ends this."""
    with tempfile.TemporaryDirectory(prefix="sfumato-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(_SCRIPT), json.dumps(limits)],
            stdin=source,
            stdout=output,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"SYSTEMROOT": os.environ["SYSTEMROOT"]} if sys.platform == "win32" else {},
        )
        try:
            said = _wait(process, time.monotonic() + 2 * limits["seconds"], check)
        finally:
            process.kill()
            process.communicate()
    try:
        report = json.loads(said.decode("utf-8").splitlines()[-1])
    except (ValueError, IndexError):
        reason = f"its reader ended early (status {process.returncode}), as it does with files that ask for too much"
        raise ConversionRefused(name, reason, detail=said.decode("utf-8", "replace")[-2000:]) from None
    if "refused" in report:
        raise ConversionRefused(name, report["refused"])
    return report


def _wait(process: subprocess.Popen[bytes], ends: float, check: Callable[[], None]) -> bytes:
    while time.monotonic() < ends:
        check()
        try:
            return process.communicate(timeout=_LOOK_EVERY_S)[1]
        except subprocess.TimeoutExpired:
            continue
    return b'{"refused": "reading it took too long"}'
