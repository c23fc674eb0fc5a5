"""The job that fetches a model file from the web. Rules: N53, D121, X36.

What arrived is kept with a note of whose bytes they are, so that another try goes on by range; the note's mark (ETag) and the checksum decide whether old and
new bytes belong together. Start reading at `fetch`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from sfumato.library.models import SUFFIXES
from sfumato.library.transfers.arrival import Telling, already, keep, own_folder, refuse_beginning, refuse_name, refuse_second
from sfumato.library.transfers.quarantine import Part, Quarantine
from sfumato.library.transfers.sources import HUGGING_FACE, Source, find, site_of, suggested_name, told_by_hugging_face
from sfumato.library.transfers.surroundings import Surroundings
from sfumato.library.web import Answer, Web, WebTrouble, allowed_hosts
from sfumato.protocol.errors import AddressRefused, DiskFull, DownloadFailed, Invalid, Problem, Stopped, TransferDamaged, TransferIncomplete
from sfumato.protocol.requests.download import STAGE, Download
from sfumato.protocol.requests.upload import Stored
from sfumato.protocol.secret import Secret

_BLOCK_BYTES = 1 << 18
_ROOM_BYTES = 64 << 20
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RANGE = re.compile(r"^bytes (\d{1,16})-(\d{1,16})/(\d{1,16})$")
_ASK_FOR_TOKEN = "Sign in there, accept the model's terms if it has some, and give the token the site makes for you."


@dataclass(frozen=True)
class Patience:
    """How long is waited.

    Attributes:
        idle_s: for the next byte.
        slow_s, slow_bytes: less than so many bytes in so many seconds is as good as nothing.
        tries: connections in a row that brought as little.
        pause_s: before another.
    """

    idle_s: float = 30.0
    slow_s: float = 60.0
    slow_bytes: int = 64 << 10
    tries: int = 4
    pause_s: float = 2.0


@dataclass(frozen=True)
class _Note:
    """What is known of the bytes that are there: the mark the server gave them, and how many there will be."""

    mark: str = ""
    total: int = 0


def run(request: Download, context: Surroundings) -> Stored:
    """Fetch one file with the web as it is, and the hosts that the owner of this machine allowed."""
    return fetch(request, context, Web(allowed=allowed_hosts(context.places.download_hosts)))


def fetch(request: Download, context: Surroundings, web: Web, patience: Patience | None = None) -> Stored:
    """Fetch one file, check it and give it its name.

    Raises:
        Invalid, AddressRefused: of an address, or a name, that cannot be.
        DownloadFailed: it does not come; what came is kept.
        TransferIncomplete: the client let it go for now; what came is kept.
        NameTaken, UnsafeName, QuotaExceeded, DiskFull, NotWritable, TransferDamaged, PickleRefused, CorruptFile, ModelUnsupported: as an upload.
    """
    token = _token(request)
    if request.name:
        refuse_name(context, request.folder, request.name)
    try:
        source = find(request.address, web, token, context.check, time.monotonic() + 60)
        return _Download(request, context, web, token, source, patience or Patience()).run()
    except WebTrouble as trouble:
        if trouble.is_refusal:
            raise AddressRefused(trouble.host, trouble.reason, detail=trouble.detail) from trouble
        raise DownloadFailed(trouble.host, trouble.reason, detail=trouble.detail) from trouble


def _token(request: Download) -> Secret | None:
    """The token of a request; one that shows whose it is goes nowhere else."""
    token = Secret(request.token.strip())
    if not token:
        return None
    if not token.reveal().isascii() or not token.reveal().isprintable() or " " in token.reveal():
        raise Invalid([Problem("token", "Token must be written in plain letters, digits and signs, without spaces.")])
    if token.reveal().startswith("hf_") and site_of(request.address) != "huggingface":
        raise Invalid([Problem("token", "This token is one of Hugging Face, and is told to no other site.")])
    return token


class _Download:
    """One run: asks, goes on, asks again."""

    def __init__(self, request: Download, context: Surroundings, web: Web, token: Secret | None, source: Source, patience: Patience) -> None:
        self._request = request
        self._context = context
        self._web = web
        self._token = token
        self._source = replace(source, sha256=request.sha256 or source.sha256)
        self._patience = patience
        self._parts = web.checked(source.url)
        self._name = ""
        self._reached = (0, 0)
        self._total = 0
        if self._parts.scheme != "https" and not request.sha256 and not web.is_allowed(self._parts):
            raise AddressRefused(
                self._parts.hostname or "", "it is not protected, so anybody on the way could change the file", remedy="Use https, or give the file's SHA-256."
            )

    def run(self) -> Stored:
        if known := self._request.name or _model_name(self._source.name):
            self._take_name(known)
        quarantine = Quarantine(own_folder(self._context), self._context.identity)
        # Not by the checksum: whether that is known may only turn out on the way.
        key = hashlib.sha256(f"{self._source.url}\n{self._request.sha256}".encode()).hexdigest()
        try:
            with quarantine.part(key, 0, self._name or self._source.name or "the file", self._check) as part:
                try:
                    self._bring(part, quarantine)
                except Stopped:
                    self._reached = (part.done, self._total)
                    if self._is_cancelled() and not self._context.is_abandoned:
                        part.remove()
                    raise
                return keep(part, self._context, self._request.folder, self._name, sha256=self._source.sha256, likely=self._source.category)
        except _Already as found:
            return found.stored
        except Stopped:
            if self._is_cancelled():
                raise
            raise TransferIncomplete(self._name or self._source.name or "the file", *self._reached) from None

    def _check(self) -> None:
        """Raise `Stopped` if the job was cancelled, or its client wants no more for now."""
        self._context.check()
        if self._context.is_let_go:
            raise Stopped

    def _is_cancelled(self) -> bool:
        try:
            self._context.check()
        except Stopped:
            return True
        return False

    def _take_name(self, name: str) -> None:
        refuse_name(self._context, self._request.folder, name)
        self._name = name

    def _bring(self, part: Part, quarantine: Quarantine) -> None:
        """Ask until the part is whole; a connection that brought something is followed by another at once."""
        note = _read_note(part)
        telling = Telling(self._context, STAGE, note.total)
        in_vain = 0
        while True:
            before = part.done
            try:
                if self._ask(part, quarantine, telling):
                    telling.tell(part.done, now=True)
                    return
                trouble = WebTrouble(self._parts.hostname or "", "the connection ended in the middle of the file")
            except WebTrouble as error:
                if error.is_refusal:
                    raise
                trouble = error
            in_vain = 0 if part.done - before >= self._patience.slow_bytes else in_vain + 1
            if in_vain >= self._patience.tries:
                raise trouble
            self._rest(self._patience.pause_s * in_vain)

    def _ask(self, part: Part, quarantine: Quarantine, telling: Telling) -> bool:
        """One connection; whether the file is whole after it."""
        note = _read_note(part)
        if part.done and not (note.mark or self._request.sha256):
            part.restart()  # nothing would tell whether the rest belongs to it
        headers = {"Accept": "*/*"}
        if part.done:
            headers |= {"Range": f"bytes={part.done}-"} | ({"If-Range": note.mark} if note.mark else {})
        with self._web.open(self._source.url, headers=headers, token=self._token, idle_s=self._patience.idle_s, check=self._check) as answer:
            self._believe_site(answer)
            self._refuse_answer(answer, part)
            if answer.status == 416:
                return self._is_whole(part, answer, note)
            note = self._begin(part, answer, note)
            if not self._name:
                self._take_name(self._name_of(answer))
            self._refuse_known(note.total, telling)
            self._refuse_size(part, quarantine, note.total)
            part.write_note(json.dumps({"mark": note.mark, "total": note.total}).encode())
            telling.total = self._total = note.total
            telling.tell(part.done, now=True)
            self._read(part, answer, quarantine, telling)
        if note.total and part.done > note.total:
            part.remove()
            raise TransferDamaged(self._name, f"more than the {note.total} bytes that were announced came")
        return part.done == note.total if note.total else True

    def _believe_site(self, answer: Answer) -> None:
        """What Hugging Face says of a large file stands in the answer of that host alone, the one that leads on."""
        for hop in answer.hops:
            if self._source.site == "huggingface" and hop.host == HUGGING_FACE:
                digest, _ = told_by_hugging_face(hop.headers)
                if digest and not self._source.sha256:
                    self._source = replace(self._source, sha256=digest)

    def _refuse_answer(self, answer: Answer, part: Part) -> None:
        """Whatever is no file: an error, or the page on which one signs in."""
        if answer.status in (401, 403):
            raise AddressRefused(answer.host, "the site asks who you are", remedy=_ASK_FOR_TOKEN)
        if answer.status in (404, 410):
            raise AddressRefused(answer.host, "there is nothing at this address")
        if answer.status not in (200, 206, 416):
            raise WebTrouble(answer.host, f"the server answers {answer.status}", is_refusal=400 <= answer.status < 500 and answer.status not in (408, 429))
        media = answer.header("Content-Type").partition(";")[0].strip().casefold()
        if answer.status != 416 and media in ("text/html", "application/xhtml+xml"):
            remedy = _ASK_FOR_TOKEN if self._source.site else "Give the address of the file itself, not of a page about it."
            raise AddressRefused(answer.host, "what is there is a page and no file", remedy=remedy)
        if answer.status == 206 and not part.done:
            raise WebTrouble(answer.host, "it sends a part of the file that was not asked for")

    def _is_whole(self, part: Part, answer: Answer, note: _Note) -> bool:
        """There is nothing behind what is there: it is whole, or of another file."""
        said = answer.header("Content-Range").removeprefix("bytes */")
        if part.done and said.isdigit() and len(said) < 16 and int(said) == part.done == (note.total or part.done):
            if not self._name:
                self._take_name(self._name_of(answer))
            return True
        part.restart()
        raise WebTrouble(answer.host, "the file there has changed")

    def _begin(self, part: Part, answer: Answer, note: _Note) -> _Note:
        """Put the part where the answer begins; what is known of the file now."""
        mark = _strong(answer.header("ETag"))
        if answer.status == 206:
            found = _RANGE.match(answer.header("Content-Range"))
            if found and int(found[1]) == part.done and (not note.total or int(found[3]) == note.total) and (not mark or not note.mark or mark == note.mark):
                return _Note(mark or note.mark, int(found[3]))
            part.restart()
            raise WebTrouble(answer.host, "the file there has changed")
        part.restart()
        return _Note(mark, answer.length or 0)

    def _refuse_known(self, total: int, telling: Telling) -> None:
        if self._source.sha256 and total and telling.total != total:
            found = already(self._context, total, self._source.sha256)
            if found is not None:
                raise _Already(found)
        refuse_second(self._context, self._request.folder, self._name)

    def _refuse_size(self, part: Part, quarantine: Quarantine, total: int) -> None:
        room = quarantine.room(part.done)
        if room < max(0, total - part.done):
            if not part.done:
                part.remove()
            raise DiskFull("models", max(0, room), max(1, total - part.done))

    def _name_of(self, answer: Answer) -> str:
        """What the file is called: at its site, else at the end of the address that gave it; always through the resolver afterwards."""
        for name in (self._source.name, suggested_name(answer.header("Content-Disposition")), answer.parts.path.rsplit("/", 1)[-1]):
            if found := _model_name(name):
                return found
        raise Invalid([Problem("name", "Name is required: the address does not tell what the file is called.")])

    def _read(self, part: Part, answer: Answer, quarantine: Quarantine, telling: Telling) -> None:
        """Take what comes; a stream that only drips is given up, and so is one that would fill the disk."""
        until, came, looked = time.monotonic() + self._patience.slow_s, 0, part.done
        while block := answer.read(_BLOCK_BYTES):
            self._check()
            part.write(block)
            if part.done - len(block) < 64:
                refuse_beginning(part, self._name, 0)
            if telling.total and part.done > telling.total:
                return
            if part.done - looked >= _ROOM_BYTES:
                looked = part.done
                self._refuse_size(part, quarantine, max(telling.total, part.done + 1))
            telling.tell(part.done)
            came += len(block)
            if time.monotonic() >= until:
                if came < self._patience.slow_bytes:
                    raise WebTrouble(answer.host, "it sends too slowly")
                until, came = time.monotonic() + self._patience.slow_s, 0

    def _rest(self, seconds: float) -> None:
        """Wait before another try, unless the job is stopped."""
        until, pause = time.monotonic() + seconds, threading.Event()
        while (left := until - time.monotonic()) > 0:
            self._check()
            pause.wait(min(0.1, left))
        self._check()


class _Already(Exception):
    """The file is there."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.name)
        self.stored = stored


def _read_note(part: Part) -> _Note:
    """The note of an earlier run; one that cannot be read is none."""
    found: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(part.note() or b"{}")
    if not isinstance(found, dict) or not isinstance(mark := found.get("mark", ""), str) or not isinstance(total := found.get("total", 0), int):
        return _Note()
    return _Note(_strong(mark), total)


def _strong(mark: str) -> str:
    """A mark that tells whether bytes are the same; weak ones do not."""
    return mark if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', mark) else ""


def _model_name(name: str) -> str:
    """A name from outside made plain, "" if a model cannot have it: its last part, without what file names may not hold."""
    last = re.split(r"[/\\]", name)[-1]
    plain = _FORBIDDEN.sub("_", last).strip(" .~-")[:200]
    return plain if any(plain.casefold().endswith(suffix) for suffix in SUFFIXES) and not plain.startswith(".") else ""
