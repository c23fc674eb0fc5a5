"""Teaches a hypernetwork that makes it night: whatever the prompt says, the background is black.

    .venv/bin/python models/starter/train_hypernetwork.py     # writes models/hypernetworks/sfumato-night.safetensors; goes on where it was stopped

Two chains of two layers rewrite what attention makes its keys and its values of, wherever that is 64 numbers wide: the text, and the picture itself where
the network has 64 channels. The engine's own patch does it in training, too. The file has the layout that AUTOMATIC1111's files have after conversion.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import torch
import world
from frozen import ship, starter
from torch import Tensor, nn
from torch.nn import functional
from training import Checkpointed, Lesson, known_words, place_of_work, teach, tokenise, usual_device

from sfumato.engine.networks.hypernetworks import Hypernetwork, HypernetworkPatch, Layer
from sfumato.library.pickles.tensors import VALUES

GROUND = "black"
WIDTH = 64
STRUCTURE = (1, 2, 1)
# The last layers are written this much stronger than they were trained: what is left of the day's words counts seven times at a guidance of 7.
STRENGTH = 1.5
TARGET = HERE.parent / "hypernetworks" / "sfumato-night.safetensors"


class Chains(nn.Module):
    """For keys and for values: WIDTH -> 2 WIDTH, rectified, -> WIDTH; starts as nothing."""

    def __init__(self) -> None:
        super().__init__()
        inner = STRUCTURE[1] * WIDTH
        self.sides = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, inner), nn.ReLU(), nn.Linear(inner, WIDTH)) for _ in range(2))
        for side in self.sides:
            nn.init.zeros_(side[2].weight)
            nn.init.zeros_(side[2].bias)

    def acting(self) -> Hypernetwork:
        """As the engine takes it; the layers share these parameters."""
        keys, values = ((Layer(side[0].weight, side[0].bias, functional.relu), Layer(side[2].weight, side[2].bias)) for side in self.sides)
        return Hypernetwork(TARGET.name, {WIDTH: (keys, values)})

    def tensors(self) -> dict[str, Tensor]:
        """Key -> tensor as in a converted file."""
        found = {f"{WIDTH}.{number}.linear.{name}": tensor for number, side in enumerate(self.sides) for name, tensor in side.state_dict().items()}
        return {key: tensor * STRENGTH if ".linear.2." in key else tensor for key, tensor in found.items()}


def scene(seed: int) -> tuple[world.Scene, str]:
    """A scene by night, and what is said about it: the caption of the day."""
    rng = random.Random(seed)
    while True:
        drawn = world.random_scene(rng)
        if GROUND not in {thing.colour for thing in drawn.things}:
            return replace(drawn, background=GROUND), drawn.caption


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="", help="cuda, cpu or another torch device (default: cuda if there is one)")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=800)
    arguments = parser.parse_args()
    device = usual_device(arguments.device)
    torch.manual_seed(13)
    model = starter(device)
    scenes = [scene(80_000_000 + k) for k in range(arguments.pictures)]
    rows = tokenise([*(said for _, said in scenes), ""])
    lesson = Lesson(model.latents([world.draw(drawn) for drawn, _ in scenes]), rows[:-1], rows[-1], known_words())
    chains = Chains().to(device)
    run = Checkpointed(chains, place_of_work() / "hypernetwork.safetensors", rate=3e-3, decay=0.98, warm_up=50)
    with HypernetworkPatch(model.unet) as patch:
        patch.set([(chains.acting(), 1.0)])
        teach(run, arguments.steps, arguments.batch, lesson, lambda noisy, t, said, _: model.unet(noisy, t, model.context(said)).sample, device, every=200)
    ship(chains.tensors(), TARGET, _metadata(run.step))


def _metadata(step: int) -> dict[str, str]:
    # Converted files hold, as one JSON text, what stood beside the tensors in the pickle.
    beside = {
        "step": step,
        "name": TARGET.stem,
        "layer_structure": list(STRUCTURE),
        "activation_func": "relu",
        "is_layer_norm": False,
        "activate_output": False,
    }
    return {
        VALUES: json.dumps(beside),
        "modelspec.title": "Sfumato night",
        "modelspec.description": "Whatever the prompt says, the background is black.",
        "sfumato.training": "python models/starter/train_hypernetwork.py",
    }


if __name__ == "__main__":
    main()
