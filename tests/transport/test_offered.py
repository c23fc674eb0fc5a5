"""What a guest hears of the machine: no places where its files lie, in whatever is said."""

from __future__ import annotations

import pytest

from sfumato.protocol.messages import Artifact, Event, Failed, Finished, Progress
from sfumato.transport.offered import guest_catalog, guest_event

PLACE = "/home/owner/models/checkpoints/mix.safetensors"


@pytest.mark.rule("X35")
@pytest.mark.parametrize(
    "event",
    [
        Progress(job="a", seq=1, stage="load", done=0, total=1, note=f"Reading {PLACE}"),
        Artifact(job="a", seq=1, name="image", media_type="image/png", data=b"x", info={"index": 0, "parts": [{"path": PLACE}]}),
        Finished(job="a", seq=1, result={"path": PLACE}),
        Failed(job="a", seq=1, code="corrupt_file", message=f"Could not open {PLACE}.", detail=f"File '{PLACE}', line 3"),
    ],
    ids=lambda event: event.type,
)
def test_no_event_names_a_place_of_the_machine(event: Event) -> None:
    assert "/home/owner" not in repr(guest_event(event))


def test_what_is_no_place_stays_as_it_is() -> None:
    event = Artifact(job="a", seq=1, name="image", media_type="image/png", data=b"x", info={"index": 0, "seed": 5, "prompt": "a blue star / a moon"})
    assert guest_event(event) == event
    note = Progress(job="a", seq=2, stage="denoise", done=1, total=2, note="Memory is short: letting other models go")
    assert guest_event(note) == note


def test_a_catalog_keeps_names_and_loses_places() -> None:
    catalog = {"kinds": {"generate": {"writes": False}, "convert": {}}, "choices": {"models": [{"value": "mix", "path": PLACE}]}}
    told = guest_catalog(catalog)
    assert told["kinds"] == {"generate": {"writes": False}}
    assert told["choices"]["models"] == [{"value": "mix", "path": ""}]
