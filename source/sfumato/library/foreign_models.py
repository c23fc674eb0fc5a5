"""The models of other programs, used where they are: which folders of an installation hold them. Nothing in them is written."""

from __future__ import annotations

from pathlib import Path

from sfumato.protocol.errors import Invalid, Problem

SEPARATOR = "|"  # no file name on Windows may hold it, and hardly any elsewhere does


def split(text: str) -> list[Path]:
    """The folders in a setting that lists them with a stroke between."""
    return [Path(part.strip()).expanduser() for part in text.split(SEPARATOR) if part.strip()]


def joined(text: str, folders: list[Path]) -> str:
    """The setting with these folders added behind those it has."""
    return f" {SEPARATOR} ".join(dict.fromkeys([*map(str, split(text)), *map(str, folders)]))


def model_folders(root: Path) -> list[Path]:
    """The folders to search for models: of an installation of AUTOMATIC1111, ComfyUI or qDiffusion, or of a models folder in any of their layouts.

    Raises:
        Invalid: there is no such folder, or nothing in it is called as any program calls its folders of models.
    """
    if not root.is_dir():
        raise Invalid([Problem("folder", f"'{root}' is no folder; choose the one where the other program is installed.")])
    # AUTOMATIC1111 keeps embeddings and control models beside `models`, so its own folder is searched as well.
    found = [folder for folder in (root / "models", root) if _holds_categories(folder)]
    if not found:
        raise Invalid([Problem("folder", f"'{root}' holds no folder of models that is known; choose the folder of AUTOMATIC1111, ComfyUI or qDiffusion.")])
    return found


def _holds_categories(folder: Path) -> bool:
    from sfumato.library.models import FOLDERS  # late: the settings are read before anything looks for models

    return any((folder / name).is_dir() for names in FOLDERS.values() for name in names)
