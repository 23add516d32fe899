"""A client of each door that answers requests: one file per door, found by its presence, exporting `enter`."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import msgspec

from octonet.kernel.catalog import names
from tests.running import Server

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


class Place(msgspec.Struct, frozen=True):
    """Where a server's doors are."""

    url: str
    """Of HTTP: ``http://host:port``, with a project's name behind it."""
    project: str
    """Empty for the default project."""
    server: Server


def enter(door: str, server: Server, key: str = "", project: str = "") -> AbstractAsyncContextManager[Call]:
    """A connection to the door of a server, for a project of it, showing an API key. One that is refused at once raises
    `NotLetIn`."""
    place = Place(f"{server.url}/{project}".rstrip("/"), project, server)
    found: AbstractAsyncContextManager[Call] = importlib.import_module(f"{__name__}.{door}").enter(place, key)
    return found
