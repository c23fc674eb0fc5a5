"""The prompts that pictures were asked for with: the last pairs that differ, newest first, in a file of the data folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfumato.imaging.writing import make_folder, replace_file

FILE = "prompt_history.json"
PAIRS_KEPT = 500


@dataclass(frozen=True, slots=True)
class PastPrompt:
    """A pair of prompts; `when` it was last used, seconds since 1970."""

    prompt: str
    negative: str
    when: float = 0.0


def load_history(folder: Path) -> tuple[PastPrompt, ...]:
    """The pairs, newest first; what cannot be read is no history."""
    try:
        rows = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("prompt"), str) and isinstance(row.get("negative"), str):
            when = row.get("when")
            found.append(PastPrompt(row["prompt"], row["negative"], float(when) if isinstance(when, int | float) else 0.0))
    return tuple(found[:PAIRS_KEPT])


def remembered(history: Sequence[PastPrompt], used: PastPrompt) -> tuple[PastPrompt, ...]:
    """The history with a pair in front; one that was there moves, the oldest beyond 500 go. Two empty texts are no prompt."""
    if not used.prompt.strip() and not used.negative.strip():
        return tuple(history)
    others = (past for past in history if (past.prompt, past.negative) != (used.prompt, used.negative))
    return (used, *others)[:PAIRS_KEPT]


def save_history(folder: Path, history: Iterable[PastPrompt]) -> None:
    """Write the history as a whole.

    Raises:
        DiskFull, NotWritable: the file is as it was.
    """
    make_folder(folder)
    rows = [{"prompt": past.prompt, "negative": past.negative, "when": round(past.when, 3)} for past in history]
    replace_file(folder / FILE, json.dumps(rows, ensure_ascii=False, indent=1).encode("utf-8"))


def search(history: Iterable[PastPrompt], words: str) -> list[PastPrompt]:
    """Those that hold every word, in either text, without regard to case."""
    wanted = words.casefold().split()
    return [past for past in history if all(word in f"{past.prompt}\n{past.negative}".casefold() for word in wanted)]
