"""Pictures for the tests of the history: small real files, and rows straight into the index."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.library.history.index import Index
from sfumato.library.history.query import fold
from sfumato.library.history.record import Record, day_of

WHEN = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
COMMON = ("masterpiece", "portrait", "detailed", "lighting", "photograph", "evening", "meadow")
SAMPLERS = ("Euler", "Euler a", "DPM++ 2M", "DDIM")


def a_picture(path: Path, at: float | None = None, colour: str = "teal", side: int = 16, **request: Any) -> Path:
    """A picture with our own record, painted by `request`, of the time `at`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int(request.get("seed", 1))
    own = own_document("generate", request, {"index": 0, "seed": seed, "width": side, "height": side}, WHEN)
    infotext = write_infotext(str(request.get("prompt", "")), str(request.get("negative", "")), {"Steps": 20, "Seed": seed, "Size": (side, side)})
    path.write_bytes(encode(Image.new("RGB", (side, side), colour), infotext, own).data)
    if at is not None:
        os.utime(path, (at, at))
    return path


def fill(index: Index, count: int, seed: int = 1, folder: str = "/pictures") -> None:
    """Rows as a busy year leaves them: every thousandth is a red fox, every third is painted with model 7."""
    rng = random.Random(seed)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 9))) for _ in range(4000)]
    with index.together():
        for number in range(count):
            prompt = ", ".join([*rng.sample(COMMON, 4), *rng.choices(words, k=18)]) + (", red fox" if number % 1000 == 0 else "")
            created = WHEN.timestamp() - number * 300.0
            index.put(
                Record(
                    path=f"{folder}/{'txt2img' if number % 5 else 'img2img'}/{number:08}.png",
                    bytes=rng.randint(10_000, 3_000_000),
                    modified=int(created * 1e9),
                    created=created,
                    day=day_of(created),
                    hash=f"{number:064x}",
                    width=512,
                    height=rng.choice((512, 768)),
                    prompt=prompt,
                    negative=fold(" ".join(rng.choices(words, k=6))),
                    seed=rng.randrange(1 << 32),
                    steps=rng.randint(10, 60),
                    scale=rng.choice((5.0, 7.0, 7.5)),
                    terms=(
                        ("model", "model 7" if number % 3 == 0 else f"model {number % 40}"),
                        ("sampler", rng.choice(SAMPLERS)),
                        ("lora", f"style {number % 25}"),
                        ("mode", "txt2img"),
                    ),
                )
            )
