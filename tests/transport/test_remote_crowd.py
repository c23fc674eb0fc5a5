"""Many clients at once, over lines that break."""

from __future__ import annotations

import pytest

from sfumato.jobs.places import Places
from sfumato.transport.limits import RelayLimits
from tests.support.crowd import run_crowd
from tests.support.served import Served


@pytest.mark.slow
@pytest.mark.rule("N41", "N32", "D160")
def test_ten_clients_with_ten_jobs_over_breaking_lines_hear_every_job_end_once(places: Places) -> None:
    with Served(places, limits=RelayLimits(places_per_address=64)) as served:
        crowd = run_crowd(served, clients=10, jobs=10, share=0.5)
    assert crowd.is_right, (crowd.gaps, [job for job, count in crowd.endings.items() if count != 1])
    assert len(crowd.endings) == 100
    assert crowd.connections > 10
