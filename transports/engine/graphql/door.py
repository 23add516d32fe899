"""The door as the host sees it: whole requests one way, sockets and streams the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.operation import Raw
from octonet.transport import Either, Exchange, HttpSettings, Incoming, Stream
from transports.engine import coerce
from transports.engine.caller import project_of, visitor
from transports.engine.graphql import accept, wanted
from transports.engine.graphql.exchange import NAME, Engine, Exchanges
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.streams import Streams
from transports.engine.graphql.talk import Talk
from transports.engine.graphql.wanted import Wanted
from transports.engine.render import Refused
from transports.engine.reply import response

_KEYS: Final = {"apikey": "x-api-key", "x-api-key": "x-api-key", "authorization": "authorization"}
"""Connection parameter, in lower case → the header that it stands for."""
_TICKET: Final = "ticket"
_PARAMETERS: Final = frozenset({"project", _TICKET})


class Door:
    """Everything that is open on one mount of the door. Raises `Invalid` for a setting that cannot be."""

    def __init__(self, gateway: Gateway, settings: HttpSettings) -> None:
        own = msgspec.convert(settings.own, GraphqlSettings)
        if own.documents and not Path(own.documents).is_dir():
            raise invalid("OCTONET_GRAPHQL_DOCUMENTS", f"there is no folder {own.documents!r}")
        self._gateway = gateway
        self._settings = settings
        self._engine = Engine(gateway, own)
        self._exchanges = Exchanges(gateway, self._engine, own)
        self._streams = Streams(gateway, self._engine, settings)
        self._talks: set[Talk] = set()

    def both(self) -> Either:
        """The two ways in."""
        exchange: Exchange = self._exchanges.serve
        return Either(exchange, Stream(self._stream), _wants_stream)

    async def close(self) -> None:
        """End every socket and stream."""
        self._streams.close()
        await asyncio.gather(*(talk.finish() for talk in list(self._talks)))

    async def _stream(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        try:
            if incoming.below.strip("/"):
                raise Refused(404, "NOT_FOUND", "the GraphQL door has no parts")
            if incoming.headers.get("upgrade", "").lower() == "websocket":
                return await self._talk(request, incoming)
            return await self._events(request, incoming)
        except OctonetError as problem:
            refused = self._exchanges.refusal(problem, accept.form(incoming.headers.get("accept", "")))
            return response(msgspec.structs.replace(refused, headers={**refused.headers, **incoming.shared}), False)

    async def _events(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        pairs = coerce.query_pairs(incoming.target)
        asked = _asked(incoming, pairs)
        who = await visitor(self._gateway, incoming, NAME, pairs.get(_TICKET, ""))
        home = self._gateway.look(project_of(incoming, pairs.get("project")), who)
        return await self._streams.serve(request, incoming, home, who, asked, safe=incoming.method != "POST")

    async def _talk(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        pairs = coerce.query_pairs(incoming.target)
        for name in pairs:
            if name not in _PARAMETERS:
                raise invalid(f"?{name}", "is not a parameter of the socket", code="UNKNOWN_PARAMETER")
        shown = not {"x-api-key", "authorization"}.isdisjoint(incoming.headers) or _TICKET in pairs
        # Whoever shows nothing yet may do so in the first message: browsers send no headers with a socket.
        met = await visitor(self._gateway, incoming, NAME, pairs.get(_TICKET, "")) if shown else None
        project = project_of(incoming, pairs.get("project"))

        async def admit(params: Mapping[str, Raw]) -> Visitor:
            told, ticket = _introduced(incoming, params)
            return (
                met
                if told is None and met is not None
                else await visitor(self._gateway, told or incoming, NAME, ticket)
            )

        talk = Talk(self._gateway, self._engine, project, request, self._settings, admit)
        self._talks.add(talk)
        try:
            return await talk.run()
        finally:
            self._talks.discard(talk)


def _wants_stream(headers: Mapping[str, str]) -> bool:
    return "upgrade" in headers or accept.EVENTS in headers.get("accept", "")


def _asked(incoming: Incoming, pairs: Mapping[str, str]) -> Wanted:
    if incoming.method == "POST":
        wanted.check_around(pairs, _PARAMETERS)
        return wanted.of_body(incoming.body, incoming.headers.get("content-type", ""))
    if incoming.method == "GET":
        return wanted.of_address(pairs, _PARAMETERS)
    raise wanted.not_possible(incoming.method)


def _introduced(incoming: Incoming, params: Mapping[str, Raw]) -> tuple[Incoming | None, str]:
    """The request as if it showed what the connection parameters do; None where they show nothing."""
    headers: dict[str, str] = {}
    ticket = ""
    for name, value in params.items():
        if name == _TICKET and isinstance(value, str):
            ticket = value
        elif name.lower() in _KEYS and isinstance(value, str):
            headers[_KEYS[name.lower()]] = value
        else:
            raise invalid(f"$.payload.{name}", "is not a connection parameter: there are apiKey, ticket, authorization")
    if not headers and not ticket:
        return None, ""
    plain = {name: value for name, value in incoming.headers.items() if name not in _KEYS.values()}
    return msgspec.structs.replace(incoming, headers={**plain, **headers}), ticket
