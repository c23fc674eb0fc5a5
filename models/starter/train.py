"""Trains the starter model: a tiny Stable Diffusion 1 on the drawn world, from nothing to one safetensors file.

One command does all stages and resumes where it was stopped:

    .venv/bin/python models/starter/train.py            # on a GPU when there is one, else on the CPU

Stages: `vae` (pictures -> latents), `latents` (encode the training set once, whiten), `unet` (text encoder and UNet together), `export`.
State lives in models/starter/work/ as safetensors, never as pickles. Read `stages` first, then `export.py` for the file layout.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import numpy as np
import torch
import world
from construction import build_text_encoder, build_unet, build_vae
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from training import LATENT_SCALE, Checkpointed, Lesson, as_tensor, known_words, place_of_work, scenes, teach, tokenise, usual_device
from transformers import CLIPTextModel


def pick_crops(pictures: np.ndarray, drawn: list[world.Scene], side: int, count: int, rng: np.random.Generator) -> Tensor:
    """`count` windows of `side` pixels, most of them astride the edge of a shape, where there is something to learn."""
    out = np.empty((count, side, side, 3), np.uint8)
    limit = world.SIZE_PX - side
    for row, index in enumerate(rng.integers(0, len(drawn), count)):
        x, y = rng.uniform(0, world.SIZE_PX, 2)
        things = drawn[index].things
        if things and rng.random() < 0.85:
            thing = things[rng.integers(len(things))]
            angle = rng.uniform(0, 2 * math.pi)
            x = (thing.x + thing.radius * math.cos(angle)) * world.SIZE_PX
            y = (thing.y + thing.radius * math.sin(angle)) * world.SIZE_PX
        left, top = (int(np.clip(v - side / 2 + rng.uniform(-6, 6), 0, limit)) for v in (x, y))
        out[row] = pictures[index, top : top + side, left : left + side]
    return as_tensor(out)


def picture_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of pixels and of their differences to the right and below: edges count."""
    loss = functional.l1_loss(made, wanted) + 0.5 * functional.mse_loss(made, wanted)
    for dim in (2, 3):
        loss = loss + 0.5 * functional.l1_loss(made.diff(dim=dim), wanted.diff(dim=dim))
    return loss


def train_vae(work: Path, device: torch.device, steps: int, fast: bool) -> AutoencoderKL:
    torch.manual_seed(1)
    vae = build_vae().to(device)
    run = Checkpointed(vae, work / "vae.safetensors", rate=2.5e-3, decay=0.998)
    if run.step < steps:
        count = 12000
        drawn = list(scenes(10_000_000, count))
        pictures = np.stack([np.asarray(world.draw(s)) for s in drawn])
        rng = np.random.default_rng(run.step)
        started, first = time.time(), run.step
        while run.step < steps:
            whole = run.step % 4 == 3 or run.step > 0.9 * steps
            batch = as_tensor(pictures[rng.integers(0, count, 16)]) if whole else pick_crops(pictures, drawn, 32, 64, rng)
            batch = batch.to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=fast):
                posterior = vae.encode(batch).latent_dist
                made = vae.decode(posterior.sample()).sample
            made = made.float()
            loss = picture_loss(made, batch) + 1e-4 * posterior.kl().float().mean() / posterior.mean[0].numel()
            run.descend(loss, steps)
            if run.step % 50 == 0:
                error = functional.l1_loss(made, batch).item()
                print(
                    f"vae {run.step}/{steps} loss {loss.item():.4f} l1 {error:.4f} whole {whole} {(time.time() - started) / (run.step - first):.3f} s/step",
                    flush=True,
                )
            if run.step % 250 == 0 or run.step == steps:
                run.save()
    run.use_average()
    return vae.eval()


@torch.no_grad()
def encode_set(work: Path, vae: AutoencoderKL, device: torch.device, count: int) -> tuple[Tensor, list[str]]:
    """Encode `count` scenes; fold the whitening of their latents into the 1x1 convolutions around them.

    Afterwards latents x LATENT_SCALE have mean 0 and covariance 1, so the schedule of SD1 fits them.
    """
    path = work / "latents.safetensors"
    drawn = list(scenes(20_000_000, count))
    if path.exists():
        with safe_open(path, "pt") as file:
            raw = file.get_tensor("mean")
    else:
        means = []
        for start in range(0, count, 64):
            batch = as_tensor(np.stack([np.asarray(world.draw(s)) for s in drawn[start : start + 64]])).to(device)
            means.append(vae.encode(batch).latent_dist.mean.cpu())
        raw = torch.cat(means).contiguous()
        save_file({"mean": raw}, path)
    flat = raw.permute(0, 2, 3, 1).reshape(-1, 4).double()
    centre = flat.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((flat - centre).T))
    whiten = (vectors / values.sqrt()) @ vectors.T / LATENT_SCALE  # symmetric: stays closest to the original channels
    fold_whitening(vae, whiten.to(device), centre.to(device))
    latents = torch.einsum("ij,bjhw->bihw", whiten.float(), raw - centre.float().view(1, 4, 1, 1)) * LATENT_SCALE
    return latents, [s.caption for s in drawn]


def fold_whitening(vae: AutoencoderKL, whiten: Tensor, centre: Tensor) -> None:
    """Make the encoder give whiten(z - centre) and the decoder take it, by changing the 1x1 convolutions only."""
    weight, bias = vae.quant_conv.weight.data.double(), vae.quant_conv.bias.data.double()
    weight[:4] = torch.einsum("ij,jkhw->ikhw", whiten, weight[:4])
    bias[:4] = whiten @ (bias[:4] - centre)
    # the spread of channel i after mixing, for roughly independent channels: variance sum of squares, log of it added to logvar
    bias[4:] += torch.log((whiten**2).sum(1))
    inverse = torch.linalg.inv(whiten)
    into = vae.post_quant_conv.weight.data.double()
    post_bias = vae.post_quant_conv.bias.data.double() + into[:, :, 0, 0] @ centre
    into = torch.einsum("ijhw,jk->ikhw", into, inverse)
    for conv, new_weight, new_bias in ((vae.quant_conv, weight, bias), (vae.post_quant_conv, into, post_bias)):
        conv.weight.data.copy_(new_weight)
        conv.bias.data.copy_(new_bias)


class Painter(nn.Module):
    """Text encoder and UNet, trained together.

    The captions use some fifty of the 49,408 tokens, so only their vectors are trained: `words` holds the ids, `whole_text` puts the vectors back
    into the full table, whose other rows keep their random start.
    """

    def __init__(self, words: Tensor) -> None:
        super().__init__()
        self.text = build_text_encoder()
        self.unet = build_unet()
        self.words = words
        self._table = self.text.get_input_embeddings().weight.detach().clone()
        self.text.set_input_embeddings(nn.Embedding.from_pretrained(self._table[words], freeze=False))

    def forward(self, noisy: Tensor, t: Tensor, rows: Tensor) -> Tensor:
        """`rows`: (B, 77) places of the tokens in `words`."""
        # Distinct captions are encoded once; a batch repeats some of them.
        distinct, where = torch.unique(rows, dim=0, return_inverse=True)
        context = self.text(input_ids=distinct).last_hidden_state[where]
        return self.unet(noisy, t, context).sample

    @torch.no_grad()
    def whole_text(self) -> CLIPTextModel:
        """The text encoder with the full vocabulary."""
        table = self._table.clone()
        table[self.words] = self.text.get_input_embeddings().weight.detach().cpu()
        self.text.set_input_embeddings(nn.Embedding.from_pretrained(table))
        return self.text


def train_painter(work: Path, device: torch.device, steps: int, batch_size: int, latents: Tensor, captions: list[str]) -> Painter:
    torch.manual_seed(2)
    ids = tokenise([*captions, ""])
    words = torch.unique(ids)
    painter = Painter(words).to(device)
    run = Checkpointed(painter, work / "painter.safetensors", rate=1.5e-3, decay=0.999)
    rows = torch.searchsorted(words, ids)
    families = tuple(torch.searchsorted(words, family) for family in known_words())
    teach(run, steps, batch_size, Lesson(latents, rows, rows[-1], families), lambda noisy, t, said, _: painter(noisy, t, said), device)
    return painter.eval()


def stages(arguments: argparse.Namespace) -> None:
    work = place_of_work()
    device = usual_device(arguments.device)
    vae = train_vae(work, device, arguments.vae_steps, fast=not arguments.float32)
    if arguments.until == "vae":
        return
    latents, captions = encode_set(work, vae, device, arguments.pictures)
    painter = train_painter(work, device, arguments.unet_steps, arguments.batch, latents, captions)
    from export import export  # late: needs the package's key tables

    target = HERE.parent / "checkpoints" / "sfumato-starter.safetensors"
    export(painter.whole_text(), painter.unet, vae, target)
    print(f"wrote {target}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="", help="cuda, cpu or another torch device (default: cuda if there is one)")
    parser.add_argument("--vae-steps", type=int, default=4600)
    parser.add_argument("--unet-steps", type=int, default=12_000)
    parser.add_argument("--batch", type=int, default=32, help="pictures per UNet step")
    parser.add_argument("--pictures", type=int, default=30_000, help="pictures in the UNet's training set")
    parser.add_argument("--float32", action="store_true", help="train the VAE in float32 instead of bfloat16")
    parser.add_argument("--until", choices=["vae", "export"], default="export", help="stop after this stage")
    stages(parser.parse_args())


if __name__ == "__main__":
    main()
