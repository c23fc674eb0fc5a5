"""A checkpoint on disk: a safetensors file, a diffusers folder, or a component of either, known by its headers alone.

Nothing here runs code from a file: headers are checked by `library.safetensors_header` before anything else looks at them, pickles are refused by their
first bytes. Weights are read by `reading.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from sfumato.engine.layouts import original
from sfumato.engine.layouts.place import Place
from sfumato.library.safetensors_header import DTYPE_BITS, Header, read_header
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused, UnsafeName
from sfumato.protocol.paths import contain

_CONFIG_LIMIT_BYTES = 1 << 20
_INDEX_LIMIT_BYTES = 32 << 20
_STEMS = ("diffusion_pytorch_model", "model")
_VARIANTS = ("", ".fp16", ".bf16")
# Sub-folder of a diffusers folder -> our part; which tower `text_encoder` is, its weights tell.
_FOLDERS = {"unet": "unet", "vae": "vae", "text_encoder": "clip", "text_encoder_2": "clip_g", "transformer": "transformer"}
_SCALES = (".scale_weight", ".weight_scale")
_OPEN_CLIP_H_WIDTH = 1024
_OPEN_CLIP_ACTIVATION = "gelu"


class Stored(NamedTuple):
    """One weight in a file, not read yet.

    Attributes:
        key: the file's own name of the tensor it lies in.
        shape: of the weight itself.
        begin, end: byte offsets in the file.
        is_transposed: stored as (columns, rows).
        scale: a number to multiply with, for weights stored in 8 bits.
    """

    file: Path
    key: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int
    is_transposed: bool = False
    scale: Stored | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What the headers tell.

    Attributes:
        name: the file's or folder's name, for people.
        parts: part ("unet", "vae", "clip_l", "clip_h", "clip_g"; "clip" for a tower on its own; "other") -> canonical name -> weight.
        metadata: the header's text pairs (a folder has none).
        configs: part -> its config.json, for what shapes do not tell; empty for most single files.
        identity: path, size and modification time of every file; another identity is another checkpoint.
        origins: part -> name of the file it was taken from, where that is another than `name`.
        found: what an earlier evaluation told of the network's prediction, "" if nobody looked.
    """

    path: Path
    name: str
    parts: Mapping[str, Mapping[str, Stored]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    identity: tuple[tuple[str, int, int], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    found: str = ""

    def shape(self, part: str, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor, None if the file has no such tensor."""
        stored = self.parts.get(part, {}).get(name)
        return stored.shape if stored else None

    def named(self, part: str) -> str:
        """The file a part is from, for a sentence."""
        return self.origins.get(part, self.name)

    def with_part(self, part: str, source: Checkpoint, source_part: str) -> Checkpoint:
        """This checkpoint with one part of another."""
        configs = {key: value for key, value in self.configs.items() if key != part}
        if source_part in source.configs:
            configs[part] = source.configs[source_part]
        return replace(
            self,
            parts={**self.parts, part: source.parts[source_part]},
            configs=configs,
            identity=self.identity + tuple(entry for entry in source.identity if entry not in self.identity),
            origins={**self.origins, part: source.name},
        )


def open_checkpoint(path: Path) -> Checkpoint:
    """Read the headers of a file or folder.

    Raises `ModelNotFound`, `CorruptFile`, `PickleRefused`, or `ModelUnsupported` for a folder that is no model.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise ModelNotFound("checkpoint", path.name)
    header = read_header(path)
    parts = {part: weights_of(path, header, places) for part, places in original.sort_keys(header.tensors).items()}
    configs = _configs_beside(path, parts)
    return Checkpoint(path, path.name, parts, dict(header.metadata), configs, identity=identity_of([path]))


def identity_of(files: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Path, size and mtime (ns) of each file."""
    return tuple((str(file), status.st_size, status.st_mtime_ns) for file in files for status in (file.stat(),))


def weights_of(path: Path, header: Header, places: Mapping[str, Place]) -> dict[str, Stored]:
    """Canonical name -> weight; scales of 8-bit weights are joined to what they scale."""
    found = {name: _stored(path, header, place) for name, place in places.items()}
    for name in [name for name in found if name.endswith(_SCALES)]:
        weight = f"{name[: name.rindex('.')]}.weight"
        if weight in found and found[weight].dtype.startswith("F8"):
            found[weight] = found[weight]._replace(scale=found.pop(name))
    return found


def _stored(path: Path, header: Header, place: Place) -> Stored:
    info = header.tensors[place.key]
    begin, end, shape = header.data_start + info.begin, header.data_start + info.end, info.shape
    if place.third is not None and shape:
        rows = shape[0] // 3
        size = (end - begin) // 3
        begin, shape = begin + place.third * size, (rows, *shape[1:])
        end = begin + rows * _row_bytes(info.dtype, shape)
    if place.is_transposed:
        shape = shape[::-1]
    return Stored(path, place.key, info.dtype, shape, begin, end, place.is_transposed)


def _row_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape[1:]:
        count *= side
    return count * DTYPE_BITS[dtype] // 8


def _configs_beside(path: Path, parts: Mapping[str, object]) -> dict[str, Mapping[str, Any]]:
    """The config.json beside a component on its own, as diffusers writes them: what shapes do not tell."""
    components = [part for part in parts if part != original.OTHER]
    config = config_beside(path) if len(components) == 1 else {}
    return {components[0]: config} if config else {}


def config_beside(path: Path) -> Mapping[str, Any]:
    """The config.json beside the weights of one network, as diffusers writes them; empty where there is none. Raises `CorruptFile`."""
    return _json(path.parent, "config.json") if path.stem.startswith(_STEMS) and (path.parent / "config.json").is_file() else {}


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
        weights: dict[str, Stored] = {}
        for file in found:
            header = read_header(file, f"{path.name}/{folder}/{file.name}")
            weights |= weights_of(file, header, original.canonical(part, header.tensors))
        config = _json(path, f"{folder}/config.json") if (path / folder / "config.json").is_file() else {}
        if part == "clip":
            part = _tower(weights, config)
        parts[part] = weights
        configs[part] = config
    if (path / "scheduler" / "scheduler_config.json").is_file():
        configs["scheduler"] = _json(path, "scheduler/scheduler_config.json")
    return Checkpoint(path, path.name, parts, {}, configs, identity_of([path / "model_index.json", *files]))


def _tower(weights: Mapping[str, Stored], config: Mapping[str, Any]) -> str:
    """Which tower a folder's `text_encoder` is: SD2's is OpenCLIP's, by its width or by its activation."""
    tokens = weights.get("embeddings.token_embedding.weight")
    is_wide = tokens is not None and tokens.shape[-1] == _OPEN_CLIP_H_WIDTH
    return "clip_h" if is_wide or config.get("hidden_act") == _OPEN_CLIP_ACTIVATION else "clip_l"


def _weight_files(path: Path, folder: str) -> list[Path]:
    """The safetensors files of one component: one file, a variant of it, or shards named by an index. Raises `PickleRefused` if only pickles are there."""
    for stem in _STEMS:
        for variant in _VARIANTS:
            single = path / folder / f"{stem}{variant}.safetensors"
            if single.is_file():
                return [single]
            for index in (f"{folder}/{stem}.safetensors.index{variant}.json", f"{folder}/{stem}{variant}.safetensors.index.json"):
                if (path / index).is_file():
                    return _shards(path, folder, index)
        if any((path / folder / f"{name}{variant}.bin").is_file() for name in (stem, f"pytorch_{stem}") for variant in _VARIANTS):
            raise PickleRefused(f"{path.name}/{folder}")
    return []


def _shards(path: Path, folder: str, index: str) -> list[Path]:
    table = _json(path, index, _INDEX_LIMIT_BYTES).get("weight_map")
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


def _json(path: Path, name: str, limit_bytes: int = _CONFIG_LIMIT_BYTES) -> dict[str, Any]:
    file = path / name
    if file.stat().st_size > limit_bytes:
        raise CorruptFile(f"{path.name}/{name}", "it is too large for a configuration")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CorruptFile(f"{path.name}/{name}", "it is not JSON") from error
    if not isinstance(values, dict):
        raise CorruptFile(f"{path.name}/{name}", "it is not a JSON object")
    return values
