"""A pickled model to safetensors."""

from __future__ import annotations

from sfumato.protocol import params
from sfumato.protocol.requests import Request, Result


class Convert(Request):
    """The new file stands beside the old one, which stays."""

    file: params.model.PickledFile = ""


class ConvertResult(Result):
    """`left_out` stood beside the weights; `placeholders` are names in the file that could have run code and did not."""

    name: str = ""
    tensors: int = 0
    left_out: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
