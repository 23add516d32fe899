"""What a transport is, and how one is found."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec
from aiohttp import web

from octonet.gateway import Gateway

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpSettings(msgspec.Struct, frozen=True):
    """What every HTTP door is told."""

    path: str = ""
    """Where it is mounted; empty means its own default."""
    max_body: int = 10 * 1024 * 1024
    """Bytes a request body may have."""
    heartbeat: float = 15.0
    """Seconds between signs of life on a stream."""
    max_buffer: int = 4 * 1024 * 1024
    """Bytes that may wait for a slow client before it is cut."""


@runtime_checkable
class HttpTransport(Protocol):
    """A door on the shared HTTP port. A module of `transports` exports one as `TRANSPORT`."""

    name: str
    """As in configuration and key scopes: rest, ws, sse …"""
    default_path: str

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, Handler]:
        """Path prefix → handler. A prefix matches itself and every path below it; the longest wins."""
        ...

    async def close(self) -> None:
        """End every open stream of this door with a reason."""
        ...


def load(name: str) -> HttpTransport:
    """The transport of this name."""
    found = importlib.import_module(f"transports.{name}").TRANSPORT
    if not isinstance(found, HttpTransport):
        raise TypeError(f"transports.{name}.TRANSPORT is not a transport")
    return found
