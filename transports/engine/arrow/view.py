"""The JSON view on the HTTP port: which flights there are, their columns, and rows by columns."""

from __future__ import annotations

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import NotFound, OctonetError, invalid
from octonet.kernel.faults import step
from octonet.kernel.filter import Options
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.operation import Raw, Request
from octonet.kernel.schema import EntitySchema
from octonet.reader import Read
from octonet.transport import Incoming, Reply
from transports.engine import coerce, render
from transports.engine.arrow.field_types import Shown, shown
from transports.engine.caller import known, project_of, visitor
from transports.engine.render import Refused

_NAME = "arrow"
_GET, _POST = "GET, HEAD, OPTIONS", "POST, OPTIONS"
_MEMBERS = frozenset({"filter", "limit", "batchSize", "offset"})
_encode = msgspec.json.Encoder().encode


class View:
    """Answers ``/arrow`` and what is below it. The rows themselves are for Flight: this view gives one page."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def serve(self, incoming: Incoming) -> Reply:
        """One HTTP request."""
        try:
            return await self._serve(incoming)
        except OctonetError as problem:
            return render.refusal(problem)

    async def _serve(self, incoming: Incoming) -> Reply:
        who = known(self._gateway, incoming, _NAME) or await visitor(self._gateway, incoming, _NAME)
        match coerce.segments(incoming.below):
            case [] | ["flights"]:
                return await self._get(incoming, who, "")
            case ["schema", name]:
                return await self._get(incoming, who, name)
            case ["stream" | "query", name]:
                return await self._rows(incoming, who, name)
            case _:
                raise Refused(404, "NOT_FOUND", "there are /flights, /schema/{entity} and /query/{entity}")

    async def _get(self, incoming: Incoming, who: Visitor, name: str) -> Reply:
        if incoming.method not in ("GET", "HEAD"):
            return _only(incoming.method, _GET)
        home = await self._gateway.enter(project_of(incoming), who)
        if not name:
            return Reply(_encode({"flights": [_flight(entity) for entity in home.schemas.entities.values()]}))
        schema = home.schemas.find(name)
        if schema is None:
            raise NotFound(f"there is no entity {name!r}", code="ENTITY_NOT_FOUND")
        return Reply(_encode({"entity": schema.name, "arrowSchema": {"fields": _fields(schema)}}))

    async def _rows(self, incoming: Incoming, who: Visitor, name: str) -> Reply:
        if incoming.method != "POST":
            return _only(incoming.method, _POST)
        content = coerce.body(incoming)
        request = Request("findAll", name, **_members({} if content is msgspec.UNSET else content))
        read = await self._gateway.execute(project_of(incoming), request, who)
        assert isinstance(read, Read)
        rows = read.answer.rows or []
        columns = list(shown(read.schema))
        return Reply(
            _encode(
                {
                    "entity": read.schema.name,
                    "format": "columnar",
                    "rowCount": len(rows),
                    "schema": {"fields": [_field(column) for column in columns]},
                    "columns": {column.name: _column(rows, column.name) for column in columns},
                }
            )
        )


def _members(content: Raw) -> dict[str, Raw]:
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object")
    for name in content:
        if name not in _MEMBERS:
            raise invalid(step("$", name), "is not a member of a query", code="UNKNOWN_MEMBER")
    options: dict[str, Raw] = {}
    limit = content.get("limit", content.get("batchSize"))
    if limit is not None:
        options["limit"] = limit
    if content.get("offset") is not None:
        options["skip"] = content["offset"]
    return {"filter": content.get("filter", msgspec.UNSET), "options": options}


def _only(method: str, allowed: str) -> Reply:
    if method == "OPTIONS":
        return Reply(status=204, headers={"Allow": allowed})
    raise Refused(405, "METHOD_NOT_ALLOWED", f"{method} is not possible here; {allowed} are", {"Allow": allowed})


def _flight(schema: EntitySchema) -> dict[str, Raw]:
    return {
        "descriptor": schema.name,
        "collection": schema.collection,
        "fields": _fields(schema),
        "totalRecords": -1,
    }


def _fields(schema: EntitySchema) -> list[dict[str, Raw]]:
    return [_field(column) for column in shown(schema, Options())]


def _field(column: Shown) -> dict[str, Raw]:
    return {"name": column.name, "type": column.arrow, "nullable": column.nullable}


def _column(rows: list[Row], name: str) -> list[JsonValue]:
    return [row.get(name) for row in rows]
