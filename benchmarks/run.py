"""All benchmarks in one run: `.venv/bin/python benchmarks/run.py`, or some by name: `benchmarks/run.py engine child window`.

Prints ratios first; bare times are of this machine and this minute. Ratios are kept and compared with the last run on the same machine: with `--check` the
command fails where one is more than 5 % above it.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import stored
from measuring import ROOT, Row, print_table


def _engine() -> list[Row]:
    import engine_loop

    return engine_loop.rows()


def _canvas() -> list[Row]:
    import canvas

    return canvas.rows()


def _channel() -> list[Row]:
    import channel

    return channel.rows()


def _child() -> list[Row]:
    import child_process
    import engine_loop
    import random_checkpoint

    from sfumato.protocol.requests.generate import Generate

    rows = []
    request = Generate(prompt="a red circle", model="sfumato-starter", steps=64, sampler="Euler", seed=1)
    starter = engine_loop.Subject(engine_loop.STARTER, steps=64, latent_px=8)
    rows.append(child_process.sampling_row("starter, 64 steps: through LocalInference / bare UNet calls", ROOT / "models", request, starter.bare, 1.05, 5))
    with tempfile.TemporaryDirectory() as scratch:
        name = random_checkpoint.write_sd15_size(Path(scratch))
        request = Generate(prompt="a red circle", model=name, steps=3, sampler="Euler", seed=1, width=64, height=64)
        large = engine_loop.Subject(engine_loop.SD15, steps=3, latent_px=8)
        rows.append(child_process.sampling_row("SD 1.5 size, 3 steps: through LocalInference / bare UNet calls", Path(scratch), request, large.bare, 1.02, 7))
    return rows


def _first_picture() -> list[Row]:
    import child_process

    return [child_process.first_picture_row()]


def _models() -> list[Row]:
    import models

    return models.rows()


def _networks() -> list[Row]:
    import networks

    return networks.rows()


def _memory() -> list[Row]:
    import memory

    return memory.rows()


def _history() -> list[Row]:
    import history

    return history.rows()


def _previews() -> list[Row]:
    import previews

    return previews.rows()


def _loading() -> list[Row]:
    import loading

    return loading.rows()


def _prompt_cache() -> list[Row]:
    import prompt_cache

    return prompt_cache.rows()


def _prompts() -> list[Row]:
    import prompt_parsing

    return prompt_parsing.rows()


def _remote() -> Iterable[Row]:
    import remote

    return remote.rows()


def _responsiveness() -> list[Row]:
    import responsiveness

    return responsiveness.rows()


def _samplers() -> list[Row]:
    import samplers

    return samplers.rows()


def _shortcuts() -> list[Row]:
    import shortcuts

    return shortcuts.rows()


def _upscaling() -> list[Row]:
    import upscaling

    return upscaling.rows()


def _typing() -> list[Row]:
    import keystrokes

    return keystrokes.rows()


def _window() -> list[Row]:
    import window

    return window.rows()


PARTS: dict[str, Callable[[], Iterable[Row]]] = {
    "engine": _engine,
    "canvas": _canvas,
    "channel": _channel,
    "child": _child,
    "first-picture": _first_picture,
    "history": _history,
    "loading": _loading,
    "memory": _memory,
    "models": _models,
    "networks": _networks,
    "previews": _previews,
    "prompt-cache": _prompt_cache,
    "prompts": _prompts,
    "remote": _remote,
    "responsiveness": _responsiveness,
    "samplers": _samplers,
    "shortcuts": _shortcuts,
    "typing": _typing,
    "upscaling": _upscaling,
    "window": _window,
}


def _load() -> str:
    """What else the machine does: without that a figure says little."""
    return f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors" if hasattr(os, "getloadavg") else ""


def main(names: list[str]) -> int:
    checks, names = "--check" in names, [name for name in names if name != "--check"]
    strangers = [name for name in names if name not in PARTS]
    if strangers:
        print(f"There is no benchmark '{strangers[0]}'; known are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    print(f"{platform.machine()}, {platform.system()}, {stored.versions()}")
    here, slower = stored.machine(), []
    for name in names or PARTS:
        print(f"\n{name}{_load()}", flush=True)
        rows = print_table(PARTS[name]())
        slower += stored.slower(rows, stored.recall(stored.FILE, here))
        stored.keep(stored.FILE, here, rows)
    for sentence in slower:
        print(f"slower than before: {sentence}", file=sys.stderr)
    return 1 if checks and slower else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
