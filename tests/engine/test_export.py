"""The starter model's export: a file of the original layout that the engine loads as any published one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors import safe_open

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.families import recognise
from tests.engine.conftest import load

STARTER = Path(__file__).parents[2] / "models" / "starter"


@pytest.fixture(scope="module")
def scripts() -> tuple[ModuleType, ModuleType]:
    """train.py and export.py, which are scripts and no package."""
    sys.path.insert(0, str(STARTER))
    try:
        found = []
        for name in ("train", "export"):
            spec = importlib.util.spec_from_file_location(f"starter_{name}", STARTER / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found.append(module)
    finally:
        sys.path.remove(str(STARTER))
    return found[0], found[1]


@pytest.mark.slow
@pytest.mark.rule("E96", "E17", "E18")
def test_exported_starter_loads_with_equal_outputs(tmp_path: Path, scripts: tuple[ModuleType, ModuleType]) -> None:
    # Given random modules of the starter's construction
    train, export = scripts
    torch.manual_seed(0)
    text, unet, vae = train.build_text_encoder().eval(), train.build_unet().eval(), train.build_vae().eval()
    target = tmp_path / "checkpoints" / "starter.safetensors"
    # When
    export.export(text, unet, vae, target)
    # Then it is one file in the original layout, small enough, with its native size
    assert target.stat().st_size <= 16_000_000
    assert [path.name for path in target.parent.iterdir()] == ["starter.safetensors"]
    with safe_open(target, "pt") as file:
        keys = set(file.keys())
        assert {str(file.get_tensor(key).dtype) for key in list(keys)[:50]} == {"torch.float16"}
    assert "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.weight" in keys
    assert "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.attn2.to_v.weight" in keys
    assert "first_stage_model.decoder.up.3.block.2.conv2.weight" in keys
    checkpoint = open_checkpoint(target)
    assert recognise(checkpoint).native_px(checkpoint) == 64
    # and the engine's modules compute what the trained ones do
    model = load(target)
    for module in (text, unet, vae):
        module.half().float()
    latent, context = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 64)
    tokens = torch.randint(0, 49408, (1, 77))
    with torch.inference_mode():
        # not bit for bit: the engine lays the weights of convolutions out in another order
        time = torch.tensor(5.5)
        torch.testing.assert_close(model.unet(latent, time, context).sample, unet(latent, time, context).sample, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model.vae.decode(latent).sample, vae.decode(latent).sample, atol=1e-5, rtol=1e-5)
        assert torch.equal(model.encoders[0].tower(tokens).last_hidden_state, text(tokens).last_hidden_state)


def test_a_model_above_the_limit_is_not_written(tmp_path: Path, scripts: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    train, export = scripts
    monkeypatch.setattr(export, "SIZE_LIMIT_BYTES", 1_000_000)
    target = tmp_path / "starter.safetensors"
    with pytest.raises(ValueError, match="1000000"):
        export.export(train.build_text_encoder(), train.build_unet(), train.build_vae(), target)
    assert list(tmp_path.iterdir()) == []
