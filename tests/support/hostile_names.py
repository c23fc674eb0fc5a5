"""Names that must never reach a file, for every entry; and a tree that shows whether one did. Rule: X17 of security."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# Refused as they stand, on every system.
REFUSED: tuple[str, ...] = (
    *("..", ".", "", "../x", "a/../../x", "..\\x", "a\\..\\..\\x", "/etc/passwd", "//host/share", "\\\\host\\share", "\\\\?\\C:\\x", "\\\\.\\pipe\\x"),
    *("C:x", "C:\\x", "x\0.png", "CON", "nul.png", "COM1.safetensors", "aux.", "x.", "x ", " x", "x:stream", "x::$DATA", "~", "~root", "$HOME", "%TEMP%"),
    *("-rf", "a\nb", "a\tb", "a\x1b[31m", "%2e%2e%2f", "..%5c", "%00", "%252e", "%c0%ae%c0%ae/", "\udcff", "．．／", "a∕b", "a\u202eb"),
    *("é" * 128 + "x", "a/" * 2500, "a//b", "/", "a/", "./a", "a/./b"),
)
_ENDING = ".safetensors"
# The same with an ending that a model has, where that makes another name of them, and names of what is ours or hidden.
HOSTILE_MODELS: tuple[str, ...] = (
    *REFUSED,
    *(name + _ENDING for name in ("../x", "..\\x", "a/../../x", "/tmp/x", "C:\\x", "C:x", "nul", "CON", "x\0", "-rf", " x", "~x", "$HOME", "a\nb", "a∕b")),
    *(name + _ENDING for name in ("%2e%2e%2fx", "a\u202eb", "．．／x", "\udcff", "é" * 128, "../../.ssh/authorized_keys", "//host/share/x")),
    *("x.safetensors.part", "x.part", ".x.safetensors", ".incoming/x.safetensors", "a/.b/x.safetensors", ".x.tmp", "x", "x.py", "x.safetensors/"),
)


class Canary:
    """A tree around the folders in which something may change: what it was, and that nothing else of it changed."""

    def __init__(self, around: Path, *roots: Path) -> None:
        self._around = around
        self._roots = roots
        for place in ("etc/passwd", "x", "x.safetensors", "models.json", "beside/x.safetensors", "home/.ssh/authorized_keys"):
            path = around / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"canary of {place}")
        self._before = self.outside()

    def outside(self) -> dict[str, tuple[int, bytes]]:
        """Everything that is not under the roots: path -> (mode, bytes)."""
        found: dict[str, tuple[int, bytes]] = {}
        for folder, names, files in os.walk(self._around):
            names[:] = [name for name in names if Path(folder, name) not in self._roots]
            for name in (*names, *files):
                path = Path(folder, name)
                mode = path.lstat().st_mode
                found[str(path)] = (mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
        return found

    def assert_untouched(self) -> None:
        assert self.outside() == self._before
