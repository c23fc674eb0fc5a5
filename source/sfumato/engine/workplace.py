"""What the networks of a model are given to work in: where they are, how much is computed at once, and what happens when memory runs out.

A model outside of jobs has the plain `Workplace`: everything lies where it was loaded and is computed whole. A job's models share a `JobMemory`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import nn

T = TypeVar("T")

# What is being done, as far as it decides what helps when memory runs out.
Stage = Literal["load", "text", "vae", "denoise", "other"]


class Work(NamedTuple):
    """A unit of a network's work: what it is, pictures of which size (width, height) in pixels, so many at once."""

    name: Literal["denoise", "decode", "encode"]
    size: tuple[int, int]
    rows: int = 1


class Workplace:
    """The plain one."""

    # Rows that the network evaluates at once; 0 = all.
    rows_at_once: int = 0
    # Whether networks stay on the device between calls, so that another thread may use them.
    is_settled: bool = True

    def attempt(self, stage: Stage, act: Callable[[], T], rows: int = 0, batch: int = 1) -> T:
        """What `act` gives. Where memory runs out meanwhile, a job tries again in less; so `act` must be able to begin anew.

        Args:
            rows: that `act` evaluates together, over a batch of so many images.
        """
        return act()

    def using(self, network: nn.Module, work: Work | None = None) -> AbstractContextManager[object]:
        """While inside, the network can be called with tensors of the job's device.

        Args:
            work: what it will do, from which is learned what memory it takes.
        """
        return nullcontext()

    def tile_px(self, size: tuple[int, int], is_decoding: bool) -> int:
        """Side of the tiles in which the VAE takes a picture of this size (width, height); 0 = whole."""
        return 0

    def check(self) -> None:
        """Raise `Stopped` if the job was cancelled."""

    def wider(self, vae: nn.Module) -> torch.dtype | None:
        """The number format that this VAE was found to need; None = its own."""
        return None

    def found_wider(self, vae: nn.Module, dtype: torch.dtype) -> None:
        """This VAE's numbers were finite only in that format."""

    def encoded(self, key: Hashable, make: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        """What `make` encodes, or what was encoded before under the same key."""
        return make()


PLAIN = Workplace()
