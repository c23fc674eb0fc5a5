"""The drawn world: the pictures the starter model is trained on and judged by.

A `Scene` is one or two flat shapes on a flat background; `draw` paints it, `caption` says it in words. Everything is a function of a
`random.Random`, so that a seed names a picture. Pillow only; start reading at `random_scene`.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIZE_PX = 64
_OVERSAMPLE = 4

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 38, 42),
    "orange": (248, 138, 26),
    "yellow": (250, 222, 50),
    "green": (44, 168, 72),
    "cyan": (70, 214, 222),
    "blue": (36, 76, 222),
    "purple": (132, 52, 192),
    "pink": (250, 142, 192),
    "brown": (126, 76, 38),
    "black": (18, 18, 20),
    "white": (246, 246, 246),
    "gray": (132, 132, 132),
}


@dataclass(frozen=True)
class Thing:
    """One shape: `colour` and `shape` are words of this module (also later ones), `x`, `y` the centre and `radius` in fractions of the side."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """What a picture shows, and the sentence that says so."""

    background: str
    things: tuple[Thing, ...]
    caption: str


def _regular(corners: int, turn: float = -0.25) -> list[tuple[float, float]]:
    angles = [2 * math.pi * (k / corners + turn) for k in range(corners)]
    return [(math.cos(a), math.sin(a)) for a in angles]


def _star() -> list[tuple[float, float]]:
    points = []
    for k in range(10):
        reach = 1.1 if k % 2 == 0 else 0.46
        angle = 2 * math.pi * (k / 10 - 0.25)
        points.append((reach * math.cos(angle), reach * math.sin(angle)))
    return points


def _heart() -> list[tuple[float, float]]:
    points = []
    for k in range(60):
        t = 2 * math.pi * k / 60
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x / 16, -(y + 2.5) / 15))
    return points


_CROSS = [(-0.36, -1), (0.36, -1), (0.36, -0.36), (1, -0.36), (1, 0.36), (0.36, 0.36)]
_CROSS = _CROSS + [(-x, -y) for x, y in _CROSS]
_ARROW = [(-1, -0.34), (0.1, -0.34), (0.1, -0.95), (1.05, 0), (0.1, 0.95), (0.1, 0.34), (-1, 0.34)]
_SQUARE = [(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)]
_TRIANGLE = [(0, -1.0), (1.08, 0.86), (-1.08, 0.86)]
_DIAMOND = [(0, -1.15), (0.75, 0), (0, 1.15), (-0.75, 0)]

_POLYGONS: dict[str, list[tuple[float, float]]] = {
    "square": _SQUARE,
    "triangle": _TRIANGLE,
    "diamond": _DIAMOND,
    "star": _star(),
    "heart": _heart(),
    "cross": _CROSS,
    "arrow": _ARROW,
}
# Taught afterwards, by a file that goes with the model; none of its own training pictures shows them.
LATER_SHAPES: dict[str, list[tuple[float, float]]] = {"hourglass": [(-0.86, -1), (0.86, -1), (0.1, 0), (0.86, 1), (-0.86, 1), (-0.1, 0)]}
SHAPES: tuple[str, ...] = ("circle", "ring", "moon", *_POLYGONS)


def _paint(canvas: ImageDraw.ImageDraw, thing: Thing, background: tuple[int, int, int], side: int) -> None:
    x, y, r = thing.x * side, thing.y * side, thing.radius * side
    colour = COLOURS[thing.colour]
    corners = _POLYGONS.get(thing.shape) or LATER_SHAPES.get(thing.shape)
    if corners:
        canvas.polygon([(x + px * r, y + py * r) for px, py in corners], fill=colour)
        return
    canvas.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    if thing.shape == "ring":
        hole = 0.52 * r
        canvas.ellipse((x - hole, y - hole, x + hole, y + hole), fill=background)
    elif thing.shape == "moon":
        shift, bite = 0.55 * r, 0.82 * r
        canvas.ellipse((x + shift - bite, y - bite, x + shift + bite, y + bite), fill=background)


def draw(scene: Scene, side: int = SIZE_PX) -> Image.Image:
    """Paint `scene` as an RGB picture of `side` x `side` pixels, with soft edges."""
    big = side * _OVERSAMPLE
    background = COLOURS[scene.background]
    picture = Image.new("RGB", (big, big), background)
    canvas = ImageDraw.Draw(picture)
    for thing in scene.things:
        _paint(canvas, thing, background, big)
    return picture.resize((side, side), Image.Resampling.BOX)


def judged_scene(colour: str, shape: str, background: str, rng: random.Random) -> Scene:
    """The plain form by which the model is judged: one shape near the middle, "a <colour> <shape>, <colour> background"."""
    thing = Thing(colour, shape, rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55), rng.uniform(0.27, 0.36))
    return Scene(background, (thing,), f"a {colour} {shape}, {background} background")


_PLACES = {
    "on the left": (0.27, 0.5),
    "on the right": (0.73, 0.5),
    "at the top": (0.5, 0.27),
    "at the bottom": (0.5, 0.73),
    "in the middle": (0.5, 0.5),
}
_SIZES = {"small": (0.14, 0.18), "big": (0.36, 0.42)}
_PAIRS = {
    "{a} and {b}": ((0.27, 0.5), (0.73, 0.5)),
    "{a} next to {b}": ((0.27, 0.5), (0.73, 0.5)),
    "{a} above {b}": ((0.5, 0.27), (0.5, 0.73)),
}


def _near(place: tuple[float, float], rng: random.Random) -> tuple[float, float]:
    return place[0] + rng.uniform(-0.04, 0.04), place[1] + rng.uniform(-0.04, 0.04)


def _ground(background: str, rng: random.Random) -> str:
    """How a caption names the background: mostly after a comma, sometimes in the sentence, sometimes not at all."""
    return rng.choices([f", {background} background", f" on a {background} background", ""], [0.75, 0.15, 0.10])[0]


def _a(colour: str, rng: random.Random) -> str:
    """The article before `colour`; both spellings people type are taught."""
    return "an" if colour == "orange" and rng.random() < 0.5 else "a"


def random_scene(rng: random.Random) -> Scene:
    """Draw a scene at random: the judged form half of the time, else with size, place or a second thing."""
    background, first, second = rng.sample(list(COLOURS), 3)
    shape, other_shape = rng.sample(SHAPES, 2)
    form = rng.choices(["judged", "plain", "size", "place", "pair", "empty"], [0.50, 0.08, 0.10, 0.12, 0.18, 0.02])[0]
    if form == "judged":
        return judged_scene(first, shape, background, rng)
    if form == "empty":
        return Scene(background, (), f"{background} background")
    ground = _ground(background, rng)
    if form == "pair":
        words, places = rng.choice(list(_PAIRS.items()))
        things = tuple(Thing(c, s, *_near(p, rng), rng.uniform(0.17, 0.22)) for c, s, p in zip((first, second), (shape, other_shape), places, strict=True))
        return Scene(background, things, words.format(a=f"{_a(first, rng)} {first} {shape}", b=f"{_a(second, rng)} {second} {other_shape}") + ground)
    if form == "size":
        size = rng.choice(list(_SIZES))
        thing = Thing(first, shape, *_near((0.5, 0.5), rng), rng.uniform(*_SIZES[size]))
        return Scene(background, (thing,), f"a {size} {first} {shape}{ground}")
    if form == "place":
        words = rng.choice(list(_PLACES))
        thing = Thing(first, shape, *_near(_PLACES[words], rng), rng.uniform(0.19, 0.24))
        return Scene(background, (thing,), f"{_a(first, rng)} {first} {shape} {words}{ground}")
    plain = judged_scene(first, shape, background, rng)
    return Scene(background, plain.things, rng.choice(["", f"{_a(first, rng)} "]) + f"{first} {shape}{ground}")
