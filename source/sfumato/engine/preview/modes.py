"""The preview modes, each a row: how the latents of a model become colours, and what happens where a mode's file is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from sfumato.engine.decoding import to_pixels
from sfumato.engine.family import Model
from sfumato.engine.preview.linear import linear_colours
from sfumato.engine.preview.previewer import Colours, Previewer, Price
from sfumato.engine.preview.tiny import TinyDecoders, find_tiny, place_of, tiny_colours
from sfumato.protocol.errors import ModelNotFound, SfumatoError
from sfumato.protocol.requests import JobWarning

if TYPE_CHECKING:
    from sfumato.engine.memory import Loaded

LINEAR = "linear"


class PreviewMemory:
    """What previews keep between jobs of a process: `context.shared(PreviewMemory)`."""

    def __init__(self) -> None:
        self.decoders = TinyDecoders()
        self.prices: dict[str, Price] = {}

    @property
    def nbytes(self) -> int:
        """What the decoder takes."""
        return self.decoders.nbytes

    def clear(self) -> None:
        """Let the decoder go; what a preview costs stays known."""
        self.decoders.clear()


@dataclass(frozen=True)
class Previews:
    """What modes read: the model, what the process keeps, and where the user's files are."""

    model: Model
    loaded: Loaded
    memory: PreviewMemory
    folders: Sequence[Path]


@dataclass(frozen=True)
class Mode:
    """A preview mode.

    Attributes:
        colours: made for a job; None makes nothing at all. May raise `SfumatoError` or `OSError` where its file cannot serve.
        computes: runs networks, which on the processor would fight the denoising loop for it if done on another thread.
    """

    colours: Callable[[Previews], Colours | None]
    computes: bool = False


def _off(previews: Previews) -> None:
    return None


def _linear(previews: Previews) -> Colours:
    return linear_colours(previews.loaded.preview_factors(previews.model), previews.model.latent.factor)


def _tiny(previews: Previews) -> Colours:
    path = find_tiny(previews.folders, previews.model.family.tiny)
    return tiny_colours(previews.memory.decoders.get(path, previews.model.device), previews.model, path.name)


def _full(previews: Previews) -> Colours:
    return vae_colours(previews.model, _linear(previews))


MODES: Mapping[str, Mode] = {"off": Mode(_off), LINEAR: Mode(_linear), "tiny": Mode(_tiny, computes=True), "full": Mode(_full, computes=True)}


def vae_colours(model: Model, otherwise: Colours) -> Colours:
    """Latents -> pictures by the VAE; by `otherwise` where its numbers overflow, which the job finds out and mends when it decodes."""

    def colours(latents: Tensor) -> list[Image.Image]:
        return [picture(latent) for latent in latents.split(1)]

    def picture(latent: Tensor) -> Image.Image:
        if not model.workplace.is_settled:  # the VAE is elsewhere, and would push out what works
            return otherwise(latent)[0]
        decoded = model.vae.decode((latent / model.latent.scale).to(model.vae.dtype), return_dict=False)[0].float()
        return Image.fromarray(to_pixels(decoded[0])) if bool(decoded.isfinite().all()) else otherwise(latent)[0]

    return colours


def previewer_of(mode: str, every: int, previews: Previews) -> tuple[Previewer, tuple[JobWarning, ...]]:
    """The previewer of a job, and what to say of it: where the mode's file is missing or damaged, previews are linear."""
    row = MODES[mode]
    warnings: tuple[JobWarning, ...] = ()
    try:
        colours = row.colours(previews)
    except (SfumatoError, OSError) as error:
        row = MODES[LINEAR]
        colours = row.colours(previews)
        reason = error.message if isinstance(error, SfumatoError) else f"Its file cannot be read ({error.strerror})."
        remedy = "" if isinstance(error, ModelNotFound) else f" {place_of(previews.model.family.tiny)}"
        warnings = (JobWarning(code="preview_linear", message=f"Previews are linear instead of {mode}. {reason}{remedy}", path="preview"),)
    beside = not row.computes or previews.model.device.torch.type != "cpu"
    price = previews.memory.prices.setdefault(LINEAR if warnings else mode, Price())
    return Previewer(colours, every, beside=beside, price=price), warnings
