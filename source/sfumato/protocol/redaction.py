"""Takes secrets out of whatever is written for people: every living `Secret`, and what looks like a token of a known kind.

Each is found plain, as base64, as hexadecimal digits, percent-encoded, and as `repr` and JSON escape it. Start with `Redactor.clean`; `install` puts it
before the logs and the tracebacks of a process.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType

from sfumato.protocol.secret import SHOWN, living

# A shorter one cannot be told from ordinary words, and hiding it everywhere would tell where it stood.
SHORTEST = 4

# Kinds of tokens by how they look, whoever made them. Each names what is hidden: the group `secret`, else the whole.
SHAPES: tuple[str, ...] = (
    r"sfk1\.[A-Za-z0-9_-]{16,}={0,2}",  # our own keys
    r"hf_[A-Za-z0-9]{16,}",  # Hugging Face
    r"(?:ghp|gho|ghu|ghs|ghr|github_pat)_[A-Za-z0-9_]{16,}",
    r"glpat-[A-Za-z0-9_-]{16,}",
    r"sk-[A-Za-z0-9_-]{20,}",
    r"xox[abprs]-[A-Za-z0-9-]{10,}",
    r"AKIA[A-Z0-9]{16}",
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON web tokens
    r"(?i:\b(?:bearer|basic)[ \t]+)(?P<secret>[A-Za-z0-9._~+/=-]{8,})",
    r"(?i:\b(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|signature|x-amz-[a-z-]+)\b[\"']?[ \t]?[=:][ \t]?[\"']?)(?P<secret>[^\s\"'&,;<>]{4,})",
    r"[a-z][a-z0-9+.-]{0,30}://[^/\s:@]*:(?P<secret>[^/\s@]{3,})@",  # a password within an address
)

# Text that may be an encoding of something; a shorter piece holds no secret of `SHORTEST` characters.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :-]?){3,}[0-9A-Fa-f]{1,2}")
# Only from where a word begins: tried at each of its letters, a long word would take the square of its length.
_PERCENT = re.compile(r"(?<![^\s\"'<>])[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*")
_SHORT_ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r", "\b": r"\b", "\f": r"\f", '"': r"\"", "'": r"\'", "\\": r"\\", "/": r"\/"}
_TO_STANDARD = str.maketrans("-_", "+/")


class Redactor:
    """Cleans texts of secrets.

    Args:
        also: bytes that are secret without being a `Secret`, such as keys made of one.
    """

    def __init__(self, also: Iterable[bytes] = ()) -> None:
        self._also = tuple(also)
        self._shapes = tuple(re.compile(shape) for shape in SHAPES)
        self._byte_shapes = tuple(re.compile(shape.encode()) for shape in SHAPES)
        self._known: tuple[bytes, ...] = ()
        self._plain: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, secret: bytes) -> None:
        """Know one more, for as long as this redactor lives."""
        with self._lock:
            self._also = (*self._also, secret)

    def clean(self, text: str) -> str:
        """`text` with stars wherever it held a secret in any of its forms."""
        known, plain = self._current()
        if plain is not None:
            text = plain.sub(SHOWN, text)
        for shape in self._shapes:
            text = shape.sub(_hide, text)
        for pattern, readings in ((_BASE64, _from_base64), (_HEX, _from_hex), (_PERCENT, _from_percent)):
            text = pattern.sub(lambda found, readings=readings: self._judge(found.group(), readings(found.group()), known), text)
        return text

    def _current(self) -> tuple[tuple[bytes, ...], re.Pattern[str] | None]:
        """What is secret now, longest first, and the pattern that finds it plain or escaped."""
        with self._lock:
            found = {secret.reveal().encode("utf-8", "surrogatepass") for secret in living()} | set(self._also)
            known = tuple(sorted((secret for secret in found if len(secret) >= SHORTEST), key=lambda secret: (-len(secret), secret)))
            if known != self._known:
                self._known = known
                self._plain = re.compile("|".join(map(_spellings, known))) if known else None
            return self._known, self._plain

    def _judge(self, piece: str, readings: Iterator[bytes], known: tuple[bytes, ...]) -> str:
        """A piece of text as it is, or stars if one of its readings holds a secret."""
        for reading in readings:
            if any(secret in reading for secret in known) or any(shape.search(reading) for shape in self._byte_shapes):
                return SHOWN
        return piece


def _hide(found: re.Match[str]) -> str:
    if "secret" not in found.re.groupindex:
        return SHOWN
    start, end = found.span("secret")
    return found.string[found.start() : start] + SHOWN + found.string[end : found.end()]


def _spellings(secret: bytes) -> str:
    """A pattern for a secret, each of its characters plain, percent-encoded or escaped as Python and JSON do."""
    try:
        characters = secret.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(_byte_spellings(byte) for byte in secret)
    return "".join(_spelling(character) for character in characters)


def _spelling(character: str) -> str:
    code, units = ord(character), character.encode("utf-16-be", "surrogatepass")
    ways = [re.escape(character)]
    # JSON writes characters beyond the first plane as two halves, Python as one long number.
    ways.append("".join(rf"\\u(?i:{units[at : at + 2].hex()})" for at in range(0, len(units), 2)))
    ways.append(rf"\\x(?i:{code:02x})" if code < 0x100 else rf"\\U(?i:{code:08x})")
    ways.append("".join(_byte_spellings(byte) for byte in character.encode("utf-8", "surrogatepass")))
    if character in _SHORT_ESCAPES:
        ways.append(re.escape(_SHORT_ESCAPES[character]))
    if character == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _byte_spellings(byte: int) -> str:
    """One byte: itself if it can be seen, %61, or \\x61."""
    digits = f"(?i:{byte:02x})"
    ways = [f"%{digits}", rf"\\x{digits}"]
    if byte < 0x80:
        ways.append(re.escape(chr(byte)))
        ways += [re.escape(escape) for character, escape in _SHORT_ESCAPES.items() if ord(character) == byte]
    return f"(?:{'|'.join(ways)})"


def _from_base64(piece: str) -> Iterator[bytes]:
    """What a piece may say as base64 of either alphabet, whatever stands before it."""
    standard = piece.translate(_TO_STANDARD)
    for start in range(4):
        whole = standard[start : start + (len(standard) - start) // 4 * 4]
        rest = standard[start + len(whole) :]
        if len(rest) > 1:
            whole += rest + "=" * (4 - len(rest))
        if whole:
            yield _decoded(whole)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _from_hex(piece: str) -> Iterator[bytes]:
    digits = re.sub(r"[ :-]", "", piece)
    for start in range(2):
        even = digits[start : start + (len(digits) - start) // 2 * 2]
        yield bytes.fromhex(even)


def _from_percent(piece: str) -> Iterator[bytes]:
    # The plain pattern knows living secrets in this form; this one is for shapes.
    yield re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found.group(1).decode()), piece.encode("utf-8", "replace"))


class Redaction(logging.Filter):
    """Cleans every record of a handler: message, traceback and stack."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a wrong call of the log; logging would print its arguments as they are
            message = f"(a message that could not be formed) {record.msg!r}"
        record.msg, record.args = self._redactor.clean(message), None
        if record.exc_info and record.exc_info[0] is not None:
            # Formatted here, and let go of: no handler forms it again from the exception itself.
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._redactor.clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.clean(record.stack_info)
        return True


def install(redactor: Redactor) -> None:
    """Clean what this process logs from now on (by the handlers of the root logger and ours), and the tracebacks of exceptions nobody caught."""
    redaction = Redaction(redactor)
    for name in ("", "sfumato"):
        for handler in logging.getLogger(name).handlers:
            if not any(isinstance(there, Redaction) for there in handler.filters):
                handler.addFilter(redaction)

    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if sys.stderr is not None:  # a window without a console has none
            sys.stderr.write(redactor.clean("".join(traceback.format_exception(kind, error, trace))))

    def show_of_thread(told: threading.ExceptHookArgs) -> None:
        if told.exc_type is not SystemExit:
            show(told.exc_type, told.exc_value, told.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_of_thread
