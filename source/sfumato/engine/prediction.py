"""What a checkpoint's network predicts, read from its keys and metadata; never guessed by running it."""

from __future__ import annotations

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.family import Prediction

# Spellings in the header's `modelspec.prediction_type`, trainers' keys and diffusers' scheduler_config.json.
_SPELLINGS: dict[str, Prediction] = {"epsilon": "eps", "eps": "eps", "v": "v", "v_prediction": "v", "v-prediction": "v", "velocity": "v"}
_METADATA_KEYS = ("modelspec.prediction_type", "modelspec.predict_key", "ss_prediction_type")


def prediction_of(checkpoint: Checkpoint, default: Prediction) -> Prediction:
    """First hit: header metadata, the marker key `v_pred`, a folder's scheduler configuration, the family's default."""
    for key in _METADATA_KEYS:
        found = _SPELLINGS.get(checkpoint.metadata.get(key, "").strip().lower())
        if found:
            return found
    if checkpoint.metadata.get("ss_v_parameterization", "").lower() == "true" or "v_pred" in checkpoint.parts.get("other", {}):
        return "v"
    return _SPELLINGS.get(str(checkpoint.configs.get("scheduler", {}).get("prediction_type", "")).lower(), default)


def is_zero_terminal(checkpoint: Checkpoint) -> bool:
    """Whether the file says that its noise schedule ends in pure noise: the key `ztsnr`, metadata, or the scheduler configuration."""
    return (
        "ztsnr" in checkpoint.parts.get("other", {})
        or checkpoint.metadata.get("ss_zero_terminal_snr", "").lower() == "true"
        or checkpoint.configs.get("scheduler", {}).get("rescale_betas_zero_snr") is True
    )
