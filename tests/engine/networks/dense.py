"""The change of a weight by each kind of network, computed the long way: whole matrices, loops and permutations, nothing shared with what is tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def dense_change(tensors: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    """dW in float64 of what a file stores for one layer; leaves in kohya's and LyCORIS's spelling."""
    stored = {leaf: tensor.double() for leaf, tensor in tensors.items()}
    before = weight.double()
    change = _plain(stored, before)
    if "dora_scale" not in stored:
        return change
    magnitudes, changed = stored["dora_scale"], before + change
    after = torch.empty_like(changed)
    if magnitudes.shape[0] == 1:
        for column in range(changed.shape[1]):
            after[:, column] = changed[:, column] * magnitudes.flatten()[column] / changed[:, column].norm()
    else:
        for row in range(changed.shape[0]):
            after[row] = changed[row] * magnitudes.flatten()[row] / changed[row].norm()
    return after - before


def _plain(stored: Mapping[str, Tensor], before: Tensor) -> Tensor:
    kernel = list(before.shape[2:])

    def factor(rank: int | None) -> float:
        if "scale" in stored:
            return stored["scale"].item()
        return stored["alpha"].item() / rank if "alpha" in stored and rank else 1.0

    if "lora_up.weight" in stored:
        up, down, mid = stored["lora_up.weight"], stored["lora_down.weight"], stored.get("lora_mid.weight")
        rank = down.shape[0]
        if mid is None:
            return sum(torch.outer(up[:, r].flatten(), down[r].flatten()) for r in range(rank)).reshape(before.shape) * factor(rank)
        return _core(mid, up.flatten(1), down.flatten(1)) * factor(rank)
    if "hada_w1_a" in stored:
        rank = stored["hada_w1_b"].shape[0]
        halves = []
        for half in "12":
            a, b, t = stored[f"hada_w{half}_a"], stored[f"hada_w{half}_b"], stored.get(f"hada_t{half}")
            halves.append((a @ b).reshape(before.shape) if t is None else _core(t, a.T, b))
        return halves[0] * halves[1] * factor(rank)
    if any(leaf.startswith("lokr") for leaf in stored):
        return _lokr(stored, before, factor)
    if "oft_blocks" in stored:
        return _turned(stored, before)
    if "oft_R.weight" in stored:
        return _turned_inputs(stored["oft_R.weight"], before)
    if "on_input" in stored:
        factors = stored["weight"].flatten()
        along = (1, -1) if stored["on_input"].item() else (-1, 1)
        return before * factors.reshape(*along, *(1 for _ in kernel))
    if "a1.weight" in stored:
        a1, a2, b1, b2 = (stored[f"{name}.weight"].flatten(1) for name in ("a1", "a2", "b1", "b2"))
        rank = a2.shape[0]
        mixed = torch.stack([before[:, :, *place] @ (a1 @ a2) for place in _places(kernel)], dim=-1).reshape(before.shape)
        return (mixed + (b1 @ b2).reshape(before.shape)) * factor(rank)
    return stored["diff"].reshape(before.shape)


def _places(kernel: list[int]) -> list[tuple[int, ...]]:
    return [(row, column) for row in range(kernel[0]) for column in range(kernel[1])] if kernel else [()]


def _core(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a (out, R), core (R, r, kh, kw), b (r, in), one place of the kernel after the other."""
    return torch.stack([a @ core[:, :, *place] @ b for place in _places(list(core.shape[2:]))], dim=-1).reshape(a.shape[0], b.shape[1], *core.shape[2:])


def _lokr(stored: Mapping[str, Tensor], before: Tensor, factor: Callable[[int | None], float]) -> Tensor:
    out, inner, *kernel = before.shape
    first = stored["lokr_w1"] if "lokr_w1" in stored else stored["lokr_w1_a"] @ stored["lokr_w1_b"]
    rank = stored["lokr_w1_b"].shape[0] if "lokr_w1_b" in stored else stored["lokr_w2_b"].shape[0] if "lokr_w2_b" in stored else None
    if "lokr_t2" in stored:
        second = _core(stored["lokr_t2"], stored["lokr_w2_a"].T, stored["lokr_w2_b"])
    else:
        second = stored["lokr_w2"] if "lokr_w2" in stored else stored["lokr_w2_a"] @ stored["lokr_w2_b"]
    second = second.reshape(out // first.shape[0], inner // first.shape[1], *kernel)
    change = torch.zeros_like(before)
    for row in range(first.shape[0]):
        for column in range(first.shape[1]):
            rows = slice(row * second.shape[0], (row + 1) * second.shape[0])
            columns = slice(column * second.shape[1], (column + 1) * second.shape[1])
            change[rows, columns] = first[row, column] * second
    return change * factor(rank)


def _turned(stored: Mapping[str, Tensor], before: Tensor) -> Tensor:
    """OFT: W' = R^T W with R block by block on a diagonal; BOFT: stages of the same between permutations of the rows."""
    blocks = stored["oft_blocks"]
    rows = before.shape[0]
    skew = blocks - blocks.transpose(-1, -2)
    limit = stored["alpha"].item() * rows if "alpha" in stored else 0
    if limit and skew.norm() > limit:
        skew = skew * limit / skew.norm()
    one = torch.eye(blocks.shape[-1], dtype=torch.float64)
    turns = (one + skew) @ torch.linalg.inv(one - skew)
    flat = before.flatten(1)
    if blocks.dim() == 3:
        after = torch.block_diag(*turns).T @ flat
    else:
        after, size = flat, blocks.shape[-1]
        for stage, turn in enumerate(turns):
            apart = 2**stage * size // 2
            order = [place * 2 * apart + side * apart + step for place in range(rows // (2 * apart)) for step in range(apart) for side in range(2)]
            permutation = torch.eye(rows, dtype=torch.float64)[order]
            after = permutation.T @ torch.block_diag(*turn) @ permutation @ after
    after = after.reshape(before.shape)
    if "rescale" in stored:
        after = after * stored["rescale"].reshape(-1, *(1 for _ in before.shape[1:]))
    return after - before


def _turned_inputs(triangles: Tensor, before: Tensor) -> Tensor:
    """PEFT's OFT: W' = W R^T, R = I + 2 Q + 2 Q^2 + 2 Q^3 + Q^4."""
    flat = before.flatten(1)
    size = next(side for side in range(2, 100) if side * (side - 1) // 2 == triangles.shape[1])
    turns = []
    for numbers in triangles.expand(flat.shape[1] // size, -1):
        skew = torch.zeros(size, size, dtype=torch.float64)
        place = 0
        for row in range(size):
            for column in range(row + 1, size):
                skew[row, column], skew[column, row] = numbers[place], -numbers[place]
                place += 1
        powers = [torch.linalg.matrix_power(skew, power) for power in range(5)]
        turns.append(powers[0] + 2 * powers[1] + 2 * powers[2] + 2 * powers[3] + powers[4])
    return (flat @ torch.block_diag(*turns).T).reshape(before.shape) - before
