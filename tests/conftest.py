"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Nothing is collected while a failure is written down. Both that and the warning of a connection that is collected
    read the source that they speak of, and Python 3.11 cannot read one while it reads another (gh-106905): the session
    would end there, and no failure of it would be told."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
