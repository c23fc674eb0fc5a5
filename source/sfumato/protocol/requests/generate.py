"""Text, and pictures, to pictures."""

from __future__ import annotations

from pydantic import Field

from sfumato.protocol import params
from sfumato.protocol.requests import JobWarning, Request, Result
from sfumato.protocol.requests.control import Controls


class Generate(Request):
    """`batch_count` batches of `batch_size` pictures; picture k has seed + k. Pictures to start from are sent beside it, under the names given here."""

    prompt: params.text.Prompt = ""
    negative: params.text.Negative = ""
    prompt_2: params.text.SecondPrompt = ""
    negative_2: params.text.SecondNegative = ""
    styles: params.text.Styles = ()

    model: params.model.Model = ""
    vae: params.model.Vae = ""
    clip: params.model.TextEncoder = ""
    clip_2: params.model.SecondTextEncoder = ""
    clip_skip: params.model.ClipSkip = 0
    prediction: params.model.PredictionType = "auto"
    zero_terminal_snr: params.model.ZeroTerminal = "auto"
    tiling: params.model.Tiling = "none"
    width: params.model.Width = None
    height: params.model.Height = None

    steps: params.sampling.Steps = 25
    guidance: params.sampling.Guidance = 7.0
    seed: params.sampling.Seed = -1
    sampler: params.sampling.Sampler = "Euler a"
    schedule: params.sampling.Schedule = "automatic"
    batch_size: params.sampling.BatchSize = 1
    batch_count: params.sampling.BatchCount = 1

    image: params.pictures.Image = ""
    strength: params.pictures.Strength = None
    resize_mode: params.pictures.ResizeMode = "crop"
    resize_filter: params.pictures.ResizeFilter = "Lanczos"
    background: params.pictures.Background = "#ffffff"
    exact_steps: params.pictures.ExactSteps = False
    noise_multiplier: params.pictures.NoiseMultiplier = 1.0
    extra_noise: params.pictures.ExtraNoise = 0.0
    encode_sample: params.pictures.EncodeSample = False
    color_correction: params.pictures.ColourCorrection = False

    mask: params.pictures.Mask = ""
    mask_blur: params.pictures.MaskBlur = 4.0
    mask_expand: params.pictures.MaskExpand = 0
    mask_padding: params.pictures.MaskPadding = None
    mask_fill: params.pictures.MaskFill = "original"
    mask_invert: params.pictures.MaskInvert = False
    mask_mode: params.pictures.MaskMode = "hard"
    mask_round: params.pictures.MaskRound = True
    mask_weight: params.pictures.MaskWeight = 1.0
    soft_power: params.pictures.SoftPower = 1.0
    soft_scale: params.pictures.SoftScale = 0.5
    soft_contrast: params.pictures.SoftContrast = 4.0
    soft_influence: params.pictures.SoftInfluence = 0.0
    soft_threshold: params.pictures.SoftThreshold = 0.5
    soft_difference: params.pictures.SoftDifference = 2.0

    outpaint_left: params.pictures.OutpaintLeft = 0
    outpaint_right: params.pictures.OutpaintRight = 0
    outpaint_top: params.pictures.OutpaintTop = 0
    outpaint_bottom: params.pictures.OutpaintBottom = 0
    outpaint_overlap: params.pictures.OutpaintOverlap = 8
    outpaint_fill: params.pictures.OutpaintFill = "edges"

    loops: params.pictures.Loops = 1
    loop_strength: params.pictures.LoopStrength = None
    loop_curve: params.pictures.LoopCurve = "linear"
    loop_caption: params.pictures.LoopCaption = ""
    alternative: params.pictures.Alternative = False
    alternative_prompt: params.pictures.AlternativePrompt = ""
    alternative_negative: params.pictures.AlternativeNegative = ""
    alternative_guidance: params.pictures.AlternativeGuidance = 1.0
    alternative_steps: params.pictures.AlternativeSteps = 50
    alternative_randomness: params.pictures.AlternativeRandomness = 0.0
    alternative_sigma: params.pictures.AlternativeSigma = False

    hr_scale: params.highres.HighresScale = 1.0
    hr_width: params.highres.HighresWidth = 0
    hr_height: params.highres.HighresHeight = 0
    hr_upscaler: params.highres.HighresUpscaler = "Lanczos"
    hr_steps: params.highres.HighresSteps = 0
    hr_strength: params.highres.HighresStrength = 0.7
    hr_sampler: params.highres.HighresSampler = params.highres.SAME
    hr_schedule: params.highres.HighresSchedule = params.highres.SAME
    hr_guidance: params.highres.HighresGuidance = None
    hr_prompt: params.highres.HighresPrompt = ""
    hr_negative: params.highres.HighresNegative = ""
    hr_model: params.highres.HighresModel = ""
    hr_only: params.highres.HighresOnly = False
    tiled: params.tiled.Tiled = "off"
    tile_size: params.tiled.TileSize = 0
    tile_overlap: params.tiled.TileOverlap = 64
    tile_captions: params.tiled.TileCaptions = ()
    refiner: params.model.Refiner = ""
    refiner_switch_at: params.model.RefinerSwitch = 0.8
    refiner_by_steps: params.model.RefinerBySteps = False
    refiner_pass: params.model.RefinerPass = "second"

    control: Controls = ()

    variation_strength: params.sampling.VariationStrength = 0.0
    variation_seed: params.sampling.VariationSeed = -1
    seed_resize_width: params.sampling.SeedResizeWidth = 0
    seed_resize_height: params.sampling.SeedResizeHeight = 0
    rng: params.sampling.Rng = "cpu"
    ensd: params.sampling.Ensd = 0
    sgm_noise_multiplier: params.sampling.SgmNoise = False

    eta: params.sampling.Eta = 1.0
    eta_ddim: params.sampling.EtaDdim = 0.0
    s_churn: params.sampling.Churn = 0.0
    s_tmin: params.sampling.ChurnFrom = 0.0
    s_tmax: params.sampling.ChurnUntil = 0.0
    s_noise: params.sampling.ChurnNoise = 1.0
    solver: params.sampling.Solver = "midpoint"
    order: params.sampling.Order = 0
    unipc_variant: params.sampling.UnipcVariant = "bh1"
    unipc_skip_type: params.sampling.UnipcSkip = "time_uniform"
    lower_order_final: params.sampling.LowerOrderFinal = True
    gamma: params.sampling.Gamma = 0.0
    tau: params.sampling.Tau = 1.0
    exact_start: params.sampling.ExactStart = False
    sigma_min: params.sampling.SigmaMin = 0.0
    sigma_max: params.sampling.SigmaMax = 0.0
    rho: params.sampling.Rho = 0.0
    beta_alpha: params.sampling.BetaAlpha = 0.6
    beta_beta: params.sampling.BetaBeta = 0.6
    sigmas: params.sampling.Sigmas = ()
    discard_penultimate: params.sampling.DiscardPenultimate = False
    old_karras_sigmas: params.sampling.OldKarras = False
    quantize_t: params.sampling.QuantizeTime = False
    downcast_alphas: params.sampling.DowncastAlphas = False

    guidance_rule: params.guidance.GuidanceRule = "cfg"
    cfg_rescale: params.guidance.CfgRescale = 0.0
    cfg_start: params.guidance.CfgStart = 0.0
    cfg_end: params.guidance.CfgEnd = 1.0
    skip_early: params.guidance.SkipEarly = 0.0
    s_min_uncond: params.guidance.NegativeMinimum = 0.0
    ngms_all: params.guidance.NegativeMinimumAll = False
    image_guidance: params.guidance.ImageGuidance = 1.5
    pag_scale: params.guidance.PagScale = 0.0
    seg_scale: params.guidance.SegScale = 0.0
    apg_eta: params.guidance.ApgEta = 1.0
    apg_norm: params.guidance.ApgNorm = 0.0
    apg_momentum: params.guidance.ApgMomentum = 0.0
    perp_neg: params.guidance.PerpNeg = 1.0
    mimic_scale: params.guidance.MimicScale = 7.0
    mimic_percentile: params.guidance.MimicPercentile = 1.0
    freeu_b1: params.guidance.FreeuB1 = 1.0
    freeu_b2: params.guidance.FreeuB2 = 1.0
    freeu_s1: params.guidance.FreeuS1 = 1.0
    freeu_s2: params.guidance.FreeuS2 = 1.0
    areas: params.guidance.Areas = ()
    area_feather: params.guidance.AreaFeather = 0.0

    emphasis: params.text.Emphasis = "original"
    attention_negative: params.text.NegativeAttention = "embedding"
    timelines: params.text.Timelines = "new"
    and_default: params.text.AndDefault = 1.0
    lone_weight: params.text.LoneWeight = False
    negative_and: params.text.NegativeAnd = False
    comments: params.text.Comments = True
    dynamic: params.text.Dynamic = True
    special_words: params.text.SpecialWords = True
    strict_networks: params.networks.StrictNetworks = False
    lora_order: params.networks.LoraOrder = "te_unet"
    tag_schedules: params.networks.TagSchedules = True
    comma_padding_backtrack: params.text.CommaBacktrack = 20
    pad_conds: params.text.PadConditioning = "off"
    wildcard_seed: params.text.WildcardSeed = -1
    all_combinations: params.text.AllCombinations = False

    original_width: params.model.OriginalWidth = None
    original_height: params.model.OriginalHeight = None
    crop_left: params.model.CropLeft = 0
    crop_top: params.model.CropTop = 0
    target_width: params.model.TargetWidth = None
    target_height: params.model.TargetHeight = None
    aesthetic: params.model.Aesthetic = 6.0
    negative_aesthetic: params.model.NegativeAesthetic = 2.5
    zero_empty_negative: params.model.ZeroEmptyNegative = True

    decoder: params.speed.Decoder = "full"
    compile: params.speed.Compile = False
    token_merging: params.speed.TokenMerging = 0.0
    hypertile: params.speed.HyperTileSide = 0
    deepcache: params.speed.DeepCacheInterval = 0
    deepcache_start: params.speed.DeepCacheStart = 0.0
    deepcache_end: params.speed.DeepCacheEnd = 1.0

    preview: params.operation.Preview = "linear"
    preview_every: params.operation.PreviewEvery = 1
    dtype: params.operation.Precision = "auto"
    vae_dtype: params.operation.VaePrecision = "auto"
    attention: params.operation.Attention = "auto"
    deterministic: params.operation.Deterministic = False
    vae_tiling: params.operation.VaeTiling = "auto"
    offload: params.operation.Offload = "auto"
    memory_limit: params.operation.MemoryLimit = 0.0
    metadata: params.operation.Metadata = "full"
    format: params.operation.PictureFormat = "png"
    quality: params.operation.Quality = 92


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
