"""Style files: tables of named prompts, in the form that other programs share them.

CSV in UTF-8, with or without a byte order mark; columns name, prompt, negative_prompt (in old files name, text). What a style means is the prompt language's
business. Rules: P57, P58.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from sfumato.imaging.writing import replace_file
from sfumato.prompts.names import Style

COLUMNS = ("name", "prompt", "negative_prompt")
BACKUP = ".bak"
_OLD_PROMPT = "text"


def read_styles(paths: Iterable[Path]) -> tuple[Style, ...]:
    """The styles of several files, in their order; a name that comes again is the later file's. Files that cannot be read hold none.

    Rows without a name, and those whose name begins with `#`, are headings of other programs and are skipped.
    """
    found: dict[str, Style] = {}
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            continue
        for style in parse_styles(text):
            found[style.name] = style
    return tuple(found.values())


def parse_styles(text: str) -> list[Style]:
    """The styles of a file's text."""
    rows = csv.DictReader(io.StringIO(text.replace("\0", ""), newline=""), restval="")
    found = []
    try:
        for row in rows:
            name = (row.get("name") or "").strip()
            if name and not name.startswith("#"):
                prompt = row.get("prompt")
                found.append(Style(name, (row.get(_OLD_PROMPT) if prompt is None else prompt) or "", row.get("negative_prompt") or ""))
    except csv.Error:
        # A field longer than the module bears; the rows before it are whole.
        pass
    return found


def save_styles(path: Path, styles: Sequence[Style]) -> None:
    """Write a style file as a whole; what was there stays beside it with `.bak` behind its name.

    Raises:
        DiskFull, NotWritable: the file is as it was.
    """
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(COLUMNS)
    table.writerows((style.name, style.prompt, style.negative) for style in styles)
    if path.is_file():
        replace_file(path.with_name(path.name + BACKUP), path.read_bytes())
    replace_file(path, written.getvalue().encode("utf-8"))
