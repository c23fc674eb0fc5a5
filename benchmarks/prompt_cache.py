"""What the cache of encoded texts saves: the texts of a job written into a script from what is held, against encoding them.

CLIP-L of Stable Diffusion 1 in its real size, with small random numbers for weights; once a plain prompt and its negative, once a prompt with editing,
alternation, AND and weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from measuring import Row, compare, measure, print_table, timed

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.conditioning import Conditioner, EncodingCache, TextSettings
from sfumato.engine.configuration import ClipConfiguration
from sfumato.engine.device import choose
from sfumato.engine.families import FAMILIES
from sfumato.engine.family import Model, TextEncoder
from sfumato.engine.modules import build_clip, clip_body
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.script import ImageTexts, Script, write_script
from sfumato.prompts import CLIP_L_PADDING, PassSpan, read_prompt

CLIP_L = ClipConfiguration(49408, 77, 768, 3072, 12, 12, "quick_gelu")
STEPS = 25
TEXTS = {
    "a prompt of 40 words": (", ".join(["a red circle on a blue square"] * 6), "blurry, dark"),
    "editing, alternation, AND": ("a [red|green|blue] (circle:1.3) AND a [square:star:0.5]:0.8", "[blurry:dark:10]"),
}
GOAL = 0.1


def random_model() -> Model:
    """SD1's text encoder, and nothing else of a model."""
    device, family = choose("fp32"), FAMILIES[0]
    tower = build_clip(CLIP_L).to_empty(device=device.torch)
    generator = torch.Generator(device.torch).manual_seed(0)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.normal_(0, 0.02, generator=generator)
    clip_body(tower).embeddings.position_ids = torch.arange(CLIP_L.positions, device=device.torch).unsqueeze(0)
    return Model(
        family=family,
        checkpoint=Checkpoint(Path("random"), "random", {}),
        device=device,
        unet=None,  # type: ignore[arg-type]  nothing but text is encoded
        vae=None,  # type: ignore[arg-type]
        encoders=(TextEncoder("clip_l", tower.requires_grad_(False).eval(), None, CLIP_L_PADDING),),
        text=family.text,
        vector=family.vector,
        prediction="eps",
        table=NoiseTable(),
        latent=family.latent,
        native_px=512,
    )


def writing(model: Model, positive: str, negative: str, cache: EncodingCache, clears: bool) -> Callable[[], Script]:
    """A job's way from its texts to its script."""

    def work() -> Script:
        if clears:
            cache.clear()
        texts = ImageTexts(read_prompt(positive), read_prompt(negative, negative=True))
        with torch.inference_mode():
            return write_script(Conditioner(model, TextSettings(), cache), [texts], PassSpan(STEPS))

    return work


def rows() -> list[Row]:
    """Half a minute."""
    model, found = random_model(), []
    for name, (positive, negative) in TEXTS.items():
        held = EncodingCache()
        hit, miss = writing(model, positive, negative, held, False), writing(model, positive, negative, EncodingCache(), True)
        seconds = measure({"hit": timed(hit), "miss": timed(miss)}, 3)
        found.append(compare(f"{name}: texts held / encoded", seconds["hit"], seconds["miss"], GOAL))
    return found


if __name__ == "__main__":
    print_table(rows())
