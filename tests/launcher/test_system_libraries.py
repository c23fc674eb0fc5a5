"""Debian's part: what is absent, and the exact command that brings it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import system_libraries as system
from launcher.system_libraries import Need
from tests.launcher.conftest import REPOSITORY

ABSENT = (Need("library", "libsfumato-absent.so.9", "libsfumato-absent9"), Need("program", "sfumato-absent", "sfumato-absent"))


def test_absent_is_what_can_not_be_loaded_run_or_found(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    (tmp_path / "empty").mkdir()
    there = [Need("library", "libc.so.6", "libc6"), Need("program", "sh", "dash"), Need("module", "json", "python3"), Need("folder", f"{tmp_path}/f*", "x")]
    absent = [*ABSENT, Need("module", "sfumato_absent", "x"), Need("folder", f"{tmp_path}/empty", "x"), Need("folder", f"{tmp_path}/none", "x")]
    assert system.missing([*there, *absent]) == absent


def test_without_root_the_exact_command_is_told() -> None:
    if not system.has_apt():
        pytest.skip("This system is not Debian's kin.")
    told: list[str] = []
    assert not system.provide(ABSENT, "The window", told.append, is_root=False)
    assert len(told) == 1
    assert told[0].splitlines()[1].strip() == "sudo apt-get install --yes --no-install-recommends libsfumato-absent9 sfumato-absent"


def test_without_apt_the_absent_parts_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    told: list[str] = []
    assert not system.provide(ABSENT, "The window", told.append, is_root=True)
    sentence = "The window needs parts of the system that are not installed: libsfumato-absent.so.9, sfumato-absent; "
    assert told == [sentence + "install them with the system's package manager and start again."]


def test_as_root_packages_are_installed_and_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an apt-get that brings the program it is asked for, and writes down how it was called
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("dirname", "chmod"):
        (binaries / name).symlink_to(shutil.which(name) or name)
    (binaries / "apt-get").write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n[ "$1" = update ] || : >{binaries}/sfumato-absent\nchmod +x {binaries}/* || :\n'
    )
    (binaries / "dpkg").write_text("#!/bin/sh\n")
    for name in ("apt-get", "dpkg"):
        (binaries / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(binaries))

    # When the program is asked for, then it is there afterwards; a library that no package brings is named
    told: list[str] = []
    assert system.provide(ABSENT[1:], "The tests", told.append, is_root=True)
    assert (tmp_path / "calls").read_text().splitlines() == ["update --quiet", "install --yes --no-install-recommends sfumato-absent"]
    assert not system.provide(ABSENT, "The tests", told.append, is_root=True)
    assert "still lacks libsfumato-absent.so.9" in told[-1]


@pytest.mark.slow
def test_the_table_covers_what_the_installed_qt_links_to() -> None:
    """Each library that Qt's xcb plugin or Qt Quick asks the system for is in the table, or comes with every system."""
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("readelf (binutils) is not installed.")
    qt = next(Path(sys.prefix).glob("lib/python3.*/site-packages/PyQt5/Qt5"))
    files = [qt / "plugins/platforms/libqxcb.so", *qt.glob("plugins/xcbglintegrations/*.so"), *qt.glob("lib/libQt5*.so.5")]
    asked = set[str]()
    for file in files:
        if any(word in file.name for word in ("Wayland", "Multimedia", "Bluetooth", "Nfc", "Sql", "Designer", "Help", "WebEngine", "Eglfs")):
            continue
        output = subprocess.run([readelf, "-d", str(file)], capture_output=True, text=True, check=True).stdout
        asked |= {line.split("[")[1].rstrip("]") for line in output.splitlines() if "(NEEDED)" in line}
    base = ("libQt5", "libc.", "libm.", "libdl.", "libpthread.", "librt.", "ld-linux", "libgcc_s", "libstdc++", "libicu", "libz.", "libgthread", "libgssapi")
    system_wide = {name for name in asked if not name.startswith(base)}
    assert len(system_wide) > 15
    assert system_wide - {need.name for need in system.WINDOW} == set()


WINDOWS = ("choose.py", "package_list.py")


def test_no_module_but_the_window_imports_anything_outside_the_standard_library() -> None:
    import ast

    for path in sorted((REPOSITORY / "launcher").glob("*.py")):
        names = set[str]()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
        foreign = {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, "launcher"}}
        assert foreign <= ({"PyQt5.QtCore", "PyQt5.QtGui", "PyQt5.QtWidgets"} if path.name in WINDOWS else set()), path
        assert names.isdisjoint({"launcher.choose"} | ({"launcher.package_list"} if path.name != "choose.py" else set())), path
