"""Samplers and schedules as other programs spell them -> AUTOMATIC1111's titles, which a request understands."""

from __future__ import annotations

import re

# ComfyUI's and InvokeAI's spelling of the method; SwarmUI, Fooocus and NovelAI use the same words.
SAMPLERS = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "euler_a": "Euler a",
    "euler_cfg_pp": "Euler CFG++",
    "euler_ancestral_cfg_pp": "Euler a CFG++",
    "heun": "Heun",
    "heunpp2": "Heun++",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "kdpm_2": "DPM2",
    "kdpm_2_a": "DPM2 a",
    "lms": "LMS",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_2s_ancestral_cfg_pp": "DPM++ 2S a CFG++",
    "dpmpp_2s": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_sde_gpu": "DPM++ SDE",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_cfg_pp": "DPM++ 2M CFG++",
    "dpmpp_2m_alt": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_gpu": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_3m_sde_gpu": "DPM++ 3M SDE",
    "dpmpp_3m": "DPM++ 3M SDE",
    "ddpm": "DDPM",
    "lcm": "LCM",
    "tcd": "TCD",
    "ipndm": "iPNDM",
    "ipndm_v": "iPNDM-v",
    "deis": "DEIS",
    "ddim": "DDIM",
    "plms": "PLMS",
    "pndm": "PLMS",
    "uni_pc": "UniPC",
    "uni_pc_bh2": "UniPC",
    "unipc": "UniPC",
    "restart": "Restart",
    "res_multistep": "RES multistep",
    "res_multistep_ancestral": "RES multistep a",
    "gradient_estimation": "Gradient estimation",
    "er_sde": "ER-SDE",
    "sa_solver": "SA-Solver",
}
# Our own names; ComfyUI's differ for the schedules that it computes in another way than AUTOMATIC1111 (rule M17).
COMFY_SCHEDULES = {
    "normal": "uniform",
    "karras": "karras",
    "exponential": "exponential",
    "sgm_uniform": "sgm_uniform",
    "simple": "simple",
    "ddim_uniform": "ddim_uniform",
    "beta": "beta_t",
    "linear_quadratic": "linear_quadratic",
    "kl_optimal": "kl_optimal_zero",
    "align_your_steps": "align_your_steps",
    "turbo": "trailing",
}


def sampler_title(spelled: object) -> str | None:
    """A title for a method in any program's spelling; a name that is not known stays as it is."""
    if not isinstance(spelled, str) or not spelled.strip():
        return None
    name = re.sub(r"^(k_|sample_)", "", spelled.strip())
    return SAMPLERS.get(name.casefold(), spelled.strip())


def comfy_schedule(spelled: object) -> str | None:
    """Our name of ComfyUI's schedule; one that is not known stays as it is."""
    return COMFY_SCHEDULES.get(spelled.casefold(), spelled) if isinstance(spelled, str) and spelled else None
