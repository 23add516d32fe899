"""Carries out an operation: every call through the gateway, its result in the shape of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway, Written
from octonet.kernel import cursor, options_parse
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.ids import Row
from octonet.kernel.log import Verdict
from octonet.kernel.operation import Raw, Request
from octonet.kernel.schema import ID, VERSION_COLUMN, EntitySchema, Relation
from octonet.project import Project
from octonet.reader import Prepared, Read
from transports.engine import coerce
from transports.engine.graphql import rows
from transports.engine.graphql.api import Api
from transports.engine.graphql.cost import check_cost
from transports.engine.graphql.past import AsOf
from transports.engine.graphql.plan import Call, Plan, Rows, Table, Twig, reading, selections
from transports.engine.graphql.roots import MUTATION, Kind, Root
from transports.engine.graphql.rows import Fetch
from transports.engine.graphql.wanted import NO_DEMANDS, Demands

_row = msgspec.json.Decoder(dict).decode
_LARGEST: Final = 2**31 - 1


class Asked(msgspec.Struct, frozen=True):
    """One call, ready: its request, and the one for a total where that is shown."""

    call: Call
    request: Request
    counted: Request | None = None
    prepared: tuple[Prepared, ...] = ()
    """For queries without demands: to be asked again as they are."""


class Running:
    """One operation while it is carried out. Also how related rows are fetched."""

    def __init__(
        self, gateway: Gateway, api: Api, home: Project, who: Visitor, variables: Mapping[str, object]
    ) -> None:
        self._gateway = gateway
        self._api = api
        self._home = home
        self._who = who
        self._variables = variables
        self.largest = home.limits.maximum_page
        self.odd = False
        """Whether a value is not as the schema promises."""
        self.failed = False
        """Whether an operation failed."""
        self.extensions: dict[str, object] = {}
        self.position = ""

    def ask(self, plan: Plan, demands: Demands, mutation: bool) -> list[Asked]:
        """What is to be asked. Raises `OctonetError`: nothing of it was done yet."""
        calls = [self._asked(call, demands, number) for number, call in enumerate(plan.calls)]
        check_cost(calls, self._home.limits.default_page, self._api.settings.cost)
        self.check(calls)
        if mutation:
            for call in calls:
                # What is shown beside a write must not fail when the write is done.
                if isinstance(call.call.below, Rows) and call.call.below.twigs:
                    rows.rehearse(call.call.below, self)
        return calls

    def check(self, calls: Sequence[Asked]) -> None:
        """Whether all of it is allowed, before anything of it is done. Raises `Denied`."""
        principal, transport, project = self._who.principal, self._who.actor.transport, self._home.name
        for call in calls:
            principal.check(project, call.call.root.family, transport)

    async def run(self, plan: Plan, calls: list[Asked], mutation: bool) -> dict[str, object]:
        """The answer, an error in the place of what failed."""
        if len(calls) == 1 == len(plan.keys):
            return {plan.keys[0]: await self._settled(calls[0])}
        if len(calls) == 1:
            found = [await self._settled(calls[0])]
        elif mutation:
            found = await self._in_turn(calls)
        else:
            found = list(await asyncio.gather(*(self._settled(call) for call in calls)))
        if not plan.types and len(calls) == len(plan.keys):
            return {call.call.key: value for call, value in zip(calls, found, strict=False)}
        values = {call.call.key: value for call, value in zip(calls, found, strict=False)}
        values |= dict.fromkeys(plan.types, plan.title)
        return {key: values[key] for key in plan.keys if key in values}

    def check_request(self, request: Request) -> None:
        """See `rows.Fetch`."""
        self._gateway.prepare(self._home.name, request, self._who)

    async def rows(self, request: Request) -> tuple[list[Row], str | None]:
        """See `rows.Fetch`."""
        prepared = self._gateway.prepare(self._home.name, request, self._who)
        assert prepared is not None
        answer = (await self._gateway.ask(prepared, self._who)).answer
        return answer.rows or [], answer.cursor

    def members(self, twig: Twig) -> dict[str, Raw]:
        """See `rows.Fetch`."""
        return twig.members.read(self._variables)

    async def _in_turn(self, calls: list[Asked]) -> list[object]:
        found: list[object] = []
        for call in calls:
            found.append(await self._settled(call))
            if isinstance(found[-1], OctonetError) and call.call.root.type.endswith("!"):
                # There will be no data to answer with: what was not begun is left.
                break
        return found

    async def _settled(self, asked: Asked) -> object:
        try:
            if asked.prepared:
                first: Read | Written = await self._gateway.ask(asked.prepared[0], self._who)
            else:
                first = await self._gateway.execute(self._home.name, asked.request, self._who)
            version = first.version
            self._note(asked.call, first, version)
            return await self._value(asked, first, version)
        except OctonetError as problem:
            self.failed = True
            return problem

    async def _value(self, asked: Asked, first: Read | Written, version: int) -> object:
        call = asked.call
        match call.root.kind:
            case Kind.ROW:
                assert isinstance(call.below, Rows)
                row = _row_of(first)
                if row is None:
                    self.odd = self.odd or call.root.type.endswith("!")
                    return None
                if call.below.shape.eager:
                    row = _unpopulated(call.below.shape.eager, row)
                if version and VERSION_COLUMN in call.below.needed:
                    row = {**row, VERSION_COLUMN: version}
                if call.below.twigs:
                    return (await rows.grown(call.below, [row], self._fetch(asked)))[0]
                return rows.objects(call.below, [row], self)[0]
            case Kind.ROWS:
                assert isinstance(call.below, Rows)
                assert isinstance(first, Read)
                found = first.answer.rows or []
                if call.below.twigs:
                    return await rows.grown(call.below, found, self._fetch(asked))
                return rows.objects(call.below, found, self)
            case Kind.CONNECTION:
                assert isinstance(first, Read)
                return await self._connection(asked, first, await self._counted(asked))
            case Kind.DELETED:
                assert isinstance(first, Written)
                return first.outcome.verdict is Verdict.APPLIED
            case Kind.COUNT:
                count = _count(first)
                self.odd = self.odd or count > _LARGEST
                return count
            case _:
                assert isinstance(first, Read)
                return first.answer.rows or []

    async def _counted(self, asked: Asked) -> int:
        if asked.counted is None:
            return 0
        if asked.prepared:
            return _count(await self._gateway.ask(asked.prepared[1], self._who))
        return _count(await self._gateway.execute(self._home.name, asked.counted, self._who))

    def _note(self, call: Call, result: Read | Written, version: int) -> None:
        """What is told beside the data."""
        if isinstance(result, Written) and result.trial is not None:
            self._extend("dryRun", call.key, result.trial)
        elif isinstance(result, Written):
            self.position = result.position
        elif result.answer.cursor is not None and call.root.kind is Kind.ROWS:
            self._extend("cursors", call.key, result.answer.cursor)
        if version:
            self._extend("versions", call.key, version)

    def _extend(self, what: str, key: str, value: object) -> None:
        known = self.extensions.setdefault(what, {})
        assert isinstance(known, dict)
        known[key] = value

    async def _connection(self, asked: Asked, first: Read, total: int) -> object:
        table = asked.call.below
        assert isinstance(table, Table)
        found = first.answer.rows or []
        options = asked.request.options
        sort = options_parse.parse(first.schema, options).sort
        given = options if isinstance(options, dict) else {}
        cursors = [cursor.encode((*(row[order.column] for order in sort), row[ID])) for row in found]
        whole = {
            "edges": [{"cursor": c, "node": row} for c, row in zip(cursors, found, strict=True)],
            "nodes": found,
            "pageInfo": {
                "hasNextPage": first.answer.cursor is not None,
                "hasPreviousPage": bool(given.get("after")),
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            },
            "totalCount": total,
        }
        return (await rows.shown(table, [whole], self._fetch(asked)))[0]

    def _fetch(self, asked: Asked) -> Fetch:
        moment = asked.request.as_of
        return self if moment is msgspec.UNSET else AsOf(self, moment)

    def _asked(self, call: Call, demands: Demands, number: int) -> Asked:
        root = call.root
        found = call.members.read(self._variables)
        if "relations" in found:
            _check_relations(found.pop("relations"), call)
        if call.selects:
            _select(call, found, self._api.shapes[root.entity].schema)
        request = Request(root.op, root.entity, **found)
        if demands is not NO_DEMANDS:
            request = _demanding(request, root, demands, number)
        return Asked(call, request, _total(request)) if call.counts else Asked(call, request)


def prepared(gateway: Gateway, home: Project, who: Visitor, calls: list[Asked]) -> list[Asked]:
    """The same, to be asked any number of times while the project stays as it is. As they were where one of them is
    refused: it is told in its place then."""
    try:
        return [msgspec.structs.replace(call, prepared=tuple(_prepare(gateway, home, who, call))) for call in calls]
    except OctonetError:
        return calls


def _prepare(gateway: Gateway, home: Project, who: Visitor, call: Asked) -> list[Prepared]:
    requests = [call.request] if call.counted is None else [call.request, call.counted]
    found = [gateway.prepare(home.name, request, who) for request in requests]
    return [one for one in found if one is not None]


def _demanding(request: Request, root: Root, demands: Demands, number: int) -> Request:
    more: dict[str, Raw] = {}
    if demands.position is not msgspec.UNSET:
        more["min_position"] = demands.position
    if root.home == MUTATION and demands.key is not msgspec.UNSET:
        # One key for a document of several writes: each of them is known by its place.
        more["idempotency_key"] = f"{demands.key}.{number + 1}" if number else demands.key
    if demands.dry is not msgspec.UNSET:
        if request.dry_run is not msgspec.UNSET:
            raise invalid("$.dryRun", "says a second time what Octonet-Dry-Run says")
        more["dry_run"] = demands.dry
    if demands.version is not msgspec.UNSET:
        if request.expected_version is not msgspec.UNSET:
            raise invalid("$.expectedVersion", "says a second time what If-Match says")
        more["expected_version"] = demands.version
    return msgspec.structs.replace(request, **more) if more else request


def _select(call: Call, found: dict[str, Raw], schema: EntitySchema) -> None:
    """Read no more than is shown, unless the client chose the columns itself."""
    options = found.get("options", {})
    assert isinstance(options, dict)
    shown = selections(call.below)
    needed = {ID}.union(*(selection.needed for selection in shown))
    if call.root.kind is Kind.CONNECTION:
        # The cursors are made of what is sorted by.
        needed |= {order.column for order in options_parse.parse(schema, options).sort}
    more = reading(needed)
    if (
        "select" in options
        or "exclude" in options
        or (shown and len(needed - {VERSION_COLUMN}) >= shown[0].shape.width)
    ):
        del more["select"]
    if more:
        found["options"] = {**options, **more}


def _total(request: Request) -> Request:
    options = request.options if isinstance(request.options, dict) else {}
    kept = {name: value for name, value in options.items() if name == "includeDeleted"}
    return msgspec.structs.replace(request, op="count", options=kept or msgspec.UNSET)


def _check_relations(named: Raw, call: Call) -> None:
    if isinstance(named, str) and call.members.schema is not None:
        options_parse.relations(call.members.schema, coerce.names(named))


def _row_of(result: Read | Written) -> Row | None:
    if isinstance(result, Written):
        return None if result.data is None else _row(result.data)
    return result.answer.row


def _count(result: Read | Written) -> int:
    return result.outcome.count if isinstance(result, Written) else result.answer.count or 0


def _unpopulated(eager: Sequence[Relation], row: Row) -> Row:
    """A row with ids where relations that are populated unasked put whole rows."""
    for relation in eager:
        place = relation.column if relation.owns_column else relation.name
        value = row.get(place)
        if isinstance(value, dict):
            row = {**row, place: value.get(ID)}
        elif isinstance(value, list):
            row = {**row, place: [item.get(ID) if isinstance(item, dict) else item for item in value]}
    return row
