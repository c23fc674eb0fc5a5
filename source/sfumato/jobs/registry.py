"""The list of job kinds, filled by `register(registry)` functions: the built-ins' and every plugin's alike.

A handler is a string, "module:function", so that a process which only submits jobs never imports the code that runs them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests import Request, Result
from sfumato.protocol.specs import specs

Lane = Literal["engine", "transfer", "journal"]
LANES: tuple[Lane, ...] = ("engine", "transfer", "journal")


@dataclass(frozen=True)
class JobKind:
    """A kind of job.

    Attributes:
        writes: it changes files of the machine it runs on, or tells what only the owner may know; a kind that does not say so counts as writing.
        lane: who runs it: "engine" one job at a time where the models are; "transfer" several at once beside it, in the process that answers clients
            (it moves files and never touches a model); "journal" is answered at once from what was kept of earlier jobs.
    """

    name: str
    title: str
    request: type[Request]
    result: type[Result]
    handler: str
    writes: bool = True
    lane: Lane = "engine"


class Registry:
    """Job kinds by name, and the functions that describe what is on this machine (models, samplers, devices)."""

    def __init__(self) -> None:
        self._kinds: dict[str, JobKind] = {}
        self._describers: list[str] = []

    def add(self, kind: JobKind) -> None:
        """Add a kind; a second one of the same name is a mistake of ours or of a plugin."""
        if kind.name in self._kinds:
            raise ValueError(f"job kind '{kind.name}' is registered twice")
        self._kinds[kind.name] = kind

    def add_catalog(self, describer: str) -> None:
        """Add "module:function"; called as `function(places)` in the engine process, it returns parts of the catalog."""
        self._describers.append(describer)

    @property
    def kinds(self) -> Mapping[str, JobKind]:
        return self._kinds

    @property
    def describers(self) -> tuple[str, ...]:
        return tuple(self._describers)

    def kind(self, name: str) -> JobKind:
        """The kind of that name; raises `Invalid` naming the known ones."""
        if name not in self._kinds:
            close = difflib.get_close_matches(name, self._kinds, 1)
            hint = f" Closest: '{close[0]}'." if close else ""
            raise Invalid([Problem("kind", f"There is no job kind '{name[:64]}'; known are {', '.join(sorted(self._kinds))}.{hint}")])
        return self._kinds[name]

    def catalog(self) -> dict[str, Any]:
        """The kinds with their parameters, as plain data."""
        return {
            "kinds": {
                kind.name: {"title": kind.title, "writes": kind.writes, "specs": [spec.to_json() for spec in specs(kind.request)]}
                for kind in self._kinds.values()
            }
        }


def resolve(name: str) -> Callable[..., Any]:
    """The object behind "module:function"."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def filled(registrars: Iterable[str]) -> Registry:
    """A registry filled by calling each "module:function" with it."""
    registry = Registry()
    for registrar in registrars:
        resolve(registrar)(registry)
    return registry
