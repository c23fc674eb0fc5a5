"""Judges the starter model: does it draw what it is told?

    .venv/bin/python models/starter/check.py            # 100 prompts through LocalInference, 20 steps each

Prints the share of pictures with the right shape colour, background and shape, and the time of a picture; ends with status 1 below the goals.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import judge
import world
from jobs import MODEL, painted, sheet

from sfumato.protocol.requests.generate import Generate

GOALS = {"shape colour": 0.90, "background": 0.90, "shape": 0.80}


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
    pictures, seconds = painted(
        Generate(prompt=prompt, model=MODEL, steps=options.steps, guidance=options.guidance, sampler=options.sampler, seed=options.seed + number, preview="off")
        for number, (prompt, *_) in enumerate(rows)
    )
    right = dict.fromkeys(GOALS, 0)
    for picture, (_, colour, shape, background) in zip(pictures, rows, strict=True):
        right["shape colour"] += judge.shape_colour_of(picture) == colour
        right["background"] += judge.background_of(picture) == background
        right["shape"] += judge.shape_of(network, picture) == shape
    for name, goal in GOALS.items():
        print(f"{name:<13} {right[name]:>3} of {len(rows)} right, goal {goal:.0%}")
    print(f"one picture of {options.steps} steps takes {statistics.median(seconds[1:] or seconds):.2f} s (median)")
    if options.sheet:
        sheet(pictures).save(options.sheet)
    return 0 if all(right[name] >= goal * len(rows) for name, goal in GOALS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
