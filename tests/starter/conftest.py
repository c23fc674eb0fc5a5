"""One painter for all tests of meaning."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.starter.painter import Painter


@pytest.fixture(scope="session")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Painter]:
    made = Painter(tmp_path_factory.mktemp("painter"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def shape_network(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The judge of shapes; trained once, in half a minute."""
    from tests.starter.painter import judge

    return judge.shape_network()
