"""How a person meets a parameter: where its control stands, how it moves, what it is called in a picture's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Sections of the panel and of the reference, in their order: key in `Ui.group` -> its title.
GROUPS: Mapping[str, str] = {
    "prompt": "Prompt",
    "model": "Model",
    "size": "Size",
    "sampling": "Sampling",
    "batch": "Batch",
    "image": "Image",
    "mask": "Mask",
    "outpaint": "Outpainting",
    "highres": "Highres pass",
    "tiled": "Tiled painting",
    "upscale": "Upscaling",
    "faces": "Faces",
    "refiner": "Refiner",
    "control": "Control",
    "seed": "Seeds",
    "sampler": "Sampler details",
    "schedule": "Noise levels",
    "guidance": "Guidance",
    "text": "Reading of prompts",
    "told": "Sizes told to SDXL",
    "loopback": "Loopback",
    "alternative": "Inverted noise",
    "speed": "Speed",
    "operation": "Operation",
    "transfer": "Transfer",
}


@dataclass(frozen=True)
class Ui:
    """How a parameter is shown.

    Attributes:
        group: section of the panel, a key of `GROUPS`.
        step: increment of the control; 0 = free.
        slider: ends of the slider where they are narrower than the limits; typing reaches the limits.
        choices_from: name of a catalog list that fills the choices at run time.
        advanced: shown only among the advanced parameters.
        unit: shown behind the number.
        label: key in the picture's infotext, "" if it has none.
        widget: a hint where the type does not tell ("prompt", "seed", "image": a picture sent beside the request, named by the value; "secret": used once,
            never kept, shown or written anywhere).
        unset: what an unset value (None, or an empty choice) is called in the control.
        follows: another parameter whose value this one takes while it has its default.
        needs: the parameter acts only while one of these holds: "name" differs from its default, or "name=value". Empty = always.
    """

    group: str
    step: float = 0
    slider: tuple[float, float] | None = None
    choices_from: str = ""
    advanced: bool = False
    unit: str = ""
    label: str = ""
    widget: str = ""
    unset: str = ""
    follows: str = ""
    needs: tuple[str, ...] = ()
