"""Finished pictures made larger, and faces in them mended."""

from __future__ import annotations

from pydantic import Field

from sfumato.protocol import params
from sfumato.protocol.requests import JobWarning, Request, Result


class Upscale(Request):
    """One result for each picture, in their order; pictures are sent beside the request, under the names given here."""

    images: params.upscaling.Images = ()
    upscaler: params.upscaling.Upscaler = "Lanczos"
    scale: params.upscaling.Scale = 2.0
    width: params.upscaling.Width = 0
    height: params.upscaling.Height = 0
    crop: params.upscaling.Crop = True
    upscaler_2: params.upscaling.SecondUpscaler = ""
    upscaler_2_visibility: params.upscaling.SecondVisibility = 0.5
    tile: params.upscaling.Tile = 192
    overlap: params.upscaling.Overlap = 8

    face_model: params.upscaling.FaceModel = ""
    face_visibility: params.upscaling.FaceVisibility = 1.0
    face_model_2: params.upscaling.SecondFaceModel = ""
    face_visibility_2: params.upscaling.SecondFaceVisibility = 1.0
    face_fidelity: params.upscaling.FaceFidelity = 0.5
    face_detector: params.upscaling.FaceDetector = ""
    faces_first: params.upscaling.FacesFirst = False

    dtype: params.operation.Precision = "auto"
    metadata: params.operation.Metadata = "full"
    format: params.operation.PictureFormat = "png"
    quality: params.operation.Quality = 92


class UpscaledRecord(Result):
    """One finished picture: the name of its artifact, its size, how many faces were mended, and what is written into it."""

    artifact: str
    width: int
    height: int
    faces: int = 0
    infotext: str = ""
    postprocessing: str = ""


class UpscaleResult(Result):
    images: tuple[UpscaledRecord, ...] = ()
    warnings: tuple[JobWarning, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)
