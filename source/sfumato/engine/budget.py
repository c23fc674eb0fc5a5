"""How much memory a job needs in each way of keeping its networks, and which way fits what is free (E110).

What is computed beside the weights is estimated for each stage from the networks' construction; the first run of a shape on a device that tells its peak
replaces the estimate by what was measured.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from sfumato.engine.device import Device
from sfumato.engine.family import Model
from sfumato.engine.offload import Offload, nbytes
from sfumato.engine.vae_tiling import TILE_PX

# Left free on a graphics card for the display and what other programs draw (0.8 GiB), and on the host for everything else.
RESERVE_BYTES = int(0.8 * 2**30)
# What a stage computes at once, in tensors of the widest level at full resolution: from simulated runs of SD1.5 and SDXL.
_UNET_TENSORS = 11.0
_VAE_TENSORS = {"decode": 3.1, "encode": 2.6}
# Pieces of a network that are on the device together while it is taken there piece by piece: the one that works and the next, and what stays.
_BLOCKS_SHARE, _SEQUENTIAL_SHARE = 1 / 5, 1 / 20

Size = tuple[int, int]


@dataclass(frozen=True)
class Needs:
    """Bytes on the device of each way to keep the networks."""

    of: Mapping[Offload, int]

    def fitting(self, free_bytes: int) -> Offload:
        """The first way that fits, the tightest where none does."""
        return next((way for way, needed in self.of.items() if needed <= free_bytes), list(self.of)[-1])

    @property
    def least(self) -> int:
        return min(self.of.values())


@dataclass
class Budget:
    """What is known of this process's devices; kept between jobs."""

    measured: dict[Hashable, int] = field(default_factory=dict)

    def free_bytes(self, device: Device, limit_bytes: int = 0) -> int:
        """What a job may still take of the device's memory: what is free less the reserve, or what a limit leaves.

        Args:
            limit_bytes: of everything this process keeps on the device; 0 = none.
        """
        free = device.kind.free_bytes() - (0 if device.kind.is_host else RESERVE_BYTES)
        if limit_bytes and device.kind.used_bytes is not None:
            free = min(free, limit_bytes - device.kind.used_bytes())
        return max(0, free)

    def denoising(self, model: Model, size: Size, rows: int) -> int:
        """What the network computes in beside its weights, for pictures of this size (width, height), so many rows at once."""
        key = shape_key(model, "denoise", size, rows)
        if key in self.measured:
            return self.measured[key]
        width, height = size[0] // model.latent.factor, size[1] // model.latent.factor
        channels = int(model.unet.config["block_out_channels"][0])
        return int(rows * width * height * channels * model.device.dtype.itemsize * _UNET_TENSORS)

    def decoding(self, model: Model, size: Size, direction: str = "decode") -> int:
        """What the VAE computes in beside its weights, for one picture or tile."""
        key = shape_key(model, direction, size, 1)
        if key in self.measured:
            return self.measured[key]
        channels = int(model.vae.config["block_out_channels"][min(1, len(model.vae.config["block_out_channels"]) - 1)])
        return int(size[0] * size[1] * channels * model.device.dtype_of("vae").itemsize * _VAE_TENSORS[direction])

    def needs(self, model: Model, size: Size, rows: int) -> Needs:
        """Of a job with one model. The VAE may work in tiles, the network on one row."""
        tile = (min(size[0], TILE_PX), min(size[1], TILE_PX))
        unet, vae, texts = nbytes(model.unet), nbytes(model.vae), [nbytes(encoder.tower) for encoder in model.encoders]
        painting, showing = self.denoising(model, size, rows), self.decoding(model, tile)
        least = min(painting, self.denoising(model, size, 1))
        return Needs(
            {
                "none": unet + vae + sum(texts) + max(painting, showing),
                "components": max(unet + painting, vae + showing, *texts),
                "blocks": max(int(unet * _BLOCKS_SHARE) + least, int(vae * _BLOCKS_SHARE) + showing, *texts),
                "sequential": max(int(unet * _SEQUENTIAL_SHARE) + least, int(vae * _SEQUENTIAL_SHARE) + showing, int(max(texts) * _SEQUENTIAL_SHARE)),
            }
        )

    def fitting_size(self, model: Model, size: Size, free_bytes: int) -> Size | None:
        """The largest picture of about this shape that fits in the tightest way; None if none does."""
        step = 64
        for share in range(15, 3, -1):
            smaller = (size[0] * share // 16 // step * step, size[1] * share // 16 // step * step)
            if min(smaller) >= step and self.needs(model, smaller, 1).least <= free_bytes:
                return smaller
        return None


def shape_key(model: Model, stage: str, size: Size, rows: int) -> Hashable:
    """Under which a measurement of a stage is kept: what decides how much is computed at once."""
    network, dtype = (model.unet, model.device.dtype) if stage == "denoise" else (model.vae, model.device.dtype_of("vae"))
    config = network.config
    shape = (tuple(config["block_out_channels"]), config["layers_per_block"], str(config.get("transformer_layers_per_block")))
    return (stage, shape, dtype, str(model.device.torch), size, rows)
