"""The infotext: how AUTOMATIC1111 and the community write down what a picture was made with.

`write_infotext` and `read_infotext` are inverse to each other for every key and value we write. Rules: M6-M9, M12 and M13 of metadata. What the values of each
key are is its writer's affair (M11).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sfumato import __version__

Value = str | int | float | bool | tuple[int, int] | None

NEGATIVE = "Negative prompt:"
VERSION = f"Sfumato {__version__}"

# The order in which other programs expect the keys; one that is not listed comes after these, and Version last of all.
# fmt: off
_ORDER = (
    "Steps", "Sampler", "Schedule type", "CFG scale", "Image CFG scale", "Seed", "Face restoration", "Size", "Model hash", "Model", "FP8 weight",
    "Cache FP16 weight for LoRA", "VAE hash", "VAE", "Variation seed", "Variation seed strength", "Seed resize from", "Denoising strength",
    "Conditional mask weight", "Clip skip", "ENSD", "Token merging ratio", "Token merging ratio hr", "Init image hash", "RNG", "Tiling", "Tiling axes",
    "Hires upscale", "Hires resize", "Hires steps", "Hires upscaler", "Hires checkpoint", "Hires sampler", "Hires schedule type", "Hires CFG Scale",
    "Hires prompt", "Hires negative prompt", "Hires denoising strength", "Hires only", "Refiner", "Refiner switch at", "Refiner switch by sampling steps",
    "Hires refiner", "Mask blur", "Mask grow", "Mask mode", "Mask blending", "Mask rounding", "Inpaint area", "Masked area padding", "Masked content",
    "Soft inpainting enabled", "Soft inpainting schedule bias", "Soft inpainting preservation strength", "Soft inpainting transition contrast boost",
    "Soft inpainting mask influence", "Soft inpainting difference threshold", "Soft inpainting difference contrast", "Noise multiplier", "Extra noise",
    "Eta", "Eta DDIM", "Sigma churn", "Sigma tmin", "Sigma tmax", "Sigma noise", "Schedule min sigma", "Schedule max sigma", "Schedule rho",
    "Discard penultimate sigma", "SGM noise multiplier", "UniPC variant", "UniPC skip type", "UniPC order", "UniPC lower order final",
    "Beta schedule alpha", "Beta schedule beta", "NGMS", "NGMS all steps", "Skip Early CFG", "Pad conds", "Pad conds v0", "CFG rescale", "CFG interval",
    "Guidance rule", "PAG scale", "Distilled CFG Scale", "Emphasis", "Old prompt editing timelines", "Noise Schedule", "VAE Encoder", "VAE Decoder",
    "Lora hashes", "TI hashes", "Prediction type", "Prompt switches", "Template", "Negative Template", "ControlNet 0", "ControlNet 1",
    "ControlNet 2", "ControlNet 3", "ControlNet 4", "ControlNet 5", "ControlNet 6", "ControlNet 7", "Script", "X Type", "X Values", "Fixed X Values",
    "Y Type", "Y Values", "Fixed Y Values", "Z Type", "Z Values", "Fixed Z Values", "Upscaler", "Brownian", "Incomplete",
)
# fmt: on
_RANK = {key: rank for rank, key in enumerate(_ORDER)}

_KEY = re.compile(r"\w[\w \-/]+")
_PAIRS_NEEDED = 3
_NEEDS_QUOTES = re.compile(r'[,:\n\0]|^"|^\s|\s$')
# A run of the characters of keys is always taken whole, so that the scan never looks at one twice.
_RUN = re.compile(r"(?P<run>[\w \-/]++)(?P<colon>:?)|[^\w \-/]++")
_BLANKS = re.compile(r"\s*+")
_QUOTED = re.compile(r'"(?:[^\\"]++|\\.)++(?P<closed>"?)(?P<ends>,|$)?')
_BARE = re.compile(r"[^,]*+,?")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,8})x(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Infotext:
    """What was read: prompts with their newlines, and the pairs in their order. A size such as 64x96 is two numbers, everything else is text."""

    prompt: str = ""
    negative: str = ""
    pairs: Mapping[str, str | tuple[int, int]] = field(default_factory=dict)


def write_infotext(prompt: str, negative: str, pairs: Mapping[str, Value]) -> str:
    """The infotext of a picture.

    Args:
        prompt: as it was understood (styles applied, choices made), newlines kept.
        negative: alike; nothing is written if empty.
        pairs: values under the names of M9, in any order; None leaves a key out. `Version` is added.

    Raises:
        ValueError: a key that readers would not recognise.
    """
    written = []
    # Sorting keeps the order of what has the same rank.
    for key in sorted([key for key in pairs if key != "Version"], key=lambda key: _RANK.get(key, len(_RANK))):
        if not _KEY.fullmatch(key) or key != key.strip():
            raise ValueError(f"{key!r} cannot be a key of an infotext.")
        if (value := pairs[key]) is not None:
            text = shown(value)
            written.append(key if text == key else f"{key}: {quoted(text)}")
    written.append(f"Version: {quoted(shown(pairs.get('Version') or VERSION))}")
    lines = [prompt, f"{NEGATIVE} {negative}" if negative else "", ", ".join(written)]
    return "\n".join([lines[0], *filter(None, lines[1:])]).strip()


def shown(value: str | int | float | bool | tuple[int, int]) -> str:
    """A value as text: 7.0 as "7", a pair as "WxH", True and False as Python writes them."""
    if isinstance(value, tuple):
        return f"{value[0]}x{value[1]}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def quoted(text: str) -> str:
    """A value as it stands behind its key: as JSON if it holds a comma, a newline or a colon, else bare.

    Text that begins with a quotation mark, has blanks at its ends or holds a zero byte is quoted too, or no reader would give it back as it was.
    """
    return json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text


def read_infotext(text: str) -> Infotext:
    """Read any text as an infotext: one without a line of parameters is all prompt. Never fails; time grows with the length only."""
    lines = text.strip().split("\n")
    pairs = read_pairs(lines[-1])
    if len(pairs) < _PAIRS_NEEDED:
        pairs = {}
    else:
        lines.pop()
    parts: dict[bool, list[str]] = {False: [], True: []}
    is_negative = False
    for line in map(str.strip, lines):
        if line.startswith(NEGATIVE):
            is_negative = True
            line = line.removeprefix(NEGATIVE).strip()
        parts[is_negative].append(line)
    values = {key: (int(size[1]), int(size[2])) if (size := _SIZE.fullmatch(value)) else value for key, value in pairs.items()}
    return Infotext("\n".join(parts[False]), "\n".join(parts[True]), values)


def read_pairs(line: str) -> dict[str, str]:
    """The `key: value` pairs of one line, quoted values decoded; what is no pair is skipped. A key that comes twice has its last value."""
    pairs: dict[str, str] = {}
    place = 0
    # Once a quotation mark was found that nothing closes, none after it is closed either.
    quotes_close = True
    while found := _RUN.match(line, place):
        place = found.end()
        key = _KEY.search(found["run"]) if found["run"] and found["colon"] else None
        if key is None:
            continue
        begin = _skip_blanks(line, place)
        value = None
        if quotes_close and (quote := _QUOTED.match(line, begin)):
            quotes_close = bool(quote["closed"])
            if quote["closed"] and quote["ends"] is not None:
                value = quote[0].removesuffix(",") if quote["ends"] else quote[0]
                place = quote.end()
        if value is None:
            bare = _BARE.match(line, begin)
            assert bare is not None  # it matches the empty text too
            value = bare[0].removesuffix(",")
            place = bare.end()
        pairs[key[0]] = _unquoted(value)
    return pairs


def _skip_blanks(line: str, place: int) -> int:
    blanks = _BLANKS.match(line, place)
    return blanks.end() if blanks else place


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return decoded if isinstance(decoded, str) else value
