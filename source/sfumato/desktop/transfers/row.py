"""One transfer of the list: what it moves, between which machines, how it is; and what of it is written down for the next start, which is never a token."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from sfumato.desktop.language import told, tr
from sfumato.desktop.models.shelf import size_in_words
from sfumato.desktop.queue.job import duration
from sfumato.library.models import SUFFIXES
from sfumato.transport.transfers import ENDED, News, StateName

Way = Literal["download", "upload", "fetch"]
SIGN_IN = "asks who you are"
_TEXTS = ("key", "endpoint", "machine", "name", "folder", "source", "target", "sha256", "site", "job")
_TAKEN = re.compile(r"^There is a '(.+)' in '")


@dataclass
class Row:
    """A transfer.

    Attributes:
        way: download (from the web to the machine at `endpoint`), upload (from this computer to it) or fetch (from it to this computer).
        endpoint: "" for this computer; `machine` is what it was called.
        source: web address, path here, or name there.
        target: of a fetch, the path here.
        site: whose token may be needed, "" for none.
        uses_token: whether the remembered token of that site is to be sent.
        job: the download that was begun, to be gone on with after a restart.
    """

    way: Way
    endpoint: str
    machine: str
    source: str
    name: str = ""
    folder: str = "auto"
    target: str = ""
    sha256: str = ""
    site: str = ""
    uses_token: bool = False
    is_paused: bool = False
    job: str = ""
    news: News = field(default_factory=News)
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float = field(default_factory=time.time)

    @property
    def has_ended(self) -> bool:
        return self.news.state in ENDED

    @property
    def title(self) -> str:
        """What it is called in the list: the file's name as soon as it is known."""
        told_name = str(self.news.result.get("name", ""))
        return PurePath(told_name or self.name).name or self.source.rsplit("/", 1)[-1].partition("?")[0] or self.source

    @property
    def fraction(self) -> float:
        return min(1.0, self.news.done / self.news.total) if self.news.total > 0 else 0.0

    @property
    def is_moving(self) -> bool:
        return self.news.state in ("reading", "moving", "checking")

    @property
    def is_name_taken(self) -> bool:
        return self.news.state == "failed" and self.news.code == "name_taken"

    @property
    def asks_for_token(self) -> bool:
        return self.news.state == "failed" and self.site != "" and SIGN_IN in self.news.message

    def taken_name(self) -> str:
        """The name that is in use already."""
        found = _TAKEN.match(self.news.message)
        return found[1] if found else self.title

    def between(self) -> str:
        """From where to where."""
        here = tr("this computer")
        there = self.machine if self.endpoint else here
        if self.way == "download":
            return tr("from {source} to {machine}", source=_host(self.source), machine=there)
        if self.way == "upload":
            return tr("to {machine}", machine=there)
        return tr("from {source} to {machine}", source=there, machine=here)

    def state_in_words(self, is_here: bool) -> str:
        """How it is. `is_here`: the window works with the machine of this transfer."""
        news = self.news
        amount = _amount(news)
        if news.state == "failed":
            return told(news.message)
        if news.state == "cancelled":
            return tr("Cancelled")
        if news.state == "finished":
            return self._finished()
        if self.is_paused:
            return _joined(tr("Paused"), amount)
        if not is_here:
            return _joined(tr("Waits for {machine}", machine=self.machine), amount)
        if news.state == "moving":
            left = (news.total - news.done) / news.rate if news.rate and news.total else None
            rate = f"{size_in_words(round(news.rate))}/s" if news.rate else ""
            return _joined(amount, rate, tr("{time} left", time=duration(left)) if left is not None and left >= 1 else "")
        words = {"reading": tr("Reading the file"), "checking": tr("Checking")}.get(news.state, tr("Waiting"))
        return _joined(words, amount if news.done else "")

    def _finished(self) -> str:
        result = self.news.result
        place = "/".join(filter(None, (str(result.get("folder", "")), str(result.get("name", "")))))
        size = result.get("size")
        words = tr("Was there already") if result.get("already") else tr("Done")
        return _joined(words, size_in_words(size) if isinstance(size, int) and size else "", place if self.way != "fetch" else self.target)

    def begin_anew(self) -> None:
        """Forget how it ended, to try it again."""
        self.news, self.is_paused, self.job, self.at = News(total=self.news.total), False, "", time.time()

    def kept(self) -> dict[str, Any]:
        """What is written down."""
        news = self.news
        state: StateName = news.state if self.has_ended else "waiting"
        about = {"state": state, "done": news.done, "total": news.total, "message": news.message, "code": news.code, "result": dict(news.result)}
        texts = {name: getattr(self, name) for name in _TEXTS}
        return {"way": self.way, **texts, "uses_token": self.uses_token, "is_paused": self.is_paused, "at": self.at, "news": about}

    @staticmethod
    def restored(held: Any) -> Row | None:
        """What `kept` wrote; None for anything else."""
        news = held.get("news") if isinstance(held, dict) else None
        if not isinstance(news, dict) or held.get("way") not in get_args(Way) or not all(isinstance(held.get(name), str) for name in _TEXTS):
            return None
        numbers = [news.get("done"), news.get("total"), held.get("at")]
        texts = [news.get("state"), news.get("message"), news.get("code")]
        if not all(isinstance(number, int | float) for number in numbers) or not all(isinstance(text, str) for text in texts):
            return None
        state = news["state"] if news["state"] in ENDED else "waiting"
        result: Mapping[str, Any] = news["result"] if isinstance(news.get("result"), dict) else {}
        said = News(state, int(news["done"]), int(news["total"]), None, news["message"], news["code"], result)
        flags = {"uses_token": held.get("uses_token") is True, "is_paused": held.get("is_paused") is True}
        return Row(way=held["way"], **{name: held[name] for name in _TEXTS}, **flags, at=float(held["at"]), news=said)


def another_name(name: str) -> str:
    """A name beside one that is taken: `mix.safetensors` becomes `mix-2.safetensors`, and that `mix-3.safetensors`."""
    suffix = PurePath(name).suffix if PurePath(name).suffix.casefold() in SUFFIXES else ""
    stem = name.removesuffix(suffix) if suffix else name
    base, dash, number = stem.rpartition("-")
    if dash and number.isdigit() and len(number) < 4:
        return f"{base}-{int(number) + 1}{suffix}"
    return f"{stem}-2{suffix}"


def _host(address: str) -> str:
    if address.startswith("hf:"):
        return "huggingface.co"
    if address.startswith(("civitai:", "urn:air:")):
        return "civitai.com"
    try:
        return urlsplit(address).hostname or address
    except ValueError:
        return address


def _amount(news: News) -> str:
    if not news.total:
        return size_in_words(news.done) if news.done else ""
    return tr("{done} of {total}", done=size_in_words(news.done), total=size_in_words(news.total))


def _joined(*parts: str) -> str:
    return "   ·   ".join(part for part in parts if part)
