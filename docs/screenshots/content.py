"""Files that a data folder of somebody who works with the program would hold; every picture is of the starter's drawn world."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.saying import Facts
from sfumato.protocol.requests.generate import Generate
from tests.support.model_files import write_model
from tests.support.painting import CHOICES, encoded, world

NEWEST = datetime(2026, 11, 21, 18, 30, tzinfo=UTC).timestamp()
NETWORK = {"lora_unet_x.lora_down.weight": ("F16", (4, 8)), "lora_unet_x.lora_up.weight": ("F16", (8, 4))}
# Folder, name, family, trigger words, a description.
MODELS = (
    ("checkpoints", "landscape-v2", "SD1", "", "Wide views in daylight."),
    ("checkpoints", "shapes-xl", "SDXL", "", "Ten shapes in twelve colours, at 1024 px."),
    ("checkpoints", "watercolour-base", "SD1", "", "Soft edges, paper that shows."),
    ("loras/styles", "ink-lines", "SD1", "ink lines, wet paper", "Drawn with a brush and black ink. Best between 0.6 and 0.9."),
    ("loras/styles", "paper-cut", "SD1", "paper cut", "Layers of coloured paper with small shadows."),
    ("loras/styles", "stained-glass", "SDXL", "stained glass", "Lead lines and bright panes."),
    ("loras/styles", "risograph", "SD1", "riso print", "Two inks, a little out of register."),
    ("loras/things", "hourglass", "SD1", "hourglass", "A shape the starter model does not know."),
    ("loras/things", "lighthouse", "SD1", "lighthouse", "Towers by the sea."),
    ("loras/things", "kites", "SDXL", "kite", "Kites of all forms."),
    ("loras", "detail-slider", "SD1", "", "Negative weights make things simpler."),
    ("embeddings", "negative-blur", "SD1", "", "For the negative prompt."),
    ("vae", "clear-colours", "SD1", "", "An autoencoder with stronger colours."),
    ("upscalers", "4x-edges", "", "", "Sharp edges, flat areas left alone."),
)
PREPROCESSORS = [
    {"value": "none", "label": "None", "description": "As it is.", "settings": [], "fields": [], "kind": "", "reads": "picture", "files": []},
    {
        "value": "canny",
        "label": "Canny",
        "description": "Thin lines.",
        "settings": [
            {"field": "threshold_a", "title": "Low threshold", "default": 0.4, "minimum": 0, "maximum": 1, "step": 0.01, "unit": ""},
            {"field": "threshold_b", "title": "High threshold", "default": 0.8, "minimum": 0, "maximum": 1, "step": 0.01, "unit": ""},
        ],
        "fields": [],
        "kind": "canny",
        "reads": "picture",
        "files": [],
    },
]
PREPROCESSORS += [
    {**PREPROCESSORS[0], "value": name, "label": title, "kind": name, "description": words}
    for name, title, words in (
        ("pose", "Pose", "Bodies, hands and faces."),
        ("depth", "Depth", "How far things are."),
        ("scribble", "Scribble", "Rough lines."),
    )
]
CONTROL_MODELS = [{"value": "sd15_canny", "label": "sd15_canny", "kind": "ControlNet", "family": "SD1", "state": "ready", "maps": 0}]
INFOTEXT = """a red kite over the sea, morning light, paper cut
Negative prompt: blurry, text
Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 5.5, Seed: 77, Size: 512x768, Model: landscape-v3, Clip skip: 2, Weird key: "a, b", Version: v1.10.1"""


def drawn(seed: int, width: int = 384, height: int = 0) -> tuple[Image.Image, str]:
    """A scene of the drawn world and the sentence that says what it shows."""
    made = world.random_scene(random.Random(seed))
    height = height or width
    side = max(width, height)
    picture = world.draw(made, side)
    left, upper = (side - width) // 2, (side - height) // 2
    return picture.crop((left, upper, left + width, upper + height)), made.caption


def recorded(picture: Image.Image, request: Mapping[str, Any]) -> bytes:
    """A picture as the engine saves it, with what made it inside."""
    facts = Facts(str(request.get("sampler", "Euler a")), *picture.size, int(request.get("seed", 1)), prompt=str(request.get("prompt", "")))
    asked = Generate(**{name: value for name, value in request.items() if name in Generate.model_fields})
    image = {"index": 0, "seed": facts.seed, "width": picture.width, "height": picture.height}
    own = own_document("generate", asked.model_dump(mode="json"), image, datetime.fromtimestamp(NEWEST, UTC), resolved={"prompt": asked.prompt})
    return encode(picture, write_infotext(asked.prompt, asked.negative, pairs_of(asked, facts)), own).data


def choices(data: Path) -> dict[str, Any]:
    """What the engine lists when it has found the files of `fill_models`."""
    found = [
        {"value": name, "label": name, "path": str(data / "models" / folder / f"{name}.safetensors"), "family": family, "state": "ready", "kind": "LoRA"}
        for folder, name, family, _, _ in MODELS
        if folder.startswith("loras")
    ]
    models = [{**row, "encoders": ["clip_l"]} for row in CHOICES["models"]]
    return {
        **CHOICES,
        "models": models,
        "loras": found,
        "hypernetworks": [],
        "embeddings": [],
        "preprocessors": PREPROCESSORS,
        "control_models": CONTROL_MODELS,
    }


def fill_models(data: Path) -> None:
    for number, (folder, name, family, words, description) in enumerate(MODELS):
        said = {
            "modelspec.title": name,
            "modelspec.architecture": {"SD1": "stable-diffusion-v1/lora", "SDXL": "stable-diffusion-xl-v1-base/lora"}.get(family, ""),
        }
        tags = {"ss_tag_frequency": json.dumps({"10_things": {"red circle": 41, "white background": 38, "star": 17, "two things": 9, "wet paper": 4}})}
        path = write_model(data / "models" / folder / f"{name}.safetensors", NETWORK, {**{key: word for key, word in said.items() if word}, **tags})
        path.with_suffix(".json").write_text(
            json.dumps({"description": description, "activation text": words, "preferred weight": 0.8 if words else 0}), encoding="utf-8"
        )
        path.with_suffix(".preview.png").write_bytes(encoded(drawn(200 + number, 320, 400)[0]))


def fill_prompts(data: Path) -> None:
    """Wildcards, a vocabulary, styles and presets."""
    wildcards = data / "wildcards"
    wildcards.mkdir(parents=True, exist_ok=True)
    lists = {"colours": ("red", "blue", "teal", "orange", "purple"), "shapes": ("circle", "star", "heart", "moon", "ring"), "light": ("dawn", "noon", "dusk")}
    for name, lines in lists.items():
        (wildcards / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (wildcards / "tags.csv").write_text("red_hair,0,412345,x\nred eyes,0,93456,\nred_rose,0,31000,\nreed,0,5000,\nreflection,0,88000,\n", encoding="utf-8")
    styles = (
        "name,prompt,negative_prompt",
        'Ink,"{prompt}, ink drawing, wet paper",photo',
        'Paper cut,"{prompt}, layers of paper",',
        'Risograph,"{prompt}, two inks",gradient',
    )
    (data / "styles.csv").write_text("\n".join(styles) + "\n", encoding="utf-8")
    presets = data / "presets"
    presets.mkdir(parents=True, exist_ok=True)
    kept = {
        "Quick sketch": {"steps": 12, "sampler": "Euler"},
        "Careful": {"steps": 40, "sampler": "DPM++ 2M", "schedule": "karras", "guidance": 6.5},
        "Tall": {"width": 512, "height": 768},
    }
    for name, values in kept.items():
        (presets / f"{name}.json").write_text(json.dumps({"name": name, "values": values}), encoding="utf-8")
    (data / "settings.json").write_text(json.dumps({"vocabulary": "tags", "version": 1}), encoding="utf-8")


def fill_history(data: Path, count: int = 60) -> None:
    """Pictures with their records, over two weeks; some higher, some wider."""
    for number in range(count):
        width, height = ((192, 192), (160, 224), (192, 192), (240, 160))[number % 4]
        picture, caption = drawn(500 + number, width, height)
        seed = 1000 + number * 37
        asked = {
            "prompt": caption or "a shape",
            "negative": "blurry" if number % 3 else "",
            "steps": (20, 30, 40)[number % 3],
            "seed": seed,
            "sampler": ("Euler", "Euler a", "DPM++ 2M")[number % 3],
            "model": ("sfumato-starter", "landscape-v2", "watercolour-base")[number % 3],
            "width": width,
            "height": height,
        }
        at = NEWEST - number * 21_000
        own = own_document("generate", asked, {"index": 0, "seed": seed, "width": width, "height": height}, datetime.fromtimestamp(at, UTC))
        labels = {"Steps": asked["steps"], "Sampler": asked["sampler"], "Seed": seed, "Size": (width, height), "Model": asked["model"]}
        path = data / "outputs" / ("txt2img" if number % 5 else "img2img") / f"{count - number:05}-{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture, write_infotext(str(asked["prompt"]), str(asked["negative"]), labels), own).data)
        os.utime(path, (at, at))


def fill_inputs(data: Path) -> dict[str, str]:
    """A photo-like picture, a mask with a white middle, something to steer by: name -> path."""
    folder = data.parent / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", (512, 512))
    ImageDraw.Draw(mask).ellipse((168, 168, 344, 344), fill=255)
    made = {"kite": drawn(31, 512)[0], "mask": mask, "lines": drawn(46, 512)[0], "wide": drawn(52, 640, 400)[0]}
    for name, picture in made.items():
        picture.save(folder / f"{name}.png")
    return {name: str(folder / f"{name}.png") for name in made}
