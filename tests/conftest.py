"""What holds for every test: no network but loopback, and a data folder that is nobody's."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator

import pytest

LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(*numbers): the requirements that the test proves, by their numbers in the specification")
    # An audit hook, not a patch of `socket`: nothing below Python's own socket layer gets round it, whatever library opens the connection.
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise PermissionError(f"A test tried to reach {address[0]}; tests use no network but loopback.")
    elif event == "socket.getaddrinfo" and not _is_loopback(arguments[0]):
        raise PermissionError(f"A test tried to look up {arguments[0]!s}; tests use no network but loopback.")


def _is_loopback(host: object) -> bool:
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    if name is None or name in LOOPBACK_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(name))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session", autouse=True)
def _folders_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The person's own settings and pictures are neither read nor written by a test or by what it starts."""
    data = tmp_path_factory.mktemp("data")
    before = {name: os.environ.get(name) for name in ("SFUMATO_DATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LANGUAGE", "LANG")}
    # English, too: the tests look controls up by their English names, whatever the person's computer speaks.
    os.environ.update(SFUMATO_DATA=str(data), XDG_DATA_HOME=str(data / "xdg"), XDG_CONFIG_HOME=str(data / "config"), LANGUAGE="en", LANG="C.UTF-8")
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
