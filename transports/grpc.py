"""gRPC: a service for each entity, with typed messages made from the schema, on a port of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.transport import HttpDoor, HttpSettings, Incoming, ListenSettings, Reply
from transports.engine import coerce, render
from transports.engine.caller import known, project_of, visitor
from transports.engine.render import Refused

if TYPE_CHECKING:
    from transports.engine.grpc.descriptions import Described, Descriptions
    from transports.engine.grpc.server import Server

_NAME = "grpc"
_TEXT = "text/plain; charset=utf-8"


class Grpc:
    """The gRPC door, and what HTTP tells of it."""

    name = _NAME
    default_path = "/api/grpc"
    default_port = 50051
    needs = "grpc"

    def __init__(self) -> None:
        self._servers: list[Server] = []

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        path = settings.path or self.default_path
        return {path: _Described(gateway, path).serve}

    async def listen(self, gateway: Gateway, settings: ListenSettings) -> str:
        """See `ListeningTransport`."""
        from transports.engine.grpc.server import Server  # noqa: PLC0415  # heavy: only where it is opened

        server = Server(gateway)
        where = await server.start(settings)
        self._servers.append(server)
        return where

    async def close(self) -> None:
        """End streams, and let calls finish."""
        servers, self._servers = self._servers, []
        for server in servers:
            await server.close()


class _Described:
    """The .proto files of a project over HTTP."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        self._gateway = gateway
        self._path = path
        self._descriptions: Descriptions | None = None

    async def serve(self, incoming: Incoming) -> Reply:
        """One request."""
        try:
            who = known(self._gateway, incoming, _NAME) or await visitor(self._gateway, incoming, _NAME)
            return await self._answer(incoming, who)
        except OctonetError as problem:
            return render.refusal(problem)

    async def _answer(self, incoming: Incoming, who: Visitor) -> Reply:
        if incoming.method not in ("GET", "HEAD"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "the description can only be read", {"Allow": "GET, HEAD"})
        below = incoming.below.strip("/")
        if below not in ("proto", "services"):
            raise Refused(404, "NOT_FOUND", f"there are {self._path}/proto and {self._path}/services")
        pairs = coerce.query_pairs(incoming.target)
        home = await self._gateway.enter(project_of(incoming), who)
        if below == "services":
            services = [f"{name}Service" for name in home.schemas.entities]
            return Reply(msgspec.json.encode({"services": services, "proto": f"GET {self._path}/proto"}))
        from transports.engine.grpc.descriptions import Descriptions  # noqa: PLC0415  # heavy: only where it is asked

        if self._descriptions is None:
            self._descriptions = Descriptions(self._gateway.operations)
        return Reply(_text(await self._descriptions.of(home), pairs), content_type=_TEXT)


def _text(described: Described, pairs: Mapping[str, str]) -> bytes:
    from transports.engine.grpc.text import text  # noqa: PLC0415

    for name in pairs:
        if name != "package":
            raise invalid(f"?{name}", "is not a parameter of the description", code="UNKNOWN_PARAMETER")
    files = {file.proto.package: file for file in described.files()}
    package = pairs.get("package", described.plain.proto.package)
    if package not in files:
        raise invalid("?package", f"is one of {', '.join(files)}")
    return text(files[package]).encode()


TRANSPORT = Grpc()
