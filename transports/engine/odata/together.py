"""Several commands that are to happen together or not at all: change sets, and rows that are made inside each other."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec

from octonet.change_set import Refusal
from octonet.gateway import Written
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import EntityId, uuid7
from octonet.kernel.operation import Request
from octonet.kernel.schema import ID, RelationKind
from octonet.transport import Reply
from transports.engine.odata import payload
from transports.engine.odata.call import Call
from transports.engine.odata.expanding import expand
from transports.engine.odata.locating import absent
from transports.engine.odata.model import Entity
from transports.engine.odata.options import Expansion, Options
from transports.engine.odata.payload import Content, Nested
from transports.engine.odata.problems import unsupported
from transports.engine.odata.wish import Wish

_decode = msgspec.json.Decoder(dict).decode
_KEYED = UUID("9f5d8a52-52a3-5d0f-9a0b-3f3a5a7f6d11")
_DEEPEST = 8
_LONGEST_KEY = 240
_ANY_VERSION = "*"


class Failed(Exception):
    """One of them cannot be done: then none is. `number` counts the wishes from 0."""

    def __init__(self, number: int, problem: OctonetError) -> None:
        super().__init__(str(problem))
        self.number = number
        self.problem = problem


class Commands(msgspec.Struct, frozen=True):
    """What one wish comes to: the rows inside its row are made before it, or after it."""

    requests: tuple[Request, ...]
    main: int = 0


async def inserted(call: Call, wish: Wish) -> Reply:
    """Make a row with the rows inside it."""
    try:
        [written] = await carried_out([(call, wish)])
    except Failed as failed:
        raise failed.problem from None
    reply = wish.tell(written)
    if not wish.nested or not reply.body or wish.entity is None:
        return reply
    # Whoever sends rows within a row is answered with rows within a row.
    told = _decode(reply.body)
    asked = _expansions(call, wish.nested)
    raw = await call.row(wish.entity, str(told[ID]), [])
    if raw is not None:
        await expand(call, wish.entity, [raw], [told], asked)
    return msgspec.structs.replace(reply, body=msgspec.json.encode(told))


def _expansions(call: Call, nested: Sequence[Nested]) -> tuple[Expansion, ...]:
    inner: dict[str, list[Nested]] = {}
    for each in nested:
        target = call.model.target(each.navigation)
        inner.setdefault(each.navigation.name, []).extend(payload.read(call, target, each.content).nested)
    return tuple(Expansion(name, Options(expand=_expansions(call, below))) for name, below in inner.items())


async def carried_out(wishes: Sequence[tuple[Call, Wish]]) -> list[Written]:
    """What each wish came to. Raises `Failed`, and `OctonetError`s that concern all of them."""
    spread = [spelled(call, wish) for call, wish in wishes]
    requests = _keyed([_there(request) for commands in spread for request in commands.requests])
    call = wishes[0][0]
    found = await call.gateway.execute_together(call.project, requests, call.who)
    if isinstance(found, Refusal):
        raise _failed(found, wishes, spread)
    told: list[Written] = []
    start = 0
    for commands in spread:
        told.append(found[start + commands.main])
        start += len(commands.requests)
    return told


def _there(request: Request) -> Request:
    """Whoever changes a row among other changes means one that is there."""
    if request.op in ("update", "delete") and request.expected_version is msgspec.UNSET:
        return msgspec.structs.replace(request, expected_version=_ANY_VERSION)
    return request


def _keyed(requests: list[Request]) -> list[Request]:
    """What happens as one is repeated as one: where one of them has a key, all have."""
    keys = [request.idempotency_key for request in requests if isinstance(request.idempotency_key, str)]
    if not keys or len(keys) == len(requests):
        return requests
    return [
        request
        if request.idempotency_key is not msgspec.UNSET
        else msgspec.structs.replace(request, idempotency_key=f"{keys[0][:_LONGEST_KEY]}.{number}")
        for number, request in enumerate(requests)
    ]


def _failed(refusal: Refusal, wishes: Sequence[tuple[Call, Wish]], spread: Sequence[Commands]) -> Failed:
    start = 0
    for number, commands in enumerate(spread):
        within = refusal.index - start
        if within < len(commands.requests):
            problem = refusal.problem
            request, entity = commands.requests[within], wishes[number][1].entity
            unconditional = request.op in ("update", "delete") and request.expected_version is msgspec.UNSET
            if problem.code == "VERSION_MISMATCH" and unconditional and entity is not None:
                problem = absent(entity, str(request.id))
            return Failed(number, problem)
        start += len(commands.requests)
    return Failed(len(spread) - 1, refusal.problem)


def spelled(call: Call, wish: Wish) -> Commands:
    """The commands of a wish. Raises `Invalid`, and a 501 for rows within rows that are too deep."""
    if not wish.nested or wish.entity is None:
        return Commands((wish.request, *wish.after))
    data = wish.request.data
    assert isinstance(data, dict)
    ids = Ids.of(wish.request)
    before, main, after = _rows(call, wish.entity, Content(data, wish.nested), ids, 0)
    whole = msgspec.structs.replace(wish.request, data=main)
    return Commands((*before, whole, *after, *wish.after), len(before))


class Ids:
    """Ids for rows that others are to refer to before they are made. A request that is repeated under its key makes
    the same ones."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._count = 0

    @staticmethod
    def of(request: Request) -> Ids:
        """Those for the rows of a request."""
        key = request.idempotency_key
        return Ids(f"{request.entity}/{key}" if isinstance(key, str) else "")

    def next(self) -> EntityId:
        """A fresh one."""
        self._count += 1
        if self._key:
            return EntityId(str(uuid5(_KEYED, f"{self._key}/{self._count}")))
        return fresh()


def fresh() -> EntityId:
    """A UUIDv7 of now."""
    return EntityId(uuid7(time.time_ns() // 1_000_000, os.urandom(10).hex()))


_Spread = tuple[list[Request], dict[str, object], list[Request]]


def _rows(call: Call, entity: Entity, content: Content, ids: Ids, depth: int) -> _Spread:
    """The commands before a row's own, its data, and those after."""
    if depth > _DEEPEST:
        raise unsupported("the body", f"more than {_DEEPEST} levels of new rows")
    before: list[Request] = []
    after: list[Request] = []
    data = dict(content.data)
    if any(each.navigation.relation.kind is RelationKind.ONE_TO_MANY for each in content.nested):
        data.setdefault(ID, ids.next())
    for each in content.nested:
        _nest(call, each, data, ids, depth, before, after)
    return before, data, after


def _nest(
    call: Call,
    each: Nested,
    data: dict[str, object],
    ids: Ids,
    depth: int,
    before: list[Request],
    after: list[Request],
) -> None:
    relation, target = each.navigation.relation, call.model.target(each.navigation)
    inner = payload.read(call, target, each.content)
    if relation.kind is RelationKind.ONE_TO_MANY:
        inner.data[relation.column] = data[ID]
        first, own, rest = _rows(call, target, inner, ids, depth + 1)
        after += [*first, Request("create", target.schema.name, data=own), *rest]
        return
    inner.data.setdefault(ID, ids.next())
    first, own, rest = _rows(call, target, inner, ids, depth + 1)
    before += [*first, Request("create", target.schema.name, data=own), *rest]
    if relation.owns_column:
        data[relation.column] = own[ID]
    else:
        links = data.setdefault(relation.name, [])
        assert isinstance(links, list)
        links.append(own[ID])
