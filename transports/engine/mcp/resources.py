"""What can be read by its address: an entity's schema, and one row of it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

import msgspec

from octonet.kernel.errors import NotFound
from octonet.kernel.operation import Family, Request
from octonet.kernel.schema import Schemas
from octonet.project import Project
from octonet.reader import Read
from transports.engine.mcp.view import View
from transports.engine.shapes import Json

_SCHEME: Final = "entity://"
_SCHEMA: Final = "/schema"
_JSON: Final = "application/json"
TEMPLATE: Final = "entity://{entity}/{id}"
_encode = msgspec.json.Encoder().encode


async def listed(view: View) -> tuple[list[Json], str]:
    """The schemas of all entities, and what tells this list from others; none for who may not read."""
    if Family.READ not in view.families:
        return [], ""
    home = await view.home()
    return [_of_entity(name) for name in home.schemas.entities], f"{home.name} {home.schemas.digest}"


def templates() -> list[Json]:
    """The addresses that have parts to fill in."""
    described = "One row of an entity, by its id."
    return [{"name": "Row", "uriTemplate": TEMPLATE, "description": described, "mimeType": _JSON}]


async def read(view: View, uri: str) -> str:
    """The JSON text behind an address. Raises `NotFound` with code NOT_FOUND, and as `Gateway.execute`."""
    entity, _, rest = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not rest:
        raise _nothing(uri)
    if rest == "schema":
        found = _source((await view.home()).schemas, entity)
        if found is None:
            raise _nothing(uri)
        return _pretty(found)
    return await _row(view, entity, unquote(rest), uri)


async def ids(view: View, entity: str, begun: str, most: int) -> list[str]:
    """The first ids of an entity's rows that begin so."""
    home = await view.home()
    if entity not in home.schemas.entities:
        return []
    options = {"select": ["id"], "sort": {"id": 1}, "limit": most}
    where: Json = {"id": {"$gte": begun}} if begun else {}
    found = await view.gateway.execute(
        view.project, Request("findAll", entity, filter=where, options=options), view.who
    )
    rows = (found.answer.rows if isinstance(found, Read) else None) or []
    return [str(row["id"]) for row in rows if str(row["id"]).startswith(begun)]


def source(home: Project, entity: str) -> object:
    """An entity as the schema file has it. Raises `NotFound` with code ENTITY_NOT_FOUND."""
    found = _source(home.schemas, entity)
    if found is None:
        raise NotFound(f"there is no entity {entity[:64]!r}", code="ENTITY_NOT_FOUND")
    return found


async def _row(view: View, entity: str, id: str, uri: str) -> str:
    home = await view.home()
    if "/" in id or entity not in home.schemas.entities:
        raise _nothing(uri)
    found = await view.gateway.execute(view.project, Request("findById", entity, id), view.who)
    row = found.answer.row if isinstance(found, Read) else None
    if row is None:
        raise _nothing(uri)
    return _pretty(row)


def _source(schemas: Schemas, entity: str) -> object:
    return next((one for one in msgspec.json.decode(schemas.source) if one.get("name") == entity), None)


def _of_entity(name: str) -> Json:
    uri = f"{_SCHEME}{quote(name)}{_SCHEMA}"
    described = f"The fields, relations and indexes of {name}."
    return {"name": f"{name} Schema", "uri": uri, "description": described, "mimeType": _JSON}


def _pretty(value: object) -> str:
    return msgspec.json.format(_encode(value), indent=2).decode()


def _nothing(uri: str) -> NotFound:
    return NotFound(f"there is no resource {uri[:200]!r}")
