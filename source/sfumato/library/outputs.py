"""Finished pictures on disk: named by a pattern, whole or not at all, never over another file.

Whoever receives an `Artifact` (window, command line) keeps it here, so that local and remote jobs leave the same files.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sfumato.imaging.document import own_document, written
from sfumato.imaging.encoding import FORMATS, encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.naming import DEFAULT_PATTERN, PRESETS, RECORD, SIDECARS, TEXT, save_named
from sfumato.imaging.naming_values import values_of
from sfumato.imaging.picture import read_picture
from sfumato.imaging.saying import Facts
from sfumato.imaging.writing import remove_stale
from sfumato.protocol.errors import ImageUnreadable, NotWritable
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate

# job kind -> folder under outputs/; a kind without a row gets a folder of its own name
FOLDERS = {"generate": "txt2img", "segment": "segmentation"}
FROM_PICTURE = "img2img"


def mode_of(kind: str, params: Mapping[str, Any] | None = None) -> str:
    """The name of the folder that pictures of a job go to, which is also its `%mode%`; a job that starts from a picture has another than one from text."""
    return FROM_PICTURE if kind == "generate" and params and params.get("image") else FOLDERS.get(kind, kind)


def folder_of(outputs: Path, kind: str, params: Mapping[str, Any] | None = None) -> Path:
    """The folder that pictures of a job go to unless the user named another."""
    return outputs / mode_of(kind, params)


@cache
def _tidy(folder: Path) -> None:
    """Once per folder and process: remove what writers that died left there a day ago or longer."""
    remove_stale(folder)


def save_picture(
    outputs: Path,
    kind: str,
    data: bytes,
    *,
    pattern: str = "",
    sidecars: str = "",
    beside: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    inside: str = "",
) -> Path:
    """Write `data` as the next picture of its kind and return the file; its ending and its name come from what it tells itself.

    Args:
        outputs: the folder of all pictures.
        kind: of the job; "" writes into `outputs` itself.
        pattern: of the name, or the name of one of `naming.PRESETS`; "" is the default.
        sidecars: a key of `naming.SIDECARS`.
        beside: texts by ending that did not fit into the picture and must stand beside it.
        params: of the job; one that starts from a picture has a folder of its own.
        inside: pattern of the folder under `outputs`, such as %date%/%model%; "" is the folder of the kind.

    Raises:
        DiskFull, NotWritable, UnsafeName: nothing is left behind; the caller still holds the picture.
    """
    folder = outputs if inside else folder_of(outputs, kind, params)
    if not inside:
        _tidy(folder)
    reading = read_picture(data)
    suffix = FORMATS[reading.format].suffixes[0] if reading.format in FORMATS else ".png"
    told = {TEXT: f"{reading.text}\n" if reading.text else "", RECORD: written(reading.own) if reading.own else ""}
    texts = {ending: told[ending] for ending in SIDECARS.get(sidecars, ())} | dict(beside or {})
    # Names carry the person's own time of day.
    values = values_of(reading, data, datetime.now().astimezone(), mode_of(kind, params) if kind else folder.name)
    name = PRESETS.get(pattern, pattern) or DEFAULT_PATTERN
    try:
        path = save_named(
            folder,
            data,
            f"{inside.strip('/')}/{name}" if inside else name,
            values,
            suffix=suffix,
            beside={ending: text.encode("utf-8", "replace") for ending, text in texts.items() if text},
        )
    except FileExistsError as error:
        raise NotWritable(str(folder), "500 names in a row are taken by another program") from error
    # The pattern may have named a folder inside.
    _tidy(path.parent)
    return path


def incomplete_picture(preview: bytes, params: Mapping[str, Any], seed: int, done: int, total: int) -> bytes:
    """What had emerged of a picture when its job was cancelled, as a PNG that says how it was asked for and how far it came.

    Args:
        preview: the last preview, in any format.
        params: of the job, as it was sent.
        done, total: steps made and asked for.

    Raises:
        ImageUnreadable: the preview is damaged.
        Invalid: the parameters are not those of a generate job.
    """
    from PIL import Image  # late: decoding is needed here alone

    request = validate(Generate, dict(params))
    try:
        with Image.open(io.BytesIO(preview)) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ImageUnreadable("The last preview", str(error)) from error
    width, height = request.width or picture.width, request.height or picture.height
    facts = Facts(request.sampler, width, height, seed, prompt=request.prompt, negative=request.negative, incomplete=(done, total))
    image = {"index": 0, "seed": seed, "width": picture.width, "height": picture.height, "incomplete": [done, total]}
    own = own_document("generate", request.model_dump(mode="json"), image, datetime.now().astimezone())
    return encode(picture, write_infotext(request.prompt, request.negative, pairs_of(request, facts)), own).data
