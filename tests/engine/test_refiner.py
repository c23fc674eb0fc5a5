"""The refiner: when it takes over, in which pass, and what it is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.refining import Relay
from sfumato.protocol.errors import Invalid, ModelIncompatible
from tests.support.studio import Studio, gradient

TABLE = NoiseTable()


class Counter:
    """Answers with its own number and remembers the calls it was asked at."""

    def __init__(self, value: float) -> None:
        self.calls = 0
        self.value = value
        self.asked: list[int] = []

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        self.asked.append(self.calls)
        self.calls += 1
        return torch.full_like(x, self.value)

    def pair(self, x: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
        return self(x, sigma), x


def handed_over(sigmas: list[float], switch_at: float, planned: int | None) -> tuple[list[int], list[int]]:
    first, second = Counter(1), Counter(2)
    relay = Relay(first, second, TABLE, switch_at, planned)
    for number, sigma in enumerate(sigmas):
        x = torch.zeros(1, 4, 2, 2)
        relay(x, sigma) if number % 2 else relay.pair(x, sigma)
    return first.asked, second.asked


@pytest.mark.rule("E59", "P20")
def test_the_refiner_takes_over_by_training_time_or_by_calls_and_counts_on() -> None:
    levels = [float(TABLE.sigma(np.array([t]))[0]) for t in (999, 799, 599, 399, 200, 199, 100)]
    # (999 - t) / 1000 >= 0.8 from t = 199 on
    assert handed_over(levels, 0.8, None) == ([0, 1, 2, 3, 4], [5, 6])
    assert handed_over(levels, 0.4, None) == ([0, 1], [2, 3, 4, 5, 6])
    assert handed_over(levels, 0.5, 8) == ([0, 1, 2, 3], [4, 5, 6])
    # What has been handed over stays, also where levels rise again
    assert handed_over([levels[5], levels[0], levels[1]], 0.8, None) == ([], [0, 1, 2])


@pytest.mark.rule("E59", "E29")
def test_the_refiner_ends_a_pass_of_its_family(studio: Studio) -> None:
    base, refiner = studio.model("sdxl"), studio.model("refiner")
    plain = studio.one(model=base, steps=6)
    pictures = {share: studio.one(model=base, steps=6, refiner=refiner, refiner_switch_at=share) for share in (0.3, 0.6, 0.9)}
    assert len({plain.tobytes(), *(picture.tobytes() for picture in pictures.values())}) == 4
    # The later it takes over, the less it changes
    far = [np.abs(picture.astype(int) - plain.astype(int)).mean() for picture in pictures.values()]
    assert far == sorted(far, reverse=True)
    # At the end of all there is nothing left to do
    assert np.array_equal(studio.one(model=base, steps=6, refiner=refiner, refiner_switch_at=1.0, refiner_by_steps=True), plain)
    # Its own numbers are told to it
    liked = studio.one(model=base, steps=6, refiner=refiner, refiner_switch_at=0.3, aesthetic=2.0)
    assert not np.array_equal(liked, pictures[0.3])


@pytest.mark.rule("E59")
def test_the_refiner_ends_the_pass_that_is_asked_for(studio: Studio) -> None:
    base, refiner = studio.model("sdxl"), studio.model("refiner")
    fields = {"model": base, "steps": 3, "hr_scale": 1.25, "refiner_switch_at": 0.5, "refiner_by_steps": True}
    plain = studio.one(**fields)
    pictures = {which: studio.one(**fields, refiner=refiner, refiner_pass=which) for which in ("first", "second", "both")}
    assert len({plain.tobytes(), *(picture.tobytes() for picture in pictures.values())}) == 4
    # Without a highres pass it ends the only one, whichever is named
    fields["hr_scale"] = 1.0
    alone = {which: studio.one(**fields, refiner=refiner, refiner_pass=which).tobytes() for which in ("first", "second", "both")}
    assert len(set(alone.values())) == 1


@pytest.mark.rule("E59", "P23")
def test_prompts_go_on_through_the_refiner(studio: Studio) -> None:
    """A switch behind the takeover is heard by the refiner alone, at the call it names."""
    fields = {"model": studio.model("sdxl"), "refiner": studio.model("refiner"), "steps": 6, "refiner_switch_at": 0.5, "refiner_by_steps": True}

    def job(prompt: str) -> bytes:
        return studio.one(prompt=prompt, **fields).tobytes()

    texts = {"late": job("[a circle:a square:4]"), "never": job("a circle"), "early": job("[a circle:a square:1]"), "always": job("a square")}
    assert len(set(texts.values())) == 4


@pytest.mark.rule("E59", "E120", "E126")
def test_a_refiner_that_does_not_fit_is_refused(studio: Studio) -> None:
    with pytest.raises(ModelIncompatible) as caught:
        studio.one(model=studio.model("sd1"), refiner=studio.model("refiner"))
    assert caught.value.path == "refiner"
    assert "tiny-refiner" in caught.value.message
    with pytest.raises(Invalid) as invalid:
        studio.one(gradient(), model=studio.model("sdxl"), refiner=studio.model("refiner"), hr_only=True, hr_scale=1.5, refiner_pass="first")
    assert invalid.value.path == "refiner_pass"
    assert "denoise" not in studio.recording.stages()
