"""start_linux.sh as a person runs it: real processes, real environments, folders with awkward names."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.conftest import Program, give_environment, make_wheel, real_python, served

# What start_linux.sh may use where there is no Python.
TOOLS = ("sh", "uname", "dirname", "readlink", "curl", "sha256sum", "tar", "gzip", "mkdir", "rm", "mv")


@pytest.mark.slow
@pytest.mark.rule("D2", "D12")
def test_a_first_start_installs_offline_and_a_second_runs_no_pip(program: Program) -> None:
    # Given wheels beside the program, and no environment
    make_wheel(program.folder / "wheels", "sfumato-sample", "1.5")
    make_wheel(program.folder / "wheels", "sfumato-sample", "2.0")

    # When it is started with words
    first = program.start("--mode", "cpu", "--offline", "generate", "a red circle", "--mode", "x")
    assert first.returncode == 0, first.stderr

    # Then the version within the bounds is installed and the program got exactly its words, on a clean standard output
    told = json.loads(first.stdout)
    assert told["arguments"] == ["generate", "a red circle", "--mode", "x"]
    assert told["data"] == str(program.data)
    assert Path(told["python"]) == program.folder / ".venv"
    installed = {path.name for path in (program.folder / ".venv").glob("lib/python3.*/site-packages/*.dist-info")}
    assert "sfumato_sample-1.5.dist-info" in installed
    assert json.loads((program.data / "settings.json").read_text()) == {"mode": "cpu"}

    # And a second start neither runs pip nor looks into the wheels, and is quick
    shutil.rmtree(program.folder / "wheels")
    pip = next((program.folder / ".venv").glob("lib/python3.*/site-packages/pip/__main__.py"))
    pip.write_text("raise SystemExit('pip was called')")
    spent_s = []
    for _ in range(5):
        start = time.perf_counter()
        again = program.start("generate")
        spent_s.append(time.perf_counter() - start)
        assert (again.returncode, again.stderr) == (0, "")
    assert min(spent_s) < 1.5, "far below what looking through the environment would take, on a busy machine, too"

    # And what was removed by hand is noticed at the next start
    shutil.rmtree(next((program.folder / ".venv").glob("lib/python3.*/site-packages/sfumato_sample-1.5.dist-info")))
    assert "Installing 1 package for" in program.start("--offline", "generate").stderr


def test_a_complete_environment_is_stamped_and_then_not_looked_through(program: Program) -> None:
    # Given an environment that has everything, whose Python would complain if it was asked to install
    give_environment(program, 'case "$*" in *pip*) echo pip >&2; exit 1 ;; esac; echo started')
    site = program.folder / ".venv/lib/python3.11/site-packages"
    (site / "sfumato_sample-3.0.dist-info").mkdir(parents=True)
    assert program.start("--mode", "remote", "hello").stdout == "started\n"

    # When the requirements change, then the stamp holds no longer
    (program.folder / "requirements_remote.txt").write_text("sfumato-sample>=1,<2\nsfumato-new>=1,<2\n")
    changed = program.start("--offline", "hello")
    assert "Installing 1 package for the mode 'remote'" in changed.stderr
    assert changed.returncode == 1


@pytest.mark.rule("D2")
def test_the_existing_environment_comes_before_any_other_python(program: Program) -> None:
    give_environment(program, 'echo "mine: $*"', launches=False)
    done = program.start("hello", PATH=f"{Path(real_python()).parent}:/usr/bin:/bin")
    assert done.stdout.startswith("mine: -I -S ")
    assert done.stdout.rstrip().endswith("/launcher hello")


@pytest.fixture
def bare_machine(program: Program, tmp_path: Path) -> Iterator[str]:
    """A PATH without any Python; the standalone build is a small archive on a server of the test's own."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed.")
        (binaries / name).symlink_to(found)
    build = tmp_path / "build/python/bin/python3"
    build.parent.mkdir(parents=True)
    build.write_text(f'#!/bin/sh\nexec "{real_python()}" "$@"\n')
    build.chmod(0o755)
    with tarfile.open(tmp_path / "python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "build/python", "python")
    sum_ = hashlib.sha256((tmp_path / "python.tar.gz").read_bytes()).hexdigest()
    with served(tmp_path) as address:
        rows = [f"{machine}-unknown-linux-gnu {sum_} {address}/python.tar.gz\n" for machine in ("x86_64", "aarch64")]
        (program.folder / "launcher/python_builds.txt").write_text("".join(rows))
        yield str(binaries)


@pytest.mark.rule("D2")
def test_without_a_python_one_is_fetched_checked_and_kept(program: Program, bare_machine: str) -> None:
    # Given a part of an earlier, interrupted fetch
    program.data.mkdir()
    (program.data / "python.tar.gz.part").write_bytes(b"\x1f\x8b")
    first = program.start("--help", PATH=bare_machine)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("usage: start_linux.sh")
    assert "fetching one" in first.stderr
    assert sorted(path.name for path in program.data.iterdir()) == ["python"]

    # Then the next start fetches nothing
    second = program.start("--help", PATH=bare_machine)
    assert (second.returncode, second.stderr) == (0, "")


@pytest.mark.rule("D2")
def test_a_fetched_python_with_another_sum_is_deleted_and_never_unpacked(program: Program, bare_machine: str) -> None:
    table = program.folder / "launcher/python_builds.txt"
    table.write_text("".join(f"{platform} {'0' * 64} {url}\n" for platform, _, url in (line.split() for line in table.read_text().splitlines())))
    done = program.start("--help", PATH=bare_machine)
    assert done.returncode == 1
    assert "is not the Python that this version of Sfumato knows" in done.stderr
    assert list(program.data.iterdir()) == []


def test_offline_never_fetches_a_python(program: Program, bare_machine: str) -> None:
    done = program.start("--mode", "cpu", "--offline", "--help", PATH=bare_machine)
    assert done.returncode == 1
    assert "--offline forbids fetching one" in done.stderr
    assert not program.data.exists()


def test_a_link_to_the_script_leads_to_the_program(program: Program, tmp_path: Path) -> None:
    link = Program(tmp_path / "elsewhere", program.data)
    link.folder.mkdir()
    (link.folder / "start_linux.sh").symlink_to(program.folder / "start_linux.sh")
    done = link.start("--help")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "usage: start_linux.sh [flags] [words for the program]")


def test_wrong_flags_are_told_with_the_usage_and_status_2(program: Program) -> None:
    done = program.start("--mode", "gpu", "generate")
    assert done.returncode == 2
    assert done.stderr.startswith("There is no mode 'gpu'; choose one of nvidia, amd, cpu, remote.\n\nusage:")


@pytest.mark.rule("D8")
def test_a_start_that_skips_the_installation_says_what_is_absent(program: Program) -> None:
    give_environment(program, 'echo "absent: $SFUMATO_ABSENT"')
    program.data.mkdir()
    (program.data / "settings.json").write_text('{"mode": "cpu"}')
    done = program.start("--skip-install", "generate")
    assert (done.returncode, done.stdout) == (0, "absent: sfumato-sample\n")


@pytest.mark.rule("D8", "D14")
@pytest.mark.parametrize(("setting", "asks"), [({"mode": "cpu"}, False), ({"mode": "cpu", "show_installer": True}, True), ({"mode": "remote"}, True)])
def test_the_install_screen_comes_when_something_is_absent_or_it_was_asked_for(program: Program, setting: dict[str, object], asks: bool) -> None:
    # Given a complete environment for one mode, in which the install screen would tell of itself
    give_environment(program, 'case "$*" in *choose.py*) echo asked; exit 5 ;; *) echo started ;; esac')
    (program.folder / ".venv/lib/python3.11/site-packages/sfumato_sample-1.0.dist-info").mkdir(parents=True)
    (program.folder / ".venv/lib/python3.11/site-packages/pyqt5-5.15.dist-info").mkdir(parents=True)
    (program.folder / "requirements_remote.txt").write_text("pyqt5\nsfumato-other>=1\n")
    program.data.mkdir()
    (program.data / "settings.json").write_text(json.dumps(setting))
    done = program.start(QT_QPA_PLATFORM="offscreen")
    assert (done.stdout.strip(), done.returncode) == (("asked", 5) if asks else ("started", 0)), done.stderr
