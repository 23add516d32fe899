"""A subscription that runs: facts become what its document asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from graphql import OperationType

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.event import Fact
from octonet.kernel.operation import Raw
from octonet.kernel.schema import VERSION_COLUMN
from octonet.project import Project
from projections.engine.live import Live
from transports.engine import wish
from transports.engine.graphql import rows
from transports.engine.graphql.api import Api
from transports.engine.graphql.completion import completed
from transports.engine.graphql.document import Operation
from transports.engine.graphql.plan import Call, Plan, Table
from transports.engine.graphql.run import Running
from transports.engine.graphql.tail import Tail

_encode = msgspec.json.Encoder().encode

_SHARED: Final = "graphql.payloads"


class Subscribed:
    """One subscription. Whoever opens it leaves `tail`."""

    def __init__(
        self, gateway: Gateway, api: Api, home: Project, who: Visitor, operation: Operation, given: Mapping[str, object]
    ) -> None:
        self._gateway = gateway
        self._api = api
        self._home = home
        self._who = who
        self._operation = operation
        self._given = given
        self._variables = operation.values(given)
        plan = api.plan(operation, self._variables)
        if operation.kind is not OperationType.SUBSCRIPTION or len(plan.calls) != 1:
            raise invalid("$.query", "a subscription asks for exactly one field")
        self._plan = plan
        (self._call,) = plan.calls
        below = self._call.below
        assert isinstance(below, Table)
        self._alike = plan.lasting and not any(selection.twigs for selection in below.rows())
        """Whether everybody is told the same: whatever is related is asked for in somebody's name."""
        self._kinds: frozenset[str] = frozenset()

    async def open(self, resume: str, most: int) -> Tail:
        """Begin to listen: behind `resume`, a position, where that is not empty. Raises `OctonetError`."""
        call = self._call
        found = call.members.read(self._variables)
        self._kinds = frozenset(_names(found.get("kinds")))
        names = [call.root.entity] if call.root.entity else _names(found.get("entities"))
        interest = wish.interest(self._home.schemas, names, found.get("filter", msgspec.UNSET))
        after = wish.after(self._home.positions, resume or found.get("after", msgspec.UNSET))
        assert isinstance(call.below, Table)
        for selection in call.below.rows():
            rows.rehearse(selection, self._running())
        tail = Tail(most)
        await tail.join(self._home.hub, interest, after)
        return tail

    async def payload(self, fact: Live) -> bytes | None:
        """The result that a fact becomes, as JSON text; None where its kind is not wanted."""
        if self._kinds and fact.fact.upper() not in self._kinds:
            return None
        if not self._alike:
            return await self._payload(fact)
        # Subscribers of one document are told the same: it is made for the first of them.
        shared: dict[int, tuple[Plan, bytes]] = fact.__dict__.setdefault(_SHARED, {})
        found = shared.get(id(self._plan))
        if found is None:
            found = shared[id(self._plan)] = (self._plan, await self._payload(fact))
        return found[1]

    def _running(self) -> Running:
        return Running(self._gateway, self._api, self._home, self._who, self._variables)

    async def _payload(self, fact: Live) -> bytes:
        running = self._running()
        try:
            value: object = await _shown(self._call, fact, running)
        except OctonetError as problem:
            running.odd, value = True, problem
        answer = {self._call.key: value}
        if not running.odd:
            return b'{"data":%b}' % _encode(answer)
        data, errors = completed(self._api.schema, self._operation, self._given, answer)
        return b'{"errors":%b,"data":%b}' % (_encode(errors), _encode(data))


async def _shown(call: Call, fact: Live, running: Running) -> object:
    assert isinstance(call.below, Table)
    source = {
        "kind": fact.fact.upper(),
        "op": fact.op,
        "entity": fact.entity,
        "id": fact.id,
        "version": fact.version,
        "position": fact.token,
        "at": _moment(fact.at),
        "row": _row(fact, call),
    }
    return (await rows.shown(call.below, [source], running))[0]


def _row(fact: Live, call: Call) -> object:
    """The row as it is after; of no entity in particular, as every door tells it."""
    if fact.fact is Fact.DELETED or fact.row is None:
        return None
    return {**fact.row, VERSION_COLUMN: fact.version} if call.root.entity else fact.row


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _names(value: Raw) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
