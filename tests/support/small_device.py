"""A device with little memory, made of ordinary memory: it counts what lives on it, refuses what is too much, and refuses operations across places.

A tensor on it is a `SmallTensor` around one on the CPU. As on a graphics card, an operation on tensors of two places fails, so a weight that was not brought
where it is needed cannot go unnoticed; memory is what all storages that are alive take, and running out raises `torch.OutOfMemoryError`. With `sizes_only` its
tensors have no numbers: networks of real sizes are counted without computing anything.

Used so:

    with small_device(limit_bytes=8 << 20) as device:       # `device.limit_bytes`, `device.fail_at`, `device.peak_bytes`, ...
        generate(...)
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from sfumato.engine import device as devices

KIND = "privateuseone"
PLACE = torch.device(KIND, 0)
_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
# May take places as tensors of ordinary memory, as on a graphics card.
_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")


class _Hook(torch._C._acc.PrivateUse1Hooks):  # type: ignore[misc]  declared for backends written in Python
    # Nothing outside these tests is to take it for an accelerator.
    def is_available(self) -> bool:
        return False

    def has_primary_context(self, dev_id: int) -> bool:
        return True

    def is_built(self) -> bool:
        return True


class _Module:
    """What torch looks for under torch.privateuseone."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        pass

    def device_count(self) -> int:
        return 0


class SmallDevice:
    """The memory of the device.

    Attributes:
        limit_bytes: more cannot live on it; None = no limit.
        fail_at: the number of the allocation, from 0, that fails whatever its size, once; None = none.
        allocations: so many were made.
        live_bytes: now; `highest_bytes`: the most at once; `peak_bytes`: since `begin_peak`.
    """

    def __init__(self, limit_bytes: int | None = None, sizes_only: bool = False) -> None:
        self.sizes_only = sizes_only
        self.limit_bytes = limit_bytes
        self.fail_at: int | None = None
        self.allocations = 0
        self.live_bytes = 0
        self.highest_bytes = 0
        self.peak_bytes = 0
        self.failures = 0
        self._storages: dict[int, list[int]] = {}  # address -> [tensors, bytes]

    @property
    def free_bytes(self) -> int:
        return (1 << 40 if self.limit_bytes is None else self.limit_bytes) - self.live_bytes

    def begin_peak(self) -> None:
        self.peak_bytes = self.live_bytes

    def hold(self, tensor: SmallTensor) -> None:
        """Count a tensor's storage for as long as the tensor lives. Raises `torch.OutOfMemoryError`."""
        storage = tensor.inner.untyped_storage()
        key = storage._cdata
        if key not in self._storages:
            number, size = self.allocations, storage.nbytes()
            self.allocations += 1
            if number == self.fail_at or size > self.free_bytes:
                self.failures += 1
                raise torch.OutOfMemoryError(f"small device out of memory: {size} bytes wanted, {self.free_bytes} free")
            self._storages[key] = [0, size]
            self.live_bytes += size
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)
            self.highest_bytes = max(self.highest_bytes, self.live_bytes)
        self._storages[key][0] += 1
        weakref.finalize(tensor, self._let_go, key)

    def _let_go(self, key: int) -> None:
        entry = self._storages[key]
        entry[0] -= 1
        if not entry[0]:
            self.live_bytes -= entry[1]
            del self._storages[key]


_current = SmallDevice()


class SmallTensor(torch.Tensor):
    """A tensor of the device, around the one that holds its numbers."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> SmallTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype, device=PLACE
        )
        made.inner = inner
        return made

    def __init__(self, inner: Tensor) -> None:
        _current.hold(self)

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"SmallTensor({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _flat(values: Any) -> Iterator[Any]:
    for each in values:
        if isinstance(each, list | tuple):
            yield from _flat(each)
        else:
            yield each


def _mapped(change: Callable[[Tensor], Any], value: Any) -> Any:
    """A value with all tensors in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)([_mapped(change, each) for each in value])
    return {name: _mapped(change, each) for name, each in value.items()} if isinstance(value, dict) else value


def _inner(tensor: Tensor) -> Tensor:
    return tensor.inner if isinstance(tensor, SmallTensor) else tensor


@cache
def _is_composite(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), torch._C.DispatchKey.CompositeImplicitAutograd)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation, on whichever place its tensors are."""
    tensors = [each for each in _flat((*args, *kwargs.values())) if isinstance(each, Tensor)]
    small = [each for each in tensors if isinstance(each, SmallTensor)]
    asked = kwargs.get("device") or next((each for each in args if isinstance(each, torch.device)), None)  # `to(device, dtype)` in inference mode
    if not small and (asked is None or torch.device(asked).type != KIND):
        return func(*args, **kwargs)
    if _is_composite(func):
        with _Mode():  # in inference mode these come here whole
            return func.decompose(*args, **kwargs)
    name = func.__name__.split(".")[0]
    strangers = [each for each in tensors if not isinstance(each, SmallTensor) and each.dim()]
    if small and strangers and func not in _COPIES and name not in _INDEXING:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {func} found {KIND}:0 and {strangers[0].device}")
    is_small = bool(small) if asked is None else torch.device(asked).type == KIND
    if func is torch.ops.aten.copy_.default:
        is_small = isinstance(args[0], SmallTensor)
    if _current.sizes_only and (small or is_small):
        return _sized(func, name, args, kwargs, is_small, small)
    inner_args, inner_kwargs = _mapped(_inner, args), _mapped(_inner, kwargs)
    if is_small and asked is not None:
        inner_kwargs["device"] = torch.device("cpu")
    inner_kwargs.pop("pin_memory", None)
    made = func(*inner_args, **inner_kwargs)
    if func._schema.is_mutable and name.endswith("_"):
        return args[0]
    if not is_small:
        return made
    return _mapped(_wrapped, made)


def _sized(func: Any, name: str, args: Any, kwargs: dict[str, Any], is_small: bool, small: list[SmallTensor]) -> Any:
    """An operation of which only the sizes are wanted."""
    if name in ("_local_scalar_dense", "equal"):
        return True  # numbers that are none are taken for good ones
    if func is torch.ops.aten._to_copy.default and not is_small:
        return torch.zeros((), dtype=kwargs.get("dtype") or args[0].dtype).expand(args[0].shape)
    if name.endswith("_") and func._schema.is_mutable:
        return args[0]
    inner_args, inner_kwargs = _mapped(_sizes, args), _mapped(_sizes, kwargs)
    if "device" in inner_kwargs or not small:
        inner_kwargs["device"] = torch.device("meta")
    inner_kwargs.pop("pin_memory", None)
    made = func(*inner_args, **inner_kwargs)
    return _mapped(_wrapped, made) if is_small else made


def _sizes(tensor: Tensor) -> Tensor:
    inner = tensor.inner if isinstance(tensor, SmallTensor) else tensor
    return inner if inner.is_meta else torch.empty_strided(inner.shape, inner.stride(), dtype=inner.dtype, device="meta")


def _wrapped(inner: Tensor) -> SmallTensor:
    with torch.inference_mode(inner.is_inference()):  # a view of a tensor from outside is none of inference mode
        return SmallTensor(inner)


class _Mode(TorchDispatchMode):
    """Makes tensors on the device where no tensor of it takes part yet."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """What torch does below the dispatcher: making tensors from numbers, and attention, which holds no scores where it is fused."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        asked = kwargs.get("device")
        if func in (torch.tensor, torch.as_tensor) and asked is not None and torch.device(asked).type == KIND:
            return func(*args, **{**kwargs, "device": "cpu"}).to(PLACE)
        if func is torch.nn.functional.scaled_dot_product_attention and isinstance(args[0], SmallTensor):
            inner = [each.inner if isinstance(each, SmallTensor) else each for each in args]
            inner_kwargs = {name: each.inner if isinstance(each, SmallTensor) else each for name, each in kwargs.items()}
            return SmallTensor(torch.empty_like(inner[0]) if inner[0].is_meta else func(*inner, **inner_kwargs))
        return func(*args, **kwargs)


_is_set_up = False


@contextmanager
def small_device(limit_bytes: int | None = None, has_bfloat16: bool = True, sizes_only: bool = False) -> Iterator[SmallDevice]:
    """While inside, jobs of this thread compute on such a device, whose type is `KIND`."""
    global _current, _is_set_up
    if not _is_set_up:
        _setup_privateuseone_for_python_backend(backend_module=_Module(), hook=_Hook(), device_guard=None)
        _is_set_up = True
    before, _current = _current, SmallDevice(limit_bytes, sizes_only)
    own = _current
    row = devices.DeviceKind(
        name=lambda: "Small device",
        is_present=lambda: True,
        free_bytes=lambda: own.free_bytes,
        release=lambda: None,
        reserve_bytes=0,
        has_bfloat16=lambda: has_bfloat16,
        used_bytes=lambda: own.live_bytes,
        begin_peak=own.begin_peak,
        peak_bytes=lambda: own.peak_bytes,
    )
    try:
        with ExitStack() as stack:
            stack.enter_context(mock.patch.dict(devices.KINDS, {KIND: row}))
            stack.enter_context(mock.patch.object(devices, "kind", return_value=KIND))
            stack.enter_context(_Functions())
            stack.enter_context(_Mode())
            yield own
    finally:
        _current = before
