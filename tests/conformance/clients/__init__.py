"""A client of each door that answers requests: one file per door, found by its presence, exporting `enter`."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from octonet.kernel.catalog import names

Json: TypeAlias = Any
Call: TypeAlias = Callable[[dict[str, Json]], Awaitable[tuple[str, Json]]]
"""Takes a request as the reference's OrmRequest; gives ``ok`` or the error's code, and the OrmResponse."""


class NotLetIn(Exception):
    """The door did not open; `status` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


DOORS = names(__path__)
"""Every door that has a client here, by the name of its transport."""


def enter(door: str, url: str, key: str = "") -> AbstractAsyncContextManager[Call]:
    """A connection to the door of the server at `url` (``http://host:port``, or with a project's name behind it),
    showing an API key. One that is refused at once raises `NotLetIn`."""
    found: AbstractAsyncContextManager[Call] = importlib.import_module(f"{__name__}.{door}").enter(url, key)
    return found
