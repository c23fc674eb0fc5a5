"""What a server says of its results becomes no program on this disk, and steers no terminal."""

from __future__ import annotations

from typing import Any

import pytest

from sfumato.protocol.messages import Artifact, Event, Finished
from sfumato.transport.strangers_words import bounded


def _described(info: dict[str, Any]) -> dict[str, Any]:
    told: Event = bounded(Artifact(job="a", seq=1, name="image", media_type="image/png", data=b"x", info=info))
    assert isinstance(told, Artifact)
    return told.info


def _ended(result: dict[str, Any]) -> dict[str, Any]:
    told: Event = bounded(Finished(job="a", seq=1, result=result))
    assert isinstance(told, Finished)
    return told.result


@pytest.mark.parametrize("ending", [".exe", ".bat", ".desktop", ".py", ".txt/../../x", "txt", ".txt:x", "", ".lnk", ".TXT"])
def test_only_texts_and_records_are_laid_beside_pictures(ending: str) -> None:
    """Attack 13."""
    info = {"index": 0, "sidecars": {ending: "evil", ".txt": "a star", ".json": "{}"}}
    assert _described(info) == {"index": 0, "sidecars": {".txt": "a star", ".json": "{}"}}
    assert _described({"sidecars": [ending]}) == {"sidecars": {}}
    assert _described({"sidecars": {".txt": 3}}) == {"sidecars": {}}


def test_numbers_are_numbers() -> None:
    assert _described({"index": "0", "width": None, "height": [1], "seed": 5}) == {"seed": 5}
    assert _described({"index": 1, "width": 512, "height": True}) == {"index": 1, "width": 512}


def test_an_ending_has_no_control_codes_and_warnings_that_are_some() -> None:
    """Attack 13, X12."""
    warning = {"message": "\x1b[2JMemory was\tshort"}
    told = _ended({"name": "\x1b]0;x\x07mix.safetensors", "parts": [{"label": "a\u202eb"}], "warnings": [warning, "no", {"message": 3}], "steps": 4})
    assert told == {"name": "]0;xmix.safetensors", "parts": [{"label": "ab"}], "warnings": [{"message": "[2JMemory was\tshort"}], "steps": 4}
    assert _ended({"warnings": 7}) == {"warnings": []}
