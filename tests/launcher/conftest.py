"""A copy of the program that a test may start, install into and break: the real launcher, with tiny requirements and a tiny program."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# What D4 lists, in one folder name.
AWKWARD_NAME = "Ein Örtchen 画 🎨 100%PATH% ! & ' (x)"

PROGRAM = """
import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "data": os.environ["SFUMATO_DATA"], "python": sys.prefix}))
"""


@dataclass
class Program:
    """A program folder and how to start it."""

    folder: Path
    data: Path

    def start(self, *words: str, timeout_s: float = 60.0, **environ: str | None) -> subprocess.CompletedProcess[str]:
        """Run start_linux.sh from another folder, without a display; `environ` adds to the environment, None takes away."""
        values = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "PYTHONPATH")}
        for name, value in {"SFUMATO_DATA": str(self.data), **environ}.items():
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        command = [str(self.folder / "start_linux.sh"), *words]
        return subprocess.run(command, cwd="/", env=values, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The real start_linux.sh and launcher/ in a folder with an awkward name, without an environment."""
    folder = tmp_path / AWKWARD_NAME
    (folder / "source" / "sfumato").mkdir(parents=True)
    shutil.copy2(REPOSITORY / "start_linux.sh", folder)
    shutil.copytree(REPOSITORY / "launcher", folder / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "source" / "main.py").write_text(PROGRAM)
    (folder / "source" / "sfumato" / "__init__.py").write_text("")
    (folder / "source" / "sfumato" / "__main__.py").write_text(PROGRAM)
    for mode in ("cpu", "nvidia", "amd", "remote"):
        (folder / f"requirements_{mode}.txt").write_text("sfumato-sample>=1,<2\n")
    (folder / "requirements_dev.txt").write_text("")
    (folder / "config.json").write_text("{}")
    return Program(folder, tmp_path / "data")


def give_environment(program: Program, script: str, launches: bool = True) -> Path:
    """A virtual environment whose interpreter is a shell script; returns the script's path. With `launches`, it still runs the launcher itself."""
    python = program.folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (program.folder / ".venv" / "pyvenv.cfg").write_text("version = 3.11.0\n")
    real = f'if [ "$1 $2" = "-I -S" ]; then exec "{real_python()}" "$@"; fi' if launches else ""
    python.write_text(f"#!/bin/sh\n{real}\n{script}\n")
    python.chmod(0o755)
    return python


def make_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel with one module, built by hand so that nothing has to be fetched to build it."""
    folder.mkdir(parents=True, exist_ok=True)
    module, path = name.replace("-", "_"), folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    information = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"version = '{version}'\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{information}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{information}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


def real_python() -> str:
    """The interpreter under the environment that runs the tests."""
    return getattr(sys, "_base_executable", None) or sys.executable


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server on loopback for the files of `folder`."""
    handler = partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        return
