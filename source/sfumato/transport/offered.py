"""What a client is told of the machine: all of it to its owner; to a guest what guests may use, and nothing of the owner's folders."""

from __future__ import annotations

import re
from typing import Any, cast

from sfumato.jobs.clients import Role
from sfumato.protocol.messages import Artifact, Event, Failed, Finished, Hello, JsonObject, Progress

# The beginning of a path that names a place of this machine, not one inside a folder that was offered.
_ABSOLUTE = re.compile(r"(/|~|[A-Za-z]:[\\/]|\\\\|file:)", re.IGNORECASE)
_IN_A_SENTENCE = re.compile(r"(?<![\w.:/\\])(?:/(?:[^\s/'\",;]+/)+|[A-Za-z]:[\\/](?:[^\s\\/'\",;]+[\\/])+)")


def greeted(hello: Hello, *, role: Role, session: str, protocol: int, monitored: bool, limits: JsonObject) -> Hello:
    """The engine's `Hello` as the client of a relay is to hear it."""
    catalog = hello.catalog if role == "owner" else guest_catalog(hello.catalog)
    told: JsonObject = {
        "role": role,
        "session": session,
        "protocol": protocol,
        "monitored": monitored,
        "limits": {**hello.limits, **limits},
        "catalog": catalog,
    }
    return hello.model_copy(update=told)


def guest_catalog(catalog: JsonObject) -> JsonObject:
    """The catalog with the kinds that write nothing, and without the places where files lie."""
    # A kind that does not say that it writes nothing counts as writing.
    kept = {name: kind for name, kind in _items(catalog.get("kinds")) if dict(_items(kind)).get("writes") is False}
    return without_places({**catalog, "kinds": kept})


def guest_event(event: Event) -> Event:
    """An event as a guest is to hear it: no traces of our code, and no places where files lie."""
    if isinstance(event, Failed):
        return event.model_copy(update={"detail": "", "message": _IN_A_SENTENCE.sub("", event.message)})
    if isinstance(event, Finished):
        return event.model_copy(update={"result": without_places(event.result)})
    if isinstance(event, Artifact):
        return event.model_copy(update={"info": without_places(event.info)})
    if isinstance(event, Progress) and event.note:
        return event.model_copy(update={"note": _IN_A_SENTENCE.sub("", event.note)})
    return event


def without_places(value: Any) -> Any:
    """Plain data in which every text that is an absolute path is empty."""
    if isinstance(value, str):
        return "" if _ABSOLUTE.match(value) and not value.startswith("//") and _looks_like_a_place(value) else value
    if isinstance(value, dict):
        return {name: without_places(part) for name, part in _items(value)}
    if isinstance(value, list | tuple):
        return [without_places(part) for part in cast("list[Any]", value)]
    return value


def _looks_like_a_place(text: str) -> bool:
    """A path has no line breaks and more than its first sign; "/" alone, or a sentence that begins with "~", is none."""
    return len(text) > 1 and "\n" not in text and any(sign in text for sign in "/\\")


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(cast("JsonObject", value).items()) if isinstance(value, dict) else []
