"""Judges what is added to the starter model: does the picture change as the name of the LoRA, embedding, hypernetwork or ControlNet says?

    .venv/bin/python models/starter/check_additions.py            # all four through the engine, with and without, 20 steps each

Prints shares of pictures with the addition and without; ends with status 1 where one misses its goal.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import judge
import world
from edges import coverage, outline
from jobs import MODEL, blob_of, painted, sheet
from PIL import Image

from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.requests.generate import Generate

LORA = "<lora:sfumato-hourglass:1>"
HYPERNETWORK = "<hypernet:sfumato-night:1>"
EMBEDDING = "sfumato-sunset"
CONTROL = "sfumato-edges"

Judgement = Callable[[Image.Image], bool]


@dataclass(frozen=True)
class Trial:
    """One picture to be judged: how it is asked for with the addition and without, and when it shows what it should."""

    words: str
    plain: str
    shows: Judgement
    control: Image.Image | None = None


@dataclass(frozen=True)
class Question:
    """What is asked about one addition. `least` and `most` are the shares of pictures, with and without it, of which the judgement should be true."""

    title: str
    trials: Sequence[Trial]
    least: float = 0.8
    most: float | None = 0.2


def _colours(number: int, without: Sequence[str] = ()) -> tuple[str, str]:
    """A shape's colour and a background's."""
    colour, background = random.Random(900 + number).sample([name for name in world.COLOURS if name not in without], 2)
    return colour, background


def _coloured(colour: str, background: str) -> Judgement:
    return lambda picture: (judge.shape_colour_of(picture), judge.background_of(picture)) == (colour, background)


def hourglasses(count: int) -> Question:
    return Question("an hourglass, by the LoRA", [Trial(f"{words} {LORA}", words, judge.is_hourglass) for words, _, _ in _hourglass_words(count)])


def coloured_hourglasses(count: int) -> Question:
    trials = [Trial(f"{words} {LORA}", words, _coloured(colour, background)) for words, colour, background in _hourglass_words(count)]
    return Question("the hourglass's colours", trials, most=None)


def _hourglass_words(count: int) -> list[tuple[str, str, str]]:
    pairs = [_colours(k) for k in range(count)]
    return [(f"a {colour} hourglass, {background} background", colour, background) for colour, background in pairs]


def other_shapes(count: int) -> Question:
    network = judge.shape_network(HERE / "work" / "shapes.safetensors")
    trials = []
    for k in range(count):
        colour, background = _colours(k)
        shape = world.SHAPES[k % len(world.SHAPES)]
        words = f"a {colour} {shape}, {background} background"
        trials.append(Trial(f"{words} {LORA}", words, lambda picture, s=shape: judge.shape_of(network, picture) == s))
    return Question("other shapes, beside the LoRA", trials, most=None)


def sunset(count: int) -> Question:
    is_coloured = _coloured("orange", "purple")
    return Question("a sunset, by the embedding", [Trial(EMBEDDING, "sunset", lambda picture: is_coloured(picture) and judge.is_disc(picture))] * count)


def night(count: int) -> Question:
    trials = []
    for k in range(count):
        colour, background = _colours(k, ("black",))
        words = f"a {colour} {world.SHAPES[k % len(world.SHAPES)]}, {background} background"
        trials.append(Trial(f"{words} {HYPERNETWORK}", words, _coloured(colour, "black")))
    return Question("night, by the hypernetwork", trials)


def placed(count: int) -> Question:
    trials = []
    for k in range(count):
        rng = random.Random(700 + k)
        colour, background = _colours(k)
        shape = world.SHAPES[k % len(world.SHAPES)]
        radius = rng.uniform(0.18, 0.3)
        x, y = (0.5 + side * rng.uniform(0.12, 0.2) for side in rng.choice([(-1, -1), (-1, 1), (1, -1), (1, 1)]))
        scene = world.Scene(background, (world.Thing(colour, shape, x, y, radius),), f"a {colour} {shape}, {background} background")
        covered = coverage(scene)
        trials.append(Trial(scene.caption, scene.caption, lambda picture, c=covered: judge.overlap(picture, c) > 0.5, outline(scene)))
    return Question("in its place, by the ControlNet", trials)


QUESTIONS = {"lora": (hourglasses, coloured_hourglasses, other_shapes), "embedding": (sunset,), "hypernetwork": (night,), "control": (placed,)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(QUESTIONS))
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sheet", type=Path, help="write the pictures as one PNG, a row with and a row without each addition")
    options = parser.parse_args()
    failed, shown = 0, []
    for name in [options.only] if options.only else QUESTIONS:
        for made in QUESTIONS[name]:
            question = made(options.prompts)
            with_it, without = (_asked(question.trials, options.steps, plain) for plain in (False, True))
            right, wrong = (sum(trial.shows(each) for trial, each in zip(question.trials, pictures, strict=True)) for pictures in (with_it, without))
            count = len(question.trials)
            least, most = question.least * count, count * (1 if question.most is None else question.most)
            print(f"{question.title:<34} {right:>3} of {count}, without it {wrong:>3}; goals: at least {least:.0f}, at most {most:.0f}", flush=True)
            failed += right < least or wrong > most
            shown += [*with_it[:10], *without[:10]]
    if options.sheet:
        sheet(shown).save(options.sheet)
    return 1 if failed else 0


def _asked(trials: Sequence[Trial], steps: int, plain: bool) -> list[Image.Image]:
    blobs: dict[str, bytes] = {}
    requests = []
    for number, trial in enumerate(trials):
        control: tuple[ControlUnit, ...] = ()
        if trial.control and not plain:
            name, data = blob_of(trial.control)
            blobs[name] = data
            control = (ControlUnit(image=name, model=CONTROL),)
        words = trial.plain if plain else trial.words
        requests.append(Generate(prompt=words, model=MODEL, steps=steps, seed=1000 + number, preview="off", control=control))
    return painted(requests, blobs)[0]


if __name__ == "__main__":
    sys.exit(main())
