"""What other programs write into their pictures, one module per program. Each says what the picture claims, or that it is none of its own. Rule: M17.

`ORIGINS` is the order in which they are asked: texts that only one program writes come before those that several do.
"""

from collections.abc import Callable

from sfumato.imaging.claims import Claims
from sfumato.imaging.origins import comfyui, draw_things, fooocus, invokeai, novelai, qdiffusion, swarmui
from sfumato.imaging.texts import Texts

ORIGINS: tuple[Callable[[Texts], Claims | None], ...] = (
    swarmui.read,
    invokeai.read,
    novelai.read,
    fooocus.read,
    draw_things.read,
    comfyui.read,
    qdiffusion.read,
)
