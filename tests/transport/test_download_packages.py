"""A download in the program with an engine of its own, with exactly the packages that a requirements file brings: no other one can be imported."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.killed_transfers import DIGEST, MODEL
from tests.support.serving import ROOT, environment
from tests.support.web_server import LocalWeb, Page

FILES = sorted(path.name for path in ROOT.glob("requirements_*.txt") if path.name != "requirements_dev.txt")
PROGRAM = """
import json, sys
absent, address, data = set(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(name + " is not installed", name=name)

sys.meta_path.insert(0, Absent())
import threading
from pathlib import Path
from sfumato.jobs.places import Places
from sfumato.protocol.messages import ENDINGS, Submit
from sfumato.transport.local import LocalInference

ended = threading.Event()
said = []

def hear(event):
    if getattr(event, "job", "") == "load":
        said.append(event)
        if isinstance(event, ENDINGS):
            ended.set()

root = Path(data)
places = Places(root / "data", root / "outputs", (root / "models",), download_hosts=address.partition("//")[2].partition("/")[0])
endpoint = LocalInference(places)
endpoint.open(hear)
try:
    endpoint.send(Submit(job="load", kind="download", params={"address": address, "folder": "checkpoints"}))
    assert ended.wait(120), "it did not end"
finally:
    endpoint.close()
print(json.dumps(said[-1].model_dump()))
"""


def named_in(path: Path) -> list[str]:
    """The packages of a requirements file and of those it includes."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("# without its dependencies:").strip() if line.startswith("# without its dependencies:") else line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += named_in(path.parent / text[3:].strip())
        elif text and not text.startswith("-"):
            found.append(Requirement(text).name)
    return found


def absent_without(packages: list[str]) -> set[str]:
    """What can be imported here, and neither comes with these packages nor with what they need."""
    brought: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = canonicalize_name(re.split(r"[\[;]", waiting.pop())[0])
        if name in brought:
            continue
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        brought.add(name)
        for text in needed:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    brought.add("sfumato")
    owned = importlib.metadata.packages_distributions()
    return {module for module, owners in owned.items() if not {canonicalize_name(owner) for owner in owners} & brought}


@pytest.mark.slow
@pytest.mark.rule("R17")
@pytest.mark.parametrize("name", FILES)
def test_a_download_works_with_the_packages_of_each_requirements_file(tmp_path: Path, name: str) -> None:
    absent = absent_without(named_in(ROOT / name))
    assert {"pytest", "trustme", "hypothesis"} <= absent
    assert not {"pydantic", "bson", "websockets"} & absent
    assert ("torch" in absent) == (name == "requirements_remote.txt")
    web = LocalWeb()
    web.put("127.0.0.1/mix.safetensors", Page(MODEL))
    try:
        words = [sys.executable, "-c", PROGRAM, json.dumps(sorted(absent)), f"http://127.0.0.1:{web.port()}/mix.safetensors", str(tmp_path)]
        done = subprocess.run(words, env=environment(tmp_path / "data"), capture_output=True, text=True, timeout=200)
    finally:
        web.close()
    assert done.returncode == 0, done.stderr
    ending = json.loads(done.stdout.strip().splitlines()[-1])
    assert ending["type"] == "finished", ending
    assert ending["result"]["sha256"] == DIGEST
    assert (tmp_path / "models/checkpoints/mix.safetensors").read_bytes() == MODEL
