"""Names from outside stay inside their folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.protocol.errors import UnsafeName
from sfumato.protocol.paths import contain

HOSTILE = [
    *("..", ".", "", "../x", "a/../../x", "..\\x", "a\\..\\..\\x", "/etc/passwd", "//host/share", "\\\\host\\share", "\\\\?\\C:\\x", "\\\\.\\pipe\\x"),
    *("C:x", "C:\\x", "x\0.png", "CON", "nul.png", "COM1.safetensors", "aux.", "x.", "x ", " x", "x:stream", "x::$DATA", "~", "~root", "$HOME", "%TEMP%"),
    *("-rf", "a\nb", "a\tb", "a\x1b[31m", "%2e%2e%2f", "..%5c", "%00", "%252e", "\udcff", "．．／", "a∕b", "a\u202eb", "é" * 128 + "x", "a/" * 2500),
]


@pytest.mark.rule("X15", "X17", "R106", "R124")
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeName):
        contain(tmp_path, name)


@pytest.mark.rule("X15")
@pytest.mark.parametrize("name", ["a.png", "ordner/ümlaut.safetensors", "模型/甲.safetensors", "a b/c.d.e", "100%.png", "it's (1) & [x].png", "COMET.png"])
def test_plain_names_of_any_language_are_kept(tmp_path: Path, name: str) -> None:
    assert contain(tmp_path, name) == Path(tmp_path.resolve(), *name.split("/"))


@pytest.mark.rule("X15", "X17")
def test_a_link_that_leads_outside_is_refused_and_one_inside_is_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    (root / "in").symlink_to(root / "inside")
    with pytest.raises(UnsafeName, match="outside"):
        contain(root, "out/secret.txt")
    assert contain(root, "in/new.txt") == root / "in/new.txt"


@pytest.mark.rule("X15")
@given(st.text(max_size=40))
def test_no_name_ever_leaves_the_root(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp().resolve()
    try:
        found = contain(root, name)
    except UnsafeName:
        return
    assert root in found.resolve().parents
