"""Kinds of control, as a person asks for them: which preprocessor is theirs, which model of the catalog reads their maps. No Qt.

What an engine offers comes from its catalog; a preprocessor that no row here knows is offered under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfumato.desktop.inputs.cards import CONTROL, REFERENCE, Card

NONE = "none"
IMAGE_PROMPT = "IP-Adapter"
Row = Mapping[str, Any]
# Settings of a card that are no fields of a ControlUnit.
OF_THE_CARD = frozenset({"type"})


@dataclass(frozen=True)
class ControlType:
    """One kind: `preprocessors` that are its own, the first the catalog has is taken; `words` that names of its models have in them, the surest first."""

    id: str
    title: str
    preprocessors: tuple[str, ...]
    words: tuple[str, ...]


TYPES = (
    ControlType("canny", "Canny", ("canny",), ("canny", "edges")),
    ControlType("depth", "Depth", ("depth_anything", "depth_dpt", "depth_map", "depth_map_inverted"), ("depth",)),
    ControlType("pose", "Pose", ("openpose", "pose"), ("openpose", "dwpose", "pose")),
    ControlType("lineart", "Lineart", ("lineart", "lineart_realistic", "lineart_coarse"), ("lineart",)),
    ControlType("softedge", "Softedge", ("softedge", "softedge_hed", "softedge_pidinet"), ("softedge", "soft_edge", "hed", "pidi")),
    ControlType("anime", "Anime", ("lineart_anime",), ("anime",)),
    ControlType("mlsd", "M-LSD", ("mlsd",), ("mlsd",)),
    ControlType("instruct", "Instruct", (NONE,), ("ip2p", "instruct", "pix2pix")),
    ControlType("shuffle", "Shuffle", ("shuffle",), ("shuffle",)),
    ControlType("inpaint", "Inpaint", ("inpaint",), ("inpaint",)),
    ControlType("scribble", "Scribble", ("scribble", "scribble_hed"), ("scribble", "sketch")),
    ControlType("normal", "Normal", ("normal_dpt", "normal_map"), ("normal",)),
    ControlType("tile", "Tile", ("tile", "blur"), ("tile", "blur")),
    ControlType("qr", "QR", (NONE, "threshold"), ("qr", "monster", "brightness")),
    ControlType("anyline", "Anyline", ("anyline",), ("anyline", "mistoline")),
)
_CLAIMED = frozenset(name for row in TYPES for name in row.preprocessors)


@dataclass(frozen=True)
class Offers:
    """What the engine offers, of its catalog's choices; `model` is the row of the chosen checkpoint."""

    preprocessors: Sequence[Row] = ()
    models: Sequence[Row] = ()
    encoders: Sequence[Row] = ()
    model: Row = field(default_factory=dict)
    known: bool = False

    @property
    def family(self) -> str:
        return str(self.model.get("family") or "")

    def types(self) -> list[ControlType]:
        """The kinds that can be had, the known ones first."""
        names = {str(row["value"]) for row in self.preprocessors} or {NONE, "canny"}
        ours = [row for row in TYPES if any(name in names for name in row.preprocessors)]
        others = [row for row in self.preprocessors if row["value"] not in _CLAIMED and row["value"] not in (NONE, "invert")]
        return [*ours, *(ControlType(str(row["value"]), str(row.get("label") or row["value"]), (str(row["value"]),), (str(row["value"]),)) for row in others)]

    def type(self, card: Card) -> ControlType:
        """The kind of a control card; one that nobody offers any more keeps its name."""
        wanted = str(card.settings.get("type", "canny"))
        return next((row for row in (*self.types(), *TYPES) if row.id == wanted), ControlType(wanted, wanted.capitalize(), (NONE,), (wanted,)))

    def preprocessor(self, card: Card) -> str:
        """The one that is set, else the kind's own."""
        if isinstance(chosen := card.settings.get("preprocessor"), str) and chosen:
            return chosen
        return self.first(self.type(card))

    def first(self, kind: ControlType) -> str:
        """The preprocessor a kind goes by: its first that the engine has."""
        names = {str(row["value"]) for row in self.preprocessors}
        return next((name for name in kind.preprocessors if name in names), kind.preprocessors[0])

    def row(self, preprocessor: str) -> Row:
        """What the catalog says of a preprocessor, empty for an unknown one."""
        return next((row for row in self.preprocessors if row["value"] == preprocessor), {})

    def fitting(self, card: Card) -> list[Row]:
        """Control models that can serve a card: image prompts for a reference, readers of maps for a control."""
        wants_prompt = card.role == REFERENCE
        return [row for row in self.models if (str(row.get("kind") or "") == IMAGE_PROMPT) == wants_prompt]

    def control_model(self, card: Card) -> str:
        """The file that is set, else the first that fits the kind and the checkpoint's family, else ""."""
        if isinstance(chosen := card.settings.get("model"), str) and chosen:
            return chosen
        rows = [row for row in self.fitting(card) if row.get("state", "ready") == "ready" and self._is_of_family(row)]
        if card.role == CONTROL:
            named = [row for word in self.type(card).words for row in rows if _is_named(row, (word,))]
            rows = named or [row for row in rows if row.get("maps")]
        return str(rows[0]["value"]) if rows else ""

    def is_of_other_family(self, name: str) -> str:
        """The family of a control model, if it cannot act on the chosen checkpoint; else ""."""
        row = next((row for row in self.models if row["value"] == name), {})
        return "" if self._is_of_family(row) else str(row.get("family") or "")

    def offers_references(self) -> bool:
        """Whether there is anything that reads a picture as a prompt."""
        return any(str(row.get("kind") or "") == IMAGE_PROMPT for row in self.models)

    def _is_of_family(self, row: Row) -> bool:
        family = str(row.get("family") or "")
        return not family or not self.family or family == self.family


def unit_fields(card: Card, offers: Offers) -> dict[str, Any]:
    """What a ControlUnit says beside its pictures. A map that a person changed is taken as it is."""
    fields = {name: value for name, value in card.settings.items() if name not in OF_THE_CARD}
    preprocessor = offers.preprocessor(card) if card.role == CONTROL else NONE
    fields["model"] = offers.control_model(card)
    if card.role == CONTROL and card.has_painted_map:
        # A model of several kinds is told the kind by the preprocessor, which no longer runs.
        kind = str(offers.row(preprocessor).get("kind") or "")
        if kind and fields.get("union_type", "auto") == "auto":
            fields["union_type"] = kind
        for name in ("threshold_a", "threshold_b", "resolution", "body", "hands", "face", "seed"):
            fields.pop(name, None)
        preprocessor = NONE
    return {**fields, "preprocessor": preprocessor}


def annotate_fields(card: Card, offers: Offers) -> dict[str, Any]:
    """What an `annotate` job is told beside its picture: the arguments that the preprocessor reads."""
    preprocessor = offers.preprocessor(card)
    row = offers.row(preprocessor)
    reads = {str(setting["field"]) for setting in row.get("settings", ())} | set(row.get("fields", ())) | {"resolution", "resize_mode"}
    return {"preprocessor": preprocessor, **{name: value for name, value in sorted(card.settings.items()) if name in reads}}


def _is_named(row: Row, words: Sequence[str]) -> bool:
    name = f"{row.get('value')} {row.get('label')}".casefold()
    return any(word in name for word in words)
