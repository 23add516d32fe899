"""JSON-RPC 2.0: every operation as the method ``<Entity>.<op>``, alone or many at once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.transport import HttpDoor, HttpSettings, Incoming, Reply
from transports.engine import coerce, render
from transports.engine.caller import known, project_of, visitor
from transports.engine.jsonrpc import wire
from transports.engine.jsonrpc.calls import Calls
from transports.engine.jsonrpc.discovery import Discovery
from transports.engine.render import Refused

_NAME = "jsonrpc"
_ALLOW = "GET, HEAD, POST, OPTIONS"


class JsonRpc:
    """The JSON-RPC door."""

    name = _NAME
    default_path = "/rpc"
    needs = ""

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        door = _Door(gateway, settings.path or self.default_path)
        return {settings.path or self.default_path: door.serve}

    async def close(self) -> None:
        """Nothing stays open."""


class _Door:
    def __init__(self, gateway: Gateway, path: str) -> None:
        self._gateway = gateway
        self._discovery = Discovery(gateway.operations, path)
        self._calls = Calls(gateway, self._discovery)

    async def serve(self, incoming: Incoming) -> Reply:
        """One HTTP request. What concerns it as a whole is refused with HTTP's status too; what concerns a call is
        answered with 200."""
        try:
            return await self._serve(incoming)
        except OctonetError as problem:
            refused = render.refusal(problem)
            return Reply(wire.failure(wire.NULL, problem), refused.status, refused.headers)

    async def _serve(self, incoming: Incoming) -> Reply:
        if incoming.below.strip("/"):
            raise Refused(404, "NOT_FOUND", "the door has no parts; the method is named in the body")
        who = known(self._gateway, incoming, _NAME) or await visitor(self._gateway, incoming, _NAME)
        match incoming.method:
            case "POST":
                content = coerce.body(incoming)
                if content is msgspec.UNSET:
                    raise invalid("$", "is empty where a call should be", code="PARSE_ERROR")
                told = await self._calls.answer(project_of(incoming), content, incoming.headers, who)
                return Reply(status=204) if told is None else Reply(told)
            case "GET" | "HEAD":
                return await self._methods(incoming, who)
            case "OPTIONS":
                return Reply(status=204, headers={"Allow": _ALLOW})
            case method:
                sentence = f"{method} is not possible here; {_ALLOW} are"
                raise Refused(405, "METHOD_NOT_ALLOWED", sentence, {"Allow": _ALLOW})

    async def _methods(self, incoming: Incoming, who: Visitor) -> Reply:
        home = await self._gateway.enter(project_of(incoming), who)
        return Reply(self._discovery.methods(home.schemas))


TRANSPORT = JsonRpc()
