"""NATS: every operation by request and reply on ``mostajs.<Entity>.<op>``, for programs that are on the bus already."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.bus import DISCOVER, Bus
from octonet.kernel.errors import NotFound, OctonetError, Unavailable, invalid
from octonet.kernel.operation import Family, Raw
from octonet.transport import HttpDoor, HttpSettings, Incoming, ListenSettings, Reply
from transports.engine import coerce, orm_response, render, wish
from transports.engine.caller import known, project_of, visitor
from transports.engine.nats import wire
from transports.engine.nats.calls import NAME, Calls
from transports.engine.nats.description import Description
from transports.engine.nats.tally import Tally
from transports.engine.nats.tenants import Tenants
from transports.engine.render import Refused

_encode = msgspec.json.Encoder().encode
_CALL = frozenset({"entity", "op", "params"})


class Nats:
    """The NATS door."""

    name = NAME
    default_path = "/api/nats"
    default_port = 0
    needs = ""

    def __init__(self) -> None:
        self._open: list[_Door] = []

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        return {settings.path or self.default_path: _Beside(gateway, self._open).serve}

    async def listen(self, gateway: Gateway, settings: ListenSettings) -> str:
        """See `ListeningTransport`."""
        if settings.bus is None:
            raise Unavailable("there is no NATS to listen on")
        door = _Door(gateway, settings.bus(), settings)
        self._open.append(door)
        return await door.open()

    async def close(self) -> None:
        """Take nothing more, answer what came, leave."""
        doors, self._open[:] = list(self._open), []
        await asyncio.gather(*(door.close() for door in doors))


class _Door:
    """One process's place on the bus."""

    def __init__(self, gateway: Gateway, bus: Bus, settings: ListenSettings) -> None:
        self.bus = bus
        self.tally = Tally((*gateway.operations, DISCOVER), wish.now())
        self._id = secrets.token_hex(11)
        self.description = Description(gateway.operations, bus, self.tally, self._id)
        self._gateway = gateway
        self._calls = Calls(gateway, bus, self.description, self.tally, settings.turnstile, settings.max_message)

    async def open(self) -> str:
        await self.bus.open()
        await self.bus.serve(self._gateway.operations, self._calls.receive)
        await self.bus.describe(self._id, self.description.service)
        await self.bus.guard(Tenants(self._gateway))
        return self.bus.url

    async def close(self) -> None:
        try:
            await self.bus.leave()
            await self._calls.finish()
        finally:
            await self.bus.close()


class _Beside:
    """What HTTP tells of the door, to administrators of a project."""

    def __init__(self, gateway: Gateway, doors: list[_Door]) -> None:
        self._gateway = gateway
        self._doors = doors

    async def serve(self, incoming: Incoming) -> Reply:
        """One HTTP request."""
        try:
            return await self._serve(incoming)
        except OctonetError as problem:
            return render.refusal(problem)

    async def _serve(self, incoming: Incoming) -> Reply:
        who = known(self._gateway, incoming, NAME) or await visitor(self._gateway, incoming, NAME)
        match incoming.below.strip("/"):
            case "subjects":
                _only(incoming, "GET")
                return await self._subjects(incoming, who)
            case "info":
                _only(incoming, "GET")
                return await self._info(incoming, who)
            case "call":
                _only(incoming, "POST")
                return await self._call(incoming, who)
            case _:
                raise NotFound("there are 'subjects', 'info' and 'call' here")

    @property
    def _door(self) -> _Door:
        if not self._doors:
            raise Unavailable("NATS is not listened on at the moment")
        return self._doors[0]

    async def _subjects(self, incoming: Incoming, who: Visitor) -> Reply:
        home = self._gateway.look(project_of(incoming), who, Family.ADMIN)
        await self._gateway.count(who)
        return Reply(_encode(self._door.description.subjects(home.name, home.schemas)))

    async def _info(self, incoming: Incoming, who: Visitor) -> Reply:
        home = self._gateway.look(project_of(incoming), who, Family.ADMIN)
        await self._gateway.count(who)
        door = self._door
        stats = {"requests": door.tally.requests, "errors": door.tally.errors, "startedAt": door.tally.began}
        told = {
            "name": NAME,
            "status": "running" if door.bus.connected else "disconnected",
            "url": door.bus.url,
            "entities": list(home.schemas.entities),
            "stats": stats,
        }
        return Reply(_encode(told))

    async def _call(self, incoming: Incoming, who: Visitor) -> Reply:
        project = project_of(incoming)
        self._gateway.look(project, who, Family.ADMIN)
        entity, op, params = _asked(coerce.body(incoming))
        operation = self._gateway.operations.get(op)
        if operation is None:
            raise invalid("$.op", f"there is no operation {op!r}", code="UNKNOWN_OP")
        found = await self._gateway.execute(project, wire.wish(operation, entity, params, incoming.headers), who)
        return Reply(orm_response.whole(found))


def _asked(content: Raw) -> tuple[str, str, Raw]:
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object with 'entity', 'op' and 'params'")
    for name in content:
        if name not in _CALL:
            raise invalid(f"$.{name}", "is not a member of a call", code="UNKNOWN_MEMBER")
    entity, op = content.get("entity"), content.get("op")
    if not isinstance(entity, str):
        raise invalid("$.entity", "must be the name of an entity")
    if not isinstance(op, str):
        raise invalid("$.op", "must be the name of an operation")
    return entity, op, content.get("params", msgspec.UNSET)


def _only(incoming: Incoming, method: str) -> None:
    if incoming.method != method and not (method == "GET" and incoming.method == "HEAD"):
        raise Refused(405, "METHOD_NOT_ALLOWED", f"this takes {method}", {"Allow": method})


TRANSPORT = Nats()
