"""Finished pictures made larger, and faces in them mended."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sfumato.protocol.params.ui import Ui

_NAME_LIMIT = 1024

Images = Annotated[
    tuple[Annotated[str, Field(max_length=256)], ...],
    Field(max_length=64, title="Pictures", description="Pictures to enlarge, one result each."),
    Ui("upscale", widget="image"),
]
Upscaler = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Upscaler", description="How pixels are computed: a plain filter, or a model from the folder upscalers."),
    Ui("upscale", choices_from="picture_upscalers", label="Postprocess upscaler"),
]
Scale = Annotated[
    float, Field(ge=0.05, le=16, title="Scale", description="Factor of both sides, where no width or height is given; 1 keeps the size."),
    Ui("upscale", step=0.05, slider=(1, 8), label="Postprocess upscale by"),
]  # fmt: skip
Width = Annotated[
    int, Field(ge=0, le=32768, title="Width", description="Width to reach instead of a factor; 0 follows the height, or is off."),
    Ui("upscale", step=8, slider=(0, 8192), unit="px", label="Postprocess upscale to"),
]  # fmt: skip
Height = Annotated[
    int, Field(ge=0, le=32768, title="Height", description="Height to reach instead of a factor; 0 follows the width, or is off."),
    Ui("upscale", step=8, slider=(0, 8192), unit="px", label="Postprocess upscale to"),
]  # fmt: skip
Crop = Annotated[
    bool,
    Field(title="Crop to fit", description="Cut off what is over where both width and height are given; off keeps it."),
    Ui("upscale", label="Postprocess crop to", needs=("width", "height")),
]
SecondUpscaler = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Second upscaler", description="Another upscaler, whose picture is laid over the first one's; empty is none."),
    Ui("upscale", choices_from="picture_upscalers", advanced=True, unset="None", label="Postprocess upscaler 2"),
]
SecondVisibility = Annotated[
    float, Field(ge=0, le=1, title="Second upscaler's visibility", description="How much of the second upscaler's picture is seen: 0 nothing, 1 it alone."),
    Ui("upscale", step=0.05, advanced=True, label="Postprocess upscaler 2 visibility", needs=("upscaler_2",)),
]  # fmt: skip
Tile = Annotated[
    int, Field(ge=0, le=4096, title="Tile", description="Side of the pieces a model sees at a time; 0 is the whole picture at once."),
    Ui("upscale", step=16, slider=(0, 1024), unit="px", advanced=True),
]  # fmt: skip
Overlap = Annotated[
    int, Field(ge=0, le=512, title="Tile overlap", description="Pixels that neighbouring pieces share, over which one fades into the other."),
    Ui("upscale", step=4, slider=(0, 64), unit="px", advanced=True, needs=("tile",)),
]  # fmt: skip

FaceModel = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Face restoration", description="Model (GFPGAN, CodeFormer, RestoreFormer) that mends faces; empty is none."),
    Ui("faces", choices_from="face_restorers", unset="None", label="Face restoration"),
]
FaceVisibility = Annotated[
    float, Field(ge=0, le=1, title="Visibility", description="How much of the mended faces is seen."),
    Ui("faces", step=0.05, needs=("face_model",)),
]  # fmt: skip
SecondFaceModel = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Second face restoration", description="Model that mends the faces once more, after the first; empty is none."),
    Ui("faces", choices_from="face_restorers", advanced=True, unset="None"),
]
SecondFaceVisibility = Annotated[
    float, Field(ge=0, le=1, title="Second visibility", description="How much of what the second model mended is seen."),
    Ui("faces", step=0.05, advanced=True, needs=("face_model_2",)),
]  # fmt: skip
FaceFidelity = Annotated[
    float,
    Field(ge=0, le=1, title="CodeFormer weight", description="How near CodeFormer stays to the face it sees: 0 mends most, 1 keeps most."),
    Ui("faces", step=0.05, advanced=True, label="CodeFormer weight", needs=("face_model", "face_model_2")),
]
FaceDetector = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Face detector", description="Model (RetinaFace) that finds faces; empty takes the first one found."),
    Ui("faces", choices_from="face_detectors", advanced=True, unset="First found", needs=("face_model", "face_model_2")),
]
FacesFirst = Annotated[
    bool,
    Field(title="Faces first", description="Mend faces before the picture is enlarged instead of after."),
    Ui("faces", advanced=True, needs=("face_model", "face_model_2")),
]
