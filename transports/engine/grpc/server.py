"""The server: which method leads where, and how it listens."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import grpc

from octonet.gateway import Gateway
from octonet.kernel.errors import Invalid, Unavailable
from octonet.transport import ListenSettings
from transports.engine.encryption import server_context
from transports.engine.grpc import core_file, entity_file, plain_file
from transports.engine.grpc.calls import Calls
from transports.engine.grpc.descriptions import Descriptions
from transports.engine.grpc.entity_file import BATCH, IMPORT, WATCH, method_of
from transports.engine.grpc.entrance import Call, Entrance, Guard
from transports.engine.grpc.health import SERVICE as HEALTH
from transports.engine.grpc.health import Health
from transports.engine.grpc.imports import Imports
from transports.engine.grpc.plain_calls import PlainCalls
from transports.engine.grpc.reflection import SERVICES as REFLECTION
from transports.engine.grpc.reflection import Reflection
from transports.engine.grpc.watch import Watchers

_GRACE: Final = 3.0
_WAITING: Final = 4 * 1024 * 1024
"""Bytes of facts that may wait for a client."""
_MOST_KNOWN: Final = 8192
_METHOD: Final = re.compile(r"/(octonet\.v1|mostajs)\.([A-Za-z]\w{0,62})Service/(\w+)", re.ASCII)
_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    ("grpc.max_concurrent_streams", 1000),
    # A connection whose other side is gone is noticed; a client that asks after it too often is sent away.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 3),
)


class _Details(Protocol):
    method: str


class Routes(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """Finds the handler of a method. Whether there is such an entity is only known once the caller is."""

    def __init__(self, gateway: Gateway, entrance: Entrance, guard: Guard, watchers: Watchers, health: Health) -> None:
        self._operations = {method_of(op): operation for op, operation in gateway.operations.items()}
        self._calls = Calls(entrance)
        self._plain = PlainCalls(entrance)
        self._imports = Imports(entrance)
        self._guard = guard
        self._watchers = watchers
        unary: dict[str, Callable[[bytes, Call], Awaitable[bytes]]] = {
            f"/{core_file.SERVICE}/Execute": self._calls.execute,
            f"/{core_file.SERVICE}/Batch": self._calls.batch,
        }
        self._fixed = {path: self._unary(path, work) for path, work in unary.items()}
        self._fixed |= _health(guard, health)
        for path in (f"/{service}/ServerReflectionInfo" for service in REFLECTION):
            answer = guard.around(path, Reflection(entrance).answer, stream=True)
            self._fixed[path] = grpc.stream_stream_rpc_method_handler(answer)
        self._known: dict[str, object] = dict(self._fixed)

    def service(self, details: _Details) -> object:
        """The handler of a call; None where there is none."""
        found = self._known.get(details.method)
        if found is None:
            found = self._made(details.method)
            if found is not None:
                if len(self._known) >= _MOST_KNOWN:
                    self._known = dict(self._fixed)
                self._known[details.method] = found
        return found

    def _made(self, path: str) -> object:
        match = _METHOD.fullmatch(path)
        if match is None:
            return None
        package, name, method = match.groups()
        if package == plain_file.PACKAGE:
            return self._unary(path, partial(self._plain.call, name, method)) if method in plain_file.METHODS else None
        assert package == entity_file.PACKAGE
        if method in self._operations:
            return self._unary(path, partial(self._calls.operation, name, self._operations[method]))
        if method == BATCH:
            return self._unary(path, partial(self._calls.entity_batch, name))
        if method == IMPORT:
            return grpc.stream_unary_rpc_method_handler(self._guard.around(path, partial(self._imports.take, name)))
        if method == WATCH:
            watch = self._guard.around(path, partial(self._watchers.watch, name), stream=True)
            return grpc.unary_stream_rpc_method_handler(watch)
        return None

    def _unary(self, path: str, work: Callable[[bytes, Call], Awaitable[bytes]]) -> object:
        return grpc.unary_unary_rpc_method_handler(self._guard.around(path, work))


def _health(guard: Guard, health: Health) -> dict[str, object]:
    """Its methods: never limited, as that of HTTP."""
    found: dict[str, object] = {}
    for path, work in ((f"/{HEALTH}/Check", health.check), (f"/{HEALTH}/List", health.list)):
        found[path] = grpc.unary_unary_rpc_method_handler(guard.around(path, work, door="health"))
    watch = f"/{HEALTH}/Watch"
    answer = guard.around(watch, health.watch, stream=True, door="health")
    return {**found, watch: grpc.unary_stream_rpc_method_handler(answer)}


class Server:
    """One listening server."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._entrance = Entrance(gateway, Descriptions(gateway.operations))
        self._watchers = Watchers(self._entrance, _WAITING)
        self._health: Health | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self, settings: ListenSettings) -> str:
        """Listen; returns where. Raises `Unavailable` where that cannot be, `Invalid` with code TLS_FILES."""
        credentials = _credentials(settings)
        options = [
            *_OPTIONS,
            ("grpc.max_receive_message_length", settings.max_message),
            ("grpc.so_reuseport", int(settings.shared)),
        ]
        guard = Guard(settings.turnstile)
        self._health = Health(self._gateway, settings.ready)
        routes = Routes(self._gateway, self._entrance, guard, self._watchers, self._health)
        server = grpc.aio.server(handlers=(routes,), options=options)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.port}"
        try:
            if credentials is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, credentials)
        except RuntimeError:
            port = 0
        if not port:
            sentence = f"{address} cannot be listened on: choose another port with MOSTA_NET_GRPC_PORT"
            raise Unavailable(sentence, code="PORT_TAKEN")
        await server.start()
        self._server = server
        return f"grpc://{host}:{port}"

    async def close(self) -> None:
        """Take no more calls, end streams, let the others finish for a while."""
        if self._health is not None:
            self._health.close()
        self._watchers.close()
        if self._server is not None:
            server, self._server = self._server, None
            await asyncio.shield(server.stop(_GRACE))


def _credentials(settings: ListenSettings) -> object:
    """How connections are encrypted; None where they are not."""
    # What is wrong with the files is said by the one who says it of HTTP's.
    context = server_context(settings.certificate, settings.certificate_key)
    if context is None:
        return None
    authority = None
    if settings.client_authority:
        try:
            context.load_verify_locations(settings.client_authority)
            authority = Path(settings.client_authority).read_bytes()
        except (OSError, ssl.SSLError) as problem:
            sentence = f"the doors cannot speak TLS: {settings.client_authority} is no authority (PEM): {problem}"
            raise Invalid(sentence, code="TLS_FILES") from None
    pair = (Path(settings.certificate_key).read_bytes(), Path(settings.certificate).read_bytes())
    return grpc.ssl_server_credentials([pair], root_certificates=authority, require_client_auth=authority is not None)
