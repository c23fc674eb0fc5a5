"""What pip's output says about each package while it installs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from launcher.requirements import normalise

LOOKING, FETCHING, FETCHED, INSTALLING, DONE, FAILED = "looking", "fetching", "fetched", "installing", "done", "failed"
ORDER = (LOOKING, FETCHING, FETCHED, INSTALLING, DONE)
_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]*?)"
_COLLECTING = re.compile(rf"Collecting {_NAME}(?:[\[<>=!~; (]|$)")
_FILE = re.compile(rf"(Downloading|Using cached|Processing) (?:\S*/)?{_NAME}-\d[^/\s]*\.(?:whl|tar\.gz|zip)(?:\.metadata)?(?: \(([^)]*)\))?")
_SATISFIED = re.compile(rf"Requirement already satisfied: {_NAME}(?:[\[<>=!~; (]|$)")
_COLLECTED = re.compile(r"Installing collected packages: (.+)")
_INSTALLED = re.compile(r"Successfully installed (.+)")
_LACKING = re.compile(rf"(?:No matching distribution found for|Could not find a version that satisfies the requirement) {_NAME}(?:[\[<>=!~; (]|$)")


class Progress:
    """States of the packages asked for; feed it the lines as they come.

    Attributes:
        states: normalised name -> one of the states above, for the packages pip has spoken of.
        sizes: normalised name -> how much is being fetched, in pip's words ("190.4 MB").
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.states: dict[str, str] = {}
        self.sizes: dict[str, str] = {}

    @property
    def fraction(self) -> float:
        """0..1 of the way, each package and each of its stages counted alike."""
        if not self.names:
            return 0.0
        done = sum(ORDER.index(state) + 1 for name in self.names if (state := self.states.get(name)) in ORDER)
        return done / (len(self.names) * len(ORDER))

    def feed(self, line: str) -> None:
        """Take one line of pip's."""
        line = line.strip()
        if match := _COLLECTING.match(line):
            self._at_least(match.group(1), LOOKING)
        elif match := _SATISFIED.match(line):
            self._at_least(match.group(1), DONE)
        elif (match := _FILE.match(line)) and not line.partition(" (")[0].endswith(".metadata"):
            self._at_least(match.group(2), FETCHING if match.group(1) == "Downloading" else FETCHED)
            if match.group(3):
                self.sizes[normalise(match.group(2))] = match.group(3)
        elif match := _COLLECTED.match(line):
            for name in match.group(1).split(", "):
                self._at_least(name, INSTALLING)
        elif match := _INSTALLED.match(line):
            for word in match.group(1).split():
                self._at_least(word.rpartition("-")[0], DONE)
        elif match := _LACKING.search(line):
            self.states[normalise(match.group(1))] = FAILED

    def fail(self) -> None:
        """The installer ended badly: what was being installed is not."""
        self.states.update({name: FAILED for name in self.names if self.states.get(name) == INSTALLING})

    def _at_least(self, name: str, state: str) -> None:
        name = normalise(name)
        known = self.states.get(name)
        if known not in ORDER or ORDER.index(known) < ORDER.index(state):
            self.states[name] = state
