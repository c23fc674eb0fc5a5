"""Networks whose change is made of products of smaller tensors, or stored in full.

Sources of the formulas: Hu et al. 2021 (LoRA), Hyeon-Woo et al. 2021 (LoHa), Yeh et al. 2024 (LyCORIS: LoCon, Tucker decompositions, LoKr), Liu et al.
2022 (IA3), Chavan et al. 2023 (GLoRA). Orders of factors and layouts of tensors are those of LyCORIS 4.1 (`functional/` locon, loha, lokr; `modules/` glora,
ia3, norms, full), of PEFT 0.21 for its own IA3, and of AUTOMATIC1111 1.10 (`network_glora.py`) for GLoRA's older layout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sfumato.engine.networks.delta import Delta, Disjoint, Misfit, Shape, Shapes, Tensors, columns, exact, need, need_fit


@dataclass(frozen=True, eq=False)
class LowRank(Delta):
    """LoRA and LoCon: up . down, or with a Tucker core up x mid x down.

    Attributes:
        up: (out, R).
        down: (r, in) or, for convolutions, (r, in, kh, kw); (r, in, 1, 1) beside a core.
        mid: (R, r, kh, kw), R = r but for odd files; None: R = r.
    """

    up: Tensor
    down: Tensor
    mid: Tensor | None
    scale: float

    needs: ClassVar[frozenset[str]] = frozenset({"up", "down"})
    may_have: ClassVar[frozenset[str]] = frozenset({"mid"})

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        up, down, mid = shapes["up"], shapes["down"], shapes.get("mid")
        need(_are_matrices(up, down), "its factors are no matrices")
        need(columns(up) == up[1] and up[1] == (mid[0] if mid else down[0]), "its factors have different ranks")
        if mid is None:
            need_fit((up[0], columns(down)), (shape[0], columns(shape)))
            if len(down) == 4 and len(shape) == 4 and down[2:] != shape[2:]:
                raise Misfit("another kernel")
            return
        need(_is_core(mid) and mid[1] == down[0] and columns(down) == down[1], "its core and its factors have different ranks")
        need_fit((up[0], down[1], *mid[2:]), shape)

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return shapes["down"][0]

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        up, down, mid = tensors["up"], tensors["down"], tensors.get("mid")
        kernel = (1,) * (len(shape) - 2) if mid is not None else shape[2:]
        return cls(up.reshape(shape[0], -1), down.reshape(down.shape[0], shape[1], *kernel), mid, scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        up, down, mid = self._kept(rank)
        up, down = exact(up, weight), exact(down, weight).flatten(1)
        product = up @ down if mid is None else tucker(exact(mid, weight), up.T, down)
        return (product * self.scale).reshape(weight.shape)

    def added(self, total: Tensor, weight: Tensor, factor: float, rank: int | None = None, into: Tensor | None = None) -> Tensor:
        if total.dim() != 2 or self.mid is not None:
            return super().added(total, weight, factor, rank, into)
        # One pass over the weight instead of four.
        up, down, _ = self._kept(rank)
        return torch.addmm(total, exact(up, weight), exact(down, weight), alpha=self.scale * factor, out=into)

    def adds(self, module: nn.Module, inputs: Tensor, rank: int | None = None) -> Tensor | None:
        up, down, mid = (None if tensor is None else tensor.to(inputs) for tensor in self._kept(rank))
        assert up is not None and down is not None
        if isinstance(module, nn.Linear):
            return functional.linear(functional.linear(inputs, down), up) * self.scale
        if not isinstance(module, nn.Conv2d) or module.groups != 1:
            return None
        # The layer's own convolution with other weights: its stride, its padding, and what patches have made of them.
        within = module._conv_forward(inputs, down, None) if mid is None else module._conv_forward(functional.conv2d(inputs, down), mid, None)
        return functional.conv2d(within, up[:, :, None, None]) * self.scale

    def _kept(self, rank: int | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """The factors with the first `rank` ranks; of a core, the same of both its sides."""
        if rank is None:
            return self.up, self.down, self.mid
        return self.up[:, :rank], self.down[:rank], None if self.mid is None else self.mid[:rank, :rank]


@dataclass(frozen=True, eq=False)
class Hadamard(Delta):
    """LoHa: (a1 . b1) * (a2 . b2), number by number; with Tucker cores each half a x t x b.

    Attributes:
        a1, a2: (out, r), beside cores (r, out).
        b1, b2: (r, in kh kw), beside cores (r, in).
        t1, t2: (r, r, kh, kw), or None.
    """

    a1: Tensor
    b1: Tensor
    a2: Tensor
    b2: Tensor
    t1: Tensor | None
    t2: Tensor | None
    scale: float

    needs: ClassVar[frozenset[str]] = frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"})
    may_have: ClassVar[frozenset[str]] = frozenset({"hada_t1", "hada_t2"})

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        need(("hada_t1" in shapes) == ("hada_t2" in shapes), "one of its two cores is missing")
        for half in "12":
            a, b, t = shapes[f"hada_w{half}_a"], shapes[f"hada_w{half}_b"], shapes.get(f"hada_t{half}")
            need(_are_matrices(a, b) and columns(a) == a[1], "its factors are no matrices")
            if t is None:
                need(a[1] == b[0], "its factors have different ranks")
                need_fit((a[0], columns(b)), (shape[0], columns(shape)))
            else:
                need(_is_core(t) and columns(b) == b[1] and t[:2] == (a[0], b[0]), "its cores and its factors have different ranks")
                need_fit((a[1], b[1], *t[2:]), shape)

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return shapes["hada_w1_b"][0]

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        a1, b1, a2, b2 = (tensors[leaf] for leaf in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"))
        return cls(a1.flatten(1), b1.flatten(1), a2.flatten(1), b2.flatten(1), tensors.get("hada_t1"), tensors.get("hada_t2"), scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        first, second = self._half(self.a1, self.b1, self.t1, weight, rank), self._half(self.a2, self.b2, self.t2, weight, rank)
        return (first * second * self.scale).reshape(weight.shape)

    @staticmethod
    def _half(a: Tensor, b: Tensor, t: Tensor | None, weight: Tensor, rank: int | None) -> Tensor:
        if t is None:
            return exact(a[:, :rank], weight) @ exact(b[:rank], weight)
        return tucker(exact(t[:rank, :rank], weight), exact(a[:rank], weight), exact(b[:rank], weight))


@dataclass(frozen=True, eq=False)
class Kronecker(Delta):
    """LoKr: w1 (x) w2, each stored whole or as a product; the second also with a Tucker core.

    Attributes:
        w1: (a, c), or None: `w1_a` (a, r) . `w1_b` (r, c).
        w2: (b, d kh kw), or None: `w2_a` (b, r) . `w2_b` (r, d kh kw), beside a core `w2_a` (r, b), `w2_b` (r, d).
        t2: (r, r, kh, kw), or None.
    """

    w1: Tensor | None
    w1_a: Tensor | None
    w1_b: Tensor | None
    w2: Tensor | None
    w2_a: Tensor | None
    w2_b: Tensor | None
    t2: Tensor | None
    scale: float

    needs: ClassVar[frozenset[str]] = frozenset()
    may_have: ClassVar[frozenset[str]] = frozenset({f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")})

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        rows, row = 1, 1
        for half in "12":
            whole, a, b = (shapes.get(f"lokr_w{half}{end}") for end in ("", "_a", "_b"))
            core = shapes.get("lokr_t2") if half == "2" else None
            need((whole is None) == (a is not None) == (b is not None), f"its factor {half} is not complete")
            if whole is not None:
                need(_are_matrices(whole) and core is None, "its factors are no matrices")
                rows, row = rows * whole[0], row * columns(whole)
            elif a is not None and b is not None:
                need(_are_matrices(a, b) and columns(a) == a[1], "its factors are no matrices")
                if core is None:
                    need(a[1] == b[0], "its factors have different ranks")
                    rows, row = rows * a[0], row * columns(b)
                else:
                    need(_is_core(core) and columns(b) == b[1] and core[:2] == (a[0], b[0]), "its core and its factors have different ranks")
                    rows, row = rows * a[1], row * b[1] * math.prod(core[2:])
                    if core[2:] != shape[2:]:
                        raise Misfit("another kernel")
        first = shapes.get("lokr_w1") or shapes["lokr_w1_b"]
        need(_are_matrices(first) and columns(first) == first[1], "its first factor is no matrix")
        need_fit((rows, row), (shape[0], columns(shape)))
        if len(shape) == 4 and shape[1] % first[1]:
            raise Misfit("another kernel")

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        factor = shapes.get("lokr_w1_b") or shapes.get("lokr_w2_b")
        return factor[0] if factor else None

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        flat = (None if (tensor := tensors.get(f"lokr_{name}")) is None else tensor.flatten(1) for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b"))
        return cls(*flat, tensors.get("lokr_t2"), scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        first = self._product(self.w1, self.w1_a, self.w1_b, weight, rank)
        if self.t2 is None:
            second = self._product(self.w2, self.w2_a, self.w2_b, weight, rank)
        else:
            assert self.w2_a is not None and self.w2_b is not None
            second = tucker(*(exact(tensor, weight) for tensor in (self.t2[:rank, :rank], self.w2_a[:rank], self.w2_b[:rank])))
        if weight.dim() == 4:  # the kernel is the second factor's alone
            first = first[:, :, None, None]
            second = second.reshape(second.shape[0], weight.shape[1] // first.shape[1], *weight.shape[2:])
        return (torch.kron(first, second.contiguous()) * self.scale).reshape(weight.shape)

    @staticmethod
    def _product(whole: Tensor | None, a: Tensor | None, b: Tensor | None, weight: Tensor, rank: int | None) -> Tensor:
        if whole is not None:
            return exact(whole, weight)
        assert a is not None and b is not None
        return exact(a[:, :rank], weight) @ exact(b[:rank], weight)


@dataclass(frozen=True, eq=False)
class Generalised(Delta):
    """GLoRA: W . inner_up . inner_down + up . down, the first mixing the weight's inputs.

    Attributes:
        inner_up: (in, r); `inner_down`: (r, in); `up`: (out, r); `down`: (r, in kh kw).
    """

    inner_up: Tensor
    inner_down: Tensor
    up: Tensor
    down: Tensor
    scale: float

    reads_weight: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"a1", "a2", "b1", "b2"})
    may_have: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        inner_up, inner_down, up, down = (shapes[leaf] for leaf in cls._order(shapes))
        need(columns(inner_up) == inner_down[0] and columns(up) == down[0], "its factors have different ranks")
        need_fit((inner_up[0], columns(inner_down)), (shape[1], shape[1]))
        need_fit((up[0], columns(down)), (shape[0], columns(shape)))

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return shapes[cls._order(shapes)[3]][0]

    @classmethod
    def _order(cls, shapes: Shapes) -> tuple[str, str, str, str]:
        """LyCORIS writes the pair that is multiplied first as 1, the older layout as 2: told by which of a pair has the rank where."""
        need(_are_matrices(*(shapes[leaf] for leaf in cls.needs)), "its factors are no matrices")
        a1, a2, b1, b2 = (shapes[leaf] for leaf in ("a1", "a2", "b1", "b2"))
        if columns(a1) == a2[0] == columns(b1) == b2[0]:
            return "a1", "a2", "b1", "b2"
        if columns(a2) == a1[0] == columns(b2) == b1[0]:
            return "a2", "a1", "b2", "b1"
        raise Disjoint("its factors have different ranks")

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        order = cls._order({leaf: tuple(tensor.shape) for leaf, tensor in tensors.items() if leaf in cls.needs})
        return cls(*(tensors[leaf].flatten(1) for leaf in order), scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        inner = exact(self.inner_up[:, :rank], weight) @ exact(self.inner_down[:rank], weight)
        mixed = torch.einsum("o i ..., i j -> o j ...", weight.float(), inner)
        added = (exact(self.up[:, :rank], weight) @ exact(self.down[:rank], weight)).reshape(weight.shape)
        return (mixed + added) * self.scale


@dataclass(frozen=True, eq=False)
class Full(Delta):
    """A difference stored whole: of a weight, a norm or a bias."""

    difference: Tensor
    scale: float

    needs: ClassVar[frozenset[str]] = frozenset({"diff"})
    may_have: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        need_fit(next(iter(shapes.values())), shape)

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return None

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        return cls(next(iter(tensors.values())).reshape(shape), scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        return exact(self.difference, weight).reshape(weight.shape) * self.scale


@dataclass(frozen=True, eq=False)
class Norm(Full):
    """A difference of a norm's weight."""

    needs: ClassVar[frozenset[str]] = frozenset({"w_norm"})


@dataclass(frozen=True, eq=False)
class Scaled(Delta):
    """IA3: rows of the weight times numbers, or its columns where what is scaled is the layer's input.

    Attributes:
        factors: (out, 1, ..) or (1, in, ..): what the weight is multiplied by, less `base`.
        base: 1 where the file stores the whole factor (PEFT), 0 where it stores what is more than 1 (LyCORIS).
    """

    factors: Tensor
    base: float
    scale: float

    reads_weight: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"weight", "on_input"})
    may_have: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        need(math.prod(shapes["on_input"]) == 1, "'on_input' is no single number")
        count = math.prod(shapes["weight"])
        if count not in shape[:2]:
            raise Misfit(f"{count} factors")

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return None

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        side = int(bool(tensors["on_input"].item()))
        if tensors["weight"].numel() != shape[side]:
            raise Misfit("factors of the other side")
        return cls(tensors["weight"].reshape(_along(side, len(shape))), 0.0, scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        return weight.float() * (exact(self.factors, weight) - self.base) * self.scale


@dataclass(frozen=True, eq=False)
class PeftScaled(Scaled):
    """IA3 as PEFT stores it: (out, 1) or (1, in); for convolutions (1, n, 1, 1), where n is the rows if it can be."""

    needs: ClassVar[frozenset[str]] = frozenset({"ia3_l"})

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        if math.prod(shapes["ia3_l"]) != shape[cls._side(shapes["ia3_l"], shape)]:
            raise Misfit("other factors")

    @staticmethod
    def _side(factors: Shape, shape: Shape) -> int:
        if len(factors) == 4:
            return 0 if math.prod(factors) == shape[0] else 1
        return 1 if len(factors) > 1 and factors[0] == 1 else 0

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        factors = tensors["ia3_l"]
        return cls(factors.reshape(_along(cls._side(tuple(factors.shape), shape), len(shape))), 1.0, scale)


def _are_matrices(*shapes: Shape) -> bool:
    return all(len(shape) >= 2 for shape in shapes)


def _is_core(shape: Shape) -> bool:
    return len(shape) == 4


def _along(side: int, dimensions: int) -> Shape:
    return tuple(-1 if axis == side else 1 for axis in range(dimensions))


def tucker(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """core (i, j, kh, kw) x a (i, out) x b (j, in) -> (out, in, kh, kw)."""
    return torch.einsum("i j h w, i o, j p -> o p h w", core, a, b)
