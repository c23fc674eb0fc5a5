"""What all trainings of the starter share: resuming, captions as tokens, noise, and the loop that teaches a network to see through it.

`train.py` makes the model from nothing with these; `train_lora.py`, `train_embedding.py`, `train_hypernetwork.py` and `train_control.py` teach something
small beside the finished one. Read `Checkpointed` and `teach` first.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

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

# Noisy latents (B, 4, h, w), their timesteps (B,), token rows (B, 77), which of the lesson's pictures they are (B,) -> guessed noise (B, 4, h, w).
Guess = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def place_of_work() -> Path:
    """Where states and judges are kept between runs; git does not look at it."""
    work = HERE / "work"
    work.mkdir(exist_ok=True)
    return work


def usual_device(name: str = "") -> torch.device:
    """The device of that name; without one a GPU if there is one."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


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

    def __init__(self, module: nn.Module, path: Path, rate: float, decay: float, weight_decay: float = 0.01, warm_up: int = 200) -> None:
        self.module, self.path, self.rate, self.warm_up = module, path, rate, warm_up
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
        warm = min(1.0, (self.step + 1) / self.warm_up)
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


def known_words() -> tuple[Tensor, ...]:
    """The tokens of the model's own colours, and of its shapes: families for `misspoken`."""
    return tuple(single_tokens(names) for names in (world.COLOURS, world.SHAPES))


def misspoken(rows: Tensor, family: Tensor, generator: torch.Generator) -> Tensor:
    """`rows` with some of the words of one `family` (colours, or shapes) exchanged for others of it.

    A model whose captions never lie believes the words alone and no longer looks at the picture; guidance then pushes against what it has painted, and
    at 7 the picture tears. Captions of real collections are wrong often enough; here one word in eight is.
    """
    wrong = torch.isin(rows, family) & (torch.rand(rows.shape, generator=generator) < MISSPOKEN_SHARE)
    return torch.where(wrong, family[torch.randint(0, len(family), rows.shape, generator=generator)], rows)


@dataclass(frozen=True)
class Lesson:
    """What is taught: pictures as latents and what is said about each.

    Attributes:
        latents: (N, 4, h, w), of unit variance.
        rows: (N, 77) tokens.
        empty: (77,) the tokens of no words.
        families: words that err within their own kind, see `misspoken`.
        empty_share: how often nothing is said.
    """

    latents: Tensor
    rows: Tensor
    empty: Tensor
    families: tuple[Tensor, ...] = ()
    empty_share: float = EMPTY_SHARE


def teach(run: Checkpointed, steps: int, batch_size: int, lesson: Lesson, guess: Guess, device: torch.device, every: int = 250) -> None:
    """Bring `run` to `steps`: noise is put over the lesson's latents at random times, `guess` is to name it. Saves every so many steps; ends at the average."""
    kept = alphas()
    snr = kept / (1 - kept)
    generator = torch.Generator().manual_seed(run.step)
    started, first, recent = time.time(), run.step, 0.0
    while run.step < steps:
        pick = torch.randint(0, len(lesson.latents), (batch_size,), generator=generator)
        clean = lesson.latents[pick]
        tokens = lesson.rows[pick].clone()
        for family in lesson.families:
            tokens = misspoken(tokens, family, generator)
        tokens[torch.rand(batch_size, generator=generator) < lesson.empty_share] = lesson.empty
        t = torch.randint(0, TRAINING_STEPS, (batch_size,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        a = kept[t].view(-1, 1, 1, 1)
        noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
        made = guess(noisy.to(device), t.to(device), tokens.to(device), pick).float()
        # min-SNR-5 weighting (Hang et al. 2023, eq. 5): every noise level learns at a like pace
        weight = torch.clamp(snr[t], max=5) / snr[t]
        error = (made - noise.to(device)).square().mean((1, 2, 3))
        loss = (error * weight.to(device)).mean()
        run.descend(loss, steps)
        recent = 0.98 * recent + 0.02 * loss.item() if run.step > first + 1 else loss.item()
        if run.step % 50 == 0:
            print(f"{run.path.stem} {run.step}/{steps} loss {recent:.4f} {(time.time() - started) / (run.step - first):.3f} s/step", flush=True)
        if run.step % every == 0 or run.step == steps:
            run.save()
    run.use_average()
