"""Using a model from its card: it becomes the checkpoint or a part of it, or goes into the prompt; a second time takes it back. Rule: D111."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sfumato.desktop.language import tr
from sfumato.desktop.parameters import ParameterForm
from sfumato.desktop.prompts import Prompts
from sfumato.library.models import CHECKPOINT, EMBEDDING, FACE, LORA, TEXT_ENCODER, UPSCALER, VAE
from sfumato.library.models_index import CHOICES, ModelRow

# Category -> the lists of the catalog whose parameters take such a model.
_LISTS = {VAE: ("vaes",), TEXT_ENCODER: ("text_encoders",), UPSCALER: ("upscalers", "picture_upscalers"), FACE: ("face_restorers", "face_detectors")}
# Both upscalers, one restorer and one detector: what comes second in a chain is not meant.
_SECONDARY = frozenset({"clip_2", "upscaler_2", "face_model_2"})
_TAG = re.compile(r"<(lora|hypernet):([^:>]+)")
_WILDCARD = re.compile(r"__(.+?)__")


def is_negative(row: ModelRow) -> bool:
    """Whether an embedding belongs into the negative prompt: the name of one of its folders says so."""
    return row.category == EMBEDDING and any("neg" in part.casefold() for part in row.folder.split("/"))


def words_of(row: ModelRow) -> str:
    """What stands for a model in a prompt, "" for one that is no word."""
    weight = row.notes.weight if row.notes.weight is not None else 1.0
    match row.category:
        case "LoRA":
            return f"<lora:{row.tag}:{weight:g}>"
        case "hypernetwork":
            return f"<hypernet:{row.tag}:{weight:g}>"
        case "embedding":
            return row.name
        case "wildcard":
            return f"__{row.name}__"
        case _:
            return ""


class Activation:
    """Args: form: the parameters; prompts: the two prompt boxes."""

    def __init__(self, form: ParameterForm, prompts: Prompts) -> None:
        self._form = form
        self._prompts = prompts

    def activate(self, row: ModelRow) -> str:
        """Use a model, or stop using it; a sentence where that is not possible."""
        words = words_of(row)
        if words:
            self._insert(words, is_negative(row))
            return ""
        values = self._values(row)
        if not values:
            return tr("'{name}' is chosen where it is used: on a card of the inputs.", name=row.name)
        is_used = all(self._form.value(name) == row.name for name in values)
        if is_used and row.category == CHECKPOINT:
            return ""  # there is always one
        changed = {name: self._form.specs[name].default if is_used else row.name for name in values}
        self._form.apply(changed, tr("Use {name}", name=row.name))
        return ""

    def insert(self, text: str) -> None:
        """Put words into the prompt, or take them out."""
        self._insert(text, False)

    def rename(self, row: ModelRow, name: str) -> None:
        """A model is called otherwise now: parameters that named it name it still."""
        lists = {choice for choice, category in CHOICES.items() if category == row.category} | ({"picture_upscalers"} if row.category == UPSCALER else set())
        values = {each: name for each, spec in self._form.specs.items() if spec.choices_from in lists and self._form.set_values().get(each) == row.name}
        if values:
            self._form.restore(values)

    def active(self, rows: Iterable[ModelRow]) -> set[str]:
        """The paths of the models that are in use now."""
        text, negative = str(self._prompts.text), str(self._prompts.negative)
        both = f"{text}\n{negative}"
        tags = {(kind, name.strip()) for kind, name in _TAG.findall(both)}
        wildcards = set(_WILDCARD.findall(both))
        folded = both.casefold()
        found = set()
        for row in rows:
            match row.category:
                case "LoRA" | "hypernetwork":
                    is_active = ("lora" if row.category == LORA else "hypernet", row.tag) in tags
                case "embedding":
                    is_active = row.name.casefold() in folded and _stands_alone(row.name, both)
                case "wildcard":
                    is_active = row.name in wildcards
                case _:
                    values = self._values(row)
                    is_active = bool(values) and all(self._form.value(name) == row.name for name in values)
            if is_active:
                found.add(row.path)
        return found

    def _values(self, row: ModelRow) -> tuple[str, ...]:
        """The parameters that a model of this category is chosen in."""
        if row.category == CHECKPOINT:
            return ("model",)
        lists = _LISTS.get(row.category, ())
        if row.category == FACE:
            lists = ("face_detectors",) if row.name in self._detectors() else ("face_restorers",)
        return tuple(name for name, spec in self._form.specs.items() if spec.choices_from in lists and name not in _SECONDARY)

    def _detectors(self) -> set[str]:
        spec = next((spec for spec in self._form.specs.values() if spec.choices_from == "face_detectors"), None)
        return {str(choice["value"]) for choice in self._form.choices_of(spec)} if spec else set()

    def _insert(self, text: str, negative: bool) -> None:
        self._prompts.insert(text, negative)


def _stands_alone(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None
