"""What an import would change: the values a picture tells beside those of now, models found here, and what is left over. Rules: D151-D154, M16.

Knows no window: a `Reading` and the `Now` of the form go in, a `Proposal` comes out. May take a while (thousands of model names are compared), so it is
made away from the GUI thread.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfumato.desktop.language import tr
from sfumato.desktop.numbers import shown
from sfumato.desktop.parameters.values import words
from sfumato.imaging.claims import objects
from sfumato.imaging.picture import Reading
from sfumato.library.hashes import Hashes, embedding_hash, network_hash
from sfumato.library.matching import Match, match_model
from sfumato.library.models import CHECKPOINT, EMBEDDING, HYPERNETWORK, LORA, TEXT_ENCODER, UPSCALER, VAE
from sfumato.protocol.params import GROUPS
from sfumato.protocol.specs import ParamSpec

# Whose word it is -> how that program calls itself.
PROGRAMS: Mapping[str, str] = {
    "sfumato": "Sfumato", "automatic1111": "AUTOMATIC1111", "forge": "Forge", "sdnext": "SD.Next", "comfyui": "ComfyUI", "invokeai": "InvokeAI",
    "novelai": "NovelAI", "fooocus": "Fooocus", "qdiffusion": "qDiffusion", "swarmui": "SwarmUI", "draw_things": "Draw Things",
}  # fmt: skip
# Catalog list -> the folder of models whose files are looked at for their checksums.
CATEGORIES: Mapping[str, str] = {
    "models": CHECKPOINT, "vaes": VAE, "text_encoders": TEXT_ENCODER, "upscalers": UPSCALER, "picture_upscalers": UPSCALER,
}  # fmt: skip
NETWORKS: Mapping[str, str] = {"lora": LORA, "lyco": LORA, "hypernet": HYPERNETWORK}
# How this machine works is no part of a picture; it can be taken over, but is not by itself (D53).
MACHINE = "operation"
# Pictures are told by their checksums alone; they and what hangs on them are listed as inputs.
NO_ROWS = frozenset({"control", "areas"})
CLOSE = 0.6

_TAG = re.compile(r"<(lora|lyco|hypernet):([^:<>]+)((?::[^<>]*)?)>", re.IGNORECASE)
_TEXT_AT_MOST = 20_000

Catalogued = Mapping[str, Any]
Models = Callable[[str], Sequence[tuple[str, Path]]]


@dataclass(frozen=True, slots=True)
class Now:
    """What the window holds at this moment.

    Attributes:
        specs: the parameters that can be set here.
        values: of the parameters; None where the engine decides.
        choices: the catalog's lists by their names, rows as the engine tells them; a list that is not known yet is absent.
    """

    specs: Mapping[str, ParamSpec]
    values: Mapping[str, Any]
    choices: Mapping[str, Sequence[Catalogued]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One value that can be taken over.

    Attributes:
        words, current: the new value and the one of now, as a person reads them.
        same: both are equal.
        chosen: whether it is taken unless the person says otherwise.
        note: what is to be known: by what a model was found, that there is none.
        blocked: it cannot be taken: nothing here is like it.
    """

    name: str
    title: str
    group: str
    value: Any
    words: str
    current: str
    same: bool = False
    chosen: bool = True
    note: str = ""
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """A network that a prompt names. `found` is its name here, "" if there is none; `closest` what is spelled most like it."""

    kind: str
    name: str
    found: str = ""
    closest: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """A picture the picture was made from; `path` where it was found again, "" where it was not."""

    role: str
    words: str
    sha256: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """All of it. `raw` is what stands in the picture, `parsed` how it was understood, `unknown` what nothing here is for."""

    source: str
    rows: tuple[Row, ...] = ()
    networks: tuple[Network, ...] = ()
    inputs: tuple[Input, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    raw: str = ""
    parsed: str = ""
    warnings: tuple[str, ...] = ()
    size: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.rows or self.unknown or self.inputs)


def propose(reading: Reading, now: Now, models: Models, hashes: Hashes) -> Proposal:
    """What a reading would change.

    Args:
        models: names and files of a category of models, as `library.models` calls them.
        hashes: only checksums known already are asked; no file is read whole.
    """
    told = dict(reading.fields)
    if reading.own is not None and told:
        # The seed of this very picture, where the record has that of its batch.
        told["seed"] = reading.repeated().seed
    networks = _networks(told, reading.hashes, models, hashes)
    for name in ("prompt", "negative", "hr_prompt", "hr_negative"):
        if isinstance(told.get(name), str):
            told[name] = renamed(told[name], networks)
    rows = [_row(now.specs[name], value, now, reading.hashes, models, hashes) for name, value in told.items() if _has_row(now.specs.get(name))]
    places = {name: place for place, name in enumerate(now.specs)}
    groups = list(GROUPS)
    rows.sort(key=lambda row: (groups.index(row.group) if row.group in groups else len(groups), places[row.name]))
    return Proposal(
        source=PROGRAMS.get(reading.source, ""),
        rows=tuple(rows),
        networks=tuple(networks),
        inputs=tuple(_inputs(reading)),
        unknown=tuple((key, _plain(value)) for key, value in reading.unknown.items()),
        raw=_raw(reading),
        parsed="\n".join(f"{row.title}: {row.words}" for row in rows),
        warnings=reading.warnings,
        size=f"{reading.width} × {reading.height} {reading.format.upper()}" if reading.width else "",
    )


def renamed(prompt: str, networks: Sequence[Network]) -> str:
    """A prompt whose tags name the networks as they are called here, where they were found under another name."""
    names = {(network.kind, network.name): network.found for network in networks if network.found}

    def here(tag: re.Match[str]) -> str:
        found = names.get((tag[1].lower(), tag[2].strip()))
        return f"<{tag[1]}:{found}{tag[3]}>" if found and found != tag[2].strip() else tag[0]

    return _TAG.sub(here, prompt)


def _has_row(spec: ParamSpec | None) -> bool:
    return spec is not None and spec.widget != "image" and spec.name not in NO_ROWS


# -- one value -------------------------------------------------------------------------------------


def _row(spec: ParamSpec, value: Any, now: Now, digits: Mapping[str, str], models: Models, hashes: Hashes) -> Row:
    current = now.values.get(spec.name, spec.default)
    row = Row(spec.name, tr(spec.title), spec.group, value, said(spec, value), said(spec, current))
    choices = now.choices.get(spec.choices_from) if spec.choices_from else None
    if choices is not None and value:
        row = _chosen(row, spec, choices, digits.get(spec.name, ""), models, hashes)
    same = _plain_list(row.value) == _plain_list(current)
    return replace(row, same=same, chosen=row.chosen and not same and spec.group != MACHINE)


def _chosen(row: Row, spec: ParamSpec, choices: Sequence[Catalogued], digits: str, models: Models, hashes: Hashes) -> Row:
    """The row of a value from a list: its name here, the closest one, or the sentence that there is none."""
    value = row.value
    if isinstance(value, list | tuple):
        # Styles, and whatever else comes in numbers: those that are here.
        offered = {str(choice["value"]) for choice in choices}
        missing = [str(each) for each in value if str(each) not in offered]
        note = tr("not here: {names}", names=", ".join(missing)) if missing else ""
        here = tuple(each for each in value if str(each) in offered)
        return replace(row, value=here, words=said(spec, here), note=note, blocked=not here, chosen=bool(here))
    if value == spec.default:
        return row
    usable = [choice for choice in choices if str(choice.get("state") or "ready") == "ready"]
    is_model = spec.choices_from in CATEGORIES
    files = dict(models(CATEGORIES[spec.choices_from])) if is_model and digits else {}
    candidates = [(str(choice["value"]), files.get(str(choice["value"]), Path())) for choice in usable]
    found = match_model("", digits, [(name, path) for name, path in candidates if name in files], hashes) if files else None
    if found is None and (name := _spelled(str(value), usable)):
        found = Match(name, "name")
    if found is None and is_model:
        found = match_model(str(value), "", candidates, hashes)
    if found is None or (found.is_guess and _is_ambiguous(str(value), candidates)):
        return replace(row, chosen=False, blocked=True, note=tr("not here; the value of now stays"))
    if found.name == value:
        return row
    note = tr("closest: {name}", name=found.name) if found.is_guess else tr("found by its checksum") if found.by in ("checksum", "digits") else ""
    here = said(spec, found.name)
    return replace(row, value=found.name, words=f"{row.words} → {here}" if note else here, note=note)


def _spelled(value: str, choices: Sequence[Catalogued]) -> str:
    """The choice that a value means, by its name, its title or another name it has."""
    for choice in choices:
        names = (choice["value"], choice.get("label") or "", *(choice.get("aliases") or ()))
        if value.casefold() in (str(name).casefold() for name in names):
            return str(choice["value"])
    return ""


def _is_ambiguous(name: str, candidates: Sequence[tuple[str, Path]]) -> bool:
    """Whether two names here are equally close to one that is not."""
    last = name.rsplit("/", 1)[-1].casefold()
    close = difflib.get_close_matches(last, {title.casefold() for title, _ in candidates}, 2, CLOSE)
    ratios = [difflib.SequenceMatcher(None, each, last).ratio() for each in close]
    return len(ratios) > 1 and ratios[0] == ratios[1]


def said(spec: ParamSpec, value: Any) -> str:
    """A value as a person reads it, in the words of its control."""
    if value is None or value == "" or (spec.widget == "seed" and value == -1):
        return tr("Random") if spec.widget == "seed" else tr(spec.unset) if spec.unset else "" if spec.kind == "text" else tr("Automatic")
    if isinstance(value, bool):
        return tr("On") if value else tr("Off")
    if isinstance(value, list | tuple):
        return ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value) or tr("None")
    if spec.kind == "choice":
        return str(value) if spec.choices_from else words(str(value))
    text = shown(spec, value)
    return f"{text} {spec.unit}" if spec.unit else text


def _plain_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# -- networks and pictures -------------------------------------------------------------------------


def _networks(told: Mapping[str, Any], digits: Mapping[str, str], models: Models, hashes: Hashes) -> list[Network]:
    """The networks that the prompts name, each once, and the embeddings whose checksums the picture has."""
    texts = [told[name] for name in ("prompt", "negative", "hr_prompt", "hr_negative") if isinstance(told.get(name), str)]
    named = dict.fromkeys((tag[1].lower(), tag[2].strip()) for text in texts for tag in _TAG.finditer(text))
    named |= dict.fromkeys(("ti", key.partition(":")[2]) for key in digits if key.startswith("ti:"))
    return [_network(kind, name, digits, models, hashes) for kind, name in named]


def _network(kind: str, name: str, digits: Mapping[str, str], models: Models, hashes: Hashes) -> Network:
    offered = models(NETWORKS.get(kind, EMBEDDING))
    found = match_model(name, "", offered, hashes)
    if (wanted := digits.get(f"{kind}:{name}", "")) and (found is None or found.is_guess):
        # Under another name here; its own was not found, so each file is asked for its checksum.
        known = network_hash if kind in NETWORKS else embedding_hash
        same = (title for title, path in offered if (mine := known(path, hashes)) and (mine.startswith(wanted) or wanted.startswith(mine)))
        found = next((Match(title, "checksum") for title in same), found)
    if found is None:
        return Network(kind, name, note=tr("not here"))
    if found.is_guess:
        return Network(kind, name, closest=found.name, note=tr("not here; closest: {name}", name=found.name))
    return Network(kind, name, found.name, note=tr("found by its checksum: {name}", name=found.name) if found.by in ("checksum", "digits") else "")


def _inputs(reading: Reading) -> list[Input]:
    own = reading.own or {}
    sizes = {str(each.get("sha256")): each for each in objects(own.get("inputs"))}
    found = []
    for name in ("image", "mask"):
        if digest := str(reading.fields.get(name) or ""):
            found.append(_input(name, sizes.get(digest, {}), digest))
    for number, unit in enumerate(reading.fields.get("control") or (), 1):
        what = ", ".join(str(unit[key]) for key in ("preprocessor", "model") if unit.get(key))
        found.append(Input("control", tr("Control {number}: {what}", number=number, what=what or tr("no preprocessor")), str(unit.get("image") or "")))
    for number, _ in enumerate(reading.fields.get("areas") or (), 1):
        found.append(Input("area", tr("Area {number}", number=number)))
    return found


def _input(role: str, told: Mapping[str, Any], digest: str) -> Input:
    title = {"image": tr("Image"), "mask": tr("Mask")}[role]
    size = f" {told['width']} × {told['height']}" if told.get("width") and told.get("height") else ""
    return Input(role, title + size, digest)


# -- as text ---------------------------------------------------------------------------------------


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else "x".join(map(str, value)) if isinstance(value, tuple) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _TEXT_AT_MOST else text[:_TEXT_AT_MOST] + "…"


def _raw(reading: Reading) -> str:
    """What stands in the picture: the infotext, then our record."""
    parts = [reading.text]
    if reading.own is not None:
        parts.append(json.dumps(reading.own, ensure_ascii=False, indent=2, default=str))
    if not any(parts):
        parts.append(json.dumps({**reading.fields, **reading.unknown}, ensure_ascii=False, indent=2, default=str) if reading.fields or reading.unknown else "")
    text = "\n\n".join(filter(None, parts))
    return text if len(text) <= 5 * _TEXT_AT_MOST else text[: 5 * _TEXT_AT_MOST] + "…"
