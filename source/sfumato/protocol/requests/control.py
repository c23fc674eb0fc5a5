"""A control of a Generate request: one picture, what is made of it, and the model that reads it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sfumato.protocol import params
from sfumato.protocol.params import Ui
from sfumato.protocol.requests import Request


class ControlUnit(Request):
    """Acts while `start <= c/N <= end`; weight 0 is off. Pictures are named by their blobs, as the request's own."""

    image: params.control.Image = ""
    mask: params.control.Mask = ""
    preprocessor: params.control.Preprocessor = "none"
    model: params.control.Model = ""
    weight: params.control.Weight = 1.0
    start: params.control.Start = 0.0
    end: params.control.End = 1.0
    mode: params.control.Mode = "balanced"
    resize_mode: params.control.ResizeMode = "crop"
    guess: params.control.Guess = False
    resolution: params.control.Resolution = 0
    threshold_a: params.control.ThresholdA = None
    threshold_b: params.control.ThresholdB = None
    body: params.control.PoseBody = True
    hands: params.control.PoseHands = True
    face: params.control.PoseFace = True
    seed: params.control.PreprocessorSeed = 0
    union_type: params.control.UnionType = "auto"
    encoder: params.control.ImageEncoder = ""
    block_weights: params.control.BlockWeights = ""
    together: params.control.Together = "add"


Controls = Annotated[
    tuple[ControlUnit, ...],
    Field(max_length=params.control.UNITS, title="Control", description="Pictures that steer where things are painted, by ControlNets and adapters."),
    Ui("control"),
]
