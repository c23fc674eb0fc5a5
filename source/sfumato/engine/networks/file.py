"""Opens a network file for a loaded model: every tensor is either understood, told as unmatched, or the file is refused as a whole.

Names and shapes are compared before any tensor is read. A file of which some layers fit and others do not is for another model and acts on none of it.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from sfumato.engine.checkpoint import Stored, identity_of
from sfumato.engine.family import Model
from sfumato.engine.networks import leaves
from sfumato.engine.networks.around import Decomposed, Narrow, Third, magnitudes_side
from sfumato.engine.networks.delta import Delta, Disjoint, Misfit, Shape, Shapes, Tensors
from sfumato.engine.networks.description import BUNDLED, Description, describe, told_family
from sfumato.engine.networks.kinds import Full, Generalised, Hadamard, Kronecker, LowRank, Norm, PeftScaled, Scaled
from sfumato.engine.networks.names import UNET, Names, Place, Target
from sfumato.engine.networks.rotations import InputRotation, Rotation, StoredRotation
from sfumato.engine.reading import DTYPES, Reader
from sfumato.library.safetensors_header import Header, TensorInfo, read_header
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelNotFound, ModelUnsupported

__all__ = ["NetworkFile", "Target", "open_network"]

Check = Callable[[], None]


class Kind(Protocol):
    """What a class of deltas tells of itself."""

    needs: frozenset[str]
    may_have: frozenset[str]

    def check(self, shapes: Shapes, shape: Shape) -> None: ...
    def rank(self, shapes: Shapes) -> int | None: ...
    def made(self, tensors: Tensors, shape: Shape, scale: float) -> Delta: ...


KINDS: tuple[Any, ...] = (LowRank, Hadamard, Kronecker, Rotation, StoredRotation, InputRotation, Scaled, PeftScaled, Generalised, Full, Norm)


@dataclass(frozen=True, eq=False)
class NetworkFile:
    """An opened network. Its tensors are on the CPU in the number format of the file.

    Attributes:
        name: the file's, for people.
        deltas: what it changes.
        description: kinds and family, as the list of models shows them.
        unmatched: how many of its tensors belong to no layer of the model.
        embeddings: word -> part of the text encoder -> (vectors, width) float32: embeddings bundled with the network.
        identity: path, size and modification time; another identity is another network.
    """

    name: str
    deltas: Mapping[Target, Delta]
    description: Description
    unmatched: int
    embeddings: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    identity: tuple[tuple[str, int, int], ...] = ()
    blocks: Mapping[Target, str] = field(default_factory=dict)

    def block(self, target: Target) -> str:
        """The block that a target is in: "IN04", "M00", "OUT07", "BASE" for text encoders, "" for the UNet's few layers outside blocks."""
        return self.blocks[target]

    @property
    def nbytes(self) -> int:
        vectors = sum(tensor.nbytes for parts in self.embeddings.values() for tensor in parts.values())
        return vectors + sum(delta.nbytes for delta in self.deltas.values())

    @property
    def base_family(self) -> str:
        """Title of the family that it says it is for, "" if nothing tells."""
        return self.description.family

    @property
    def targets(self) -> frozenset[Target]:
        return frozenset(self.deltas)


class _Plan(NamedTuple):
    """One delta to be: which class, for which weight, from which tensors (leaf -> key).

    Attributes:
        shape: of the weight as the file knows it.
        keys: leaf -> key of the tensors that make it.
        channels: how many of the weight's input channels the file knows, None: all.
    """

    kind: Any
    target: Target
    shape: Shape
    keys: Mapping[str, str]
    place: Place
    channels: int | None = None


def open_network(path: Path, model: Model, check: Check = lambda: None, field: str = "prompt") -> NetworkFile:
    """Open a file of LoRA or one of its relatives for a model.

    Args:
        check: called while reading; may raise to stop.
        field: the request field that names the file, for errors.

    Raises:
        ModelNotFound: there is no such file.
        PickleRefused, CorruptFile: it is not opened, or its tensors do not belong together.
        ModelIncompatible: it is for another family, or for a model of other sizes.
        ModelUnsupported: it is no network of a kind that is known.
    """
    if not path.exists():
        raise ModelNotFound("LoRA", path.name, path=field)
    try:
        return _Opening(path, read_header(path), model, check).opened()
    except (CorruptFile, ModelIncompatible, ModelUnsupported) as error:
        error.path = field
        raise


class _Opening:
    """One file on its way."""

    def __init__(self, path: Path, header: Header, model: Model, check: Check) -> None:
        self._path = path
        self._header = header
        self._model = model
        self._check = check
        self._names = Names(model)
        self._layers = leaves.grouped(key for key in header.tensors if not key.startswith(BUNDLED))
        self._description = describe(header, self._layers)
        self._factors = _configured_scales(header.metadata)

    def opened(self) -> NetworkFile:
        vectors = {key: word for key in self._header.tensors if (word := _bundled(key))}
        found = {layer: places for layer in self._layers if (places := self._names.find(layer))}
        unmatched = sum(len(keys) for layer, keys in self._layers.items() if layer not in found)
        unmatched += sum(key.startswith(BUNDLED) and key not in vectors for key in self._header.tensors)
        if not vectors and not (found and self._description.kinds):
            raise self._stranger()
        plans = [plan for layer, places in found.items() for plan in self._plans(layer, self._layers[layer], places)]
        self._check_family(plans)
        twice = [target for target, count in Counter(plan.target for plan in plans).items() if count > 1]
        if twice:
            raise CorruptFile(self._path.name, f"it changes layer '{twice[0].module}' twice")
        tensors = self._read([*(key for plan in plans for key in plan.keys.values()), *vectors])
        deltas = {plan.target: self._made(plan, tensors) for plan in plans}
        return NetworkFile(
            self._path.name,
            deltas,
            self._description,
            unmatched,
            self._embeddings(vectors, tensors),
            identity_of([self._path]),
            {target: self._names.block(target) for target in deltas},
        )

    def _stranger(self) -> Exception:
        """Why a file that names no layer of the model is refused."""
        if not self._description.kinds:
            return ModelUnsupported(self._path.name, "no network for a model", use="use it as a LoRA")
        return self._incompatible("a model with other layers")

    def _incompatible(self, otherwise: str) -> ModelIncompatible:
        """The error that names both families; `otherwise`: what the file is for if nothing tells its family, or it is the same."""
        family, ours = self._description.family, self._model.family.title
        if not family:
            return ModelIncompatible(self._path.name, otherwise, ours)
        return ModelIncompatible(self._path.name, family if family != ours else f"{family} of other sizes", ours)

    def _plans(self, layer: str, keys: Mapping[str, str], places: tuple[Place, ...]) -> list[_Plan]:
        """What one layer of the file does to the layers of the model that it means, checked by shapes alone."""
        shapes = {leaf: self._header.tensors[key].shape for leaf, key in keys.items()}
        for leaf, shape in shapes.items():
            if 0 in shape:
                raise CorruptFile(self._path.name, f"tensor '{keys[leaf]}' is empty")
        plans: list[_Plan] = []
        for parameter, kind, own in self._changes(layer, keys):
            for place in places:
                if (plan := self._plan(layer, place, parameter, kind, own, shapes)) is not None:
                    plans.append(plan)
        return plans

    def _changes(self, layer: str, keys: Mapping[str, str]) -> list[tuple[str, Any, dict[str, str]]]:
        """(parameter, kind, leaf -> key) of what a layer's tensors are."""
        changes: list[tuple[str, Any, dict[str, str]]] = []
        core = keys.keys() - leaves.BESIDE
        beside = {leaf: key for leaf, key in keys.items() if leaf in (leaves.ALPHA, leaves.SCALE, leaves.RESCALE, leaves.MAGNITUDE)}
        if core:
            kind = next((kind for kind in KINDS if core and kind.needs <= core <= kind.needs | kind.may_have), None)
            if kind is None:
                raise self._unknown(layer, core)
            changes.append(("weight", kind, {leaf: keys[leaf] for leaf in core} | beside))
        for leaf in (leaves.UP_BIAS, leaves.DIFF_BIAS, leaves.NORM_BIAS):
            if leaf in keys:
                # PEFT scales the bias of its second factor like the product, which needs the first factor's rank.
                extra = {name: keys[name] for name in (leaves.ALPHA, leaves.SCALE, leaves.DOWN) if name in keys} if leaf == leaves.UP_BIAS else {}
                changes.append(("bias", Full, {leaf: keys[leaf]} | extra))
        if not changes:
            raise CorruptFile(self._path.name, f"layer '{layer}' has nothing but {', '.join(sorted(keys))}")
        return changes

    def _unknown(self, layer: str, core: Iterable[str]) -> Exception:
        """Why a layer whose tensors are of no kind is refused."""
        known = frozenset().union(*(kind.needs | kind.may_have for kind in KINDS))
        strange = sorted(leaf for leaf in core if leaf not in known)
        if not strange:
            return CorruptFile(self._path.name, f"layer '{layer}' is not complete, it has only {' and '.join(map(repr, sorted(core)))}")
        return ModelUnsupported(self._path.name, f"a network of another kind ('{strange[0]}' in '{layer}')", use="use it as a LoRA")

    def _plan(self, layer: str, place: Place, parameter: str, kind: Any, keys: dict[str, str], shapes: Shapes) -> _Plan | None:
        """One change of one weight; None for a bias that the layer has not. Raises `CorruptFile`, `ModelIncompatible`."""
        module = self._names.module(place)
        weight = getattr(module, parameter, None)
        if weight is None:
            return None
        known = self._known_shapes(place, module, tuple(weight.shape))
        fitting = next((shape for shape in known if self._fits(layer, place, kind, keys, shapes, shape)), None)
        if fitting is None:
            raise self._incompatible(f"a model whose layer '{layer}' has another size")
        for leaf in (leaves.ALPHA, leaves.SCALE):
            if leaf in keys and math.prod(shapes[leaf]) != 1:
                raise CorruptFile(self._path.name, f"tensor '{keys[leaf]}' is no single number")
        return _Plan(kind, Target(place.part, place.module, parameter), fitting, keys, place, fitting[1] if fitting != known[0] else None)

    def _fits(self, layer: str, place: Place, kind: Any, keys: Mapping[str, str], shapes: Shapes, shape: Shape) -> bool:
        """Whether tensors of these shapes change a weight of that shape; raises `CorruptFile` if they do not belong together."""
        try:
            if len(shape) < 2 and not issubclass(kind, Full):
                raise Misfit("a norm")
            kind.check(_core(shapes, keys) if issubclass(kind, Full) else {leaf: shapes[leaf] for leaf in keys}, shape)
            if leaves.MAGNITUDE in keys:
                magnitudes_side(shapes[leaves.MAGNITUDE], shape, _is_peft(keys[leaves.MAGNITUDE]))
            if place.third is not None and (kind.reads_weight or leaves.MAGNITUDE in keys):
                raise Misfit("three layers at once")
        except Disjoint as breach:
            raise CorruptFile(self._path.name, f"in layer '{layer}' {breach}") from None
        except Misfit:
            return False
        return True

    def _known_shapes(self, place: Place, module: nn.Module, shape: Shape) -> list[Shape]:
        """The shapes that a file may know a weight by."""
        if place.third is not None:
            return [(3 * shape[0], *shape[1:])]
        channels = self._model.latent.channels
        is_wider = place.part == UNET and module is self._model.unet.conv_in and len(shape) == 4 and shape[1] > channels
        return [shape, (shape[0], channels, *shape[2:])] if is_wider else [shape]

    def _check_family(self, plans: Iterable[_Plan]) -> None:
        """Refuse a file that says it is for another family, unless its own shapes prove the contrary: those of the layers that read the text."""
        family = told_family(self._header.metadata)
        if family in ("", self._model.family.title):
            return
        if not any(plan.target.module.endswith((".attn2.to_k", ".attn2.to_v")) and plan.kind in (LowRank, Hadamard, Kronecker, Full) for plan in plans):
            raise self._incompatible("")

    def _read(self, keys: Iterable[str]) -> dict[str, Tensor]:
        """Tensors by key, in the file's number formats; raises `CorruptFile` for what is no number.

        What lies together in the file is read as one block, of which the tensors are views: they are thousands of small ones.
        """
        infos = {key: self._header.tensors[key] for key in keys}
        for key, info in infos.items():
            if info.dtype not in DTYPES:
                raise CorruptFile(self._path.name, f"tensor '{key}' has the number format {info.dtype}, which Sfumato does not read")
        runs = list(_runs(infos.values()))
        start = self._header.data_start
        stored = {str(index): Stored(self._path, "", "U8", (end - begin,), start + begin, start + end) for index, (begin, end) in enumerate(runs)}
        with Reader(self._path.name, self._check) as reader:
            blocks = reader.read(stored, torch.float32, torch.device("cpu"))
        begins = [begin for begin, _ in runs]
        tensors: dict[str, Tensor] = {}
        for key, info in infos.items():
            index = bisect_right(begins, info.begin) - 1
            tensors[key] = _view(blocks[str(index)][info.begin - begins[index] : info.end - begins[index]], info)
            self._check_numbers(key, tensors[key])
        return tensors

    def _check_numbers(self, key: str, tensor: Tensor) -> None:
        # A sum is finite unless something in it is not: sixteen bits cannot overflow it, and nothing sensible in more comes near.
        if tensor.is_floating_point() and not math.isfinite((tensor.float() if tensor.dtype.itemsize == 1 else tensor).sum(dtype=torch.float32)):
            raise CorruptFile(self._path.name, f"tensor '{key}' holds numbers that are none")

    def _made(self, plan: _Plan, tensors: Mapping[str, Tensor]) -> Delta:
        own = {leaf: tensors[key] for leaf, key in plan.keys.items()}
        shapes = {leaf: tuple(tensor.shape) for leaf, tensor in own.items()}
        scale = self._scale(plan, own, shapes)
        magnitudes = own.pop(leaves.MAGNITUDE, None)
        try:
            delta = plan.kind.made(_core(own, plan.keys) if issubclass(plan.kind, Full) else own, plan.shape, scale)
        except Misfit:
            raise self._incompatible(f"a model whose layer '{plan.target.module}' has another size") from None
        if magnitudes is not None:
            side = magnitudes_side(tuple(magnitudes.shape), plan.shape, _is_peft(plan.keys[leaves.MAGNITUDE]))
            along = tuple(-1 if axis == side else 1 for axis in range(len(plan.shape)))
            delta = Decomposed(delta, magnitudes.reshape(along), side)
        if plan.channels is not None:
            delta = Narrow(delta, plan.channels)
        return delta if plan.place.third is None else _third(delta, plan.place.third)

    def _scale(self, plan: _Plan, own: Mapping[str, Tensor], shapes: Shapes) -> float:
        """`scale` if the file has one, else alpha over rank, else what PEFT's configuration in the header says, else 1."""
        rank = shapes[leaves.DOWN][0] if leaves.UP_BIAS in own and leaves.DOWN in own else plan.kind.rank(shapes)
        if leaves.SCALE in own:
            return float(own[leaves.SCALE].float())
        if rank is None:
            return 1.0
        if leaves.ALPHA in own:
            return float(own[leaves.ALPHA].float()) / rank
        return self._factors(next(iter(plan.keys.values())), rank)

    def _embeddings(self, words: Mapping[str, tuple[str, str]], tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """Bundled vectors by word and part; one that no text encoder can read is left out."""
        widths = {encoder.part: encoder.width for encoder in self._model.encoders}
        found: dict[str, dict[str, Tensor]] = {}
        for key, (word, part) in words.items():
            vectors = tensors[key].float()
            part = part or next(iter(widths))
            if vectors.dim() in (1, 2) and vectors.numel() and widths.get(part) == vectors.shape[-1]:
                found.setdefault(word, {})[part] = vectors.reshape(-1, vectors.shape[-1])
        return found


def _runs(infos: Iterable[TensorInfo]) -> Iterator[tuple[int, int]]:
    """(begin, end) of what lies together."""
    begin = end = -1
    for info in sorted(set(infos), key=lambda info: info.begin):
        if info.begin != end:
            if end > begin:
                yield begin, end
            begin = info.begin
        end = info.end
    if end > begin:
        yield begin, end


def _view(stored: Tensor, info: TensorInfo) -> Tensor:
    """Bytes as the tensor that they are; where they begin at an odd place, a copy."""
    kind = DTYPES[info.dtype]
    return (stored.clone() if stored.storage_offset() % kind.itemsize else stored).view(kind).view(info.shape)


def _core(entries: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """The one difference among a layer's entries, without what stands beside it."""
    beside = (leaves.ALPHA, leaves.SCALE, leaves.RESCALE, leaves.MAGNITUDE, leaves.DOWN)
    return {leaf: entries[leaf] for leaf in keys if leaf not in beside}


def _third(delta: Delta, third: int) -> Delta:
    """One of three stacked layers; of a plain LoRA simply a third of the rows of its second factor."""
    if isinstance(delta, LowRank):
        rows = delta.up.shape[0] // 3
        return replace(delta, up=delta.up[third * rows : (third + 1) * rows])
    return Third(delta, third)


def _is_peft(key: str) -> bool:
    return ".lora_magnitude_vector" in key


# End of a bundled vector's key -> part of the text encoder; "" for the first that the model has.
_BUNDLED_ENDS = {".string_to_param.*": "", ".emb_params": "", ".clip_l": "clip_l", ".clip_g": "clip_g", ".clip_h": "clip_h"}


def _bundled(key: str) -> tuple[str, str] | None:
    """The word and the part of an embedding bundled under a key, None if it is none."""
    if key.startswith(BUNDLED):
        for end, part in _BUNDLED_ENDS.items():
            if key.endswith(end) and len(key) > len(BUNDLED) + len(end):
                return key[len(BUNDLED) : -len(end)], part
    return None


_CONFIGURATION = "lora_adapter_metadata"
_CONFIGURATION_LIMIT = 1 << 20
# Far beyond any rank; a whole number in JSON may be more than a float holds.
_LARGEST_ALPHA = 1e9


def _configured_scales(metadata: Mapping[str, str]) -> Callable[[str, int], float]:
    """(key, rank) -> scale, by the configuration that diffusers writes into the header: "unet.lora_alpha", "unet.use_rslora", ...; 1 where it says nothing."""
    text = metadata.get(_CONFIGURATION, "")
    try:
        values = json.loads(text) if 0 < len(text) <= _CONFIGURATION_LIMIT else {}
    except (ValueError, RecursionError):
        values = {}
    values = values if isinstance(values, dict) else {}

    def scale(key: str, rank: int) -> float:
        component = key.partition(".")[0]
        alpha = values.get(f"{component}.lora_alpha")
        patterns = values.get(f"{component}.alpha_pattern")
        for pattern, own in patterns.items() if isinstance(patterns, dict) else ():
            if f".{pattern}." in key or key.startswith(f"{component}.{pattern}."):
                alpha = own
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not abs(alpha) <= _LARGEST_ALPHA:
            return 1.0
        return alpha / (math.sqrt(rank) if values.get(f"{component}.use_rslora") is True else rank)

    return scale
