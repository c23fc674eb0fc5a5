"""What a checkpoint's network predicts, read from its keys and metadata; where an SD2 file says nothing, one small evaluation tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.engine.checkpoint import Checkpoint

if TYPE_CHECKING:
    from sfumato.engine.family import Model, Prediction

# Spellings in the header's `modelspec.prediction_type`, trainers' keys and diffusers' scheduler_config.json.
_SPELLINGS: dict[str, Prediction] = {"epsilon": "eps", "eps": "eps", "v": "v", "v_prediction": "v", "v-prediction": "v", "velocity": "v"}
_METADATA_KEYS = ("modelspec.prediction_type", "modelspec.predict_key", "ss_prediction_type")
_TERMINAL_KEYS = ("ss_zero_terminal_snr", "modelspec.zero_terminal_snr", "ztsnr")
_PROBE_SIDE, _PROBE_TOKENS = 8, 2
_PROBE_TIME = 999
# The mean of output - input: near 0 where the output is noise, clearly below where it is a velocity.
_PROBE_LIMIT = -1.0


def prediction_of(checkpoint: Checkpoint) -> Prediction | None:
    """First hit: header metadata, the marker key `v_pred`, a folder's scheduler configuration, an earlier evaluation; None if nothing tells."""
    for key in _METADATA_KEYS:
        found = _SPELLINGS.get(checkpoint.metadata.get(key, "").strip().lower())
        if found:
            return found
    if checkpoint.metadata.get("ss_v_parameterization", "").lower() == "true" or _has_marker(checkpoint, "v_pred"):
        return "v"
    told = str(checkpoint.configs.get("scheduler", {}).get("prediction_type", "")).lower()
    return _SPELLINGS.get(told) or _SPELLINGS.get(checkpoint.found)


def is_zero_terminal(checkpoint: Checkpoint) -> bool:
    """Whether the file says that its noise schedule ends in pure noise: the key `ztsnr`, metadata, or the scheduler configuration."""
    return (
        _has_marker(checkpoint, "ztsnr")
        or any(checkpoint.metadata.get(key, "").lower() == "true" for key in _TERMINAL_KEYS)
        or checkpoint.configs.get("scheduler", {}).get("rescale_betas_zero_snr") is True
    )


def _has_marker(checkpoint: Checkpoint, key: str) -> bool:
    """Whether a file carries an empty tensor of this name, alone or among the network's."""
    return key in checkpoint.parts.get("other", {}) or key in checkpoint.parts.get("unet", {})


def probe(model: Model) -> Prediction:
    """Evaluate the network once at the last time on a constant: a network that predicts velocity answers with nearly minus the picture."""
    import torch

    device = model.device
    width = model.unet.config["cross_attention_dim"]
    x = torch.full((1, model.unet.config["in_channels"], _PROBE_SIDE, _PROBE_SIDE), 0.5, device=device.torch)
    context = torch.full((1, _PROBE_TOKENS, width), 0.5, device=device.torch)
    time = torch.full((1,), _PROBE_TIME, device=device.torch)
    with torch.inference_mode():
        output = model.unet(x.to(device.dtype), time, encoder_hidden_states=context.to(device.dtype), return_dict=False)[0].float()
        if not bool(output.isfinite().all()) and device.dtype != torch.float32:
            # Attention of these networks overflows in half precision.
            model.unet.to(torch.float32)
            output = model.unet(x, time, encoder_hidden_states=context, return_dict=False)[0].float()
            model.unet.to(device.dtype)
    return "v" if float((output - x[:, : output.shape[1]]).mean()) < _PROBE_LIMIT else "eps"
