"""One call of pip, tried again where that can help, and stopped when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import installer
from launcher.folders import Folders
from launcher.requirements import Requirements
from tests.launcher.conftest import Program, give_environment, served

WANTED = Requirements(("sample>=1",), ("--extra-index-url https://example.org/whl",), "", "")

# A pip that writes down what it was given, then fails with the words in $FAIL until it was called $WORKS_AT times.
PIP = """
here=$(dirname "$0")
echo "$@" >>"$here/calls"
while [ $# -gt 1 ]; do
    case $1 in --log) log=$2 ;; --requirement) cat "$2" >>"$here/asked" ;; esac
    shift
done
cat "$1" >>"$here/asked"
[ "$(wc -l <"$here/calls")" -ge "${WORKS_AT:-99}" ] && exit 0
echo "2026-01-01T00:00:00,000 ERROR: $FAIL" >>"$log"
exit 1
"""


@pytest.fixture
def folders(program: Program) -> Folders:
    give_environment(program, PIP)
    return Folders(program.folder, program.data, program.folder / ".venv")


def calls(folders: Folders) -> list[str]:
    return (folders.python.parent / "calls").read_text().splitlines()


def plan(offline: bool = False, space_mb: int = 0) -> installer.Plan:
    return installer.Plan(WANTED.lines, WANTED, offline, space_mb)


@pytest.mark.rule("D12")
def test_a_failed_download_is_tried_three_times_more_and_then_named(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "Could not fetch sample: connection reset")
    told: list[str] = []
    with pytest.raises(installer.InstallError, match="Could not fetch sample: connection reset"):
        installer.install(folders, plan(), told.append, delays_s=(0.0, 0.0, 0.0))
    assert len(calls(folders)) == 4
    assert [sentence.partition(":")[0] for sentence in told] == [f"Fetching the packages failed (try {number} of 4)" for number in (1, 2, 3)]
    assert installer.DELAYS_S == (2.0, 4.0, 8.0)


@pytest.mark.rule("D12")
def test_a_download_that_works_at_the_second_try_is_a_success(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "Read timed out")
    monkeypatch.setenv("WORKS_AT", "2")
    installer.install(folders, plan(), lambda sentence: None, delays_s=(0.0, 0.0, 0.0))
    assert len(calls(folders)) == 2
    assert "sample>=1" in (folders.python.parent / "asked").read_text()
    assert "--extra-index-url https://example.org/whl" in (folders.python.parent / "asked").read_text()


def test_what_waiting_does_not_mend_is_not_tried_again(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "No matching distribution found for sample>=1")
    with pytest.raises(installer.InstallError, match="No matching distribution found for sample>=1"):
        installer.install(folders, plan(), lambda sentence: None)
    assert len(calls(folders)) == 1


@pytest.mark.rule("D12")
def test_local_wheels_are_asked_first_and_alone_when_offline(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "No matching distribution found for sample>=1")
    folders.wheels.mkdir()
    told: list[str] = []
    with pytest.raises(installer.InstallError, match="wheels does not hold everything"):
        installer.install(folders, plan(offline=True), told.append)
    assert len(calls(folders)) == 1
    assert "--isolated --no-index --find-links file://" in calls(folders)[0]
    assert "extra-index" not in (folders.python.parent / "asked").read_text()
    with pytest.raises(installer.InstallError):
        installer.install(folders, plan(), told.append)
    assert ["--no-index" in call for call in calls(folders)] == [True, True, False]


@pytest.mark.parametrize("absent", [("sample>=1", "alone>=2"), ("sample>=1",), ("alone>=2",)])
def test_what_comes_without_its_dependencies_has_a_call_of_its_own(folders: Folders, monkeypatch: pytest.MonkeyPatch, absent: tuple[str, ...]) -> None:
    monkeypatch.setenv("WORKS_AT", "0")
    wanted = Requirements(("sample>=1",), (), "", "", ("alone>=2",))
    installer.install(folders, installer.Plan(absent, wanted, False, 0), lambda sentence: None)
    assert ["--no-deps" in call for call in calls(folders)] == [line == "alone>=2" for line in absent]
    assert (folders.python.parent / "asked").read_text().split() == [word for line in absent for word in (line, line)]


def test_offline_without_wheels_says_where_they_belong(folders: Folders) -> None:
    with pytest.raises(installer.InstallError) as caught:
        installer.install(folders, plan(offline=True), lambda sentence: None)
    assert str(folders.wheels) in str(caught.value)


@pytest.mark.rule("D12")
def test_too_little_space_is_told_before_anything_is_fetched(folders: Folders) -> None:
    with pytest.raises(installer.InstallError, match="need about 999999999999 MB"):
        installer.install(folders, plan(space_mb=999_999_999_999), lambda sentence: None)
    assert not (folders.python.parent / "calls").exists()


def test_ending_the_launcher_ends_pip_and_its_children(program: Program) -> None:
    # Given an installation whose pip, and a child of it, would run for a minute; both hold the launcher's standard error
    give_environment(program, "sleep 60 & echo started >&2; sleep 60")
    command = [sys.executable, "-I", "-S", str(program.folder / "launcher"), "--mode", "cpu", "hello"]
    environ = {**os.environ, "SFUMATO_DATA": str(program.data)}
    launcher = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    # When the launcher is ended in the middle
    try:
        assert launcher.stderr is not None
        assert "Installing 1 package " in launcher.stderr.readline()
        assert launcher.stderr.readline() == "started\n"
        launcher.send_signal(signal.SIGTERM)

        # Then it and everything that held its standard error is gone: reading comes to the end
        _, errors = launcher.communicate(timeout=10)
    finally:
        launcher.kill()
        launcher.communicate()
    assert "goes on with what is missing" in errors
    assert launcher.returncode == 143


def test_the_reason_is_the_last_error_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    log.write_text("2026 Collecting\n2026 ERROR: Could not find a version (from versions: none)\n2026 ERROR: No matching distribution found for x\n")
    assert installer.reason(log) == "No matching distribution found for x"
    assert installer.reason(tmp_path / "none") == "pip ended without saying why."


def test_the_spare_index_is_used_only_where_it_answers_and_nobody_told_pip_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in installer.PIP_SOURCES:
        monkeypatch.delenv(name, raising=False)
    with served(tmp_path) as address:
        wanted = Requirements((), (), address, "")
        assert installer.spare_index(wanted) == (f"--extra-index-url {address}",)
        monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
        assert installer.spare_index(wanted) == ()
        monkeypatch.delenv("PIP_FIND_LINKS")
    assert installer.spare_index(wanted) == ()
    assert installer.spare_index(WANTED) == ()
