"""How noise becomes a picture: steps, sampler, schedule, seeds and their fine print."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.model import SIZE_STEP_PX
from sfumato.protocol.params.ui import Ui

SEED_MAX = 2**63 - 1

Steps = Annotated[
    int, Field(ge=1, le=150, title="Steps", description="Denoising steps; more take longer and refine."), Ui("sampling", step=1, slider=(1, 50), label="Steps")
]
Guidance = Annotated[
    float,
    Field(ge=0, le=100, title="Guidance", description="How strictly the prompt is followed (CFG scale); 1 ignores the negative prompt."),
    Ui("sampling", step=0.5, slider=(1, 20), label="CFG scale"),
]
Sampler = Annotated[
    str, Field(max_length=64, title="Sampler", description="Method that removes the noise."), Ui("sampling", choices_from="samplers", label="Sampler")
]
Schedule = Annotated[
    str,
    Field(max_length=64, title="Schedule", description="How noise levels are spaced; automatic takes the sampler's own."),
    Ui("sampling", choices_from="schedules", label="Schedule type"),
]
Seed = Annotated[
    int,
    Field(ge=-1, le=SEED_MAX, title="Seed", description="Same seed and settings give the same picture; -1 draws a new one."),
    Ui("sampling", step=1, widget="seed", label="Seed"),
]
BatchSize = Annotated[int, Field(ge=1, le=64, title="Batch size", description="Pictures made at the same time."), Ui("batch", step=1, slider=(1, 8))]
BatchCount = Annotated[int, Field(ge=1, le=9999, title="Batch count", description="Batches made one after the other."), Ui("batch", step=1, slider=(1, 16))]

# -- what some samplers read; the names are those of `SamplerParameters` ---------------------------

Eta = Annotated[
    float,
    Field(ge=0, le=1, title="Eta", description="Share of fresh noise an ancestral sampler adds at each step."),
    Ui("sampler", step=0.05, slider=(0, 1), advanced=True, label="Eta"),
]
EtaDdim = Annotated[
    float,
    Field(ge=0, le=1, title="Eta DDIM", description="Share of fresh noise DDIM adds at each step."),
    Ui("sampler", step=0.05, slider=(0, 1), advanced=True, label="Eta DDIM"),
]
ChurnNoise = Annotated[
    float,
    Field(ge=0, le=1.1, title="Noise factor", description="Scale of the noise a sampler adds (s_noise)."),
    Ui("sampler", step=0.01, slider=(0.9, 1.1), advanced=True, label="Sigma noise"),
]
Churn = Annotated[
    float,
    Field(ge=0, le=100, title="Churn", description="Noise added and removed again over the whole run (s_churn)."),
    Ui("sampler", step=0.5, slider=(0, 10), advanced=True, label="Sigma churn"),
]
ChurnFrom = Annotated[
    float,
    Field(ge=0, le=100, title="Churn from", description="Lowest noise level at which churn acts (s_tmin)."),
    Ui("sampler", step=0.1, slider=(0, 10), advanced=True, label="Sigma tmin"),
]
ChurnUntil = Annotated[
    float,
    Field(ge=0, le=999, title="Churn until", description="Highest noise level at which churn acts (s_tmax); 0 is no limit."),
    Ui("sampler", step=0.1, slider=(0, 20), advanced=True, label="Sigma tmax"),
]
Solver = Annotated[
    Literal["midpoint", "heun"],
    Field(title="Solver", description="Second-order rule of DPM++ 2M SDE."),
    Ui("sampler", advanced=True, label="Solver"),
]
Order = Annotated[
    int,
    Field(ge=0, le=4, title="Order", description="Highest order of a multistep method; 0 is its own."),
    Ui("sampler", step=1, advanced=True, label="UniPC order"),
]
UnipcVariant = Annotated[
    Literal["bh1", "bh2"], Field(title="UniPC variant", description="Which of the two published correctors UniPC uses."),
    Ui("sampler", advanced=True, label="UniPC variant"),
]  # fmt: skip
UnipcSkip = Annotated[
    Literal["time_uniform", "time_quadratic", "logSNR"], Field(title="UniPC spacing", description="How UniPC spaces its own grid."),
    Ui("sampler", advanced=True, label="UniPC skip type"),
]  # fmt: skip
LowerOrderFinal = Annotated[
    bool,
    Field(title="Lower order at end", description="Let UniPC end with steps of lower order, which is steadier with few steps."),
    Ui("sampler", advanced=True, label="UniPC lower order final"),
]
Gamma = Annotated[
    float,
    Field(ge=0, le=5, title="Gamma", description="Re-noising of TCD, or overshoot of gradient estimation; 0 is the sampler's own."),
    Ui("sampler", step=0.05, slider=(0, 3), advanced=True, label="Gamma"),
]
Tau = Annotated[
    float,
    Field(ge=0, le=1, title="Tau", description="Share of noise in SA-Solver; 0 is deterministic."),
    Ui("sampler", step=0.05, advanced=True, label="Tau"),
]
ExactStart = Annotated[
    bool,
    Field(title="Exact start", description="Begin image to image of DDIM, PLMS and UniPC at the level where noise was added, not one later."),
    Ui("sampler", advanced=True, label="Exact start", needs=("image",)),
]

# -- the levels of noise ---------------------------------------------------------------------------

SigmaMin = Annotated[
    float, Field(ge=0, le=10000, title="Lowest sigma", description="Lowest noise level of the schedule; 0 is the model's own."),
    Ui("schedule", step=0.01, slider=(0, 1), advanced=True, label="Schedule min sigma"),
]  # fmt: skip
SigmaMax = Annotated[
    float, Field(ge=0, le=10000, title="Highest sigma", description="Highest noise level of the schedule; 0 is the model's own."),
    Ui("schedule", step=0.1, slider=(0, 50), advanced=True, label="Schedule max sigma"),
]  # fmt: skip
Rho = Annotated[
    float, Field(ge=0, le=20, title="Rho", description="Curvature of the Karras and polyexponential schedules; 0 is their own."),
    Ui("schedule", step=0.5, advanced=True, label="Schedule rho"),
]  # fmt: skip
BetaAlpha = Annotated[
    float, Field(ge=0.05, le=10, title="Beta alpha", description="First parameter of the Beta schedules."),
    Ui("schedule", step=0.05, slider=(0.1, 2), advanced=True, label="Beta schedule alpha"),
]  # fmt: skip
BetaBeta = Annotated[
    float, Field(ge=0.05, le=10, title="Beta beta", description="Second parameter of the Beta schedules."),
    Ui("schedule", step=0.05, slider=(0.1, 2), advanced=True, label="Beta schedule beta"),
]  # fmt: skip
Sigmas = Annotated[
    tuple[Annotated[float, Field(ge=0, le=10000)], ...],
    Field(max_length=1000, title="Custom levels", description="Falling noise levels for the schedule custom; other numbers of steps are interpolated."),
    Ui("schedule", advanced=True, label="Custom sigmas", needs=("schedule=custom",)),
]
DiscardPenultimate = Annotated[
    bool, Field(title="Discard penultimate", description="Leave out the last level but one, which some samplers do anyway."),
    Ui("schedule", advanced=True, label="Discard penultimate sigma"),
]  # fmt: skip
OldKarras = Annotated[
    bool, Field(title="Old Karras range", description="Let the Karras schedule run from 10 to 0.1, as in pictures of 2022."),
    Ui("schedule", advanced=True, label="Old Karras sigmas"),
]  # fmt: skip
QuantizeTime = Annotated[
    bool, Field(title="Whole time steps", description="Round the time told to the network to whole training steps."),
    Ui("schedule", advanced=True, label="Quantize time"),
]  # fmt: skip
DowncastAlphas = Annotated[
    bool, Field(title="Half-precision alphas", description="Round the noise table to half precision first, as in pictures made before 2024."),
    Ui("schedule", advanced=True, label="Downcast alphas_cumprod"),
]  # fmt: skip

# -- seeds -----------------------------------------------------------------------------------------

VariationSeed = Annotated[
    int, Field(ge=-1, le=SEED_MAX, title="Variation seed", description="Seed that is mixed in; -1 draws a new one."),
    Ui("seed", step=1, advanced=True, label="Variation seed", needs=("variation_strength",)),
]  # fmt: skip
VariationStrength = Annotated[
    float, Field(ge=0, le=1, title="Variation", description="How much of the variation seed is mixed in: 0 nothing, 1 only it."),
    Ui("seed", step=0.01, slider=(0, 1), advanced=True, label="Variation seed strength"),
]  # fmt: skip
SeedResizeWidth = Annotated[
    int, Field(ge=0, le=16384, title="Seed width", description="Keep the composition a seed has at this width; 0 is off."),
    Ui("seed", step=SIZE_STEP_PX, unit="px", advanced=True, label="Seed resize from"),
]  # fmt: skip
SeedResizeHeight = Annotated[
    int, Field(ge=0, le=16384, title="Seed height", description="Keep the composition a seed has at this height; 0 is off."),
    Ui("seed", step=SIZE_STEP_PX, unit="px", advanced=True, label="Seed resize from"),
]  # fmt: skip
Rng = Annotated[
    Literal["cpu", "nv", "gpu"],
    Field(title="Noise source", description="Generator of the noise: cpu and nv (as on Nvidia cards) are the same on every device, gpu is the device's own."),
    Ui("seed", advanced=True, label="RNG"),
]
Ensd = Annotated[
    int, Field(ge=-(2**31), le=2**31 - 1, title="ENSD", description="Added to the seed for all noise after the first (eta noise seed delta)."),
    Ui("seed", step=1, advanced=True, label="ENSD"),
]  # fmt: skip
SgmNoise = Annotated[
    bool, Field(title="SGM noise", description="Scale the first noise as Stability's own code does."),
    Ui("seed", advanced=True, label="SGM noise multiplier"),
]  # fmt: skip
