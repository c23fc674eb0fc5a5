"""The contract fixture: every transport is one value of `open_endpoint`'s parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Hello
from sfumato.transport.endpoint import Endpoint, InProcess
from sfumato.transport.local import LocalInference
from tests.support import kinds
from tests.support.listening import Listening

MAKERS: dict[str, Callable[[Places], Endpoint]] = {
    "in-process": lambda places: InProcess(filled([kinds.REGISTRAR]), places),
    "pipe": lambda places: LocalInference(places, [kinds.REGISTRAR]),
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    # The child has to find the test kinds.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",))


@pytest.fixture(params=MAKERS)
def endpoint(request: pytest.FixtureRequest, places: Places) -> Iterator[Endpoint]:
    made = MAKERS[request.param](places)
    yield made
    made.close()


@pytest.fixture
def client(endpoint: Endpoint) -> Listening:
    """Opened and greeted."""
    listening = Listening()
    endpoint.open(listening.hear)
    listening.wait_for(Hello)
    return listening
