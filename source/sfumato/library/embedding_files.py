"""What words a file of textual inversion holds, told by its header alone. Rules: E30 of the engine; P45-P47 of the prompt language; R99.

Layouts: one table of vectors under any name (AUTOMATIC1111, kohya: `emb_params`; diffusers: the word itself, as `<word>`; converted pickles:
`string_to_param.*`), or one for each text encoder (`clip_l`, `clip_g`). A network file may bundle any of these under `bundle_emb.WORD.`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfumato.library.pickles.tensors import VALUES
from sfumato.library.safetensors_header import Header
from sfumato.prompts.names import Embedding

# Names of tables that belong to a text encoder: ours, and those that some trainers write.
_ROLES: Mapping[str, str] = {
    "clip_l": "clip_l",
    "clip_g": "clip_g",
    "t5xxl": "t5xxl",
    "text_encoders_0": "clip_l",
    "text_encoders_1": "clip_g",
}
# The role of the only table of a file.
ONLY = ""
# Names of tables and files are often plain words that prompts say without meaning them.
_MARKED_WORD = re.compile(r"<[^<>\0]{1,198}>")
_SHORTEST_NAME = 3
_BUNDLED = re.compile(r"bundle_emb\.(?P<word>[^.]+)\.(?P<key>.+)", re.DOTALL)
_FLOATING = frozenset({"F64", "F32", "F16", "BF16"})
# More than any embedding has; a model that lies in the wrong folder has hundreds of tensors.
_TABLES_LIMIT = 64
_WORD_LIMIT = 200
# Stands between path and word in a key; no path holds it.
_BETWEEN = "\0"


@dataclass(frozen=True, slots=True)
class StoredWord:
    """A word and its tables.

    Attributes:
        word: as it is stored; the file's own name if it says none.
        tables: role -> keys of the tensors whose rows (or which, as single rows) are its vectors, in order. Roles are parts of text encoders, or `ONLY`.
        widths: role -> numbers of each vector.
        vectors: how many, the same for each role.
    """

    word: str
    tables: Mapping[str, tuple[str, ...]]
    widths: tuple[tuple[str, int], ...]
    vectors: int

    def embedding(self, path: Path, name: str = "") -> Embedding:
        """As the prompt language knows it."""
        return Embedding(name or self.word, self.vectors, key_of(path, self.word), widths=self.widths)


def key_of(path: Path, word: str) -> str:
    """By which a word of a file is found again."""
    return f"{path}{_BETWEEN}{word}"


def place_of(key: str) -> tuple[Path, str]:
    """The file and the word of a key."""
    path, _, word = key.partition(_BETWEEN)
    return Path(path), word


def words_of(header: Header, stem: str) -> list[StoredWord]:
    """The words of a file that is an embedding; none if it is not. The first is meant by the file's name; others by what is stored inside."""
    tables = {key: info.shape for key, info in header.tensors.items() if info.dtype in _FLOATING and len(info.shape) in (1, 2)}
    if not tables or len(header.tensors) > _TABLES_LIMIT or any(_BUNDLED.fullmatch(key) for key in tables):
        return []
    by_role = {_ROLES[key]: (key,) for key in tables if key in _ROLES}
    whole = _word(stem, by_role or {ONLY: tuple(tables)}, tables)
    if whole is None:
        return []
    if by_role:
        return [whole, *_renamed(whole, _told_name(header))]
    inner = [word for key in tables if _MARKED_WORD.fullmatch(key) and (word := _word(key, {ONLY: (key,)}, tables)) is not None]
    return [whole, *(inner or _renamed(whole, _told_name(header)))]


def bundled_words(header: Header) -> list[StoredWord]:
    """The embeddings that a network file brings along."""
    shapes = {key: info.shape for key, info in header.tensors.items() if info.dtype in _FLOATING and len(info.shape) in (1, 2)}
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for key in shapes:
        if match := _BUNDLED.fullmatch(key):
            found.setdefault(match["word"], {}).setdefault(_ROLES.get(match["key"], ONLY), (key,))
    words = (_word(word, {role: keys for role, keys in roles.items() if role or len(roles) == 1}, shapes) for word, roles in found.items())
    return [word for word in words if word is not None]


def other_base(embedding: Embedding) -> str:
    """The sentence for an embedding that is for other text encoders than the model's."""
    return f"'{embedding.name}' is made for another base model (its vectors have {listed(width for _, width in embedding.widths)} numbers)."


def tables_for(embedding: Embedding, encoders: Sequence[tuple[str, int]]) -> dict[str, str] | None:
    """Which table each text encoder reads: part -> role; None if the embedding is for other encoders.

    Args:
        encoders: part and width of each, in the model's order.

    A file of one table is for models of one encoder. Of several tables the widest must be used, so that those for the two encoders of one family do not pass
    for those of a family that has only the smaller one.
    """
    widths = dict(embedding.widths)
    if ONLY in widths:
        return {encoders[0][0]: ONLY} if len(encoders) == 1 and encoders[0][1] == widths[ONLY] else None
    if not widths or any(widths.get(part) != width for part, width in encoders):
        return None
    widest = max(enumerate(embedding.widths), key=lambda each: (each[1][1], each[0]))[1][0]
    return {part: part for part, _ in encoders} if widest in dict(encoders) else None


def listed(numbers: Iterable[int]) -> str:
    """Numbers in a sentence."""
    return " and ".join(map(str, numbers))


def _word(word: str, roles: Mapping[str, tuple[str, ...]], shapes: Mapping[str, tuple[int, ...]]) -> StoredWord | None:
    """None unless the tables fit each other and hold something."""
    widths, counts = [], set()
    for role in sorted(roles, key=lambda role: list(_ROLES.values()).index(role) if role else 0):
        own = {shapes[key][-1] for key in roles[role]}
        if len(own) != 1:
            return None
        widths.append((role, own.pop()))
        counts.add(sum(shapes[key][0] if len(shapes[key]) == 2 else 1 for key in roles[role]))
    if len(counts) != 1 or not (vectors := counts.pop()) or any(not width for _, width in widths) or len(word) > _WORD_LIMIT or _BETWEEN in word:
        return None
    return StoredWord(word, roles, tuple(widths), vectors)


def _told_name(header: Header) -> str:
    """The name that a converted file had inside."""
    try:
        values = json.loads(header.metadata.get(VALUES, "{}"))
    except (ValueError, RecursionError):
        return ""
    name = values.get("name") if isinstance(values, dict) else None
    return name if isinstance(name, str) and _SHORTEST_NAME <= len(name.strip()) <= _WORD_LIMIT and _BETWEEN not in name else ""


def _renamed(whole: StoredWord, name: str) -> list[StoredWord]:
    return [StoredWord(name, whole.tables, whole.widths, whole.vectors)] if name and name != whole.word else []
