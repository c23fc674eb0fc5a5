"""Judges the starter model: does it draw what it is told?

    .venv/bin/python models/starter/check.py            # 100 prompts through LocalInference, 20 steps each

Prints the share of pictures with the right shape colour, background and shape, and the time of a picture; ends with status 1 below the goals.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import judge
import world
from PIL import Image

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import ENDINGS, Artifact, Event, Failed, Submit
from sfumato.protocol.requests.generate import Generate
from sfumato.transport.endpoint import InProcess

GOALS = {"shape colour": 0.90, "background": 0.90, "shape": 0.80}
MODEL = "sfumato-starter"


class _Heard:
    def __init__(self) -> None:
        self.pictures: list[Image.Image] = []
        self.failure = ""
        self.ended = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Artifact):
            self.pictures.append(Image.open(io.BytesIO(event.data)).convert("RGB"))
        if isinstance(event, Failed):
            self.failure = event.message
        self.ended = self.ended or isinstance(event, ENDINGS)


def prompts(count: int, seed: int = 7) -> list[tuple[str, str, str, str]]:
    """`count` rows of (prompt, colour, shape, background); shapes in turn, colours at random."""
    rng = random.Random(seed)
    rows = []
    for k in range(count):
        colour, background = rng.sample(list(world.COLOURS), 2)
        shape = world.SHAPES[k % len(world.SHAPES)]
        rows.append((f"a {colour} {shape}, {background} background", colour, shape, background))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=Generate().guidance)
    parser.add_argument("--sampler", default=Generate().sampler)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--sheet", type=Path, help="write all pictures as one PNG")
    options = parser.parse_args()

    network = judge.shape_network(HERE / "work" / "shapes.safetensors")
    print(f"the judge names {judge.accuracy(network):.1%} of drawn shapes rightly")
    rows = prompts(options.prompts)
    pictures, seconds = _paint(rows, options)
    right = dict.fromkeys(GOALS, 0)
    for picture, (_, colour, shape, background) in zip(pictures, rows, strict=True):
        right["shape colour"] += judge.shape_colour_of(picture) == colour
        right["background"] += judge.background_of(picture) == background
        right["shape"] += judge.shape_of(network, picture) == shape
    for name, goal in GOALS.items():
        print(f"{name:<13} {right[name]:>3} of {len(rows)} right, goal {goal:.0%}")
    print(f"one picture of {options.steps} steps takes {statistics.median(seconds[1:] or seconds):.2f} s (median)")
    if options.sheet:
        _sheet(pictures).save(options.sheet)
    return 0 if all(right[name] >= goal * len(rows) for name, goal in GOALS.items()) else 1


def _paint(rows: list[tuple[str, str, str, str]], options: argparse.Namespace) -> tuple[list[Image.Image], list[float]]:
    """One job per prompt on an endpoint in this process; a scratch data folder, the repository's models."""
    pictures, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        endpoint = InProcess(filled(["sfumato.jobs.builtin:register"]), Places(Path(scratch), Path(scratch), (HERE.parent,)))
        heard = _Heard()
        queue: list[_Heard] = [heard]
        endpoint.open(lambda event: queue[0](event))
        for number, (prompt, *_) in enumerate(rows):
            queue[0] = heard = _Heard()
            request = Generate(
                prompt=prompt, model=MODEL, steps=options.steps, guidance=options.guidance, sampler=options.sampler, seed=options.seed + number, preview="off"
            )
            started = time.perf_counter()
            endpoint.send(Submit(job=f"check-{number}", kind="generate", params=request.model_dump()))
            while not heard.ended:
                time.sleep(0.002)
            seconds.append(time.perf_counter() - started)
            if heard.failure:
                sys.exit(f"'{prompt}' failed: {heard.failure}")
            pictures += heard.pictures
        endpoint.close()
    return pictures, seconds


def _sheet(pictures: list[Image.Image], columns: int = 10) -> Image.Image:
    side = world.SIZE_PX + 2
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), (30, 30, 30))
    for k, picture in enumerate(pictures):
        sheet.paste(picture, (k % columns * side + 1, k // columns * side + 1))
    return sheet


if __name__ == "__main__":
    sys.exit(main())
