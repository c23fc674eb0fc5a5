"""The command line: the same jobs as the window's, their flags drawn from the same rows.

Exit status: 0 done, 1 the job failed, 2 the command was wrong, 130 stopped by Ctrl+C. Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato import __version__
from sfumato.config import Settings, find_places
from sfumato.jobs.places import Places
from sfumato.library.presets import PRESETS
from sfumato.protocol.errors import Invalid, Problem, SfumatoError
from sfumato.protocol.redaction import Redactor
from sfumato.protocol.requests import Request
from sfumato.protocol.requests.annotate import Annotate
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.requests.upscale import Upscale
from sfumato.protocol.specs import ParamSpec, specs, validate
from sfumato.remote_options import add_connect, add_download, add_serve, download_of, link_of, serving_of

if TYPE_CHECKING:
    from sfumato.imaging.picture import Reading
    from sfumato.library.matching import Match

DONE, FAILED, WRONG, STOPPED = 0, 1, 2, 130

# Of what a picture says, shown even if it is the default.
_ALWAYS_SHOWN = ("prompt", "steps", "sampler", "guidance", "seed")
OBJECT_HELP = " May be given several times; a value with a comma stands in quotation marks, or the whole is JSON."
# What `models` lists -> list of the catalog, and the folder of the models folders where files of its kind are put.
_KINDS = {
    "checkpoints": ("models", "checkpoints"),
    "loras": ("loras", "loras"),
    "hypernetworks": ("hypernetworks", "hypernetworks"),
    "embeddings": ("embeddings", "embeddings"),
}
_MODEL_FIELDS = ("model", "vae", "refiner", "hr_model")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        places = find_places(options.data)
        for complaint in Settings.load(places.data).complaints:
            print(f"sfumato: {complaint}", file=sys.stderr)
        status: int = options.run(options, places)
    except SfumatoError as error:
        print(f"sfumato: {_plain(Redactor().clean(error.message))}", file=sys.stderr)
        return WRONG if error.code == Invalid.code else FAILED
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:
        # The reader of our output left (`sfumato models | head`); that is its right. What is still held for it must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return status


def build_parser() -> argparse.ArgumentParser:
    """All commands; used by `main` and by the generated reference in docs/."""
    parser = argparse.ArgumentParser(
        prog="sfumato", description="Make pictures with Stable Diffusion. Without a command, start_linux.sh and start_win.bat open the studio."
    )
    parser.add_argument("--version", action="version", version=f"Sfumato {__version__}")
    parser.add_argument("--data", metavar="DIR", default=None, help="data folder (settings, outputs/, models/)")
    parser.add_argument("--verbose", action="store_true", help="say more about what happens")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    generate = commands.add_parser("generate", help="make pictures from a text", description="Make pictures from a text.")
    generate.add_argument("prompt", metavar="PROMPT", help=_help(_spec("prompt")))
    for spec in specs(Generate):
        if spec.name != "prompt":
            _add_flag(generate, spec)
    generate.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="where to write the picture; its ending (.png, .jpg, .webp, .avif) is its format; default: named in the outputs folder",
    )
    told = "; ".join(f"{row.name}: {', '.join(f'{name} {value}' for name, value in row.fields.items())}" for row in PRESETS.values())
    generate.add_argument("--preset", choices=tuple(PRESETS), help=f"settings of a distilled model, for all that no other flag gives ({told})")
    generate.add_argument("--replace", action="store_true", help="write over an existing FILE")
    add_connect(generate)
    generate.set_defaults(run=_generate)

    annotate = commands.add_parser(
        "annotate",
        help="make the map of a picture that steers a ControlNet",
        description="Make the map of a picture that steers a ControlNet: edges, depth, poses and others. See docs/parameters.md for the preprocessors.",
    )
    annotate.add_argument("preprocessor", metavar="PREPROCESSOR", help=_help(_spec("preprocessor", Annotate)))
    annotate.add_argument("image", metavar="FILE", type=Path, help=_help(_spec("image", Annotate)))
    for spec in specs(Annotate):
        if spec.name not in ("preprocessor", "image"):
            _add_flag(annotate, spec)
    annotate.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write the map (.png); default: named in the outputs folder")
    annotate.add_argument("--replace", action="store_true", help="write over an existing FILE")
    add_connect(annotate)
    annotate.set_defaults(run=_annotate)

    upscale = commands.add_parser(
        "upscale",
        help="make pictures larger and mend faces in them",
        description="Make pictures larger, by a filter or by a model from the folder upscalers, and mend faces in them.",
    )
    upscale.add_argument("files", metavar="FILE", type=Path, nargs="+", help="a picture, or a folder of pictures")
    for spec in specs(Upscale):
        if spec.name != "images":
            _add_flag(upscale, spec)
    upscale.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="where to write the picture, its ending is its format; or a folder, in which the results keep their names; default: named in the outputs folder",
    )
    upscale.add_argument("--replace", action="store_true", help="write over existing files")
    add_connect(upscale)
    upscale.set_defaults(run=_upscale)

    models = commands.add_parser("models", help="list the models that were found", description="List the models that were found.")
    models.add_argument("--kind", choices=tuple(_KINDS), default="checkpoints", help="what to list (default checkpoints)")
    models.add_argument("--json", action="store_true", help="print JSON")
    add_connect(models)
    models.set_defaults(run=_models)

    download = commands.add_parser(
        "download",
        help="bring a model file from the web into the models folder",
        description="Bring a model file from the web into the models folder, of this machine or with --connect of another. It is checked before it gets its "
        "name, and never replaces a file; an interrupted one goes on where it ended.",
    )
    add_download(download)
    add_connect(download)
    download.set_defaults(run=_download)

    serve = commands.add_parser(
        "serve",
        help="let other machines use this one's engine",
        description="Let other machines use this one's engine: prints a connection link for Sfumato's window or --connect elsewhere, and serves until Ctrl+C. "
        "docs/remote.md tells what the link allows and what is safe.",
    )
    add_serve(serve)
    serve.set_defaults(run=_serve)

    convert = commands.add_parser(
        "convert", help="write a pickled model anew as safetensors", description="Write a pickled model (.ckpt, .pt, .pth, .bin) anew as .safetensors."
    )
    convert.add_argument(
        "files",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="the pickled model, or its name in the models folders; it is read by a process that can run nothing, and stays",
    )
    convert.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write it (default: beside it); for one FILE only")
    convert.set_defaults(run=_convert)

    metadata = commands.add_parser(
        "metadata",
        help="show what a picture says about how it was made",
        description="Show what a picture says about how it was made, and the request that is made of it. Pictures of AUTOMATIC1111 and its kin, ComfyUI, "
        "InvokeAI, NovelAI, Fooocus, qDiffusion, SwarmUI and Draw Things are read as well as our own.",
    )
    metadata.add_argument("file", metavar="FILE", type=Path)
    metadata.add_argument("--hidden", action="store_true", help="trust a text hidden in the pixels before the others")
    metadata.add_argument("--json", action="store_true", help="print JSON")
    metadata.set_defaults(run=_metadata)

    prompt = commands.add_parser("prompt", help="show how a prompt is understood", description="Show how a prompt is understood, without running anything.")
    prompt.add_argument("text", metavar="PROMPT")
    prompt.add_argument("--steps", type=int, default=Generate().steps, help="steps the prompt is planned for (default: %(default)s)")
    prompt.add_argument("--negative", action="store_true", help="read it as a negative prompt")
    prompt.add_argument("--seed", type=int, default=0, help="seed that chooses among {a|b} and wildcards (default: %(default)s)")
    prompt.add_argument("--style", action="append", default=[], metavar="NAME", help="put a style around it; may be given several times")
    prompt.add_argument("--json", action="store_true", help="print JSON")
    prompt.set_defaults(run=_prompt)
    return parser


def _plain(text: str) -> str:
    """Text that may hold a file's name, without anything a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _spec(name: str, request: type[Request] = Generate) -> ParamSpec:
    return next(spec for spec in specs(request) if spec.name == name)


def _help(spec: ParamSpec) -> str:
    """A parameter's row as a help line: words, limits, default."""
    limits = ""
    if spec.minimum is not None and spec.maximum is not None and spec.maximum < 1e6:
        limits = f" {spec.minimum:g} to {spec.maximum:g}."
    default = spec.unset.lower() if spec.default is None else json.dumps(spec.default)
    shown = f" (default: {default})" if spec.default not in ("", ()) else ""
    return (spec.description + limits + shown).replace("%", "%%")


def _add_flag(parser: argparse.ArgumentParser, spec: ParamSpec) -> None:
    """One row as one flag. Limits are checked by the request itself, so that every bad value is named at once."""
    if spec.kind == "bool":
        parser.add_argument(spec.flag, dest=spec.name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=_help(spec))
        return
    if spec.fields:
        parser.add_argument(spec.flag, dest=spec.name, action="append", metavar="NAME=VALUE,...", default=argparse.SUPPRESS, help=_help(spec) + OBJECT_HELP)
        return
    types: dict[str, Any] = {"int": int, "float": float}
    is_picture = spec.widget == "image"
    parser.add_argument(
        spec.flag,
        dest=spec.name,
        type=Path if is_picture else types.get(spec.item or spec.kind, str),
        nargs="+" if spec.kind == "list" else None,
        choices=spec.choices or None,
        metavar=None if spec.choices else "FILE" if is_picture else spec.name.upper(),
        default=argparse.SUPPRESS,
        help=_help(spec),
    )


def _generate(options: argparse.Namespace, places: Places) -> int:
    from sfumato.asked import jobs_of  # Pillow, rich and the child are not needed for --help
    from sfumato.terminal import run_generate

    return DONE if run_generate(jobs_of(options), places, options.replace, link_of(options)) else STOPPED


def _annotate(options: argparse.Namespace, places: Places) -> int:
    from sfumato.asked import map_of  # as above
    from sfumato.terminal import run_generate

    return DONE if run_generate([map_of(options)], places, options.replace, link_of(options)) else STOPPED


def _upscale(options: argparse.Namespace, places: Places) -> int:
    from sfumato.asked import larger_of  # as above
    from sfumato.terminal import run_generate

    return DONE if run_generate(larger_of(options), places, options.replace, link_of(options)) else STOPPED


def _models(options: argparse.Namespace, places: Places) -> int:
    from sfumato.terminal import fetch_catalog  # as above

    choice, folder = _KINDS[options.kind]
    link = link_of(options)
    found = _rows(fetch_catalog(places, link), choice)
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return DONE
    if not found and link is not None:
        print(f"No {choice} found on {link.host}.", file=sys.stderr)
    elif not found:
        folders = " or ".join(str(path) for path in places.models)
        files = ".safetensors files or diffusers folders" if choice == "models" else ".safetensors files"
        print(f"No {choice} found. Put {files} into {folder}/ in {folders}.", file=sys.stderr)
    # The name is what --model takes; several files may share a title.
    width = max((len(model["value"]) for model in found), default=0)
    for model in found:
        told = {name: str(model.get(name) or "") for name in ("label", "width", "height", "kind", "family", "reason")}
        title = f"  {told['label']}" if told["label"] != model["value"] else ""
        size = f"  {told['width']}x{told['height']}" if told["width"] else f"  {told['kind']}"
        known = f"{told['family']}{size}{title}" if told["family"] else told["kind"] or "not looked at yet"
        if isinstance(model.get("preset"), dict):
            known += f"  (--preset {model['preset'].get('name', '')})"
        state = told["reason"] or known
        print(f"{_plain(model['value']):<{width}}  {_plain(state)}")
    return DONE


def _rows(catalog: dict[str, Any], choice: str) -> list[dict[str, Any]]:
    """One list of a catalog. That of another machine may hold anything; what is no row of it is left out."""
    choices = catalog.get("choices")
    rows = choices.get(choice) if isinstance(choices, dict) else None
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("value"), str)] if isinstance(rows, list) else []


def _download(options: argparse.Namespace, places: Places) -> int:
    from sfumato.terminal import run_download  # as above

    return DONE if run_download(download_of(options), places, link_of(options)) else STOPPED


def _serve(options: argparse.Namespace, places: Places) -> int:
    from sfumato.serve import serve  # as above

    serve(serving_of(options), places)
    return DONE


def _convert(options: argparse.Namespace, places: Places) -> int:
    from sfumato.library.models import locate_any
    from sfumato.library.pickles.conversion import convert

    if options.output is not None and len(options.files) > 1:
        raise Invalid([Problem("output", "With --output only one file can be converted at a time.")])
    for file in options.files:
        # Sentences about models name them as they are named in the models folders.
        converted = convert(file if file.exists() else locate_any(places.models, str(file)), options.output)
        print(converted.path)
        for title, names in (("not weights, left out", converted.left_out), ("could have run, was not", converted.placeholders)):
            if names:
                print(f"{_plain(file.name)}: {title}: {_plain(', '.join(names))}", file=sys.stderr)
    return DONE


def _metadata(options: argparse.Namespace, places: Places) -> int:
    from sfumato.imaging.picture import read_picture  # as above

    reading = read_picture(options.file, seek_hidden=options.hidden)
    found = _models_here(reading, places)
    if options.json:
        here = {field: {"name": match.name, "by": match.by} if match else None for field, match in found.items()}
        print(json.dumps(reading.to_json() | {"models": here}, indent=2, ensure_ascii=False))
        return DONE
    size = f"{reading.width}x{reading.height} " if reading.width else ""
    print(f"picture  {size}{reading.format or 'of an unknown format'}, written by {reading.source}")
    # Of our own pictures what makes this very one: its seed, not the job's.
    fields = reading.repeated().model_dump() if reading.own and reading.fields else reading.fields
    told = {name: value for name, value in fields.items() if name in _ALWAYS_SHOWN or value != _spec(name).default}
    for title, values in (("", told), ("not read: ", reading.unknown), ("checksum of ", reading.hashes)):
        for name, value in values.items():
            print(f"{_plain(title + name)}  {_plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}")
    for field, match in found.items():
        print(f"here: {field}  {_plain(f'{match.name} (by {match.by})' if match else 'not found')}")
    for sentence in reading.warnings:
        print(f"note  {_plain(sentence)}")
    return DONE


def _models_here(reading: Reading, places: Places) -> dict[str, Match | None]:
    """What each model that a picture names is on this machine; None where there is none like it."""
    from sfumato.imaging.controls import role_of  # as above
    from sfumato.library.hashes import Hashes
    from sfumato.library.matching import match_model
    from sfumato.library.models import CHECKPOINT, CONTROL, VAE, scan

    hashes = Hashes(places.data)
    named = {field: reading.fields.get(field, "") for field in _MODEL_FIELDS if reading.fields.get(field) or field in reading.hashes}
    controls = {role_of(number): unit["model"] for number, unit in enumerate(reading.fields.get("control", ())) if unit["model"]}
    categories = dict.fromkeys(named, CHECKPOINT) | ({"vae": VAE} if "vae" in named else {}) | dict.fromkeys(controls, CONTROL)
    lists = {category: [(entry.name, entry.path) for entry in scan(places.models, category)] for category in set(categories.values())}
    return {field: match_model(name, reading.hashes.get(field, ""), lists[categories[field]], hashes) for field, name in (named | controls).items()}


def _prompt(options: argparse.Namespace, places: Places) -> int:
    from sfumato.library.words import WordFiles  # as below
    from sfumato.prompts import understand  # loads the vocabulary

    steps = validate(Generate, {"steps": options.steps}).steps
    library = WordFiles().library(places.data, places.models)
    plan = understand(options.text, steps=steps, library=library, negative=options.negative, styles=options.style, seed=options.seed)
    report = plan.to_json()
    if options.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return DONE
    if report["chosen"] != report["text"]:
        print(f"chosen  {report['chosen']!r}")
    for phase in report["phases"]:
        if len(report["phases"]) > 1:
            print(f"calls {phase['first']}-{phase['last']}")
        for number, (segments, weight) in enumerate(zip(phase["parts"], report["weights"], strict=True)):
            if len(report["weights"]) > 1:
                print(f"part {number} x {weight:g}")
            for segment in segments:
                print(f"{segment['weight']:>7.3f}  {segment['text']!r}")
        for network in phase["networks"]:
            where = "" if network["part"] is None else f"  (part {network['part']} only)"
            print(f"{network['kind']:>7}  {_plain(network['name'])}  text {network['te']:g}, picture {network['unet']:g}{where}")
    print(f"tokens  {report['tokens']}")
    for span in report["spans"]:
        if span["message"]:
            print(f"note    {span['start']}-{span['end']}: {_plain(span['message'])}")
    return DONE
