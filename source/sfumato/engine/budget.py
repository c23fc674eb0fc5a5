"""How much memory a job needs in each way of keeping its networks, and which way fits what is free (E110).

What is computed beside the weights is estimated for each stage from the networks' construction; the first run of a shape on a device that tells its peak
replaces the estimate by what was measured.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from sfumato.engine.device import Device
from sfumato.engine.family import Model
from sfumato.engine.offload import Offload, largest_piece, nbytes
from sfumato.engine.vae_tiling import TILE_PX
from sfumato.engine.workplace import Work

# What a unit of work computes in at once, in tensors of the widest level at full resolution: found by simulated runs of SD1.5 and SDXL in their real sizes,
# with attention that holds no scores.
_TENSORS = {"denoise": 26.0, "decode": 3.9, "encode": 2.6}

Size = tuple[int, int]


@dataclass(frozen=True)
class Needs:
    """Bytes on the device of each way to keep the networks."""

    of: Mapping[Offload, int]

    def fitting(self, free_bytes: int) -> Offload:
        """The first way that fits, the tightest where none does."""
        tightest: Offload | None = None
        for way, needed in self.of.items():
            if needed <= free_bytes:
                return way
            tightest = way
        assert tightest is not None
        return tightest

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
        free = device.kind.free_bytes() - device.kind.reserve_bytes
        if limit_bytes and device.kind.used_bytes is not None:
            free = min(free, limit_bytes - device.kind.used_bytes())
        return max(0, free)

    def work(self, model: Model, work: Work) -> int:
        """What a unit of work computes in beside the weights: as measured, else as estimated."""
        found = self.measured.get(shape_key(model, work))
        if found is not None:
            return found
        if work.name == "denoise":
            pixels, widths, dtype = model.latent.factor**2, model.unet.config["block_out_channels"], model.device.dtype
            return int(work.rows * work.size[0] * work.size[1] / pixels * widths[0] * dtype.itemsize * _TENSORS[work.name])
        widths, dtype = model.vae.config["block_out_channels"], model.device.dtype_of("vae")
        # At full resolution the decoder still has the channels of the level below.
        return int(work.size[0] * work.size[1] * widths[min(1, len(widths) - 1)] * dtype.itemsize * _TENSORS[work.name])

    def needs(self, model: Model, size: Size, rows: int) -> Needs:
        """Of a job with one model. The VAE may work in tiles, the network on one row."""
        tile = (min(size[0], TILE_PX), min(size[1], TILE_PX))
        unet, vae, texts = nbytes(model.unet), nbytes(model.vae), [nbytes(encoder.tower) for encoder in model.encoders]
        painting, showing = self.work(model, Work("denoise", size, rows)), self.work(model, Work("decode", tile))
        least = min(painting, self.work(model, Work("denoise", size, 1)))
        leaves = [largest_piece(network, 0) for network in (model.unet, model.vae, *(encoder.tower for encoder in model.encoders))]
        return Needs(
            {
                "none": unet + vae + sum(texts) + max(painting, showing),
                "components": max(unet + painting, vae + showing, *texts),
                # The piece at work, and the next on its way.
                "blocks": max(2 * largest_piece(model.unet) + least, 2 * largest_piece(model.vae) + showing, *texts),
                "sequential": max(leaves[0] + least, leaves[1] + showing, *leaves[2:]),
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


def shape_key(model: Model, work: Work) -> Hashable:
    """Under which a measurement is kept: what decides how much is computed at once."""
    network, dtype = (model.unet, model.device.dtype) if work.name == "denoise" else (model.vae, model.device.dtype_of("vae"))
    config = network.config
    shape = (tuple(config["block_out_channels"]), config["layers_per_block"], str(config.get("transformer_layers_per_block")))
    return (work, shape, dtype, str(model.device.torch))
