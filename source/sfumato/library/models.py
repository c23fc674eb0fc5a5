"""The models folders: what is in them, found by first bytes and headers, and the way from a name to a file.

`scan` lists everything that could be a checkpoint and opens nothing beyond nine bytes of a file; `checked` reads one header; `locate` finds what a request
names. Nothing here loads weights, and what family a model is of is the engine's to say. Rules: E9-E11 of the engine, X2 of security.
"""

import difflib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sfumato.library.file_kind import FIRST_BYTES, kind_of_bytes
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused, SfumatoError

ModelKind = Literal["safetensors", "diffusers", "pickle", "unknown", "damaged"]

CHECKPOINT = "checkpoint"
VAE = "VAE"
TEXT_ENCODER = "text encoder"
TINY = "tiny autoencoder"
LORA = "LoRA"
HYPERNETWORK = "hypernetwork"
EMBEDDING = "embedding"
CONTROL = "control model"
IMAGE_ENCODER = "image encoder"
ANNOTATOR = "preprocessor's network"
UPSCALER = "upscaler"
FACE = "face model"
# Category -> names of its folders; the first is ours, the others are those of programs whose folders people keep. A UNet on its own is chosen as a
# checkpoint, the rest of it comes from other files.
FOLDERS = {
    CHECKPOINT: ("checkpoints", "Stable-diffusion", "SD", "unet", "diffusion_models"),
    VAE: ("vae", "VAE"),
    TEXT_ENCODER: ("text_encoders", "text_encoder", "clip", "CLIP"),
    TINY: ("vae_approx", "VAE-taesd"),
    LORA: ("loras", "Lora", "lora", "LoRA", "LyCORIS"),
    HYPERNETWORK: ("hypernetworks", "HN"),
    EMBEDDING: ("embeddings", "TI"),
    CONTROL: (
        *("controlnet", "ControlNet", "t2i_adapter", "T2IAdapter", "control", "extensions/sd-webui-controlnet/models"),
        *("ipadapter", "ip_adapter", "ip-adapter", "IPAdapter"),
    ),
    IMAGE_ENCODER: ("clip_vision", "CLIPVision", "clipvision", "image_encoder", "extensions/sd-webui-controlnet/annotator/downloads/clip_vision"),
    ANNOTATOR: ("annotators", "ControlNetPreprocessor"),
    UPSCALER: ("upscalers", "upscale_models", "ESRGAN", "RealESRGAN", "BSRGAN", "SwinIR", "ScuNET", "DAT", "HAT"),
    FACE: ("faces", "facerestore_models", "facedetection", "GFPGAN", "Codeformer", "CodeFormer", "RestoreFormer"),
}
SUFFIXES = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf"})
INDEX = "model_index.json"

_FOLDERS_DEEP = 8
_CLOSEST = 3


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model on disk.

    Attributes:
        name: the shortest end of its path that tells it apart, without the file's ending where that suffices.
        path: the file, or the folder of a diffusers model.
        kind: by its first bytes, never by its name.
        size: bytes; of a folder, that of its index alone.
        mtime_ns: when it was last changed.
        reason: why it cannot be used, one sentence; empty if it may be.
    """

    name: str
    path: Path
    kind: ModelKind
    size: int
    mtime_ns: int
    reason: str = ""


def scan(folders: Iterable[Path], category: str = CHECKPOINT, suffixes: Set[str] = SUFFIXES) -> list[ModelEntry]:
    """Everything in the models folders that could be a model of `category`, by name; what cannot be used is listed with the reason.

    A file's end is not looked at: `checked` does that. Takes well under a second for 5,000 files.
    """
    entries = [look_at(path) for path in candidates(folders, category, suffixes)]
    named = [_named(entry, name) for entry, name in zip(entries, names_of([entry.path for entry in entries]), strict=True)]
    return sorted(named, key=lambda entry: (entry.name.casefold(), entry.name))


def checked(entry: ModelEntry) -> ModelEntry:
    """The entry after its whole header was read: the same, or damaged with the reason. Only safetensors files are opened."""
    if entry.kind != "safetensors":
        return entry
    try:
        read_header(entry.path)
    except CorruptFile as error:
        return replace(entry, kind="damaged", reason=error.message)
    except PickleRefused as error:
        return replace(entry, kind="pickle", reason=error.message)
    return entry


def locate(folders: Sequence[Path], name: str, category: str = CHECKPOINT, field: str = "model") -> Path:
    """The file or folder that a request means.

    Args:
        folders: models folders, searched in this order.
        name: as `scan` gives it, or any longer end of the path, with or without the file's ending; upper and lower case count only if both exist. Empty: the
        first
            model that can be used.
        category: what it is looked for as.
        field: the request field it stands in, for errors.

    Raises:
        ModelNotFound: with the closest names there are.
        ModelUnsupported: it names a folder that is no model, or a file of no known kind.
        PickleRefused, CorruptFile: it names a file that is not opened.
    """
    return resolve(folders, name, category, field).path


def locate_any(folders: Sequence[Path], name: str, field: str = "file") -> Path:
    """The file of that name, with or without its ending, or of that end of a path, whatever it is for; checkpoints first.

    It may be one that is not opened. Raises `ModelNotFound`.
    """
    entries = [entry for category in FOLDERS for entry in scan(folders, category)]
    entry = next((entry for entry in entries if name in (entry.name, entry.path.name) or ("/" in name and name in _spellings(entry.path))), None)
    if entry is None:
        raise ModelNotFound("file", name, difflib.get_close_matches(name, [entry.name for entry in entries], 1), path=field)
    return entry.path


def resolve(folders: Sequence[Path], name: str, category: str = CHECKPOINT, field: str = "model") -> ModelEntry:
    """The entry that a request means; arguments and errors as `locate`."""
    entries = scan(folders, category)
    if not name:
        usable = next((entry for entry in entries if not checked(entry).reason), None)
        if usable is None:
            raise ModelNotFound(category, "", path=field)
        return usable
    entry = _match(entries, name)
    if entry is None:
        if any((root / part / name).is_dir() for root in folders for part in FOLDERS[category] if _is_plain(name)):
            raise ModelUnsupported(name, f"a folder without {INDEX}", path=field)
        raise ModelNotFound(category, name, difflib.get_close_matches(name, [entry.name for entry in entries], _CLOSEST, 0.4), path=field)
    if (error := _refusal(entry)) is not None:
        error.path = field
        raise error
    return entry


def _match(entries: Sequence[ModelEntry], name: str) -> ModelEntry | None:
    """By name, then by any end of the path, then without regard to case; of several the first."""
    wanted = name.replace("\\", "/")
    for fold in (str, str.casefold):
        for spellings in (lambda entry: (entry.name,), lambda entry: tuple(_spellings(entry.path))):
            for entry in entries:
                if fold(wanted) in map(fold, spellings(entry)):
                    return entry
    return None


def _is_plain(name: str) -> bool:
    """Whether a name can only mean something inside its folder."""
    return not os.path.isabs(name) and ".." not in Path(name).parts and "\0" not in name and name.isprintable()


def candidates(folders: Iterable[Path], category: str, suffixes: Set[str] = SUFFIXES) -> Iterator[Path]:
    """Every path that could be a model of `category`; nothing is opened."""
    seen: set[tuple[int, int]] = set()
    for root in folders:
        for part in FOLDERS[category]:
            yield from _walk(root / part, seen, _FOLDERS_DEEP, suffixes)


def _walk(folder: Path, seen: set[tuple[int, int]], depth: int, suffixes: Set[str]) -> Iterator[Path]:
    """Model files and diffusers folders below `folder`, each real place once: models folders may be the same one, links may go round, and `vae` and `VAE`
    are one folder on some systems."""
    if depth == 0:
        return
    try:
        if _is_seen(folder, seen):
            return
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return  # absent, or not ours to look into
    for entry in found:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            if (path / INDEX).is_file():
                if not _is_seen(path, seen):
                    yield path
            else:
                yield from _walk(path, seen, depth - 1, suffixes)
        elif path.suffix.lower() in suffixes:
            yield path


def _is_seen(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder was there before, which it is from now on. Raises `OSError`."""
    status = folder.stat()
    place = (status.st_dev, status.st_ino)
    if place in seen:
        return True
    seen.add(place)
    return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def look_at(path: Path) -> ModelEntry:
    """What a path is; an unreadable file is listed too, with the reason."""
    try:
        is_folder = path.is_dir()
        target = path / INDEX if is_folder else path
        if not stat.S_ISREG(target.stat().st_mode):
            return ModelEntry("", path, "damaged", 0, 0, CorruptFile(path.name, "it is no ordinary file").message)
        with target.open("rb") as file:
            status = os.fstat(file.fileno())
            first = file.read(FIRST_BYTES)
    except OSError as error:
        return ModelEntry("", path, "damaged", 0, 0, CorruptFile(path.name, f"it cannot be read ({error.strerror})").message)
    if is_folder:
        return ModelEntry("", path, "diffusers", status.st_size, status.st_mtime_ns)
    kind, reason = _kind(path, first, status.st_size)
    return ModelEntry("", path, kind, status.st_size, status.st_mtime_ns, reason)


def _named(entry: ModelEntry, name: str) -> ModelEntry:
    """The entry under its name; one whose name is no text cannot be asked for in any message, so it is listed with the reason."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        legible = name.encode("utf-8", "replace").decode()
        return replace(entry, name=legible, kind="unknown", reason=f"The name of '{legible}' is not valid text. Rename the file.")
    return replace(entry, name=name)


def _kind(path: Path, first: bytes, size: int) -> tuple[ModelKind, str]:
    kind = kind_of_bytes(first)
    if kind == "safetensors" and 8 + int.from_bytes(first[:8], "little") <= size:
        return "safetensors", ""
    if kind == "pickle":
        return "pickle", PickleRefused(path.name).message
    if kind == "gguf":
        return "unknown", ModelUnsupported(path.name, "a GGUF file").message
    if path.suffix.lower() in (".safetensors", ".sft"):
        try:
            read_header(path)
        except SfumatoError as error:
            return "damaged", error.message
    return "unknown", ModelUnsupported(path.name, "no model file that is known").message


def _refusal(entry: ModelEntry) -> SfumatoError | None:
    """The error that opening an entry ends in, as far as its first bytes tell; the whole header is the opener's to check."""
    match entry.kind:
        case "pickle":
            return PickleRefused(entry.path.name)
        case "unknown":
            return ModelUnsupported(entry.path.name, "a GGUF file" if entry.path.suffix.lower() == ".gguf" else "no model file that is known")
        case "damaged":
            try:
                read_header(entry.path)
            except SfumatoError as error:
                return error
    return None


def _spellings(path: Path) -> Iterator[str]:
    """Ends of a path, shortest first: without the ending, then with it, then with one folder more each."""
    if path.suffix.lower() in SUFFIXES:
        yield path.stem
    yield path.name
    for count in range(2, len(path.parts)):
        end = "/".join(path.parts[-count:])
        if path.suffix.lower() in SUFFIXES:
            yield end.removesuffix(path.suffix)
        yield end


def names_of(paths: Sequence[Path]) -> list[str]:
    """For each path the shortest of its spellings that no other path has, whatever the case of its letters."""
    short = [list(_first_spellings(path)) for path in paths]
    taken = Counter(spelling.casefold() for spellings in short for spelling in set(spellings))
    names = []
    for path, spellings in zip(paths, short, strict=True):
        name = next((spelling for spelling in spellings if taken[spelling.casefold()] == 1), None)
        names.append(name or _unique_end(path, paths))
    return names


def _first_spellings(path: Path) -> Iterator[str]:
    """The two spellings that nearly always suffice."""
    if path.suffix.lower() in SUFFIXES:
        yield path.stem
    yield path.name


def _unique_end(path: Path, paths: Sequence[Path]) -> str:
    others = {spelling.casefold() for other in paths if other != path for spelling in _spellings(other)}
    return next((spelling for spelling in _spellings(path) if spelling.casefold() not in others), str(path))
