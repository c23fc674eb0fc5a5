"""A checkpoint on disk: a safetensors file or a diffusers folder, opened by its headers alone and read tensor by tensor.

Nothing here runs code from a file: headers are checked by `library.safetensors_header` before anything else looks at them, pickles are refused by
their first bytes. Tensors are read straight into the memory they stay in, so that loading holds one copy plus one tensor; a mapped file would
count twice while a cast copy is made, and a file overwritten in place would change or kill a loaded model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from sfumato.engine.layouts import clip, original, vae
from sfumato.library.safetensors_header import Header, read_header
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused, UnsafeName
from sfumato.protocol.paths import contain

_DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_CONFIG_LIMIT_BYTES = 1 << 20
# Sub-folder of a diffusers folder -> our part.
_FOLDERS = {"unet": "unet", "vae": "vae", "text_encoder": "clip_l", "text_encoder_2": "clip_g", "transformer": "transformer"}
_VARIANTS = ("", ".fp16", ".bf16")


@dataclass(frozen=True)
class Stored:
    """One tensor in a file, not read yet. `begin` and `end` are byte offsets in the file."""

    file: Path
    key: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Checkpoint:
    """What the headers tell.

    Attributes:
        name: the file's or folder's name, for people.
        parts: part ("unet", "vae", "clip_l", "other") -> canonical name -> tensor.
        metadata: the header's text pairs (a folder has none).
        configs: part -> its config.json, for what shapes do not tell; empty for single files.
        identity: path, size and modification time of every file; another identity is another checkpoint.
    """

    path: Path
    name: str
    parts: Mapping[str, Mapping[str, Stored]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    identity: tuple[tuple[str, int, int], ...] = ()

    def shape(self, part: str, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor, None if the file has no such tensor."""
        stored = self.parts.get(part, {}).get(name)
        return stored.shape if stored else None


def open_checkpoint(path: Path) -> Checkpoint:
    """Read the headers of a file or folder.

    Raises `ModelNotFound`, `CorruptFile`, `PickleRefused`, or `ModelUnsupported` for a folder that is no model.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise ModelNotFound("checkpoint", path.name)
    header = read_header(path)
    stored = _stored(path, header)
    parts = {part: {name: stored[key] for name, key in table.items()} for part, table in original.sort_keys(stored).items()}
    return Checkpoint(path, path.name, parts, dict(header.metadata), identity=identity_of([path]))


def identity_of(files: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Path, size and mtime (ns) of each file."""
    return tuple((str(file), status.st_size, status.st_mtime_ns) for file in files for status in (file.stat(),))


def _stored(path: Path, header: Header) -> dict[str, Stored]:
    start = header.data_start
    return {key: Stored(path, key, info.dtype, info.shape, start + info.begin, start + info.end) for key, info in header.tensors.items()}


def _open_folder(path: Path) -> Checkpoint:
    if not (path / "model_index.json").is_file():
        raise ModelUnsupported(path.name, "a folder without model_index.json, so no diffusers model")
    configs: dict[str, Mapping[str, Any]] = {"index": _json(path, "model_index.json")}
    parts: dict[str, dict[str, Stored]] = {}
    files: list[Path] = []
    for folder, part in _FOLDERS.items():
        found = _weight_files(path, folder)
        if not found:
            continue
        files += found
        stored: dict[str, Stored] = {}
        for file in found:
            stored |= _stored(file, read_header(file, f"{path.name}/{folder}/{file.name}"))
        if part in ("clip_l", "clip_g"):
            names = clip.canonical(stored)
        elif part == "vae":
            names = vae.to_diffusers(stored)
        else:
            names = {key: key for key in stored}
        parts[part] = {name: stored[key] for key, name in names.items()}
        if (path / folder / "config.json").is_file():
            configs[part] = _json(path, f"{folder}/config.json")
    if (path / "scheduler" / "scheduler_config.json").is_file():
        configs["scheduler"] = _json(path, "scheduler/scheduler_config.json")
    return Checkpoint(path, path.name, parts, {}, configs, identity_of([path / "model_index.json", *files]))


def _weight_files(path: Path, folder: str) -> list[Path]:
    """The safetensors files of one component: one file, a variant of it, or shards named by an index. Raises `PickleRefused` if only pickles are there."""
    for stem in ("diffusion_pytorch_model", "model"):
        for variant in _VARIANTS:
            single = path / folder / f"{stem}{variant}.safetensors"
            if single.is_file():
                return [single]
            index = f"{folder}/{stem}.safetensors.index{variant}.json"
            if (path / index).is_file():
                return _shards(path, folder, index)
        if (path / folder / f"{stem}.bin").is_file() or (path / folder / f"pytorch_{stem}.bin").is_file():
            raise PickleRefused(f"{path.name}/{folder}")
    return []


def _shards(path: Path, folder: str, index: str) -> list[Path]:
    table = _json(path, index).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise CorruptFile(f"{path.name}/{index}", "it has no weight_map")
    try:
        shards = [contain(path / folder, str(name)) for name in sorted({str(name) for name in table.values()})]
    except UnsafeName as error:
        raise CorruptFile(f"{path.name}/{index}", "it names files outside its folder") from error
    for shard in shards:
        if not shard.is_file():
            raise CorruptFile(f"{path.name}/{index}", f"the file '{shard.name}' it names is missing")
    return shards


def _json(path: Path, name: str) -> dict[str, Any]:
    file = path / name
    if file.stat().st_size > _CONFIG_LIMIT_BYTES * (32 if name.endswith(".index.json") else 1):
        raise CorruptFile(f"{path.name}/{name}", "it is too large for a configuration")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CorruptFile(f"{path.name}/{name}", "it is not JSON") from error
    if not isinstance(values, dict):
        raise CorruptFile(f"{path.name}/{name}", "it is not a JSON object")
    return values


class Reader:
    """Reads tensors of a checkpoint; keeps its files open until it is left. `check` is called before each tensor and may raise to stop."""

    def __init__(self, checkpoint: Checkpoint, check: Callable[[], None] = lambda: None) -> None:
        self._checkpoint = checkpoint
        self._check = check
        self._stack = ExitStack()
        self._files: dict[Path, BinaryIO] = {}

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._files.clear()

    def read(self, stored: Stored, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The tensor on `device`; floating ones in `dtype`, others as stored."""
        self._check()
        kind = _DTYPES.get(stored.dtype)
        if kind is None:
            raise CorruptFile(self._checkpoint.name, f"tensor '{stored.key}' has the number format {stored.dtype}, which Sfumato does not read")
        tensor = torch.empty(stored.shape, dtype=kind)
        if tensor.numel():
            self._fill(stored, memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
        return tensor.to(device, dtype if kind.is_floating_point else kind)

    def _fill(self, stored: Stored, target: memoryview) -> None:
        if stored.file not in self._files:
            # Unbuffered: a tensor is read by one call into its own memory.
            self._files[stored.file] = self._stack.enter_context(stored.file.open("rb", buffering=0))
        file = self._files[stored.file]
        file.seek(stored.begin)
        done = 0
        while done < len(target):
            count = file.readinto(target[done : done + (1 << 30)])
            if not count:
                raise CorruptFile(self._checkpoint.name, f"it ends in the middle of tensor '{stored.key}'")
            done += count
