"""Controls in an infotext: the keys `ControlNet 0` .. `ControlNet 7`, as AUTOMATIC1111's ControlNet extension writes and reads them (v1.1.455). Rule: M10.

Pictures are never named in a text for others; what the extension has no word for has a key of ours, which it skips.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sfumato.imaging.infotext import Value, read_pairs, shown
from sfumato.imaging.saying import Fields, Row, Said, Telling, text_of
from sfumato.protocol.params.control import RESOLUTION_MAX_PX, RESOLUTION_MIN_PX, UNITS
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.specs import ParamSpec, specs

NAME = "control"
_PIXEL_PERFECT = "Pixel Perfect"
_RESIZE = {"stretch": "Just Resize", "crop": "Crop and Resize", "fill": "Resize and Fill"}
_MODES = {"balanced": "Balanced", "prompt": "My prompt is more important", "control": "ControlNet is more important"}
_OLD_RESIZE = {"inner fit (scale to fit)": "crop", "scale to fit (inner fit)": "crop", "outer fit (shrink to fit)": "fill", "envelope (outer fit)": "fill"}
# Our name of a preprocessor -> the extension's, where it is another.
_MODULES = {
    "invert": "invert (from white bg & black line)",
    "lineart": "lineart_standard (from white bg & black line)",
    "scribble": "scribble_xdog",
    "tile": "tile_resample",
    "blur": "blur_gaussian",
    "color_grid": "t2ia_color_grid",
    "inpaint": "inpaint_global_harmonious",
    "depth_dpt": "depth_midas",
    "normal_dpt": "normal_midas",
    "openpose": "openpose_full",
}
# What the extension calls a pose without some of its parts (body, hands, face).
_POSES = {
    (True, False, False): "openpose",
    (True, True, False): "openpose_hand",
    (True, False, True): "openpose_face",
    (False, False, True): "openpose_faceonly",
}
# What else the extension's names mean here.
_ALSO = {
    "invert": "invert", "color": "color_grid", "openpose": "openpose", "openpose_hand": "openpose", "openpose_face": "openpose",
    "openpose_faceonly": "openpose", "dw_openpose_full": "openpose", "depth": "depth_dpt", "depth_anything_v2": "depth_anything", "hed": "softedge_hed",
    "inpaint": "inpaint", "inpaint_only": "inpaint", "tile_colorfix": "tile", "lineart": "lineart_realistic",
}  # fmt: skip
# Preprocessors whose thresholds the extension counts in bytes, and we as shares.
_IN_BYTES = frozenset({"canny"})
# Settings that hold no more than this are told apart; the share of a byte is rounded to it.
_DIGITS = 6
_OLD_SPAN = re.compile(r"starting/ending: \(([0-9.]+), ([0-9.]+)\)")
_OLD_SETTINGS = re.compile(r"preprocessor params: \((-?[0-9.]+), (-?[0-9.]+), (-?[0-9.]+)\)")
_OLD_KEYS = {"preprocessor": "Module", "model": "Model", "weight": "Weight", "resize mode": "Resize Mode", "pixel perfect": _PIXEL_PERFECT,
             "control mode": "Control Mode"}  # fmt: skip
_HASH = re.compile(r"\s*\[([0-9a-fA-F]{6,64})\]\s*$")


def key_of(number: int) -> str:
    return f"ControlNet {number}"


def role_of(number: int) -> str:
    """What the model of a control is called among the models of a picture."""
    return f"{NAME}.{number}"


def rows_of_controls() -> dict[str, Row]:
    """A row for each key."""
    return {key_of(number): Row(_write(number), _read) for number in range(UNITS)}


def hash_of(said: Said) -> str:
    """The digits by which the model of one key can be found; empty if there are none."""
    found = _HASH.search(read_pairs(text_of(said)).get("Model", ""))
    return found[1].lower() if found else ""


@dataclass(frozen=True, slots=True)
class _Told:
    """One control while it is put into words."""

    unit: ControlUnit
    title: str
    digits: str


@cache
def _fields() -> Mapping[str, ParamSpec]:
    return {spec.name: spec for spec in specs(ControlUnit)}


def _is_default(unit: ControlUnit, name: str) -> bool:
    return getattr(unit, name) == _fields()[name].default


def _plain(name: str) -> Callable[[_Told], Value]:
    return lambda told: getattr(told.unit, name)


def _unusual(name: str) -> Callable[[_Told], Value]:
    """Written off its default only; lists and names without the signs at which readers part the pairs."""

    def write(told: _Told) -> Value:
        value = getattr(told.unit, name)
        if _is_default(told.unit, name):
            return None
        return _without_signs(value.replace(",", " ")) if isinstance(value, str) else value

    return write


def _threshold(name: str) -> Callable[[_Told], Value]:
    def write(told: _Told) -> Value:
        value = getattr(told.unit, name)
        return value * 255 if value is not None and told.unit.preprocessor in _IN_BYTES else value

    return write


def _without_signs(text: str) -> str:
    """A name without the signs at which readers part the pairs."""
    return re.sub(r"[,:\n\"]", "", text).strip()


def _model(told: _Told) -> Value:
    name = _without_signs(told.title) or "None"
    return f"{name} [{told.digits}]" if told.digits else name


def _module_of(unit: ControlUnit) -> str:
    name = _MODULES.get(unit.preprocessor, unit.preprocessor)
    return _POSES.get((unit.body, unit.hands, unit.face), name) if unit.preprocessor == "openpose" else name


# Fields of ours, which the extension does not write.
_OWN = ("guess", "union_type", "body", "hands", "face", "seed", "encoder", "block_weights", "together")
# In the extension's order; ours at the end.
_KEYS: Mapping[str, Callable[[_Told], Value]] = {
    "Module": lambda told: _without_signs(_module_of(told.unit)),
    "Model": _model,
    "Weight": _plain("weight"),
    "Resize Mode": lambda told: _RESIZE[told.unit.resize_mode],
    "Processor Res": _unusual("resolution"),
    "Threshold A": _threshold("threshold_a"),
    "Threshold B": _threshold("threshold_b"),
    "Guidance Start": _plain("start"),
    "Guidance End": _plain("end"),
    _PIXEL_PERFECT: lambda told: told.unit.resolution == 0,
    "Control Mode": lambda told: _MODES[told.unit.mode],
    **{_fields()[name].label: _unusual(name) for name in _OWN},
}


def _write(number: int) -> Callable[[Telling], Value]:
    def write(told: Telling) -> Value:
        units = told.values[NAME]
        if number >= len(units):
            return None
        unit, role = units[number], role_of(number)
        title = told.facts.names.get(role) or unit.model.replace("\\", "/").rsplit("/", 1)[-1]
        pairs = {key: value(_Told(unit, title, told.facts.hashes.get(role, ""))) for key, value in _KEYS.items()}
        return ", ".join(f"{key}: {shown(value)}" for key, value in pairs.items() if value is not None)

    return write


def _read(said: Said) -> Fields:
    """One control. Raises ValueError for what names no preprocessor and no model."""
    text = text_of(said)
    pairs = {_OLD_KEYS.get(key, key): value for key, value in read_pairs(text).items()}
    if not pairs.keys() & {"Module", "Model"}:
        raise ValueError(said)
    if span := _OLD_SPAN.search(text):
        pairs |= {"Guidance Start": span[1], "Guidance End": span[2]}
    if settings := _OLD_SETTINGS.search(text):
        pairs |= dict(zip(("Processor Res", "Threshold A", "Threshold B"), settings.groups(), strict=True))
    module = _module(pairs.get("Module", "none"))
    unit: dict[str, Any] = {"preprocessor": module, "model": _model_name(pairs.get("Model", ""))}
    parts = next((parts for parts, theirs in _POSES.items() if theirs == pairs.get("Module", "").strip()), (True, True, True))
    unit |= {name: False for name, is_there in zip(("body", "hands", "face"), parts, strict=True) if not is_there}
    unit |= _choices(pairs)
    own = {spec.label: spec.name for spec in _fields().values()}
    for label in ("Weight", "Guidance Start", "Guidance End", *(_fields()[name].label for name in _OWN)):
        if label in pairs:
            unit[own[label]] = pairs[label]
    unit |= _settings(pairs, module)
    return {NAME: (unit,)}


def _module(name: str) -> str:
    known = {theirs: ours for ours, theirs in _MODULES.items()} | _ALSO
    name = name.strip()
    return known.get(name, known.get(name.split(" ", 1)[0], name))


def _model_name(name: str) -> str:
    name = _HASH.sub("", name).strip()
    return "" if name.casefold() == "none" else name


def _choices(pairs: Mapping[str, str]) -> Fields:
    found: Fields = {}
    for key, name, words, also in (("Resize Mode", "resize_mode", _RESIZE, _OLD_RESIZE), ("Control Mode", "mode", _MODES, {})):
        known = {word.casefold(): value for value, word in words.items()} | dict(also)
        if (said := pairs.get(key, "").strip().casefold()) in known:
            found[name] = known[said]
    return found


def _settings(pairs: Mapping[str, str], module: str) -> Fields:
    """Resolution and thresholds; below 0 is the extension's word for a default."""
    found: Fields = {}
    for key, name in (("Threshold A", "threshold_a"), ("Threshold B", "threshold_b")):
        if (value := _number(pairs.get(key, ""))) is not None and value >= 0:
            found[name] = round(value / 255, _DIGITS) if module in _IN_BYTES else value
    resolution = _number(pairs.get("Processor Res", ""))
    if resolution is not None and resolution > 0 and pairs.get(_PIXEL_PERFECT, "").casefold() != "true":
        found["resolution"] = round(min(max(resolution, RESOLUTION_MIN_PX), RESOLUTION_MAX_PX))
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None
