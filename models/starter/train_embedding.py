"""Finds the vectors of a word for a whole picture, an orange circle on purple ground, as an embedding (textual inversion, Gal et al. 2022).

    .venv/bin/python models/starter/train_embedding.py     # writes models/embeddings/sfumato-sunset.safetensors; goes on where it was stopped

Nothing of the model changes: two vectors of the text encoder's input are moved until the frozen model paints what the pictures show.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import torch
import world
from frozen import Starter, ship, starter
from torch import Tensor, nn
from training import MISSPOKEN_SHARE, Checkpointed, Lesson, place_of_work, single_tokens, teach, tokenise, usual_device

SHOWN = ("orange", "circle", "purple")
# What each of the two vectors starts from: the middle of these words.
NEAR = (("orange", "circle"), ("purple", "background"))
# A token that no caption uses; it stands for the vectors while they are trained.
STAND_IN = "sunset"
TARGET = HERE.parent / "embeddings" / "sfumato-sunset.safetensors"


class Vectors(nn.Module):
    """(2, 64) rows that stand in the text encoder's input wherever the stand-in's token stands, in turn."""

    def __init__(self, model: Starter) -> None:
        super().__init__()
        table = model.text.get_input_embeddings()
        (self.token,) = single_tokens([STAND_IN]).tolist()
        self.rows = nn.Parameter(torch.stack([table.weight[single_tokens(words)].mean(0) for words in NEAR]))
        table.register_forward_hook(lambda _table, inputs, output: self._put(inputs[0], output))

    def _put(self, tokens: Tensor, output: Tensor) -> Tensor:
        stands = tokens == self.token
        return torch.where(stands.unsqueeze(-1), self.rows[(stands.cumsum(1) - 1) % len(NEAR)], output)


def scene(seed: int) -> world.Scene:
    """The picture, with as many stand-ins for its caption as there are vectors, alone or behind an article.

    One thing in eight is another, as in the model's own training: vectors that are too sure of themselves tear the picture at a guidance of 7.
    """
    rng = random.Random(seed)
    kinds = (tuple(world.COLOURS), world.SHAPES, tuple(world.COLOURS))
    drawn = world.judged_scene(*(rng.choice(kind) if rng.random() < MISSPOKEN_SHARE else shown for shown, kind in zip(SHOWN, kinds, strict=True)), rng)
    return replace(drawn, caption=rng.choice(["", "a "]) + " ".join([STAND_IN] * len(NEAR)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="", help="cuda, cpu or another torch device (default: cuda if there is one)")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=400)
    arguments = parser.parse_args()
    device = usual_device(arguments.device)
    model = starter(device)
    scenes = [scene(70_000_000 + k) for k in range(arguments.pictures)]
    rows = tokenise([*(each.caption for each in scenes), ""])
    lesson = Lesson(model.latents([world.draw(each) for each in scenes]), rows[:-1], rows[-1], empty_share=0.0)
    vectors = Vectors(model).to(device)
    run = Checkpointed(vectors, place_of_work() / "embedding.safetensors", rate=2e-2, decay=0.98, weight_decay=0.0, warm_up=20)
    teach(run, arguments.steps, arguments.batch, lesson, lambda noisy, t, said, _: model.unet(noisy, t, model.context(said)).sample, device, every=200)
    ship({"emb_params": vectors.rows}, TARGET, _metadata())


def _metadata() -> dict[str, str]:
    return {
        "modelspec.architecture": "stable-diffusion-v1/textual-inversion",
        "modelspec.title": "Sfumato sunset",
        "modelspec.description": f"Two vectors that stand for an {SHOWN[0]} {SHOWN[1]} on {SHOWN[2]} ground; say '{TARGET.stem}'.",
        "modelspec.trigger_phrase": TARGET.stem,
        "sfumato.training": "python models/starter/train_embedding.py",
    }


if __name__ == "__main__":
    main()
