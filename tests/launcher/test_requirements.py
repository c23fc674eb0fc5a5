"""What the requirements files say, and what of them is absent."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from launcher import requirements
from tests.launcher.conftest import REPOSITORY

MODES = ("nvidia", "amd", "cpu", "remote")


def site_packages(folder: Path, *distributions: str) -> Path:
    for name in distributions:
        (folder / f"{name}.dist-info").mkdir(parents=True)
    return folder


@pytest.mark.rule("D7")
def test_missing_is_read_off_metadata_without_importing(tmp_path: Path) -> None:
    # Given packages that can not be imported, some of them without metadata
    folder = site_packages(tmp_path / "site", "Sample.One-1.0", "~orch-2.0", "PyQt5-5.15.11")
    for module in ("torch", "sample_one"):
        (folder / module).mkdir()
        (folder / module / "__init__.py").write_text("raise SystemExit('imported')")
    file = tmp_path / "requirements.txt"
    file.write_text("sample-one>=1\ntorch==2\npyqt5>=5.15,<5.16\nwheel-only\n")

    # Then names are compared as indexes do, and what pip left behind when it was killed is not taken for a package
    assert requirements.missing(requirements.read([file]), [folder, tmp_path / "none"]) == ["torch==2", "wheel-only"]


@pytest.mark.rule("D7")
def test_five_hundred_packages_are_looked_through_within_200_ms(tmp_path: Path) -> None:
    folder = site_packages(tmp_path / "site", *(f"package_{number}-1.{number}" for number in range(500)))
    file = tmp_path / "requirements.txt"
    file.write_text("".join(f"package-{number}>=1,<2\n" for number in range(501)))
    start = time.perf_counter()
    missing = requirements.missing(requirements.read([file]), [folder])
    assert time.perf_counter() - start < 0.2
    assert missing == ["package-500>=1,<2"]


@pytest.mark.rule("D9")
def test_another_version_counts_as_present_unless_versions_are_enforced(tmp_path: Path) -> None:
    folder = site_packages(tmp_path / "site", "torch-1.0+rocm", "pillow-12.1", "odd-from.git")
    file = tmp_path / "requirements.txt"
    file.write_text("torch==2.13.0\npillow>=12.0,<14\nodd>=3\n")
    wanted = requirements.read([file])
    assert requirements.missing(wanted, [folder]) == []
    assert requirements.missing(wanted, [folder], enforce=True) == ["torch==2.13.0"]
    assert [package.state for package in requirements.packages(wanted, [folder])] == ["other version", "present", "present"]


@pytest.mark.parametrize(
    ("line", "version", "fits"),
    [
        ("a==2.13.0", "2.13.0+cpu", True), ("a==2.13", "2.13.0", True), ("a>=1.10,<2", "1.9", False), ("a>=1.10,<2", "1.10.1", True),
        ("a>=1.10,<2", "2.0", False), ("a!=1.5", "1.5", False), ("a", "0", True), ("a>=2", "", True),
    ],
)  # fmt: skip
def test_versions_are_compared_by_their_numbers(line: str, version: str, fits: bool) -> None:
    assert requirements.fits(line, version) is fits


def test_a_package_that_comes_without_its_dependencies_is_missing_like_any_other(tmp_path: Path) -> None:
    folder = site_packages(tmp_path / "site", "torch-2.0", "typing_extensions-4.0")
    file = tmp_path / "requirements.txt"
    file.write_text("torch>=2\n# without its dependencies: sample.alone>=0.4,<0.5\n")
    found = requirements.read([file])
    assert (found.lines, found.alone) == (("torch>=2",), ("sample.alone>=0.4,<0.5",))
    assert requirements.missing(found, [folder]) == ["sample.alone>=0.4,<0.5"]
    assert requirements.missing(found, [folder, site_packages(tmp_path / "other", "Sample_Alone-0.4.2")]) == []


def test_included_files_markers_options_and_comments_are_understood(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "# spare index for linux: https://example.org/cpu\n--extra-index-url https://example.org/whl#x\n-r b.txt  # more\n"
        "one>=1 # why\ntwo; sys_platform != 'darwin' and sys_platform != 'win32'\nthree; sys_platform == \"win32\"\n"
    )
    (tmp_path / "b.txt").write_text("-r a.txt\nfour[extra]>=4\n")
    found = requirements.read([tmp_path / "a.txt"], platform="linux")
    assert set(found.lines) == {"one>=1", "two", "four[extra]>=4"}
    assert found.options == ("--extra-index-url https://example.org/whl#x",)
    assert found.spare_index == "https://example.org/cpu"
    assert set(requirements.read([tmp_path / "a.txt"], platform="win32").lines) == {"one>=1", "three", "four[extra]>=4"}


@pytest.mark.parametrize("line", ["one; python_version < '3'", "=1.0"])
def test_a_line_that_is_not_understood_names_file_and_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"two\n{line}\n")
    with pytest.raises(requirements.RequirementsError, match=r"a\.txt, line 2"):
        requirements.read([tmp_path / "a.txt"])


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(requirements.RequirementsError, match=r"none\.txt"):
        requirements.read([tmp_path / "none.txt"])


@pytest.mark.parametrize("mode", MODES)
def test_every_requirement_has_a_lower_and_an_upper_bound(mode: str) -> None:
    lines = requirements.read([REPOSITORY / f"requirements_{mode}.txt", REPOSITORY / "requirements_dev.txt"]).all
    assert len(lines) > 10
    unbounded = [line for line in lines if not re.search(r"==", line) and not (re.search(r">=\d", line) and re.search(r",<\d", line))]
    assert unbounded == []


def test_each_mode_names_what_it_needs() -> None:
    names = {mode: {requirements.name_of(line) for line in requirements.read([REPOSITORY / f"requirements_{mode}.txt"], "linux").lines} for mode in MODES}
    engine = {"torch", "diffusers", "transformers", "safetensors", "accelerate", "peft", "einops"}
    assert not names["remote"] & (engine | {"xformers"})
    assert {"pyqt5", "pillow", "pydantic", "pymongo", "websockets", "cryptography"} <= names["remote"]
    for mode in ("nvidia", "amd", "cpu"):
        assert engine | names["remote"] <= names[mode]
    assert [mode for mode in MODES if "xformers" in names[mode]] == ["nvidia"]
    # Whoever fetched torchvision with it would get one that fits another torch
    alone = {mode: requirements.read([REPOSITORY / f"requirements_{mode}.txt"]).alone for mode in MODES}
    assert [mode for mode in MODES if [requirements.name_of(line) for line in alone[mode]] == ["spandrel"]] == ["nvidia", "amd", "cpu"]
    assert "torch==2.13.0" in requirements.read([REPOSITORY / "requirements_cpu.txt"]).lines
    for mode, word in (("nvidia", "/whl/cu"), ("amd", "/whl/rocm")):
        assert any(word in option for option in requirements.read([REPOSITORY / f"requirements_{mode}.txt"]).options)
