"""What the door does, once the engine is loaded: executes what clients want, over whichever protocol they say it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from graphql import OperationType

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import invalid
from octonet.project import Project
from transports.engine.graphql import run
from transports.engine.graphql.api import Api, Apis
from transports.engine.graphql.completion import completed, settled
from transports.engine.graphql.document import Document, Operation
from transports.engine.graphql.persisted import Persisted
from transports.engine.graphql.plan import Plan
from transports.engine.graphql.problems import Problem
from transports.engine.graphql.run import Asked, Running
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.subscribed import Subscribed
from transports.engine.graphql.wanted import NO_DEMANDS, Demands, Wanted
from transports.engine.render import Refused

_encode = msgspec.json.Encoder().encode
_MUTATION: Final = OperationType.MUTATION
_SUBSCRIPTION: Final = OperationType.SUBSCRIPTION


class Ready(msgspec.Struct, frozen=True):
    """A query that was worked out, to be asked again as it is."""

    api: Api
    home: Project
    operation: Operation
    plan: Plan
    calls: tuple[Asked, ...]
    given: Mapping[str, object]
    variables: Mapping[str, object]


class Answer(msgspec.Struct, frozen=True):
    """A result. `data` UNSET where nothing was executed."""

    data: object = msgspec.UNSET
    errors: Sequence[Problem] = ()
    extensions: Mapping[str, object] = {}
    position: str = ""
    """After the last write of it."""
    ready: Ready | None = None

    def encode(self) -> bytes:
        """As JSON text."""
        whole: dict[str, object] = {}
        if self.errors:
            whole["errors"] = self.errors
        if self.data is not msgspec.UNSET:
            whole["data"] = self.data
        if self.extensions:
            whole["extensions"] = self.extensions
        return _encode(whole)


class Service:
    """Executes."""

    def __init__(self, gateway: Gateway, settings: GraphqlSettings) -> None:
        self._gateway = gateway
        self._apis = Apis(gateway.operations, settings)
        self._persisted = Persisted(settings)

    async def api(self, home: Project) -> Api:
        """The project's schema."""
        return await self._apis.of(home.schemas)

    async def operation(self, api: Api, who: Visitor, wanted: Wanted) -> Operation:
        """The operation that is wanted. Raises `OctonetError`."""
        text = self._persisted.text(wanted)
        found = api.documents.known(text)
        if not isinstance(found, Document):
            # A document that is looked at for the first time, or in vain, costs a use of the key.
            await self._gateway.count(who)
            found = await api.documents.read(text)
        return found.operation(wanted.operation)

    async def execute(
        self, home: Project, who: Visitor, wanted: Wanted, demands: Demands = NO_DEMANDS, *, safe: bool = False
    ) -> Answer:
        """Carry out a query or a mutation. `safe`: only a query. Raises `OctonetError`: nothing was done."""
        api = self._apis.known(home.schemas) or await self.api(home)
        operation = await self.operation(api, who, wanted)
        kind = operation.kind
        if kind is _SUBSCRIPTION:
            sentence = "a subscription needs a stream: connect by WebSocket, or accept text/event-stream"
            raise invalid("$.query", sentence, code="SUBSCRIPTION_NEEDS_STREAM")
        mutation = kind is _MUTATION
        if mutation and safe:
            raise Refused(405, "METHOD_NOT_ALLOWED", "a mutation needs POST", {"Allow": "POST"})
        variables = operation.values(wanted.variables)
        plan = api.plan(operation, variables)
        running = Running(self._gateway, api, home, who, variables)
        calls = running.ask(plan, demands, mutation)
        if not calls or operation.introspective:
            await self._gateway.count(who)
        ready: Ready | None = None
        if not mutation and demands is NO_DEMANDS and not operation.introspective:
            calls = run.prepared(self._gateway, home, who, calls)
            if calls and all(call.prepared for call in calls):
                ready = Ready(api, home, operation, plan, tuple(calls), wanted.variables, variables)
        found = await running.run(plan, calls, mutation)
        if not operation.introspective:
            return _answer(api, operation, plan, wanted.variables, running, found, ready)
        if found or variables:
            return await asyncio.to_thread(_answer, api, operation, plan, wanted.variables, running, found, None)
        return await self._description(api, operation)

    async def _description(self, api: Api, operation: Operation) -> Answer:
        """The answer to those who ask for the schema and nothing else: long, and for most of them the same."""
        if api.described is None or api.described[0] is not operation:
            data, errors = await asyncio.to_thread(completed, api.schema, operation, {}, {})
            if errors:
                return Answer(data, errors)
            api.described = (operation, msgspec.Raw(await asyncio.to_thread(_encode, data)))
        return Answer(api.described[1])

    async def is_subscription(self, home: Project, who: Visitor, wanted: Wanted) -> bool:
        """Whether what is wanted goes on. Raises `OctonetError`."""
        operation = await self.operation(await self.api(home), who, wanted)
        return operation.kind is _SUBSCRIPTION

    async def subscribe(self, home: Project, who: Visitor, wanted: Wanted) -> Subscribed:
        """A subscription, to be opened. Raises `OctonetError`."""
        await self._gateway.enter(home.name, who)
        api = await self.api(home)
        operation = await self.operation(api, who, wanted)
        return Subscribed(self._gateway, api, home, who, operation, wanted.variables)

    def is_current(self, ready: Ready) -> bool:
        """Whether nothing changed since it was worked out."""
        return all(self._gateway.is_current(one) for call in ready.calls for one in call.prepared)

    async def again(self, ready: Ready, who: Visitor) -> Answer:
        """Ask once more. Raises `OctonetError`."""
        running = Running(self._gateway, ready.api, ready.home, who, ready.variables)
        running.check(ready.calls)
        found = await running.run(ready.plan, list(ready.calls), False)
        return _answer(ready.api, ready.operation, ready.plan, ready.given, running, found, ready)


def _answer(
    api: Api,
    operation: Operation,
    plan: Plan,
    given: Mapping[str, object],
    running: Running,
    found: Mapping[str, object],
    ready: Ready | None,
) -> Answer:
    extensions = running.extensions
    if running.position:
        extensions["position"] = running.position
    if running.odd or operation.introspective:
        data, errors = completed(api.schema, operation, given, found)
    elif running.failed:
        data, errors = settled(plan, found)
    else:
        return Answer(found, (), extensions, running.position, ready)
    return Answer(data, errors, extensions, running.position, ready)
