"""Teaches a small ControlNet to put the shape where an edge map says, beside the frozen starter model.

    .venv/bin/python models/starter/train_control.py     # writes models/controlnet/sfumato-edges.safetensors; goes on where it was stopped

The construction is the published one (Zhang et al. 2023): a copy of the UNet's way down, joined to it by convolutions that start at zero; only its picture
encoder is narrower, so that the file stays below 3 MB. Half of the captions are left out and shapes are misnamed, so that it learns to trust the lines.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import numpy as np
import torch
import world
from diffusers import ControlNetModel
from edges import edge_map
from frozen import Starter, ship, starter
from torch import Tensor
from training import Checkpointed, Lesson, known_words, place_of_work, teach, tokenise, usual_device

from sfumato.engine.layouts import unet as unet_names

# Channels of the picture encoder, which halves its sides three times; published ones have 16, 32, 96, 256.
HINT_CHANNELS = (16, 32, 48, 64)
TARGET = HERE.parent / "controlnet" / "sfumato-edges.safetensors"
EMPTY_SHARE = 0.4


def placed_scene(rng: random.Random) -> world.Scene:
    """One shape of any size anywhere; the caption says colours and shape, never where."""
    colour, background = rng.sample(list(world.COLOURS), 2)
    shape = rng.choice(world.SHAPES)
    radius = rng.uniform(0.15, 0.36)
    x, y = (rng.uniform(radius, 1 - radius) for _ in range(2))
    said = f"a {colour} {shape}, {background} background"
    return world.Scene(background, (world.Thing(colour, shape, x, y, radius),), said)


def scene(seed: int) -> world.Scene:
    """Mostly one shape anywhere, else the world as it is."""
    rng = random.Random(seed)
    return placed_scene(rng) if rng.random() < 0.8 else world.random_scene(rng)


def guesser(model: Starter, control: ControlNetModel, maps: Tensor):
    """`maps`: (N, H, W) bytes."""

    def guess(noisy: Tensor, t: Tensor, rows: Tensor, pick: Tensor) -> Tensor:
        with torch.no_grad():
            context = model.context(rows)
        hint = (maps[pick].to(noisy.device).float() / 255).unsqueeze(1).expand(-1, 3, -1, -1)
        down, middle = control(noisy, t, context, hint, return_dict=False)
        return model.unet(noisy, t, context, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample

    return guess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="", help="cuda, cpu or another torch device (default: cuda if there is one)")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=6000)
    arguments = parser.parse_args()
    device = usual_device(arguments.device)
    torch.manual_seed(11)
    model = starter(device)
    control = ControlNetModel.from_unet(model.unet, conditioning_embedding_out_channels=HINT_CHANNELS).to(device).requires_grad_(True).train()
    run = Checkpointed(control, place_of_work() / "control.safetensors", rate=1e-3, decay=0.998)
    scenes = [scene(50_000_000 + k) for k in range(arguments.pictures)]
    maps = torch.from_numpy(np.stack([edge_map(each, random.Random(k)) for k, each in enumerate(scenes)]))
    rows = tokenise([*(each.caption for each in scenes), ""])
    lesson = Lesson(model.latents([world.draw(each) for each in scenes]), rows[:-1], rows[-1], (*known_words(), known_words()[1]), EMPTY_SHARE)
    teach(run, arguments.steps, arguments.batch, lesson, guesser(model, control, maps), device, every=200)
    ship(original_tensors(control), TARGET, _metadata())


def original_tensors(control: ControlNetModel) -> dict[str, Tensor]:
    """All weights under the keys of the published ControlNets: `control_model.` before the names of the original UNet."""
    found = control.state_dict()
    encoder = unet_names.to_original(name for name in found if not name.startswith("controlnet_"))
    return {f"control_model.{encoder.get(name) or _own_key(name)}": tensor for name, tensor in found.items()}


def _own_key(name: str) -> str:
    """The key of what a ControlNet has beside the UNet's way down; activations count among the picture encoder's layers."""
    head, _, rest = name.partition(".")
    if head == "controlnet_down_blocks":
        number, what = rest.split(".")
        return f"zero_convs.{number}.0.{what}"
    if head == "controlnet_mid_block":
        return f"middle_block_out.0.{rest}"
    place, what = rest.rsplit(".", 1)
    last = 2 * (len(HINT_CHANNELS) - 1) + 1
    number = {"conv_in": 0, "conv_out": last}.get(place)
    if number is None:
        number = 1 + int(place.removeprefix("blocks."))
    return f"input_hint_block.{2 * number}.{what}"


def _metadata() -> dict[str, str]:
    return {
        "modelspec.architecture": "stable-diffusion-v1/controlnet",
        "modelspec.title": "Sfumato edges",
        "modelspec.description": "Puts the shape where an edge map says; for the starter model, with the preprocessor 'canny'.",
        "modelspec.resolution": f"{world.SIZE_PX}x{world.SIZE_PX}",
        "sfumato.training": "python models/starter/train_control.py",
    }


if __name__ == "__main__":
    main()
