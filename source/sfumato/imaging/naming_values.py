"""What the tokens of a file name's pattern are worth for one picture. Rules: M26 of metadata.

Everything comes from what the picture itself tells, so that whoever receives one, here or from afar, gives it the same name.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sfumato.imaging.infotext import shown
from sfumato.imaging.naming import PART_CHARACTERS, Values
from sfumato.imaging.picture import Reading

_HASH_DIGITS = 8
_WORDS = 8
_SPACES = re.compile(r"\s+")


def values_of(reading: Reading, data: bytes, when: datetime, mode: str) -> Values:
    """Tokens by name.

    Args:
        reading: of the picture; one without texts leaves most tokens empty.
        data: its bytes.
        when: it was finished, with the person's own time zone.
        mode: the folder's name of its kind, such as "txt2img".
    """
    own = reading.own or {}
    image, resolved, request = (_mapping(own.get(key)) for key in ("image", "resolved", "request"))
    pairs = reading.infotext.pairs if reading.infotext else {}
    prompt = str(resolved.get("prompt") or (reading.infotext.prompt if reading.infotext else "") or request.get("prompt") or "")
    negative = str(resolved.get("negative") or (reading.infotext.negative if reading.infotext else "") or request.get("negative") or "")
    size, count, index = _whole(request.get("batch_size"), 1), _whole(request.get("batch_count"), 1), _whole(image.get("index"), 0)
    seed = image.get("seed", pairs.get("Seed"))
    first = seed - index if isinstance(seed, int) and not request.get("variation_strength") else seed
    plain: dict[str, Any] = {
        "seed": seed, "seed_first": first, "seed_last": first + size * count - 1 if (isinstance(first, int) and first != seed) or size * count > 1 else seed,
        "steps": pairs.get("Steps"), "cfg": pairs.get("CFG scale"), "sampler": pairs.get("Sampler"), "scheduler": pairs.get("Schedule type"),
        "sampler_scheduler": " ".join(str(pairs[key]) for key in ("Sampler", "Schedule type") if key in pairs and pairs[key] != "Automatic") or None,
        "width": reading.width or None, "height": reading.height or None, "model_name": pairs.get("Model"), "model_hash": pairs.get("Model hash"),
        "vae_filename": pairs.get("VAE"), "clip_skip": pairs.get("Clip skip"), "denoising": pairs.get("Denoising strength"),
        "styles": ", ".join(map(str, request["styles"])) if isinstance(request.get("styles"), list | tuple) else None,
        "prompt": _underscored(prompt), "prompt_spaces": prompt, "prompt_no_styles": _underscored(str(request.get("prompt") or prompt)),
        "prompt_words": " ".join(re.split(r"[\s,]+", prompt[:2000].strip(" ,\t\n"))[:_WORDS]), "batch_size": size if request else None,
        "batch_number": index % size + 1 if size > 1 else None, "generation_number": index + 1 if size * count > 1 else None, "mode": mode, "none": None,
        "date": f"{when:%Y-%m-%d}", "time": f"{when:%H-%M-%S}", "job_timestamp": f"{when:%Y%m%d%H%M%S}",
        # Pictures made here belong to nobody; a server names its users.
        "user": None,
    }  # fmt: skip
    texts: dict[str, Callable[[], bytes]] = {
        "prompt_hash": prompt.encode,
        "negative_prompt_hash": negative.encode,
        "full_prompt_hash": f"{prompt} {negative}".encode,
        "image_hash": lambda: data,
    }
    return {
        **{name: partial(_plain, value) for name, value in plain.items()},
        **{name: partial(_hash, text) for name, text in texts.items()},
        "datetime": partial(_time, when),
        "hasprompt": partial(_has, prompt),
    }


def dated(when: datetime) -> Values:
    """The tokens of a picture that tells nothing."""
    return values_of(Reading("none"), b"", when, "")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


def _underscored(text: str) -> str:
    return _SPACES.sub("_", text[: 2 * PART_CHARACTERS].strip())


def _plain(value: Any, arguments: tuple[str, ...]) -> str | None:
    del arguments
    if value is None or value == "":
        return None
    return shown(value) if isinstance(value, int | float | str | tuple) else str(value)


def _hash(content: Callable[[], bytes], arguments: tuple[str, ...]) -> str:
    """So many hex digits of a SHA-256, 8 unless told."""
    digits = int(arguments[0]) if arguments and re.fullmatch(r"[0-9]{1,2}", arguments[0]) else _HASH_DIGITS
    return hashlib.sha256(content()).hexdigest()[: max(1, digits)]


def _time(when: datetime, arguments: tuple[str, ...]) -> str:
    """The time in a form and a zone; a form the system refuses gives the usual one, a zone nobody knows the person's own."""
    form = arguments[0] if arguments and arguments[0] else "%Y%m%d%H%M%S"
    if len(arguments) > 1 and arguments[1]:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            when = when.astimezone(ZoneInfo(arguments[1]))
    try:
        return when.strftime(form)
    except (ValueError, UnicodeError):
        return f"{when:%Y%m%d%H%M%S}"


def _has(prompt: str, arguments: tuple[str, ...]) -> str | None:
    """`<word|else>`: the word if the prompt holds it, else what stands behind the bar; several are joined."""
    found = []
    for argument in arguments:
        word, _, other = argument.partition("|")
        found.append(word if word.casefold() in prompt.casefold() else other)
    return "".join(found) or None
