"""What a transport is, and how one is found."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec
from aiohttp import web

from octonet.gateway import Gateway
from octonet.kernel.bus import Bus
from octonet.kernel.errors import OctonetError
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
    door: str = ""
    """The name of the door that the path leads to; empty where there is none."""
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
    """A door that keeps the connection: it is given the request whole, and answers by itself."""

    serve: Callable[[web.BaseRequest, Incoming], Awaitable[web.StreamResponse]]


class Either(msgspec.Struct, frozen=True):
    """A door that gives whole answers, and keeps those connections whose request `wants_stream`, by its headers."""

    exchange: Exchange
    stream: Stream
    wants_stream: Callable[[Mapping[str, str]], bool]

    def chosen(self, headers: Mapping[str, str]) -> Exchange | Stream:
        """The way in for a request with these headers, by names in lower case."""
        return self.stream if self.wants_stream(headers) else self.exchange


HttpDoor: TypeAlias = Exchange | Stream | Either


class HttpSettings(msgspec.Struct, frozen=True):
    """What every HTTP door is told."""

    path: str = ""
    """Where it is mounted; empty means its own default."""
    heartbeat: float = 15.0
    """Seconds between signs of life on a stream."""
    max_buffer: int = 4 * 1024 * 1024
    """Bytes that may wait for a slow client before it is cut."""
    public_url: str = ""
    """Where browsers find this server; empty where nobody said."""
    own: Mapping[str, object] = _NOTHING
    """The settings that begin with the door's name, without it."""


class Passage(Protocol):
    """A request on its way through a door that listens elsewhere than on the HTTP port."""

    incoming: Incoming
    """It, with the trace that everything belongs to that it causes."""

    def leave(self, problem: OctonetError | None = None) -> None:
        """It was answered, with an error where there is one; or its stream ended."""
        ...


class Turnstile(Protocol):
    """What every request passes there: limits, figures, traces."""

    def enter(self, incoming: Incoming, *, stream: bool = False) -> Passage:
        """A request came; `stream`: it is answered for as long as it likes. `Incoming.target` names what it asks for,
        `door` the door. Raises `Exhausted` with code RATE_LIMIT."""
        ...


class ListenSettings(msgspec.Struct, frozen=True):
    """What a door that listens somewhere else is told."""

    turnstile: Turnstile
    ready: Callable[[ProjectName], Awaitable[bool]]
    """Whether a project can be worked with, as `/health` tells it. Raises `NotFound` for one that there is not."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    shared: bool = False
    """Whether other processes listen on the same port; else one that is taken is an error."""
    max_message: int = 10 * 1024 * 1024
    """Bytes a message may have."""
    certificate: str = ""
    """File (PEM) of the server's certificate; empty: without TLS."""
    certificate_key: str = ""
    client_authority: str = ""
    """File (PEM) of the authority whose certificates clients must show; empty: none needs to."""
    own: Mapping[str, object] = _NOTHING
    """The settings that begin with the door's name, without it."""
    bus: Callable[[], Bus] | None = None
    """Makes a connection to the message bus, for a door that listens there."""


@runtime_checkable
class HttpTransport(Protocol):
    """A door on the shared HTTP port. A module of `transports` exports one as `TRANSPORT`."""

    name: str
    """As in configuration and key scopes: rest, ws, sse …"""
    default_path: str
    needs: str
    """The optional package that it cannot do without, by its import name; empty for none. It is imported at the first
    request: to serve REST alone, nobody pays for it."""

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """Path prefix → door. A prefix matches itself and every path below it; the longest wins."""
        ...

    async def close(self) -> None:
        """End every open stream of this door with a reason."""
        ...


@runtime_checkable
class ListeningTransport(HttpTransport, Protocol):
    """A door that listens somewhere else, too: on a port of its own, or on a message bus. One with a port is opened
    only where it is switched on by name: nobody is to find a port open that they did not ask for."""

    default_port: int
    """0: it needs none."""

    async def listen(self, gateway: Gateway, settings: ListenSettings) -> str:
        """Serve until `close`; returns where, such as ``grpc://127.0.0.1:50051``. Raises `Unavailable` when it cannot
        be had."""
        ...


def load(name: str) -> HttpTransport:
    """The transport of this name."""
    found = importlib.import_module(f"transports.{name}").TRANSPORT
    if not isinstance(found, HttpTransport):
        raise TypeError(f"transports.{name}.TRANSPORT is not a transport")
    return found
