"""Numbers as people type and read them: either decimal separator, limits in words, seeds of 63 bits kept exact."""

from __future__ import annotations

from typing import Any

from sfumato.desktop.language import told
from sfumato.protocol.specs import ParamSpec, range_sentence

SNAPS_AT_MOST = 30


class NotANumber(ValueError):
    """What was typed is no number; the message says what is wanted."""


class OutOfRange(ValueError):
    """What was typed is a number beyond the limits; the message names them."""


def parse(spec: ParamSpec, text: str) -> int | float:
    """The number in `text`; raises `NotANumber` or `OutOfRange` with the sentence for a person."""
    plain = text.replace(",", ".").replace(" ", "").replace(" ", "")
    try:
        if spec.kind == "int":
            # A whole number written as 25.0 is still whole; a seed of 19 digits must not pass through a float.
            whole, _, fraction = plain.partition(".")
            if fraction.strip("0") or not plain.isascii() or "_" in plain:
                raise ValueError(plain)
            number: int | float = int(whole)
        else:
            number = float(plain)
    except ValueError as error:
        raise NotANumber(told(f"{spec.title} must be {'a whole number' if spec.kind == 'int' else 'a number'}.")) from error
    low, high = spec.minimum, spec.maximum
    # The negation also refuses "nan"; the ceiling of a seed is exact only as an integer.
    if not ((low is None or number >= low) and (high is None or number <= high)):
        raise OutOfRange(told(range_sentence(spec)))
    if spec.kind == "int" and high is not None and high >= 2**63 and number >= 2**63:
        raise OutOfRange(told(range_sentence(spec)))
    return number


def shown(spec: ParamSpec, value: Any) -> str:
    """A value as its control shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if spec.kind == "float":
        return f"{value:.4g}" if value == round(value, 4) else str(value)
    return str(value)


def snap_step(spec: ParamSpec) -> float:
    """How far one notch of the slider goes: a multiple of the increment that leaves a hand's number of notches."""
    if not spec.step or spec.slider_minimum is None or spec.slider_maximum is None:
        return spec.step
    notches = (spec.slider_maximum - spec.slider_minimum) / spec.step
    if spec.unit == "px":
        return spec.step * 8
    return spec.step * 5 if notches > SNAPS_AT_MOST + 10 else spec.step
