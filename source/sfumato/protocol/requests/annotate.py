"""A picture to the map that steers a ControlNet."""

from __future__ import annotations

from sfumato.protocol import params
from sfumato.protocol.requests import Request, Result


class Annotate(Request):
    """One map of one picture, which is sent beside the request under the name given here. The settings are those of a control of a generate job."""

    image: params.control.Source = ""
    mask: params.control.Hidden = ""
    preprocessor: params.control.Preprocessor = "canny"
    width: params.control.MapWidth = None
    height: params.control.MapHeight = None
    resize_mode: params.control.ResizeMode = "crop"
    resolution: params.control.Resolution = 0
    threshold_a: params.control.ThresholdA = None
    threshold_b: params.control.ThresholdB = None
    body: params.control.PoseBody = True
    hands: params.control.PoseHands = True
    face: params.control.PoseFace = True
    seed: params.control.PreprocessorSeed = 0
    metadata: params.operation.Metadata = "full"


class AnnotateResult(Result):
    """The map's artifact and size; `pose` is OpenPose's JSON of a map that shows people."""

    artifact: str = ""
    width: int = 0
    height: int = 0
    preprocessor: str = ""
    pose: str = ""
