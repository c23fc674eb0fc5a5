"""Where a file that comes is filed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.library.model_kinds import category_of
from tests.support.model_files import write_model

EXAMPLES = {
    "LoRA": ("lora_unet_mid_block.lora_down.weight", (4, 8)),
    "checkpoint": ("model.diffusion_model.input_blocks.0.0.weight", (320, 4, 3, 3)),
    "VAE": ("decoder.conv_in.weight", (512, 4, 3, 3)),
    "text encoder": ("text_model.embeddings.token_embedding.weight", (100, 768)),
    "embedding": ("emb_params", (2, 768)),
    "control model": ("control_model.input_hint_block.0.weight", (16, 3, 3, 3)),
    "upscaler": ("model.1.sub.0.RDB1.conv1.0.weight", (32, 64, 3, 3)),
    "hypernetwork": ("768.0.linear.0.weight", (8, 8)),
    "image encoder": ("vision_model.encoder.layers.0.mlp.fc1.weight", (8, 8)),
    "": ("something.else", (3, 3, 3)),
}


@pytest.mark.rule("D31")
@pytest.mark.parametrize("category", list(EXAMPLES))
def test_the_header_says_where_a_file_belongs(tmp_path: Path, category: str) -> None:
    name, shape = EXAMPLES[category]
    assert category_of(write_model(tmp_path / "m.safetensors", {name: ("F16", shape)})) == category


def test_what_cannot_be_read_belongs_nowhere(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"\x80\x02 pickle")
    assert category_of(tmp_path / "m.safetensors") == ""
