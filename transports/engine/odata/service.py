"""The OData service of a gateway: every request finds its way from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError
from octonet.kernel.operation import Family, Operation
from octonet.transport import Incoming, Reply
from transports.engine import conditions
from transports.engine.caller import known, project_of, visitor
from transports.engine.odata import acting, documents, problems, reading, referring, writing
from transports.engine.odata import address as addresses
from transports.engine.odata import options as parsing
from transports.engine.odata.address import Address
from transports.engine.odata.batching import batch
from transports.engine.odata.call import NO_REFERENCES, Call, refuse_method
from transports.engine.odata.listing import Plan
from transports.engine.odata.model import NAMESPACE
from transports.engine.odata.negotiation import json_format, preferences, version
from transports.engine.odata.wish import Wish

_MOST_PLANS: Final = 1024
_LONGEST: Final = 2048
_READS: Final = ("GET", "HEAD")
_WRITES: Final = frozenset(("POST", "PATCH", "PUT", "DELETE", "MERGE"))
_SERVED: Final = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"
Coming = frozenset[tuple[str, str]]
_Key = tuple[str, str, str, str, str, str, str]


class Service:
    """Serves whole requests below one path, as the transport of this name."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self._gateway = gateway
        self._name = name
        self._plans: dict[_Key, Plan] = {}

    async def serve(self, incoming: Incoming) -> Reply:
        """The answer to any request; every error in OData's words."""
        gateway = self._gateway
        try:
            # Hardly anybody must be looked at more closely.
            who = known(gateway, incoming, self._name) or await visitor(gateway, incoming, self._name)
            return await self._answer(incoming, who)
        except OctonetError as problem:
            return _refusal(incoming, problem)

    async def part(self, incoming: Incoming, who: Visitor, references: Mapping[str, str]) -> Reply:
        """The answer to a request of a batch."""
        try:
            return await self._answer(incoming, who, references)
        except OctonetError as problem:
            return _refusal(incoming, problem)

    async def _answer(self, incoming: Incoming, who: Visitor, references: Mapping[str, str] = NO_REFERENCES) -> Reply:
        """A page that was asked for before, word for word, is not worked out again."""
        key = _key(incoming)
        plan = self._plans.get(key)
        plain = incoming.method == "GET" and not conditions.named(incoming.headers)
        if plan is not None and plain and self._gateway.is_current(plan.prepared):
            return plan.answer(await self._gateway.ask(plan.prepared, who))
        if incoming.method == "OPTIONS":
            return Reply(status=204, headers={"Allow": _SERVED, "OData-Version": version(incoming)})
        return await self._route(incoming, who, key if plain else None, references)

    async def _route(self, incoming: Incoming, who: Visitor, key: _Key | None, references: Mapping[str, str]) -> Reply:
        below = incoming.below.rstrip("/")
        reads = incoming.method in _READS
        if not below or below == "/$metadata":
            if not reads:
                raise refuse_method(incoming.method, "GET, HEAD")
            call = await self._entered(incoming, who)
            return await documents.metadata(call, self._gateway.operations) if below else documents.service(call)
        if below == "/$batch":
            return await batch(incoming, Parts(self, who))
        if not reads and incoming.method not in _WRITES:
            raise refuse_method(incoming.method, _SERVED)
        call = self.call(incoming, who, references)
        address = addresses.parse(below, call.model, self._gateway.operations)
        if address.operation is not None:
            return await acting.act(call, address)
        if reads:
            reply, plan = await reading.read(await _reached(call), address)
            if plan is not None and key is not None:
                self._keep(key, plan)
            return reply
        return await self._write(call, address)

    async def _write(self, call: Call, address: Address) -> Reply:
        call.gateway.stay(call.home)
        if address.tail and address.tail != "$ref":
            raise refuse_method(call.incoming.method, "GET, HEAD")
        if address.tail:
            wish = await wished(call, address)
            return wish.tell(await call.write(wish.request))
        return await writing.write(call, address)

    def call(self, incoming: Incoming, who: Visitor, references: Mapping[str, str] = NO_REFERENCES) -> Call:
        """The request with all that is known of it; the operations that it leads to are counted themselves. Raises
        `Denied`, `NotFound`, 406."""
        project = project_of(incoming)
        home = self._gateway.look(project, who, _family(incoming, self._gateway.operations))
        path = incoming.target.partition("?")[0]
        root = path[: len(path) - len(incoming.below)] if incoming.below else path
        accept = incoming.headers.get("accept", "")
        metadata = incoming.below.startswith("/$metadata")
        text = incoming.below.endswith(("/$count", "/$value"))
        format = json_format("" if metadata or text else accept, "" if metadata else _format_option(incoming))
        wishes = preferences(incoming)
        return Call(self._gateway, incoming, project, who, home, root, version(incoming), format, wishes, references)

    async def _entered(self, incoming: Incoming, who: Visitor) -> Call:
        await self._gateway.enter(project_of(incoming), who)
        return self.call(incoming, who)

    def _keep(self, key: _Key, plan: Plan) -> None:
        if len(self._plans) >= _MOST_PLANS:
            del self._plans[next(iter(self._plans))]
        if sum(map(len, key)) <= _LONGEST:
            self._plans[key] = plan


async def wished(call: Call, address: Address) -> Wish:
    """The one command that a request to an address means."""
    if address.operation is not None:
        return acting.wished(call, address)
    return await (referring.wished if address.tail == "$ref" else writing.wished)(call, address)


class Parts:
    """What a batch needs of the service, for whoever sent it."""

    def __init__(self, service: Service, who: Visitor) -> None:
        self._service = service
        self._who = who

    async def serve(self, incoming: Incoming, references: Mapping[str, str]) -> Reply:
        """The answer to a request by itself."""
        return await self._service.part(incoming, self._who, references)

    async def wish(self, incoming: Incoming, references: Mapping[str, str], coming: Coming) -> tuple[Call, Wish]:
        """The command that a request of a change set means."""
        call = msgspec.structs.replace(self._service.call(incoming, self._who, references), coming=coming)
        call.gateway.stay(call.home)
        return call, await wished(call, addresses.parse(incoming.below, call.model, call.gateway.operations))


async def _reached(call: Call) -> Call:
    token = call.incoming.headers.get("octonet-min-position")
    if token is not None:
        await call.gateway.reach(call.home, token)
    return call


def _family(incoming: Incoming, catalog: Mapping[str, type[Operation]]) -> Family:
    """What must be allowed, to be told anything here; what is then asked for is looked at by itself."""
    if incoming.method in _READS:
        return Family.READ
    operation = catalog.get(incoming.below.rpartition(f"/{NAMESPACE}.")[2])
    return Family.WRITE if operation is None else operation.family


def _format_option(incoming: Incoming) -> str:
    query = incoming.target.partition("?")[2]
    if "format" not in query:
        return ""
    return parsing.format_of(query)


def _key(incoming: Incoming) -> _Key:
    """What a page that was worked out depends on."""
    get = incoming.headers.get
    return (
        incoming.target,
        incoming.project,
        get("x-project", ""),
        get("accept", ""),
        get("prefer", ""),
        get("odata-maxversion", ""),
        get("odata-version", ""),
    )


def _refusal(incoming: Incoming, problem: OctonetError) -> Reply:
    try:
        told = version(incoming)
    except OctonetError:
        told = "4.01"
    return problems.reply(problem, told)
