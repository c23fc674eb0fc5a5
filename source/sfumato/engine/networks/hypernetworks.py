"""Hypernetworks: small networks that rewrite what attention reads, before it becomes keys and values. Rule: E90.

For each width of context a file holds two chains of linear layers, one for keys and one for values: keys are made of c + w·net(c) instead of c. Files are
those of AUTOMATIC1111 after conversion: tensors `WIDTH.0.linear.N.weight` for keys and `WIDTH.1...` for values, and in the header what stood beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from torch.nn import functional

from sfumato.engine.checkpoint import Stored, weights_of
from sfumato.engine.family import Model
from sfumato.engine.kept_files import KeptFiles
from sfumato.engine.layouts.place import Place
from sfumato.engine.reading import DTYPES, Reader
from sfumato.library.pickles.tensors import VALUES
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelUnsupported

KEPT_BYTES = 512 << 20

_Activation = Callable[[Tensor], Tensor]
# `linear1` and `linear2` are what the first files called their two layers.
_KEY = re.compile(r"(?P<width>[1-9][0-9]{0,5})\.(?P<side>[01])\.linear(?:\.(?P<place>[0-9]{1,4})|(?P<old>[12]))\.(?P<what>weight|bias)")

# Activations by the name that files give them: torch's own classes in small letters, and "swish", which is torch's Hardswish there. None changes nothing.
ACTIVATIONS: Mapping[str, _Activation | None] = {
    "linear": None,
    "identity": None,
    "relu": functional.relu,
    "leakyrelu": functional.leaky_relu,
    "elu": functional.elu,
    "swish": functional.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "celu": functional.celu,
    "gelu": functional.gelu,
    "hardshrink": functional.hardshrink,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "hardtanh": functional.hardtanh,
    "logsigmoid": functional.logsigmoid,
    "mish": functional.mish,
    "relu6": functional.relu6,
    "rrelu": functional.rrelu,  # random in training only
    "selu": functional.selu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softshrink": functional.softshrink,
    "softsign": functional.softsign,
    "tanhshrink": functional.tanhshrink,
}


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer (out, in), what follows it, and a norm (weight, bias) behind that."""

    weight: Tensor
    bias: Tensor | None
    activation: _Activation | None = None
    norm: tuple[Tensor, Tensor | None] | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        out = functional.linear(inputs, self.weight, self.bias)
        if self.activation is not None:
            out = self.activation(out)
        return out if self.norm is None else functional.layer_norm(out, out.shape[-1:], *self.norm)

    def tensors(self) -> list[Tensor]:
        return [tensor for tensor in (self.weight, self.bias, *(self.norm or ())) if tensor is not None]

    def on(self, device: torch.device, dtype: torch.dtype) -> Layer:
        def there(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, dtype)

        norm = None if self.norm is None else (self.norm[0].to(device, dtype), there(self.norm[1]))
        return Layer(self.weight.to(device, dtype), there(self.bias), self.activation, norm)


Chain = tuple[Layer, ...]


def through(chain: Chain, context: Tensor) -> Tensor:
    """net(c): (..., width) -> (..., width)."""
    for layer in chain:
        context = layer(context)
    return context


@dataclass(frozen=True, eq=False)
class Hypernetwork:
    """A file that was read.

    Attributes:
        name: the file's, for sentences.
        chains: width of a context -> the chains for its keys and for its values.
        unmatched: how many tensors of the file belong to nothing that is known.
    """

    name: str
    chains: Mapping[int, tuple[Chain, Chain]]
    unmatched: int = 0

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(sorted(self.chains))

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for pair in self.chains.values() for chain in pair for layer in chain for tensor in layer.tensors())

    def check_fit(self, model: Model) -> None:
        """Raises `ModelIncompatible`, naming both, for a file that was made for another network.

        It was if it has no width that the network reads, or, besides those of the picture's features, which families share, only that of another's texts.
        """
        read = {_width(attention) for attention in attentions(model.unet)}
        text = model.unet.config["cross_attention_dim"]
        if not read & set(self.chains) or (text not in self.chains and set(self.chains) - read):
            is_for = f"networks that read contexts of width {_listed(self.widths)}"
            wanted = f"'{model.checkpoint.name}' ({model.family.title}), which reads {_listed(sorted(read))}"
            raise ModelIncompatible(self.name, is_for, wanted, path="prompt")


class KeptHypernetworks(KeptFiles[Hypernetwork]):
    """The files read last; one for a process, by `context.shared(KeptHypernetworks)`."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        super().__init__(limit_bytes)

    def open(self, path: Path, check: Callable[[], None]) -> Hypernetwork:
        """The hypernetwork of a file; arguments and errors as `open_hypernetwork`."""
        try:
            return self.get(path, lambda path: open_hypernetwork(path, check))
        except OSError as error:
            raise CorruptFile(path.name, f"it cannot be read ({error.strerror or type(error).__name__})", path="prompt") from error


def open_hypernetwork(path: Path, check: Callable[[], None] = lambda: None) -> Hypernetwork:
    """Read a file.

    Args:
        check: called before each tensor; may raise to stop.

    Raises:
        PickleRefused: it is one of the `.pt` files that have to be converted first.
        CorruptFile: its header is damaged, or its layers do not fit each other.
        ModelUnsupported: it holds no hypernetwork, or one with an activation that is not known.
    """
    header = read_header(path)
    keys = {key: found for key in header.tensors if (found := _KEY.fullmatch(key))}
    if not keys:
        raise ModelUnsupported(path.name, "no hypernetwork", use="use it as one", path="prompt")
    told = _values(header.metadata)
    activation = _activation(told.get("activation_func"), path.name)
    activates_output = _is_true(told.get("activate_output", True))
    stored = weights_of(path, header, {key: Place(key) for key in keys})
    with Reader(path.name, check) as reader:
        tensors = reader.read(stored, _format(stored), torch.device("cpu"))
    sides: dict[tuple[int, int], dict[int, dict[str, Tensor]]] = {}
    for key, found in keys.items():
        side = sides.setdefault((int(found["width"]), int(found["side"])), {})
        place = int(found["place"]) if found["place"] else int(found["old"]) - 1
        if found["what"] in side.setdefault(place, {}):
            raise CorruptFile(path.name, f"tensor '{key}' is there twice", path="prompt")
        side[place][found["what"]] = tensors[key]
    made = {key: _chain(path.name, *key, layers, activation, activates_output) for key, layers in sides.items()}
    widths = sorted({width for width, _ in made})
    for width in widths:
        if (width, 0) not in made or (width, 1) not in made:
            raise CorruptFile(path.name, f"width {width} has layers for keys or for values only", path="prompt")
    return Hypernetwork(path.name, {width: (made[width, 0], made[width, 1]) for width in widths}, len(header.tensors) - len(keys))


def _values(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What stood beside the tensors, as the converter keeps it; plain entries of the header count too."""
    try:
        values = json.loads(metadata.get(VALUES, "{}"))
    except (ValueError, RecursionError):
        values = {}
    return {**metadata, **(values if isinstance(values, dict) else {})}


def _activation(name: Any, file: str) -> _Activation | None:
    """None and "linear" are the same; names come in any case."""
    known = str(name or "linear").casefold()
    if known not in ACTIVATIONS:
        raise ModelUnsupported(file, f"a hypernetwork whose layers are joined by '{known[:40]}'", use="compute that", path="prompt")
    return ACTIVATIONS[known]


def _is_true(value: Any) -> bool:
    return value.casefold() in ("true", "1") if isinstance(value, str) else bool(value)


def _format(stored: Mapping[str, Stored]) -> torch.dtype:
    """The number format all weights are stored in, else float32."""
    kinds = {DTYPES.get(each.dtype, torch.float32) for each in stored.values()}
    only = next(iter(kinds))
    return only if len(kinds) == 1 and only in (torch.float16, torch.bfloat16) else torch.float32


def _chain(file: str, width: int, side: int, layers: Mapping[int, Mapping[str, Tensor]], activation: _Activation | None, activates_output: bool) -> Chain:
    """The layers of one side in order: matrices are linear layers, single rows norms of the layer before. Dropout has no tensors and does nothing in use."""

    def damaged(place: int, reason: str) -> CorruptFile:
        return CorruptFile(file, f"layer '{width}.{side}.linear.{place}' {reason}", path="prompt")

    chain: list[Layer] = []
    given = width
    for place, tensors in sorted(layers.items()):
        weight, bias = tensors.get("weight"), tensors.get("bias")
        if weight is None or not weight.is_floating_point():
            raise damaged(place, "has no weights")
        if weight.dim() == 2:
            if weight.shape[1] != given or (bias is not None and bias.shape != weight.shape[:1]):
                raise damaged(place, f"has the shape {_times(weight)}, where {given} numbers come in")
            chain.append(Layer(weight, bias))
            given = weight.shape[0]
        elif weight.dim() == 1 and chain and chain[-1].norm is None and weight.shape[0] == given and (bias is None or bias.shape == weight.shape):
            chain[-1] = Layer(chain[-1].weight, chain[-1].bias, norm=(weight, bias))
        else:
            raise damaged(place, f"has the shape {_times(weight)}, which is neither a layer nor the norm of one")
    if not chain or given != width:
        raise CorruptFile(file, f"the layers '{width}.{side}' end in {given} numbers instead of {width}", path="prompt")
    last = len(chain) - 1
    return tuple(Layer(layer.weight, layer.bias, activation if number < last or activates_output else None, layer.norm) for number, layer in enumerate(chain))


def _times(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "of a single number"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + " and " * (len(numbers) > 1) + str(numbers[-1]) if numbers else "none"


def attentions(unet: nn.Module) -> list[Attention]:
    """All attention of a network, to itself and to the text."""
    return [module for module in unet.modules() if isinstance(module, Attention) and module.to_k is not None]


def _width(attention: Attention) -> int:
    assert attention.to_k is not None
    return attention.to_k.in_features


class HypernetworkPatch:
    """While inside, keys and values of attention are made of the contexts that the hypernetworks of `set` make; with none set nothing changes.

    Other patches of the same projections see the rewritten context, whichever was entered first.
    """

    def __init__(self, unet: nn.Module) -> None:
        self._unet = unet
        self._acting: tuple[tuple[Hypernetwork, float], ...] = ()
        self._moved: dict[tuple[Hypernetwork, int, torch.device, torch.dtype], tuple[Chain, Chain]] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> HypernetworkPatch:
        for attention in attentions(self._unet):
            for side, projection in enumerate((attention.to_k, attention.to_v)):
                assert projection is not None
                # Before all others: low-rank changes and turned values are meant for what the projection really reads.
                self._handles.append(projection.register_forward_pre_hook(self._rewriter(side), prepend=True))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._acting = ()
        self._moved = {}

    def set(self, hypernetworks: Sequence[tuple[Hypernetwork, float]]) -> None:
        """From now on these act, at these strengths, one after the other in this order; none if empty. Widths that one lacks it leaves alone."""
        self._acting = tuple((hypernetwork, strength) for hypernetwork, strength in hypernetworks if strength)

    def _rewriter(self, side: int) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
        def rewrite(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            context: Tensor = args[0]
            for hypernetwork, strength in self._acting:
                if context.shape[-1] in hypernetwork.chains:
                    context = torch.add(context, through(self._chains(hypernetwork, context)[side], context), alpha=strength)
            return None if context is args[0] else (context, *args[1:])

        return rewrite

    def _chains(self, hypernetwork: Hypernetwork, context: Tensor) -> tuple[Chain, Chain]:
        """Those for this context, where it is and in its number format; kept while the patch is entered."""
        key = hypernetwork, context.shape[-1], context.device, context.dtype
        if key not in self._moved:
            keys, values = hypernetwork.chains[context.shape[-1]]
            self._moved[key] = _on(keys, context), _on(values, context)
        return self._moved[key]


def _on(chain: Chain, context: Tensor) -> Chain:
    return tuple(layer.on(context.device, context.dtype) for layer in chain)
