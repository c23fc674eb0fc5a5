"""The process that reads a pickle: input on handle 0, output on handle 1, its report as one line of JSON on handle 2, and nothing else in the world.

Run by `conversion` as `python -I isolated.py LIMITS`, with an empty environment, in a folder of its own. Once its modules are loaded it gives up memory,
time, files, processes and the network, and a hook ends it at the first attempt to open, connect, start or import anything.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_FORBIDDEN_EXIT = 13
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_FORBIDDEN = (
    "socket.", "subprocess.", "os.", "open", "import", "ctypes.", "exec", "compile", "shutil.", "winreg.", "pty.", "fcntl.", "mmap.", "marshal.", "pickle.",
    "code.__new__", "http.", "urllib.", "webbrowser.",
)  # fmt: skip


def main() -> int:
    limits = json.loads(sys.argv[1])
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from sfumato.library.pickles.containers import open_container  # late: only now can they be found
    from sfumato.library.pickles.machine import Refused
    from sfumato.library.pickles.tensors import find_tensors, write_safetensors

    # zipfile asks for its decompressors only when an entry is opened, and none is; text codecs are looked up once.
    "".encode("utf-8", "surrogatepass").decode("latin-1").encode("ascii").decode("cp437")
    source, target = os.fdopen(0, "rb", closefd=False), os.fdopen(1, "wb", closefd=False)
    _give_up(limits)
    try:
        container = open_container(source, limits["source_bytes"])
        found = find_tensors(container.reading.value)
        written = write_safetensors(found, container, source, target, limits["metadata"], limits["output_bytes"])
        target.flush()
        report = {"tensors": len(found.tensors), "bytes": written, "left_out": found.left_out, "placeholders": container.reading.placeholders[:20]}
    except Refused as error:
        report = {"refused": str(error)}
    except MemoryError:
        report = {"refused": "reading it takes more memory than a model's description needs"}
    os.write(2, json.dumps(report).encode())
    return 0


def _give_up(limits: dict[str, int]) -> None:
    """Everything a reader of numbers does not need."""
    if sys.platform != "win32":
        import ctypes
        import resource

        # A network of its own with nothing in it, where the system lets users have one.
        ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK)
        for name, value in (
            ("RLIMIT_AS", limits["memory_bytes"]),
            ("RLIMIT_FSIZE", limits["output_bytes"] + (128 << 20)),
            ("RLIMIT_CPU", limits["seconds"]),
            ("RLIMIT_NPROC", 0),
            ("RLIMIT_NOFILE", 3),
            ("RLIMIT_CORE", 0),
        ):
            number = getattr(resource, name, None)
            if number is not None:
                hard = resource.getrlimit(number)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(number, (value, value))
    sys.addaudithook(_end)


def _end(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        os.write(2, json.dumps({"refused": f"it made its reader try something forbidden ({event})"}).encode())
        os._exit(_FORBIDDEN_EXIT)


if __name__ == "__main__":
    sys.exit(main())
