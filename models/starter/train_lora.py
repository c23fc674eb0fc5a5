"""Teaches the starter model a shape it does not know, the hourglass, as a LoRA.

    .venv/bin/python models/starter/train_lora.py     # writes models/loras/sfumato-hourglass.safetensors; goes on where it was stopped

Beside every linear layer and 1x1 convolution of the attention blocks, and of the text encoder, a pair of small matrices is trained (Hu et al. 2021). Half of
the pictures show what the model knows already, so that it is not forgotten. The file has the layout of kohya's scripts.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import torch
import world
from frozen import Starter, ship, starter
from torch import Tensor, nn
from training import MISSPOKEN_SHARE, Checkpointed, Lesson, known_words, place_of_work, teach, tokenise, usual_device

from sfumato.engine.modules import clip_body

SHAPE = "hourglass"
RANK = 8
ALPHA = 4.0
TARGET = HERE.parent / "loras" / f"sfumato-{SHAPE}.safetensors"


class Pair(nn.Module):
    """The two matrices beside one layer: adds up(down(x)) · alpha / rank to what it gives."""

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        wide, high = layer.weight.shape[1], layer.weight.shape[0]
        if isinstance(layer, nn.Conv2d):
            self.down: nn.Module = nn.Conv2d(wide, RANK, 1, bias=False)
            self.up: nn.Module = nn.Conv2d(RANK, high, 1, bias=False)
        else:
            self.down, self.up = nn.Linear(wide, RANK, bias=False), nn.Linear(RANK, high, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        nn.init.zeros_(self.up.weight)
        layer.register_forward_hook(lambda _layer, inputs, output: output + self.up(self.down(inputs[0])) * (ALPHA / RANK))


class Lora(nn.Module):
    """All pairs; their names are the keys of the file."""

    def __init__(self, model: Starter) -> None:
        super().__init__()
        self.pairs = nn.ModuleDict({name: Pair(layer) for name, layer in _layers(model)})

    def tensors(self) -> dict[str, Tensor]:
        """Key -> tensor, as kohya's scripts write them."""
        found: dict[str, Tensor] = {}
        for name, pair in self.pairs.items():
            found |= {f"{name}.lora_down.weight": pair.down.weight, f"{name}.lora_up.weight": pair.up.weight, f"{name}.alpha": torch.tensor(ALPHA)}
        return found


def _layers(model: Starter) -> Iterator[tuple[str, nn.Linear | nn.Conv2d]]:
    """The layers that get a pair, with kohya's names."""
    for name, module in model.unet.named_modules():
        if ".attentions." in name and isinstance(module, (nn.Linear, nn.Conv2d)):
            yield f"lora_unet_{name.replace('.', '_')}", module
    for name, module in clip_body(model.text).named_modules():
        if ".layers." in name and isinstance(module, nn.Linear):
            yield f"lora_te_text_model_{name.replace('.', '_')}", module


def scene(seed: int) -> world.Scene:
    """An hourglass in every second picture; one caption in eight names another shape than the picture shows, as in the model's own training."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        return world.random_scene(rng)
    colour, background = rng.sample(list(world.COLOURS), 2)
    shown = world.judged_scene(colour, SHAPE, background, rng)
    if rng.random() < MISSPOKEN_SHARE:
        return world.Scene(background, shown.things, shown.caption.replace(SHAPE, rng.choice(world.SHAPES)))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="", help="cuda, cpu or another torch device (default: cuda if there is one)")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--pictures", type=int, default=1000)
    arguments = parser.parse_args()
    device = usual_device(arguments.device)
    torch.manual_seed(12)
    model = starter(device)
    scenes = [scene(60_000_000 + k) for k in range(arguments.pictures)]
    rows = tokenise([*(each.caption for each in scenes), ""])
    lesson = Lesson(model.latents([world.draw(each) for each in scenes]), rows[:-1], rows[-1], known_words())
    lora = Lora(model).to(device)
    run = Checkpointed(lora, place_of_work() / "lora.safetensors", rate=2e-3, decay=0.99, warm_up=50)
    teach(run, arguments.steps, arguments.batch, lesson, lambda noisy, t, said, _: model.unet(noisy, t, model.context(said)).sample, device, every=200)
    ship(lora.tensors(), TARGET, _metadata())


def _metadata() -> dict[str, str]:
    return {
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.title": f"Sfumato {SHAPE}",
        "modelspec.description": f"Teaches the starter model a shape it does not know; say 'a red {SHAPE}, white background'.",
        "modelspec.trigger_phrase": SHAPE,
        "modelspec.resolution": f"{world.SIZE_PX}x{world.SIZE_PX}",
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(RANK),
        "ss_network_alpha": str(ALPHA),
        "ss_output_name": TARGET.stem,
        "ss_sd_model_name": "sfumato-starter.safetensors",
        "sfumato.training": "python models/starter/train_lora.py",
    }


if __name__ == "__main__":
    main()
