"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.tally import Tally


def pytest_addoption(parser: pytest.Parser) -> None:
    """What this project's tests can be asked for."""
    parser.addoption(
        "--tally", type=Path, metavar="FILE", help="write down how many conformance cases each dialect passed"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Count, if that is wanted."""
    file: Path | None = config.getoption("--tally")
    if file is not None:
        config.pluginmanager.register(Tally(file))


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
