"""Writes colab.ipynb and kaggle.ipynb, which differ in little: `.venv/bin/python deploy/notebooks/make_notebooks.py`.

A test fails when they are out of date.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Host:
    """A place that runs notebooks.

    Attributes:
        file, title: of the notebook.
        terms: what its owner allows, in words; the first thing to read.
        prepare: what to switch on before the first cell.
        data: folder for models, pictures and logs while the notebook runs.
        metadata: of the notebook, as this host reads it.
    """

    file: str
    title: str
    terms: str
    prepare: str
    data: str
    metadata: dict[str, Any]


COLAB = Host(
    "colab.ipynb",
    "Sfumato on Google Colab",
    "Google decides what a runtime may be used for, and the rules change: read the "
    "[terms of service](https://research.google.com/colaboratory/tos_v4.html) and the limits in the "
    "[FAQ](https://research.google.com/colaboratory/faq.html) before you run anything. At the time of writing the FAQ says that runtimes free of charge "
    "may not be used for remote control, such as remote desktops and shells, nor mainly through a web page instead of the notebook, and that they "
    "may be ended at any time; serving a program elsewhere, as this notebook does, may fall under that. With compute units that you paid for these "
    "limits are said not to hold. Whether your use is allowed is between you and Google.",
    "Choose a runtime with a GPU: Runtime, Change runtime type.",
    "/content/sfumato-data",
    # Colab then saves no outputs at all, so that no link ever gets into the file.
    {"accelerator": "GPU", "colab": {"private_outputs": True, "provenance": []}},
)
KAGGLE = Host(
    "kaggle.ipynb",
    "Sfumato on Kaggle",
    "Kaggle decides what a session may be used for, and the rules change: read the [terms of use](https://www.kaggle.com/terms) and the "
    "[documentation of notebooks](https://www.kaggle.com/docs/notebooks) before you run anything. At the time of writing GPU time is limited by the week, "
    "sessions end after some hours or when nobody is at the page, and internet access needs a verified account. Serving a program elsewhere, as "
    "this notebook does, is not what sessions are made for. Whether your use is allowed is between you and Kaggle.",
    "Choose an accelerator and switch the internet on: Settings of the notebook, Accelerator and Internet. Do not share the notebook while it runs: it shows "
    "its link until the first client has connected, and Kaggle saves what it shows.",
    "/kaggle/working/sfumato-data",
    {"accelerator": "GPU"},
)
HOSTS = (COLAB, KAGGLE)

HEAD = """\
# {title}

Starts Sfumato's engine on a GPU here and shows one connection link. Paste it into Sfumato's window on your computer, and the window works as if the GPU were
yours. Pictures and prompts travel encrypted from end to end, also through the tunnel.

**Before you run anything.** {terms}

{prepare}

**About the link.** Whoever has it can use this session as you do: bring models, make pictures. Every run of the last cell makes it anew; it is stored nowhere
and worthless when that cell has ended. It is taken off the page when the first client has connected.
"""

SETTINGS = """\
# The program: a folder (on a mounted drive, or one that you uploaded), the address of a git repository, or of a release (.zip, .tar.gz).
SFUMATO_SOURCE = ""
# What to install: nvidia for the GPUs here, cpu without one.
MODE = "nvidia"
# Models to fetch, each with the folder it belongs into ("auto" looks into the file).
# An address is https://..., hf:owner/repository/file or civitai:model@version.
MODELS = [
    # ("hf:owner/repository/file.safetensors", "checkpoints"),
]
# cloudflared, or a command of yours in which {port} stands for the relay's port; it has to print its https address.
TUNNEL = "cloudflared"
# The SHA-256 that the release page of cloudflared names for its file; empty trusts the connection to that page alone.
CLOUDFLARED_SHA256 = ""
# After so many minutes without a client the last cell ends by itself, so that no GPU is held for nobody.
IDLE_MINUTES = 30
DATA = "@DATA@"
"""

INSTALL = '''\
import subprocess
import tarfile
import urllib.request
import zipfile
from pathlib import Path


def find_program(source: str) -> Path:
    """The folder of the program, fetched if it has to be."""
    if source and Path(source).expanduser().is_dir():
        return Path(source).expanduser()
    home = Path.cwd() / "sfumato"
    if not home.exists():
        if not source:
            raise ValueError("Name the program in SFUMATO_SOURCE, in the cell above, and run both cells again.")
        if source.endswith((".zip", ".tar.gz", ".tgz")):
            archive, _ = urllib.request.urlretrieve(source)
            if source.endswith(".zip"):
                with zipfile.ZipFile(archive) as packed:
                    packed.extractall(home)
            else:
                with tarfile.open(archive) as packed:
                    packed.extractall(home, filter="data")
        else:
            subprocess.run(["git", "clone", "--depth", "1", source, str(home)], check=True)
    # A release holds one folder.
    return next(path.parent for path in sorted(home.glob("start_linux.sh")) + sorted(home.glob("*/start_linux.sh")))


PROGRAM = find_program(SFUMATO_SOURCE)
START = ["sh", str(PROGRAM / "start_linux.sh"), "--data", DATA]
subprocess.run([*START, "--mode", MODE, "--install-only"], check=True)
print("Sfumato is installed.")
'''

FETCH = """\
for address, folder in MODELS:
    subprocess.run([*START, "--skip-install", "download", address, "--folder", folder], check=True)
print(f"{len(MODELS)} models fetched; the small one that ships with the program is always there.")
"""

TUNNEL_PROGRAM = """\
import hashlib
import os
import shutil

if TUNNEL == "cloudflared" and shutil.which("cloudflared") is None:
    tools = Path(DATA) / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    address = "https://github.com/cloudflare/cloudflared/releases/latest/download/cloudflared-linux-amd64"
    with urllib.request.urlopen(address) as answer:
        program = answer.read()
    found = hashlib.sha256(program).hexdigest()
    if CLOUDFLARED_SHA256 and found != CLOUDFLARED_SHA256.strip().lower():
        raise ValueError(f"What was fetched is not the cloudflared you named: its SHA-256 is {found}.")
    (tools / "cloudflared").write_bytes(program)
    (tools / "cloudflared").chmod(0o755)
    os.environ["PATH"] += os.pathsep + str(tools)
print(f"The tunnel is opened by: {TUNNEL}")
"""

SERVE = """\
import IPython.display as page


def text(sentence: str) -> dict[str, str]:
    return {"text/plain": sentence}


words = [*START, "--skip-install", "serve", "--relay", "--tunnel", TUNNEL, "--idle-minutes", str(IDLE_MINUTES)]
relay = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
# The one place where the link is shown; it is written over as soon as a client has used it, and in any case when this cell ends.
place = page.display(text("Starting"), raw=True, display_id="link")
try:
    for line in relay.stdout:
        line = line.strip()
        if line.startswith("Connection link"):
            place.update(text("Paste this link into Sfumato on your computer (Settings, Remote):\\n\\n" + line.partition(": ")[2]), raw=True)
        elif " INFO " in line:
            continue  # of the log, which is in the data folder
        else:
            print(line)
            if line.endswith(("client connected", "clients connected")) and not line.startswith("No "):
                place.update(text("The link was used and is shown no longer. It is valid until this cell ends."), raw=True)
finally:
    place.update(text("The relay has ended, and with it its link. Run this cell again for a new one."), raw=True)
    relay.terminate()
    relay.wait()
"""


def cells(host: Host) -> list[dict[str, Any]]:
    """The notebook's cells: text, settings, and the steps."""
    head = HEAD.format(title=host.title, terms=host.terms, prepare=host.prepare)
    return [
        _text("head", head),
        _code("settings", SETTINGS.replace("@DATA@", host.data), ["parameters"]),
        _text("install-text", "## 1. Install\n\nTakes some minutes the first time: Python packages of about 5 GB for `nvidia`."),
        _code("install", INSTALL),
        _text("models-text", "## 2. Fetch models\n\nOnly the addresses you named above. More can be fetched later, from the window's Models page."),
        _code("models", FETCH),
        _text("tunnel-text", "## 3. The tunnel\n\nIts operator sees addresses and amounts of data, and nothing of what is said."),
        _code("tunnel", TUNNEL_PROGRAM),
        _text("serve-text", "## 4. Serve\n\nRuns as long as clients are connected, and `IDLE_MINUTES` longer. Stop the cell to end it."),
        _code("serve", SERVE),
    ]


def notebook(host: Host) -> str:
    """The file's text."""
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}} | host.metadata
    return json.dumps({"cells": cells(host), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


def _text(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}


def _code(name: str, source: str, tags: list[str] | None = None) -> dict[str, Any]:
    metadata = {"tags": tags} if tags else {}
    lines = source.rstrip("\n").splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "id": name, "metadata": metadata, "outputs": [], "source": lines}


if __name__ == "__main__":
    for each in HOSTS:
        (FOLDER / each.file).write_text(notebook(each), encoding="utf-8")
