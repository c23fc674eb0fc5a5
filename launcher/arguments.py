"""The launcher's own flags, and where they end.

Flags are the launcher's only before the first other word; from that word on everything belongs to the program, whatever it looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("nvidia", "amd", "cpu", "remote")

USAGE = """usage: start_linux.sh [flags] [words for the program]

  no words                open the window
  sfumato:?endpoint=...   open the window with this address
  test [pytest flags]     install what the tests need and run them
  any other word          the command line, for example: generate "a red circle" -o out.png

flags, before the first word:
  --mode M         nvidia, amd, cpu or remote (default: the remembered one, else what the hardware suggests)
  --data DIR       folder for settings, outputs and models
  --console        install in the terminal, ask nothing in a window
  --install-only   install what is missing and stop
  --reinstall      install again, at the versions the requirements file names
  --skip-install   start without looking for missing packages
  --offline        use no network: packages come from the folder wheels/ alone
  --register       have links that begin with sfumato: open in this program, for this user, and stop
  --unregister     take that back, and stop
  --help           this text; `help` of the program itself: start_linux.sh generate --help
"""


class UsageError(Exception):
    """The launcher's flags do not make sense; the message is for the person who typed them."""


@dataclass(frozen=True)
class Arguments:
    """What was typed, split at the first word that is not the launcher's."""

    mode: str = ""
    data: str = ""
    console: bool = False
    install_only: bool = False
    reinstall: bool = False
    skip_install: bool = False
    offline: bool = False
    register: bool = False
    unregister: bool = False
    help: bool = False
    words: tuple[str, ...] = ()

    @property
    def wants_tests(self) -> bool:
        return self.words[:1] == ("test",)

    @property
    def wants_window(self) -> bool:
        return not self.words or self.words[0].startswith("sfumato:")


SWITCHES = {
    "--console": "console",
    "--install-only": "install_only",
    "--reinstall": "reinstall",
    "--skip-install": "skip_install",
    "--offline": "offline",
    "--register": "register",
    "--unregister": "unregister",
    "--help": "help",
    "-h": "help",
}
VALUES = {"--mode": "mode", "--data": "data"}


def parse(words: list[str]) -> Arguments:
    """Split the command line (without the program's name).

    Raises:
        UsageError: a flag lacks its value, or the mode does not exist.
    """
    found: dict[str, str | bool] = {}
    rest = list(words)
    while rest:
        flag, equals, value = rest[0].partition("=")
        if flag in VALUES:
            rest.pop(0)
            if not equals:
                if not rest:
                    raise UsageError(f"{flag} needs a value after it.")
                value = rest.pop(0)
            if not value:
                raise UsageError(f"{flag} needs a value that is not empty.")
            found[VALUES[flag]] = value
        elif rest[0] in SWITCHES:
            found[SWITCHES[rest.pop(0)]] = True
        else:
            break
    mode = found.get("mode", "")
    if mode and mode not in MODES:
        raise UsageError(f"There is no mode '{mode}'; choose one of {', '.join(MODES)}.")
    return Arguments(**found, words=tuple(rest))  # type: ignore[arg-type]  # the keys are the field names, by the two tables above
