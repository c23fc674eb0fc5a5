"""What the starter model is made of: a Stable Diffusion 1 with fewer channels and layers."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import world
from diffusers import AutoencoderKL, UNet2DConditionModel
from training import TOKENS
from transformers import CLIPTextConfig, CLIPTextModel

from sfumato.prompts.tokenizer import END, START


def build_vae() -> AutoencoderKL:
    """f=8, 4 latent channels, four levels of 16, 32, 64, 64 channels, 4 groups."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=2,
        norm_num_groups=4,
        sample_size=world.SIZE_PX,
    )


def build_unet() -> UNet2DConditionModel:
    """Four levels of 32, 64, 64, 64 channels, two layers per block, 8 heads, context 64, 8 groups."""
    return UNet2DConditionModel(
        sample_size=world.SIZE_PX // 8,
        block_out_channels=(32, 64, 64, 64),
        attention_head_dim=8,
        cross_attention_dim=64,
        norm_num_groups=8,
    )


def build_text_encoder() -> CLIPTextModel:
    """CLIP text tower: the real vocabulary of 49,408 tokens, width 64, two layers, one head."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=64,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=1,
            hidden_act="quick_gelu",
            max_position_embeddings=TOKENS,
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=END,
        )
    )
