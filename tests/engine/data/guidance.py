"""Writes guidance.json: 64 latent values of every guidance rule and patch, by tiny models whose weights depend on names alone.

    PYTHONPATH=source .venv/bin/python -m tests.engine.data.guidance

The numbers are this engine's own; what they guard against is a change nobody meant. A change of them wants a line in the changelog.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.denoiser import NetworkInputs, UNetNetwork, told_of
from sfumato.engine.device import choose
from sfumato.engine.families import recognise
from sfumato.engine.family import Model
from sfumato.engine.guidance import GuidedDenoiser
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.patches.freeu import FreeUSettings
from sfumato.engine.script import ImageState, Script, State, Voice
from sfumato.prompts import PassSpan
from sfumato.protocol.requests.generate import Generate
from tests.support.tiny_models import Kind, tiny_modules, write_single_file

PINNED = Path(__file__).with_name("guidance.json")
KINDS: tuple[Kind, ...] = ("sd1", "sdxl")
SIGMA, COUNT = 2.0, 64
# Name -> settings, and whether the second part's values are turned.
CASES: dict[str, dict[str, Any]] = {
    "cfg": {},
    "rescale": {"cfg_rescale": 0.7},
    "apg": {"guidance_rule": "apg", "apg_eta": 0.3, "apg_norm": 2.0},
    "perp_neg": {"guidance_rule": "perp_neg"},
    "dynamic": {"guidance": 20.0, "guidance_rule": "dynamic", "mimic_scale": 3.0, "mimic_percentile": 0.95},
    "pag": {"pag_scale": 3.0},
    "seg": {"seg_scale": 3.0},
    "freeu": {"freeu_b1": 1.5, "freeu_b2": 1.6, "freeu_s1": 0.9, "freeu_s2": 0.2},
    "values": {"turned": True},
}


def numbers(name: str, *shape: int) -> Tensor:
    """Unit noise that depends on a name alone, whatever the version of torch."""
    return torch.from_numpy(np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32))


def pinned_values(model: Model, turned: bool = False, **fields: Any) -> list[float]:
    """The first values of D for two parts, the second over half of the picture."""
    width = sum(encoder.width for encoder in model.encoders)
    pooled = None if model.vector is None else model.unet.config["projection_class_embeddings_input_dim"] - 256 * len(model.vector.names)
    signs = torch.where(torch.arange(77)[None, :, None] < 10, -1.0, 1.0).expand(1, 77, width) if turned else None
    said = {
        name: Conditioning(numbers(name, 1, 77, width), numbers(f"pooled {name}", 1, pooled) if pooled else None, signs if name == "second" else None)
        for name in ("first", "second", "negative", "empty")
    }
    mask = torch.zeros((1, 1, 8, 8))
    mask[..., :4] = 1
    image = ImageState((Voice(1.0, said["first"]), Voice(0.6, said["second"], mask)), (Voice(1.0, said["negative"]),), said["empty"])
    settings = GuidanceSettings(**{"guidance": 4.0, **fields})
    network = UNetNetwork(model, NetworkInputs(told_of(Generate(), 64, 64)))
    freeu = FreeUSettings(settings.freeu_b1, settings.freeu_b2, settings.freeu_s1, settings.freeu_s2)
    with torch.inference_mode(), network.patched([name for name, _ in settings.perturbations], freeu, turned):
        made = GuidedDenoiser(network, Script([State((image,))], PassSpan(1)), settings)(numbers("x", 1, 4, 8, 8) * SIGMA, SIGMA)
    return [round(float(value), 5) for value in made.flatten()[:: made.numel() // COUNT]]


def fresh(kind: Kind, folder: Path) -> Model:
    """A tiny model that is nobody else's, the weights of its UNet by their names."""
    checkpoint = open_checkpoint(write_single_file(tiny_modules(kind), folder / f"{kind}.safetensors"))
    model = recognise(checkpoint).load(checkpoint, choose("fp32", "cpu"), lambda: None)
    with torch.no_grad():
        for name, parameter in model.unet.named_parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.02
            parameter.copy_(numbers(name, *parameter.shape) * scale + float("norm" in name and name.endswith("weight")))
    return model


def main() -> None:
    written = {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind in KINDS:
            model = fresh(kind, Path(scratch))
            written[kind] = {name: pinned_values(model, **settings) for name, settings in CASES.items()}
    # One line a case: what changed is seen at a glance.
    kinds = (f' "{kind}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(values)}' for name, values in cases.items()) + "\n }" for kind, cases in written.items())
    PINNED.write_text("{\n" + ",\n".join(kinds) + "\n}\n")


if __name__ == "__main__":
    main()
