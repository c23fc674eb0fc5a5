"""What a test cannot do without and does not find: skipped on a person's machine, an error where everything has to be tried."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def do_without(reason: str) -> NoReturn:
    """Leave the test out; `.ci/run` sets CI, and there it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
