"""Writes docs/parameters.md from the rows of parameters and preprocessors: `.venv/bin/python docs/make_reference.py`. A test fails when it is out of date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source"))

from sfumato.engine.annotators import PREPROCESSORS, Preprocessor, Setting
from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.registry import filled
from sfumato.protocol.params import GROUPS
from sfumato.protocol.specs import ParamSpec, specs

_HEAD = ("| parameter | name | range | default | meaning |", "|---|---|---|---|---|")
PAGE = ROOT / "docs" / "parameters.md"


def _range(spec: ParamSpec) -> str:
    if spec.choices:
        return ", ".join(spec.choices)
    if spec.choices_from:
        return f"the catalog's {spec.choices_from}"
    if spec.widget == "image":
        return "pictures" if spec.kind == "list" else "a picture"
    if spec.item == "object":
        return f"up to {spec.max_length} objects, see below"
    if spec.kind == "list":
        return f"a list of {'numbers' if spec.item in ('int', 'float') else 'texts'}"
    if spec.minimum is None or spec.maximum is None:
        return {"text": "text", "bool": "on, off"}.get(spec.kind, spec.kind)
    top = "2^63-1" if spec.maximum > 1e15 else f"{spec.maximum:g}"
    return f"{spec.minimum:g} to {top}{' ' + spec.unit if spec.unit else ''}"


def _default(spec: ParamSpec) -> str:
    if spec.default is None:
        return spec.unset.lower() if spec.optional else "required"
    return json.dumps(spec.default)


def _row(spec: ParamSpec) -> str:
    return f"| {spec.title} | `{spec.name}` | {_range(spec)} | {_default(spec)} | {spec.description} |"


def _setting(setting: Setting) -> str:
    unit = f" {setting.unit}" if setting.unit else ""
    return f"`{setting.field}`: {setting.title.lower()}, {setting.minimum:g} to {setting.maximum:g}{unit}, {setting.default:g} unless set"


def _settings(row: Preprocessor) -> str:
    told = [*map(_setting, row.settings), *(["`body`, `hands`, `face`"] if row.parts else []), *(["`seed`"] if row.is_seeded else [])]
    return "; ".join(told)


def _preprocessors() -> list[str]:
    """The table of preprocessors."""
    lines = ["## Preprocessors", "", "What `preprocessor` may be, in a control or for `sfumato annotate`. Those with files need them in `models/annotators`,"]
    lines += ["as safetensors (`sfumato convert` makes one of a .pth); nothing is ever downloaded.", ""]
    lines += ["| preprocessor | name | map | settings | files |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.title} | `{row.name}` | {row.makes} | {_settings(row)} | {', '.join(f'`{file}`' for file in row.files)} |" for row in PREPROCESSORS.values()
    ]
    return [*lines, ""]


def page() -> str:
    """The whole page."""
    lines = ["# Parameters", "", "Made by `docs/make_reference.py` from the rows in `protocol/params/`; do not edit by hand.", ""]
    lines += ["On the command line each is a flag: `hr_scale` is `--hr-scale`. Only the prompt stands without one.", ""]
    for kind in filled([REGISTRAR]).kinds.values():
        lines += [f"## {kind.title} (`{kind.name}`)", ""]
        for group, title in GROUPS.items():
            rows = [spec for spec in specs(kind.request) if spec.group == group]
            if rows:
                lines += [f"### {title}", "", *_HEAD, *map(_row, rows), ""]
            for spec in rows:
                if spec.fields:
                    lines += [f"Fields of each object in `{spec.name}`:", "", *_HEAD, *map(_row, spec.fields), ""]
    return "\n".join([*lines, *_preprocessors()])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
