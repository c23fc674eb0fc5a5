"""The list of samplers. A new one is a function in the module of its kin, and a row here.

Names are AUTOMATIC1111's where it has the sampler; the others are those of old programs (k_...), ComfyUI, InvokeAI and diffusers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from sfumato.engine.samplers.adams import deis, ipndm, ipndm_v, lms
from sfumato.engine.samplers.cfg_plus_plus import (
    dpmpp_2m_cfg_plus_plus,
    dpmpp_2s_ancestral_cfg_plus_plus,
    euler_ancestral_cfg_plus_plus,
    euler_cfg_plus_plus,
)
from sfumato.engine.samplers.ddim import ddim, ddim_cfg_plus_plus, ddim_grid, ddim_image_start, plms
from sfumato.engine.samplers.dpm2 import dpm2, dpm2_ancestral
from sfumato.engine.samplers.dpm_solver import dpm_adaptive, dpm_fast, dpm_grid
from sfumato.engine.samplers.dpmpp import dpmpp_2m, dpmpp_2s_ancestral, res_multistep, res_multistep_ancestral
from sfumato.engine.samplers.er_sde import er_sde
from sfumato.engine.samplers.euler import ddpm, euler, euler_ancestral, gradient_estimation
from sfumato.engine.samplers.few_step import lcm, lcm_grid, tcd
from sfumato.engine.samplers.heun import heun, heun_plus_plus
from sfumato.engine.samplers.restart import restart, restart_steps
from sfumato.engine.samplers.sa_solver import sa_solver
from sfumato.engine.samplers.sde import dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_3m_sde, dpmpp_sde
from sfumato.engine.samplers.seam import SamplerRow
from sfumato.engine.samplers.unipc import unipc, unipc_grid, unipc_image_start

_CHURN = ("s_churn", "s_tmin", "s_tmax", "s_noise")
_ANCESTRAL = ("eta", "s_noise")


def _twice(sigmas: Sequence[float]) -> int:
    """Two a step, one where the step ends at 0."""
    return 2 * (len(sigmas) - 1) - (sigmas[-1] == 0)


def _thrice(sigmas: Sequence[float]) -> int:
    """Three a step, two in the last but one, one in the last."""
    return max(3 * len(sigmas) - 6, 1)


def _with_improved_start(sigmas: Sequence[float]) -> int:
    return len(sigmas)


def _along_restart(sigmas: Sequence[float]) -> int:
    return sum(1 if sigma_next == 0 else 2 for _, sigma_next in restart_steps(sigmas))


def adaptive_estimate(sigmas: Sequence[float]) -> int:
    """What the adaptive sampler takes with noise for Gaussian data, 8 evaluations for each e-fold of sigma; pictures take up to twice as many."""
    last = sigmas[-1] or sigmas[-2]
    return max(3, round(8 * math.log(sigmas[0] / last)))


_uniform = partial(SamplerRow, schedule="uniform")
_karras = partial(SamplerRow, schedule="karras")
_exponential = partial(SamplerRow, schedule="exponential")
_twice_karras = partial(_karras, evaluations=_twice, call_factor=2)
_variance_preserving = partial(_uniform, scaled_noise=True, mask_before=True)
_like_ddim = partial(_variance_preserving, grid=ddim_grid, image_grid=ddim_image_start)

SAMPLERS: tuple[SamplerRow, ...] = (
    _uniform(
        "Euler a", euler_ancestral, ("k_euler_a", "k_euler_ancestral", "euler_a", "euler_ancestral", "eulerancestraldiscretescheduler"), parameters=_ANCESTRAL
    ),
    _uniform("Euler", euler, ("k_euler", "eulerdiscretescheduler"), parameters=_CHURN),
    _karras("DPM++ 2M", dpmpp_2m, ("k_dpmpp_2m", "dpmpp_2m", "dpmsolvermultistepscheduler")),
    _twice_karras("DPM++ SDE", dpmpp_sde, ("k_dpmpp_sde", "dpmpp_sde", "dpmpp_sde_gpu", "dpmsolversdescheduler"), parameters=_ANCESTRAL),
    _exponential("DPM++ 2M SDE", dpmpp_2m_sde, ("k_dpmpp_2m_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu"), parameters=(*_ANCESTRAL, "solver")),
    _exponential("DPM++ 2M SDE Heun", dpmpp_2m_sde_heun, ("k_dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"), parameters=_ANCESTRAL),
    _twice_karras("DPM++ 2S a", dpmpp_2s_ancestral, ("k_dpmpp_2s_a", "k_dpmpp_2s_ancestral", "dpmpp_2s_ancestral"), parameters=_ANCESTRAL),
    _exponential("DPM++ 3M SDE", dpmpp_3m_sde, ("k_dpmpp_3m_sde", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu"), parameters=_ANCESTRAL, discard_penultimate=True),
    _uniform("LMS", lms, ("k_lms", "lmsdiscretescheduler")),
    _uniform("Heun", heun, ("k_heun", "heundiscretescheduler"), evaluations=_twice, call_factor=2, parameters=_CHURN),
    _uniform("Heun++", heun_plus_plus, ("heunpp2", "k_heunpp2"), evaluations=_thrice, call_factor=3, parameters=_CHURN),
    _twice_karras("DPM2", dpm2, ("k_dpm_2", "dpm_2", "kdpm_2", "kdpm2discretescheduler"), parameters=_CHURN, discard_penultimate=True),
    _twice_karras(
        "DPM2 a",
        dpm2_ancestral,
        ("k_dpm_2_a", "k_dpm_2_ancestral", "dpm_2_ancestral", "kdpm_2_a", "kdpm2ancestraldiscretescheduler"),
        parameters=_ANCESTRAL,
        discard_penultimate=True,
    ),
    _uniform("DPM fast", dpm_fast, ("k_dpm_fast", "dpm_fast"), parameters=_ANCESTRAL, grid=dpm_grid),
    _uniform(
        "DPM adaptive", dpm_adaptive, ("k_dpm_ad", "k_dpm_adaptive", "dpm_adaptive"), adaptive_estimate, parameters=_ANCESTRAL, grid=dpm_grid, varies=True
    ),
    _twice_karras("Restart", restart, (), evaluations=_along_restart, parameters=("s_noise",)),
    _like_ddim("DDIM", ddim, ("k_ddim", "ddim_v3", "ddimscheduler"), parameters=("eta_ddim", "exact_start")),
    _like_ddim(
        "DDIM CFG++", ddim_cfg_plus_plus, ("ddim_cfgpp", "ddim_cfg_pp"), parameters=("eta_ddim", "exact_start"), needs_pair=True, guidance_factor=1 / 12.5
    ),
    _like_ddim("PLMS", plms, ("k_plms", "pndm", "pndmscheduler"), _with_improved_start, parameters=("exact_start",)),
    _variance_preserving(
        "UniPC",
        unipc,
        ("uni_pc", "unipcmultistepscheduler"),
        grid=unipc_grid,
        image_grid=unipc_image_start,
        parameters=("unipc_variant", "unipc_skip_type", "order", "lower_order_final", "exact_start"),
    ),
    _uniform("LCM", lcm, ("k_lcm", "lcmscheduler"), grid=lcm_grid),
    SamplerRow("TCD", tcd, ("tcdscheduler",), schedule="trailing", parameters=("gamma",)),
    _uniform("DEIS", deis, ("deismultistepscheduler",), parameters=("order",)),
    _uniform("iPNDM", ipndm, ("ipndmscheduler",), parameters=("order",)),
    _uniform("iPNDM-v", ipndm_v, ("ipndm_v",), parameters=("order",)),
    _uniform("Gradient estimation", gradient_estimation, ("gradient_estimation",), parameters=("gamma",)),
    _uniform("RES multistep", res_multistep, ("res_multistep",)),
    _uniform("RES multistep a", res_multistep_ancestral, ("res_multistep_ancestral",), parameters=_ANCESTRAL),
    _uniform("ER-SDE", er_sde, ("er_sde",), parameters=("s_noise",)),
    _uniform("SA-Solver", sa_solver, ("sa_solver", "sasolverscheduler"), parameters=("tau",)),
    _uniform("DDPM", ddpm, ("ddpmscheduler",)),
    _uniform("Euler CFG++", euler_cfg_plus_plus, ("euler_cfg_pp",), needs_pair=True),
    _uniform("Euler a CFG++", euler_ancestral_cfg_plus_plus, ("euler_ancestral_cfg_pp",), parameters=_ANCESTRAL, needs_pair=True),
    _karras("DPM++ 2M CFG++", dpmpp_2m_cfg_plus_plus, ("dpmpp_2m_cfg_pp",), needs_pair=True),
    _twice_karras("DPM++ 2S a CFG++", dpmpp_2s_ancestral_cfg_plus_plus, ("dpmpp_2s_ancestral_cfg_pp",), parameters=_ANCESTRAL, needs_pair=True),
)


def find_sampler(name: str) -> SamplerRow | None:
    """The sampler of that name or alias, whatever the case."""
    wanted = name.strip().casefold()
    return next((row for row in SAMPLERS if wanted in (row.name.casefold(), *row.aliases)), None)
