"""What is left of a job that was cut short: the parameters that make the pictures it still owes, so that none is painted twice.

It rests on the engine's promise that picture k of seed s is the only picture of seed s + k. Where a picture depends on its place in the job, the whole
job is sent again and the pictures that are already there are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENERATE = "generate"
# One more than the highest seed; seeds go round at it.
SEED_LIMIT = 2**63


@dataclass(frozen=True)
class Run:
    """One sending of a job.

    Attributes:
        params: what is sent.
        passed_over: pictures at its beginning that are already there.
        pictures: how many new ones it makes; more runs follow while the job owes more.
    """

    params: dict[str, Any]
    passed_over: int
    pictures: int


def expected_pictures(params: Mapping[str, Any]) -> int:
    return int(params.get("batch_size", 1)) * int(params.get("batch_count", 1))


def run_of(kind: str, params: Mapping[str, Any], made: int) -> Run:
    """The next run of a job of which `made` pictures are safe (0 <= made)."""
    total = expected_pictures(params)
    made = min(made, total)
    if made == 0 or kind != GENERATE or _depends_on_place(params):
        return Run(dict(params), made, total - made)
    size = int(params.get("batch_size", 1))
    into = made % size
    batches = {"batch_size": size - into, "batch_count": 1} if into else {"batch_count": (total - made) // size}
    counted = "variation_seed" if params.get("variation_strength") else "seed"
    rest = {**params, **batches, counted: (int(params.get(counted, 0)) + made) % SEED_LIMIT}
    return Run(rest, 0, rest["batch_size"] * rest["batch_count"] if "batch_size" in rest else rest["batch_count"])


def _depends_on_place(params: Mapping[str, Any]) -> bool:
    """Whether a picture knows more of its place than its seed says: choices in turn, or seeds that are not drawn yet."""
    if params.get("all_combinations") or int(params.get("seed", 0)) < 0:
        return True
    if params.get("variation_strength") and int(params.get("variation_seed", -1)) < 0:
        return True
    if params.get("variation_strength") and int(params.get("wildcard_seed", -1)) >= 0:
        return True
    # Wildcards that are walked, and any dynamic text under one seed for all pictures, read the picture's number.
    texts = (str(params.get(name, "")) for name in ("prompt", "negative", "prompt_2", "negative_2", "hr_prompt", "hr_negative"))
    return any("@__" in text or "{@" in text or (int(params.get("wildcard_seed", -1)) >= 0 and ("{" in text or "__" in text)) for text in texts)
