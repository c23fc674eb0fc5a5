"""The settings of a control or reference card as rows for the scene, drawn from the fields of a ControlUnit and what its preprocessor reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sfumato.desktop.inputs.cards import CONTROL, Card
from sfumato.desktop.inputs.controls import NONE, Offers
from sfumato.desktop.language import tr
from sfumato.desktop.numbers import snap_step
from sfumato.desktop.parameters.values import choice, missing, read, words, written
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.specs import ParamSpec, specs

_SPECS = {spec.name: spec for spec in specs(ControlUnit)}
_ALWAYS = ("weight", "start", "end", "mode", "resize_mode", "guess")
_OF_REFERENCES = ("weight", "start", "end", "encoder", "together", "block_weights")
TILE_SIZE = "tile_size"
KIND_TITLE, KIND_WORDS = "Kind", "What of the picture steers."
_TILE = replace(
    _SPECS["resolution"],
    name=TILE_SIZE,
    title="Tile size",
    description="Side of the tiles that the image is painted over in.",
    default=512,
    minimum=256,
    maximum=2048,
    slider_minimum=256.0,
    slider_maximum=2048.0,
)


def spec_of(card: Card, name: str, offers: Offers) -> ParamSpec:
    """The declaration of one setting, with the words and limits it has for the card's preprocessor. Raises `KeyError`."""
    if name == TILE_SIZE:
        return _TILE
    spec = _SPECS[name]
    for setting in offers.row(offers.preprocessor(card)).get("settings", ()):
        if setting["field"] == name:
            low, high = setting["minimum"], setting["maximum"]
            return replace(
                spec, title=setting["title"], minimum=low, maximum=high, slider_minimum=low, slider_maximum=high, step=setting["step"], unit=setting["unit"]
            )
    return spec


def taken(card: Card, name: str, text: str, offers: Offers) -> Card:
    """The card with a setting as typed or chosen; "" is the default. Raises `NotANumber` or `OutOfRange`."""
    settings = dict(card.settings)
    if name == "type":
        # Another kind has its own preprocessor and model; what was set for the last one goes.
        return replace(card, settings={key: value for key, value in settings.items() if key in _ALWAYS} | {"type": text}, map="", map_key="", pose="")
    spec = spec_of(card, name, offers)
    value = read(spec, text)
    if text == "" or value == spec.default:
        settings.pop(name, None)
    else:
        settings[name] = value
    if name == "preprocessor":
        for threshold in ("threshold_a", "threshold_b"):
            settings.pop(threshold, None)
    return replace(card, settings=settings)


def rows(card: Card, offers: Offers) -> list[dict[str, Any]]:
    """The rows in the order they are shown."""
    if card.role != CONTROL:
        return [_model_row(card, offers), *(_row(card, name, offers) for name in _OF_REFERENCES)]
    preprocessor = offers.row(offers.preprocessor(card))
    reads = [*(setting["field"] for setting in preprocessor.get("settings", ())), *preprocessor.get("fields", ())]
    settled = card.has_painted_map
    union = next((row.get("maps") for row in offers.models if row["value"] == offers.control_model(card)), 0)
    names = [*_ALWAYS[:3], *([] if settled else reads), *_ALWAYS[3:], *([] if settled else ["resolution"]), *(["union_type"] if union else [])]
    head = [_type_row(card, offers), *([] if settled else [_preprocessor_row(card, offers)]), _model_row(card, offers)]
    tile = [_row(card, TILE_SIZE, offers)] if offers.type(card).id == "tile" else []
    return [*head, *tile, *(_row(card, name, offers) for name in names)]


def _row(card: Card, name: str, offers: Offers) -> dict[str, Any]:
    spec = spec_of(card, name, offers)
    value = card.settings.get(name, spec.default)
    number = spec.kind in ("int", "float")
    own = next((setting["default"] for setting in offers.row(offers.preprocessor(card)).get("settings", ()) if setting["field"] == name), None)
    at = value if value is not None else own if own is not None else spec.slider_minimum or 0
    listed = offers.encoders if name == "encoder" else ()
    choices = [choice({"value": each, "label": words(each)}) for each in spec.choices] or [_unset(spec), *(choice(row) for row in listed)]
    return _told(
        spec,
        control="number" if number else spec.kind,
        text=written(spec, at if number and value is None else value),
        value=float(at) if number else 0.0,
        isSet=name in card.settings,
        choices=choices if spec.kind == "choice" else [],
    )


def _type_row(card: Card, offers: Offers) -> dict[str, Any]:
    listed = [choice({"value": row.id, "label": tr(row.title)}) for row in offers.types()]
    described = replace(_SPECS["model"], name="type", title=KIND_TITLE, description=KIND_WORDS)
    return _told(described, control="choice", text=offers.type(card).id, choices=listed)


def _preprocessor_row(card: Card, offers: Offers) -> dict[str, Any]:
    chosen = offers.preprocessor(card)
    offered = offers.preprocessors or [{"value": NONE, "label": tr("None")}]
    listed = [choice({key: value for key, value in row.items() if key != "kind"}) for row in offered]
    if all(row["value"] != chosen for row in listed):
        listed.append(missing(chosen))
    return _told(_SPECS["preprocessor"], control="choice", text=chosen, choices=listed, isSet="preprocessor" in card.settings)


def _model_row(card: Card, offers: Offers) -> dict[str, Any]:
    chosen = str(card.settings.get("model") or "")
    automatic = offers.control_model(replace(card, settings={key: value for key, value in card.settings.items() if key != "model"}))
    label = next((str(row.get("label") or row["value"]) for row in offers.models if row["value"] == automatic), "")
    first = choice({"value": "", "label": tr("Automatic: {model}", model=label) if label else tr("Automatic: none fits")})
    listed = [first, *(_refused(choice(row), offers) for row in offers.fitting(card))]
    if all(row["value"] != chosen for row in listed):
        listed.append(missing(chosen))
    return _told(_SPECS["model"], control="choice", text=chosen, choices=listed, isSet=bool(chosen))


def _refused(row: dict[str, Any], offers: Offers) -> dict[str, Any]:
    """A model of another family can be seen, with the reason why it cannot be chosen."""
    other = offers.is_of_other_family(str(row["value"]))
    return {**row, "enabled": False, "reason": tr("It is for {other}, the checkpoint is {family}.", other=other, family=offers.family)} if other else row


def _unset(spec: ParamSpec) -> dict[str, Any]:
    return choice({"value": "", "label": tr("Automatic") if not spec.unset else tr(spec.unset)})


def _told(spec: ParamSpec, **more: Any) -> dict[str, Any]:
    base = {
        "name": spec.name,
        "title": tr(spec.title),
        "description": tr(spec.description),
        "minimum": float(spec.slider_minimum if spec.slider_minimum is not None else 0),
        "maximum": float(spec.slider_maximum if spec.slider_maximum is not None else 1),
        "step": float(spec.step),
        "snap": float(snap_step(spec)),
        "unit": spec.unit,
        "placeholder": "",
        "problem": "",
        "value": 0.0,
        "isSet": False,
        "choices": [],
    }
    return {**base, **more}
