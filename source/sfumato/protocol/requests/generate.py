"""Text to pictures."""

from __future__ import annotations

from pydantic import Field

from sfumato.protocol import params
from sfumato.protocol.requests import JobWarning, Request, Result


class Generate(Request):
    """`batch_count` batches of `batch_size` pictures; picture k has seed + k."""

    prompt: params.Prompt = ""
    negative: params.Negative = ""
    model: params.Model = ""
    width: params.Width = None
    height: params.Height = None
    steps: params.Steps = 25
    guidance: params.Guidance = 7.0
    seed: params.Seed = -1
    sampler: params.Sampler = "Euler a"
    schedule: params.Schedule = "automatic"
    batch_size: params.BatchSize = 1
    batch_count: params.BatchCount = 1
    eta: params.Eta = 1.0
    s_churn: params.Churn = 0.0
    s_noise: params.ChurnNoise = 1.0
    clip_skip: params.ClipSkip = 0
    emphasis: params.Emphasis = "original"
    preview: params.Preview = "linear"
    preview_every: params.PreviewEvery = 1
    dtype: params.Precision = "auto"
    deterministic: params.Deterministic = False
    metadata: params.Metadata = "full"


class ImageRecord(Result):
    """One finished picture: the name of its artifact and what repeats it."""

    artifact: str
    seed: int
    width: int
    height: int
    infotext: str = ""


class GenerateResult(Result):
    images: tuple[ImageRecord, ...] = ()
    model: str = ""
    family: str = ""
    sampler: str = ""
    schedule: str = ""
    warnings: tuple[JobWarning, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)
