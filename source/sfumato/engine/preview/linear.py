"""Linear previews: colour as one matrix times the latent, declared for each family's VAE or measured on another."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sfumato.engine.family import Model, PreviewFactors
from sfumato.engine.preview.previewer import SIDE_LIMIT_PX, Colours

# Widths of the VAE that every published SD1, SD2 and SDXL has; the families' factors are measured on it.
_STANDARD_WIDTHS = (128, 256, 512, 512)
_SAMPLES = 24


def factors_of(model: Model) -> PreviewFactors:
    """The family's factors for a standard VAE, else factors measured on this one."""
    if tuple(model.vae.config["block_out_channels"]) == _STANDARD_WIDTHS:
        return model.family.preview
    return fit_factors(model)


def fit_factors(model: Model) -> PreviewFactors:
    """Least squares from latent to mean colour, over smooth random latents that the VAE decodes. A few hundredths of a second for a small VAE."""
    device = model.device.torch
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.randn((_SAMPLES, model.latent.channels, 2, 2), generator=generator) * 1.2
    latents = functional.interpolate(coarse, size=(8, 8), mode="bilinear").to(device)
    with torch.inference_mode(), model.workplace.using(model.vae):
        pictures = model.vae.decode((latents / model.latent.scale).to(model.vae.dtype), return_dict=False)[0].float()
        colours = functional.adaptive_avg_pool2d(pictures.clamp(-1, 1), (8, 8))
    inputs = latents.permute(0, 2, 3, 1).reshape(-1, model.latent.channels).double().cpu()
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.float64)], dim=1)
    wanted = colours.permute(0, 2, 3, 1).reshape(-1, 3).double().cpu()
    if not bool(wanted.isfinite().all()):
        return model.family.preview
    found = torch.linalg.lstsq(inputs, wanted).solution.T.tolist()  # (3, channels + 1)
    red, green, blue = (row[-1] for row in found)
    return PreviewFactors(tuple(tuple(row[:-1]) for row in found), (red, green, blue))


def linear_colours(factors: PreviewFactors, factor: int) -> Colours:
    """Latents (B, C, h, w) -> pictures, enlarged to the picture's size where that is small enough.

    No operation of torch: on the processor each thread that calls one gets a set of workers of its own, and two sets on one processor made the
    denoising loop three times slower.
    """
    weights = np.array(factors.weights, np.float32)[:, :, None, None]  # (3, C, 1, 1)
    bias = np.array(factors.bias, np.float32)[:, None, None]

    def colours(latents: Tensor) -> list[Image.Image]:
        return [picture(row) for row in latents.float().cpu().numpy()]

    def picture(latent: NDArray[np.float32]) -> Image.Image:
        small = np.nan_to_num((weights * latent).sum(axis=1) + bias)  # (3, h, w); numbers that are none are the job's to tell
        image = Image.fromarray(((small + 1) * 127.5).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
        scale = min(factor, SIDE_LIMIT_PX / max(image.size))
        return image if scale <= 1 else image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)

    return colours
