"""The first start without a model, and the models of other programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt5.QtCore import Qt

from sfumato.config import Settings, find_places
from sfumato.library.foreign_models import joined, model_folders, split
from sfumato.library.models import CHECKPOINT, EMBEDDING, LORA, scan
from sfumato.protocol.errors import Invalid
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter
from tests.support.window import accessible, until

LAYOUTS = {
    "AUTOMATIC1111": ("models/Stable-diffusion/a.safetensors", "models/Lora/b.safetensors", "embeddings/c.safetensors"),
    "ComfyUI": ("models/checkpoints/a.safetensors", "models/loras/b.safetensors", "models/embeddings/c.safetensors"),
    "qDiffusion": ("models/SD/a.safetensors", "models/LoRA/b.safetensors", "models/TI/c.safetensors"),
}


@pytest.mark.rule("D20")
@pytest.mark.parametrize("program", LAYOUTS)
def test_the_models_of_another_program_are_found_in_its_layout_and_never_twice(tmp_path: Path, program: str) -> None:
    for name in LAYOUTS[program]:
        file = tmp_path / "installation; of mine" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * 16)
    folders = model_folders(tmp_path / "installation; of mine")
    for category, stem in ((CHECKPOINT, "a"), (LORA, "b"), (EMBEDDING, "c")):
        assert [entry.path.stem for entry in scan(folders, category)] == [stem], category


def test_a_folder_without_models_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no folder of models that is known"):
        model_folders(tmp_path)
    with pytest.raises(Invalid, match="is no folder"):
        model_folders(tmp_path / "absent")


def test_the_setting_lists_folders_once_each() -> None:
    text = joined(" /a | /b", [Path("/b"), Path("/c d")])
    assert split(text) == [Path("/a"), Path("/b"), Path("/c d")]


@pytest.mark.rule("D20", "D144")
def test_without_a_model_the_page_takes_the_folder_of_another_program(open_window: Open, tmp_path: Path) -> None:
    checkpoints = tmp_path / "webui" / "models" / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    window = open_window(painter=Painter({**CHOICES, "models": []}))
    assert not window.window.grabWindow().isNull()
    window.click(window.item("Use another program's models"))
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Folder of another program")
    window.type(str(tmp_path))
    window.key(Qt.Key_Return)
    until(lambda: "no folder of models" in window.studio.firstModels.property("problem"))
    window.type("/webui")
    window.key(Qt.Key_Return)
    until(lambda: str(checkpoints.parent) in window.studio.firstModels.property("added"))
    assert window.item("Restart").isVisible()
    window.close()
    data = tmp_path / "data"
    assert checkpoints.parent in find_places(data).models
    assert Settings.load(data).own["models_more"]
