"""Flags of the command line that concern other machines: those of `serve`, and `--connect` of the commands that run jobs.

A secret is never an argument, which every user of a machine can read: flags take the name of a file, or - for standard input.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.download import Download
from sfumato.protocol.secret import Secret
from sfumato.protocol.specs import specs, validate
from sfumato.transport.hosting import HOST_DEFAULTS

if TYPE_CHECKING:
    from sfumato.serve import Serving
    from sfumato.transport.link import Link

CONNECT_VARIABLE = "SFUMATO_CONNECT"
STANDARD_INPUT = "-"
# More than the longest link, and than any password a person would type.
TEXT_LIMIT_BYTES = 8 << 10


def add_connect(parser: argparse.ArgumentParser) -> None:
    """`--connect`, for a command whose jobs can run elsewhere."""
    parser.add_argument(
        "--connect",
        metavar="FILE",
        default=None,
        help="run on another machine: FILE holds the connection link that its `sfumato serve` printed, - reads it from standard input "
        f"(default: the file that {CONNECT_VARIABLE} names, if it is set)",
    )


def add_serve(parser: argparse.ArgumentParser) -> None:
    """The flags of `serve`."""
    default = HOST_DEFAULTS
    parser.add_argument("--address", default=default.address, help="address to listen on; 0.0.0.0 is every one (default: %(default)s, this machine alone)")
    parser.add_argument("--port", type=int, default=default.port, help="port to listen on; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--role", choices=("owner", "guest"), default="owner", help="what the shown link allows: everything, or to write nothing here (%(default)s)"
    )
    parser.add_argument("--guest", action="append", default=[], metavar="NAME", help="show another link, for a guest of this name; may be given several times")
    parser.add_argument("--password-file", metavar="FILE", default=None, help="a password instead of a generated key: FILE holds it, - reads standard input")
    parser.add_argument("--keep", action="store_true", help="keep who may connect for the next run; without it every run has fresh keys")
    parser.add_argument(
        "--tunnel", default=default.tunnel, metavar="COMMAND", help="cloudflared, or a command in which {port} stands for the port; its https address is shown"
    )
    parser.add_argument(
        "--public", default="", metavar="ENDPOINT", help="the address of a proxy before this relay, such as wss://example.org/relay; it is shown"
    )
    parser.add_argument(
        "--trusted-proxy", action="append", default=[], metavar="ADDRESS", help="a proxy whose X-Forwarded-For is believed; may be given several times"
    )
    parser.add_argument("--monitor", action="store_true", default=default.is_monitored, help="keep the pictures of guests in outputs/monitor; they are told")
    parser.add_argument("--idle-minutes", type=float, default=0.0, metavar="N", help="end after N minutes without a client (default: never)")
    parser.add_argument("--relay", action="store_true", help="serve the relay for Sfumato's window (the default)")


def add_download(parser: argparse.ArgumentParser) -> None:
    """The flags of `download`."""
    for spec in specs(Download):
        if spec.name == "address":
            parser.add_argument("address", metavar="ADDRESS", help=spec.description)
        elif spec.name == "token":
            parser.add_argument("--token-file", metavar="FILE", default=None, help=f"{spec.description} FILE holds it, - reads standard input")
        else:
            choices = {"choices": spec.choices} if spec.choices else {"metavar": spec.name.upper()}
            parser.add_argument(spec.flag, dest=spec.name, default=spec.default, help=spec.description, **choices)  # type: ignore[arg-type]  # one of the two


def download_of(options: argparse.Namespace) -> Download:
    """What `download`'s flags ask for; raises `Invalid`."""
    token = "" if options.token_file is None else _text_of(options.token_file, "token_file")
    given = {"address": options.address, "folder": options.folder, "name": options.name, "sha256": options.sha256.lower(), "token": token}
    return validate(Download, given)


def serving_of(options: argparse.Namespace) -> Serving:
    """What `serve`'s flags ask for; raises `Invalid` or `LinkRefused`."""
    from sfumato.serve import Serving  # late: other commands need neither a web server nor cryptography
    from sfumato.transport.link import Link

    problems = []
    if not 0 <= options.port <= 65535:
        problems.append(Problem("port", "The port must be between 0 and 65535."))
    if not 0 <= options.idle_minutes <= 1e6:
        problems.append(Problem("idle_minutes", "The minutes without a client must be a number of 0 or more."))
    if options.public and options.tunnel:
        problems.append(Problem("public", "Give either --tunnel or --public: a link has one address."))
    if problems:
        raise Invalid(problems)
    public = Link.of(options.public).endpoint if options.public else ""
    password = None if options.password_file is None else Secret(_text_of(options.password_file, "password_file"))
    return Serving(
        address=options.address,
        port=options.port,
        role=options.role,
        guests=tuple(options.guest),
        password=password,
        keep=options.keep,
        tunnel=options.tunnel,
        public=public,
        trusted_proxies=tuple(options.trusted_proxy),
        monitor=options.monitor,
        idle_s=options.idle_minutes * 60,
    )


def link_of(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Link | None:
    """Where the command's jobs run: the machine of a link, or None for this one.

    A link without a password asks for it where there is a terminal. Raises `Invalid` or `LinkRefused`.
    """
    from sfumato.transport.link import Link  # late: most commands run here

    name = options.connect if options.connect is not None else environ.get(CONNECT_VARIABLE, "")
    if not name:
        return None
    link = Link.read(_text_of(name, "connect"))
    if link.secret:
        return link
    if not sys.stdin.isatty():
        raise Invalid([Problem("connect", f"The link to {link.host} holds no password, and there is no terminal to ask for it.")])
    return Link(link.endpoint, Secret(getpass.getpass(f"Password of {link.host}: ")))


def _text_of(name: str, field: str) -> str:
    """What a file or standard input holds, without the line's end; no sentence repeats any of it."""
    flag = "--" + field.replace("_", "-")
    # Its name is not repeated: somebody may have given the secret itself instead.
    shown = "Standard input" if name == STANDARD_INPUT else f"The file of {flag}"
    if name.lower().startswith(("sfumato:", "sfk1.")):
        raise Invalid([Problem(field, f"A secret is no argument, which every user of a machine can read: write it into a file and name that with {flag}.")])
    try:
        if name == STANDARD_INPUT:
            data = sys.stdin.buffer.readline(TEXT_LIMIT_BYTES + 1)
        else:
            with Path(name).expanduser().open("rb") as file:
                data = file.read(TEXT_LIMIT_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name of a file"
        raise Invalid([Problem(field, f"{shown} cannot be read ({reason}); give the name of a file, or - for standard input.")]) from error
    if len(data) > TEXT_LIMIT_BYTES:
        raise Invalid([Problem(field, f"{shown} holds more than {TEXT_LIMIT_BYTES >> 10} KiB; a link or password is one short line.")])
    try:
        text = data.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise Invalid([Problem(field, f"{shown} is not a text.")]) from error
    if not text.strip():
        raise Invalid([Problem(field, f"{shown} is empty; write the link or password into it.")])
    return text
