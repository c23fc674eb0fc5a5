"""The model a picture names, found among those that are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.library.hashes import Hashes, old_hash
from sfumato.library.matching import Match, match_model


@pytest.mark.rule("M16", "M24")
def test_checksum_then_digits_then_name_then_the_closest_name(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "data")
    models = []
    for name in ("one", "sub/Two", "three v1.5"):
        path = tmp_path / f"{name.replace('/', '-')}.safetensors"
        path.write_bytes(name.encode() + b"x" * 0x110000)
        models.append((name, path))
    first, second = hashes.compute(models[0][1]), hashes.compute(models[1][1])

    def found(name: str, digits: str = "") -> Match | None:
        return match_model(name, digits, models, hashes)

    assert found("three v1.5", second) == Match("sub/Two", "checksum")
    assert found("three v1.5", first[:10].upper()) == Match("one", "digits")
    # Of the third nothing is known yet, but the old digits are read at once
    assert found("", old_hash(models[2][1])) in (Match("one", "digits"), Match("three v1.5", "digits"))
    assert found("Two", "0" * 10) == Match("sub/Two", "name")
    assert found("other folder/two") == Match("sub/Two", "name")
    guess = found("three v15")
    assert guess == Match("three v1.5", "closest name")
    assert guess.is_guess
    assert found("nothing like it") is None
    assert found("", "0" * 64) is None
