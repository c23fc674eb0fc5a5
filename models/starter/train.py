"""Trains the starter model: a tiny Stable Diffusion 1 on the drawn world, from nothing to one safetensors file.

One command does all stages and resumes where it was stopped:

    .venv/bin/python models/starter/train.py            # on a GPU when there is one, else on the CPU

Stages: `vae` (pictures -> latents), `latents` (encode the training set once, whiten), `unet` (text encoder and UNet together), `export`.
State lives in models/starter/work/ as safetensors, never as pickles. Read `stages` first, then `export.py` for the file layout.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import world

from sfumato.engine.families import sd1
from sfumato.engine.noise_table import TRAINING_STEPS, NoiseTable
from sfumato.prompts.tokenizer import END, START, clip_tokenizer

LATENT_SCALE = sd1.FAMILY.latent.scale
TOKENS = 77
# Share of captions left out, so that guidance has a side without words.
EMPTY_SHARE = 0.1
MISSPOKEN_SHARE = 0.125


def build_vae() -> AutoencoderKL:
    """f=8, 4 latent channels, four levels of 16, 32, 64, 64 channels, 4 groups."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=2,
        norm_num_groups=4,
        sample_size=world.SIZE_PX,
    )


def build_unet() -> UNet2DConditionModel:
    """Four levels of 32, 64, 64, 64 channels, two layers per block, 8 heads, context 64, 8 groups."""
    return UNet2DConditionModel(
        sample_size=world.SIZE_PX // 8,
        block_out_channels=(32, 64, 64, 64),
        attention_head_dim=8,
        cross_attention_dim=64,
        norm_num_groups=8,
    )


def build_text_encoder() -> CLIPTextModel:
    """CLIP text tower: the real vocabulary of 49,408 tokens, width 64, two layers, one head."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=64,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=1,
            hidden_act="quick_gelu",
            max_position_embeddings=TOKENS,
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=END,
        )
    )


class Average:
    """Exponential moving average of a module's parameters."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        parameters = dict(self.module.named_parameters())
        torch._foreach_lerp_(list(self.values.values()), [parameters[n].detach() for n in self.values], 1 - decay)


class Checkpointed:
    """A module with its optimizer and average, kept as one safetensors file that training resumes from."""

    def __init__(self, module: nn.Module, path: Path, rate: float, decay: float, weight_decay: float = 0.01) -> None:
        self.module, self.path, self.rate = module, path, rate
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=weight_decay, foreach=True)
        self.average = Average(module, decay)
        self.step = 0
        if path.exists():
            self._load()

    def _load(self) -> None:
        names = [n for n, _ in self.module.named_parameters()]
        device = next(self.module.parameters()).device
        with safe_open(self.path, "pt") as file:
            tensors = {key: file.get_tensor(key).to(device) for key in file.keys()}  # noqa: SIM118  # a safetensors file is no mapping
            self.step = int((file.metadata() or {})["step"])
        self.module.load_state_dict({n: tensors[f"now.{n}"] for n in names}, strict=False)
        self.average.values = {n: tensors[f"average.{n}"] for n in names}
        state = {
            i: {"step": torch.tensor(float(self.step)), "exp_avg": tensors[f"m.{n}"], "exp_avg_sq": tensors[f"v.{n}"]}
            for i, n in enumerate(names)
            if f"m.{n}" in tensors
        }
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def save(self) -> None:
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.module.named_parameters():
            tensors[f"now.{name}"] = parameter.detach().contiguous()
            tensors[f"average.{name}"] = self.average.values[name].contiguous()
            state = self.optimizer.state.get(parameter)
            if state:
                tensors[f"m.{name}"], tensors[f"v.{name}"] = state["exp_avg"].contiguous(), state["exp_avg_sq"].contiguous()
        temporary = self.path.with_suffix(".tmp")
        save_file(tensors, temporary, metadata={"step": str(self.step)})
        temporary.replace(self.path)

    def descend(self, loss: Tensor, total: int) -> None:
        """One optimizer step of a run of `total`: linear warm-up, then a cosine down to 2 % of the rate."""
        progress = min(1.0, self.step / total)
        warm = min(1.0, (self.step + 1) / 200)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.step)

    @torch.no_grad()
    def use_average(self) -> None:
        for name, parameter in self.module.named_parameters():
            parameter.copy_(self.average.values[name])


def scenes(first_seed: int, count: int) -> Iterator[world.Scene]:
    for k in range(count):
        yield world.random_scene(random.Random(first_seed + k))


def as_tensor(pictures: np.ndarray) -> Tensor:
    """(B, H, W, 3) bytes -> (B, 3, H, W) in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


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


def tokenise(captions: list[str]) -> Tensor:
    """Captions -> (N, 77) token ids, by the engine's own tokenizer."""
    tokenizer = clip_tokenizer()
    rows = torch.full((len(captions), TOKENS), END)
    for row, caption in zip(rows, captions, strict=True):
        ids = tokenizer.encode(caption)
        row[0] = START
        row[1 : 1 + len(ids)] = torch.tensor(ids)
    return rows


def single_tokens(names: Iterable[str]) -> Tensor:
    """The ids of those names that are one token each ("cyan" is two)."""
    rows = tokenise(list(names))
    return rows[rows[:, 2] == END][:, 1].contiguous()


def alphas() -> Tensor:
    """Cumulative alphas of the engine's own noise table, float32, (1000,)."""
    return torch.from_numpy(NoiseTable().alphas).float()


def misspoken(rows: Tensor, family: Tensor, generator: torch.Generator) -> Tensor:
    """`rows` with some of the words of one `family` (colours, or shapes) exchanged for others of it.

    A model whose captions never lie believes the words alone and no longer looks at the picture; guidance then pushes against what it has painted, and
    at 7 the picture tears. Captions of real collections are wrong often enough; here one word in eight is.
    """
    wrong = torch.isin(rows, family) & (torch.rand(rows.shape, generator=generator) < MISSPOKEN_SHARE)
    return torch.where(wrong, family[torch.randint(0, len(family), rows.shape, generator=generator)], rows)


def train_painter(work: Path, device: torch.device, steps: int, batch_size: int, latents: Tensor, captions: list[str]) -> Painter:
    torch.manual_seed(2)
    ids = tokenise([*captions, ""])
    words = torch.unique(ids)
    painter = Painter(words).to(device)
    run = Checkpointed(painter, work / "painter.safetensors", rate=1.5e-3, decay=0.999)
    if run.step < steps:
        rows = torch.searchsorted(words, ids)
        empty = rows[-1]
        families = [torch.searchsorted(words, single_tokens(names)) for names in (world.COLOURS, world.SHAPES)]
        kept = alphas()
        snr = kept / (1 - kept)
        generator = torch.Generator().manual_seed(run.step)
        started, first, recent = time.time(), run.step, 0.0
        while run.step < steps:
            pick = torch.randint(0, len(latents), (batch_size,), generator=generator)
            clean = latents[pick]
            tokens = rows[pick].clone()
            for family in families:
                tokens = misspoken(tokens, family, generator)
            tokens[torch.rand(batch_size, generator=generator) < EMPTY_SHARE] = empty
            t = torch.randint(0, TRAINING_STEPS, (batch_size,), generator=generator)
            noise = torch.randn(clean.shape, generator=generator)
            a = kept[t].view(-1, 1, 1, 1)
            noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
            guess = painter(noisy.to(device), t.to(device), tokens.to(device)).float()
            # min-SNR-5 weighting (Hang et al. 2023, eq. 5): every noise level learns at a like pace
            weight = torch.clamp(snr[t], max=5) / snr[t]
            error = (guess - noise.to(device)).square().mean((1, 2, 3))
            loss = (error * weight.to(device)).mean()
            run.descend(loss, steps)
            recent = 0.98 * recent + 0.02 * loss.item() if run.step > first + 1 else loss.item()
            if run.step % 50 == 0:
                print(f"painter {run.step}/{steps} loss {recent:.4f} {(time.time() - started) / (run.step - first):.3f} s/step", flush=True)
            if run.step % 250 == 0 or run.step == steps:
                run.save()
    run.use_average()
    return painter.eval()


def stages(arguments: argparse.Namespace) -> None:
    work = HERE / "work"
    work.mkdir(exist_ok=True)
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
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
