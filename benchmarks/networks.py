"""What networks of a prompt cost: another weight against loading the checkpoint, and a weight that changes at every call against one that stays.

Random weights; a UNet of 0.3 of the widths of Stable Diffusion 1.5's in the number format the machine would use, and a LoRA of rank 16 on
all that trainers of the kohya family change by default: projections and feed-forward layers of every transformer block.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import random_checkpoint
from measuring import Row, compare, measure, print_table, timed

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch
from safetensors.torch import save_file
from torch import nn

from sfumato.engine.conditioning import Conditioning
from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.denoiser import Row as Side
from sfumato.engine.denoiser import UNetNetwork
from sfumato.engine.device import choose
from sfumato.engine.family import Model
from sfumato.engine.memory import Loaded
from sfumato.engine.networks.changing import ChangingNetworks
from sfumato.engine.networks.file import NetworkFile, open_network
from sfumato.engine.networks.shares import Acting, Share
from sfumato.engine.networks.weights import NetworkWeights

SMALLER = UNetConfiguration.regular((96, 192, 384, 384), (1, 1, 1, 0), 768, heads=8, linear_projection=False)
RANK = 16
LATENT_PX = 16
ROUNDS = 5
CHANGE_GOAL, TURN_GOAL = 0.05, 1.1


def write_lora(model: Model, path: Path) -> None:
    """A LoRA of `RANK` for every layer of the transformer blocks, fp16."""
    tensors: dict[str, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(0)
    for name, layer in model.unet.named_modules():
        is_meant = ".transformer_blocks." in name or name.endswith(("proj_in", "proj_out"))
        if is_meant and isinstance(layer, nn.Linear | nn.Conv2d):
            key, kernel = f"lora_unet_{name.replace('.', '_')}", (1, 1) if isinstance(layer, nn.Conv2d) else ()
            out, inner = layer.weight.shape[:2]
            tensors[f"{key}.lora_up.weight"] = torch.randn((out, RANK, *kernel), generator=generator).half() * 0.01
            tensors[f"{key}.lora_down.weight"] = torch.randn((RANK, inner, *kernel), generator=generator).half() * 0.01
            tensors[f"{key}.alpha"] = torch.tensor(float(RANK))
    save_file(tensors, path)


def _no_check() -> None: ...


class Subject:
    """A loaded checkpoint and a LoRA for it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "checkpoints" / f"{random_checkpoint.write_size(folder, SMALLER, 'smaller')}.safetensors"
        self.model = Loaded().load(self._path, choose(), lambda done, total: None)
        write_lora(self.model, folder / "lora.safetensors")
        self.lora: NetworkFile = open_network(folder / "lora.safetensors", self.model, _no_check)
        self._weights = NetworkWeights()
        self._weight = 0.5

    def load(self) -> None:
        """As another job with another checkpoint would."""
        Loaded().load(self._path, choose(), lambda done, total: None)
        self._wait()

    def change_weight(self) -> None:
        self._weight += 0.01
        self._weights.of(self.model.unet).merge((Share(self.lora, self._weight),), "unet", _no_check)
        self._wait()

    def evaluation(self, turns_bytes: int | None) -> Callable[[], float]:
        """Seconds of a call with the weights merged (None), or changing from call to call, with room for so many bytes of changed weights."""
        model, weights = self.model, NetworkWeights(turns_bytes or 0)
        device = model.device.torch
        said = Conditioning(torch.randn((1, 77, SMALLER.context_width), device=device))
        x = torch.randn((1, 4, LATENT_PX, LATENT_PX), device=device)
        sets = [(Share(self.lora, weight),) for weight in (0.5, 0.6)]
        attached = [] if turns_bytes is None else [ChangingNetworks(weights, (), sets, _no_check)]

        def call() -> float:
            self._weights.restore()
            if turns_bytes is None:
                weights.of(model.unet).merge(sets[0], "unet", _no_check)
            network = UNetNetwork(model, attachments=attached)
            with torch.inference_mode(), network.patched():
                ready = [network.prepare([Side(0, said, number == 1, networks=Acting(each)) for number in range(2)], 1) for each in sets]
                for each in ready:
                    network(x, 2.0, each)
                self._wait()
                started = time.perf_counter()
                for _ in range(2):
                    for each in ready:
                        network(x, 2.0, each)
                self._wait()
                spent = time.perf_counter() - started
            weights.restore()
            return spent / 4

        return call

    def _wait(self) -> None:
        if self.model.device.torch.type == "cuda":
            torch.cuda.synchronize()


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        subject = Subject(Path(scratch))
        switched = measure({"load": timed(subject.load), "weight": timed(subject.change_weight)}, ROUNDS)
        calls = measure({"merged": subject.evaluation(None), "laid": subject.evaluation(8 << 30), "added": subject.evaluation(0)}, ROUNDS)
    return [
        compare("another weight of a LoRA / loading the checkpoint", switched["weight"], switched["load"], CHANGE_GOAL),
        compare("a call, weight changing, copies laid / merged", calls["laid"], calls["merged"], TURN_GOAL),
        # Only where copies find no room; on narrow layers rank 16 is a large share of the work.
        compare("a call, weight changing, outputs added / merged", calls["added"], calls["merged"], TURN_GOAL),
    ]


if __name__ == "__main__":
    print_table(rows())
