"""Choosers: how one of several options is picked: at random, along a given path, or the longest.

Random numbers come from SHA-256, so that a seed chooses the same on every system and in every version of Python. Rules: P49, P54, P56, P61 (longest).
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Protocol

_DOMAIN = b"sfumato-dynamic"


class Stream:
    """Random fractions for one text: SHA-256 of a key and a counter, its first 53 bits."""

    def __init__(self, name: str, seed: int) -> None:
        self._key = hashlib.sha256(b"\0".join((_DOMAIN, name.encode("utf-8", "surrogatepass"), str(seed).encode()))).digest()
        self._counter = 0

    def fraction(self) -> float:
        """The next number, 0 <= u < 1."""
        drawn = hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
        self._counter += 1
        return (int.from_bytes(drawn[:8], "big") >> 11) / (1 << 53)


Measure = Callable[[str], int]


class Chooser(Protocol):
    """How options are picked. `measure` tells how long a text is, None if lengths do not matter."""

    measure: Measure | None

    def number(self, low: int, high: int) -> int:
        """How many, between two numbers."""
        ...

    def one(self, weights: Sequence[float], sizes: Callable[[], Sequence[int]]) -> int:
        """The index of one option.

        Args:
            weights: running sums.
            sizes: how long each option may get, asked for only where it matters.
        """
        ...

    def several(self, weights: Sequence[float], count: int, sizes: Callable[[], Sequence[int]]) -> list[int]:
        """The indices of `count` options, each once before any comes again; arguments as `one`."""
        ...


class AtRandom:
    """Picks by weight: one fraction for each pick, one for a number that is not fixed."""

    measure: Measure | None = None

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def number(self, low: int, high: int) -> int:
        return low if low == high else low + int(self._stream.fraction() * (high - low + 1))

    def one(self, weights: Sequence[float], sizes: Callable[[], Sequence[int]]) -> int:
        del sizes
        drawn = self._stream.fraction()
        if weights[-1] <= 0:
            return int(drawn * len(weights))
        return min(bisect_right(weights, drawn * weights[-1]), len(weights) - 1)

    def several(self, weights: Sequence[float], count: int, sizes: Callable[[], Sequence[int]]) -> list[int]:
        del sizes
        found: list[int] = []
        urn = _Urn(weights)
        for _ in range(count):
            if not urn.left:
                urn = _Urn(weights)
            found.append(urn.draw(self._stream.fraction()))
        return found


class _Urn:
    """Options drawn without putting them back: a Fenwick tree of their weights (P. M. Fenwick 1994), so that a draw takes logarithmic time."""

    def __init__(self, cumulative: Sequence[float]) -> None:
        self.left = len(cumulative)
        weights = [after - before for before, after in zip((0.0, *cumulative), cumulative)]
        if not any(weight > 0 for weight in weights):
            weights = [1.0] * len(weights)
        self._weights = weights
        self._reach = 1 << (self.left.bit_length() - 1)
        self._tree = [0.0, *weights]
        self._counts = [0.0, *([1.0] * self.left)]  # options not drawn yet, for those of weight 0
        for place in range(1, self.left + 1):
            above = place + (place & -place)
            if above <= self.left:
                self._tree[above] += self._tree[place]
                self._counts[above] += self._counts[place]
        self._positive = sum(weight > 0 for weight in weights)
        self._drawn = [False] * self.left

    def draw(self, fraction: float) -> int:
        """The option that a fraction of the remaining weight reaches; of those without weight only when no other is left."""
        index = self._descend(self._tree, fraction * self._total()) if self._positive else self._descend(self._counts, int(fraction * self.left))
        if self._drawn[index] or (self._positive and self._weights[index] <= 0):
            # Rounding reached beyond the last one that is left.
            index = next(i for i in range(len(self._drawn) - 1, -1, -1) if not self._drawn[i] and (self._weights[i] > 0 or not self._positive))
        self._drawn[index] = True
        self.left -= 1
        self._positive -= self._weights[index] > 0
        self._take(self._tree, index, self._weights[index])
        self._take(self._counts, index, 1.0)
        return index

    def _total(self) -> float:
        total, place = 0.0, len(self._tree) - 1
        while place:
            total += self._tree[place]
            place -= place & -place
        return total

    def _descend(self, tree: Sequence[float], target: float) -> int:
        place, step = 0, self._reach
        while step:
            if place + step < len(tree) and tree[place + step] <= target:
                place += step
                target -= tree[place]
            step >>= 1
        return min(place, len(tree) - 2)

    def _take(self, tree: list[float], index: int, amount: float) -> None:
        place = index + 1
        while place < len(tree):
            tree[place] -= amount
            place += place & -place


class ByPath:
    """Picks along a path of indices, and the first option beyond it; remembers how many there were to choose from."""

    measure: Measure | None = None

    def __init__(self, path: Sequence[int] = ()) -> None:
        self._path = path
        self.taken: list[int] = []
        self.counts: list[int] = []

    def _next(self, count: int) -> int:
        place = len(self.taken)
        index = min(self._path[place], count - 1) if place < len(self._path) else 0
        self.taken.append(index)
        self.counts.append(count)
        return index

    def number(self, low: int, high: int) -> int:
        return low + self._next(high - low + 1)

    def one(self, weights: Sequence[float], sizes: Callable[[], Sequence[int]]) -> int:
        del sizes
        return self._next(len(weights))

    def several(self, weights: Sequence[float], count: int, sizes: Callable[[], Sequence[int]]) -> list[int]:
        del sizes
        found: list[int] = []
        left: list[int] = []
        for _ in range(count):
            left = left or list(range(len(weights)))
            found.append(left.pop(self._next(len(left))))
        return found


class Longest:
    """Picks what is longest, for the token count."""

    def __init__(self, measure: Measure) -> None:
        self.measure: Measure | None = measure

    def number(self, low: int, high: int) -> int:
        del low
        return high

    def one(self, weights: Sequence[float], sizes: Callable[[], Sequence[int]]) -> int:
        del weights
        lengths = sizes()
        return max(range(len(lengths)), key=lengths.__getitem__)

    def several(self, weights: Sequence[float], count: int, sizes: Callable[[], Sequence[int]]) -> list[int]:
        lengths = sizes()
        order = sorted(range(len(weights)), key=lambda index: -lengths[index])
        return [order[number % len(order)] for number in range(count)]


def paths(count_of: Callable[[ByPath], object], limit: int) -> list[tuple[int, ...]]:
    """The paths of all combinations, depth first, the first options first.

    Args:
        count_of: chooses once along the chooser it is given.
        limit: at most so many paths.
    """
    found: list[tuple[int, ...]] = []
    path: list[int] | None = []
    while path is not None and len(found) < limit:
        chooser = ByPath(path)
        count_of(chooser)
        found.append(tuple(chooser.taken))
        path = None
        for place in range(len(chooser.taken) - 1, -1, -1):
            if chooser.taken[place] + 1 < chooser.counts[place]:
                path = [*chooser.taken[:place], chooser.taken[place] + 1]
                break
    return found
