"""Finds the vectors of a colour the starter model has no word for, teal, as an embedding (textual inversion, Gal et al. 2022).

    .venv/bin/python models/starter/train_embedding.py     # writes models/embeddings/sfumato-teal.safetensors; goes on where it was stopped

Nothing of the model changes: two vectors of the text encoder's input are moved until the frozen model paints what the pictures show.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import torch
import world
from frozen import Starter, ship, starter
from torch import Tensor, nn
from training import Checkpointed, Lesson, place_of_work, single_tokens, teach, tokenise, usual_device

COLOUR = "teal"
# What the vectors start from: between these the colour lies.
NEAR = ("green", "blue")
VECTORS = 2
TARGET = HERE.parent / "embeddings" / f"sfumato-{COLOUR}.safetensors"


class Vectors(nn.Module):
    """(VECTORS, 64) rows that stand in the text encoder's input wherever the colour's token stands, in turn."""

    def __init__(self, model: Starter) -> None:
        super().__init__()
        table = model.text.get_input_embeddings()
        (self.token,) = single_tokens([COLOUR]).tolist()
        self.rows = nn.Parameter(table.weight[single_tokens(NEAR)].mean(0, keepdim=True).repeat(VECTORS, 1))
        table.register_forward_hook(lambda _table, inputs, output: self._put(inputs[0], output))

    def _put(self, tokens: Tensor, output: Tensor) -> Tensor:
        stands = tokens == self.token
        return torch.where(stands.unsqueeze(-1), self.rows[(stands.cumsum(1) - 1) % VECTORS], output)


def scene(seed: int) -> world.Scene:
    """One shape; it or the background has the colour."""
    rng = random.Random(seed)
    other = rng.choice(list(world.COLOURS))
    colour, background = (COLOUR, other) if rng.random() < 0.7 else (other, COLOUR)
    return world.judged_scene(colour, rng.choice(world.SHAPES), background, rng)


def spelt(scene: world.Scene) -> str:
    """The caption with as many tokens for the colour as there are vectors."""
    return scene.caption.replace(COLOUR, " ".join([COLOUR] * VECTORS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="", help="cuda, cpu or another torch device (default: cuda if there is one)")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=400)
    arguments = parser.parse_args()
    device = usual_device(arguments.device)
    model = starter(device)
    scenes = [scene(70_000_000 + k) for k in range(arguments.pictures)]
    rows = tokenise([*(spelt(each) for each in scenes), ""])
    lesson = Lesson(model.latents([world.draw(each) for each in scenes]), rows[:-1], rows[-1], empty_share=0.0)
    vectors = Vectors(model).to(device)
    run = Checkpointed(vectors, place_of_work() / "embedding.safetensors", rate=2e-2, decay=0.98, weight_decay=0.0, warm_up=20)
    teach(run, arguments.steps, arguments.batch, lesson, lambda noisy, t, said, _: model.unet(noisy, t, model.context(said)).sample, device, every=200)
    ship({"emb_params": vectors.rows}, TARGET, _metadata())


def _metadata() -> dict[str, str]:
    return {
        "modelspec.architecture": "stable-diffusion-v1/textual-inversion",
        "modelspec.title": f"Sfumato {COLOUR}",
        "modelspec.description": f"A colour the starter model has no word for; say 'a {TARGET.stem} star, white background'.",
        "modelspec.trigger_phrase": TARGET.stem,
        "sfumato.training": "python models/starter/train_embedding.py",
    }


if __name__ == "__main__":
    main()
