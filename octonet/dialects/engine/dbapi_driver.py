"""Drivers of Python's DB-API, as far as they are used. None is imported before somebody asks for its database."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol, cast

from octonet.kernel.errors import Invalid


class Cursor(Protocol):
    """One statement under way."""

    @property
    def rowcount(self) -> int:
        """Rows touched; below zero where the driver does not know."""
        ...

    def setinputsizes(self, *kinds: object) -> object:
        """Tell of what kind the arguments will be."""
        ...

    def execute(self, text: str, arguments: Sequence[object], /) -> object:
        """Run a statement."""
        ...

    def executemany(self, text: str, lines: Sequence[Sequence[object]], /) -> object:
        """Run a statement for each line."""
        ...

    def fetchall(self) -> Sequence[Sequence[object]]:
        """All rows of the answer."""
        ...

    def close(self) -> None:
        """Forget the answer."""
        ...


class Raw(Protocol):
    """A connection of a driver."""

    def cursor(self) -> Cursor:
        """For one statement."""
        ...

    def commit(self) -> None:
        """End the transaction."""
        ...

    def rollback(self) -> None:
        """Undo it."""
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...


class Failure(Exception):
    """An error of a driver: the server's number, and the SQLSTATE, 0 and empty where it tells none."""

    def __init__(self, text: str, code: int = 0, state: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.state = state


FAILURES: tuple[type[Exception], ...] = (Failure, OSError)
"""All that a call can raise, apart from faults of ours. A timeout of ours is an `OSError` too."""


def load(module: str, extra: str) -> Any:
    """The driver, which has no types of its own. Raises `Invalid`, code DRIVER_MISSING, with what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise Invalid(
            f"the driver of dialect {extra!r} cannot be loaded ({missing}): install octonet[{extra}]",
            code="DRIVER_MISSING",
        ) from missing


def errors_of(driver: Any) -> type[Exception]:
    """What all errors of a driver are."""
    return cast("type[Exception]", driver.Error)
