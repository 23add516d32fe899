"""What a transport is, and how one is found."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec
from aiohttp import web

from octonet.gateway import Gateway
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName

JSON = "application/json; charset=utf-8"
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Incoming(msgspec.Struct, frozen=True):
    """An HTTP request, whole."""

    method: str
    target: str
    """Path and query as they were sent, still percent-encoded."""
    headers: Mapping[str, str]
    """By names in lower case; of a name that comes twice the first."""
    body: bytes = b""
    address: str = ""
    """Of the client; empty when it is not known."""
    project: ProjectName = DEFAULT_PROJECT
    """The project named by the first segment of the path; the default project where none is."""
    below: str = ""
    """The path below the door's prefix, still percent-encoded, without the query: empty or starting with a slash."""
    shared: Mapping[str, str] = _NOTHING
    """The headers by which an answer shares itself with the request's origin. The host adds them to every `Reply`;
    a stream sends them itself."""


class Reply(msgspec.Struct, frozen=True):
    """The answer to an `Incoming`. Header values are ASCII text without line breaks."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = _NOTHING
    content_type: str = JSON


Exchange: TypeAlias = Callable[[Incoming], Awaitable[Reply]]
"""A door that reads a whole request and gives a whole answer."""


class Stream(msgspec.Struct, frozen=True):
    """A door that keeps the connection: it is given the request with an empty body."""

    serve: Callable[[web.BaseRequest, Incoming], Awaitable[web.StreamResponse]]


HttpDoor: TypeAlias = Exchange | Stream


class HttpSettings(msgspec.Struct, frozen=True):
    """What every HTTP door is told."""

    path: str = ""
    """Where it is mounted; empty means its own default."""
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

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """Path prefix → door. A prefix matches itself and every path below it; the longest wins."""
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
