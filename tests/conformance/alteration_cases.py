"""Schemas that change, and what is done to a database then."""

from __future__ import annotations

import json

import pytest

from octonet.kernel import schema_parse
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, Strategy
from tests.conformance.dialect_cases import of_values, page, write

Definition = dict[str, object]
TAG: Definition = {"name": "Tag", "collection": "tags", "fields": {"label": {"type": "string"}}}


def item(fields: Definition, *others: Definition, **more: object) -> Schemas:
    entity = {"name": "Item", "collection": "items", "fields": fields, **more}
    return schema_parse.parse(json.dumps([entity, TAG, *others]))


LINKED: Definition = {
    "indexes": [{"fields": ["name"]}],
    "relations": {"tags": {"type": "many-to-many", "target": "Tag"}},
}
PLAIN = item({"name": {"type": "string"}})


async def follow(database: Database, schemas: Schemas, *, drop: bool = False) -> None:
    await database.migrate(schemas, Strategy.UPDATE, drop=drop)
    # What stands is known, so that a second time there is nothing to do, and nothing that differs.
    await database.migrate(schemas, Strategy.UPDATE)


async def put(database: Database, schemas: Schemas, id: str, **values: JsonValue) -> None:
    await write(database, schemas.entities["Item"], of_values(schemas.entities["Item"], id, values))


async def rows(database: Database, schemas: Schemas, entity: str = "Item") -> list[Row]:
    return await database.select(schemas.entities[entity], page())


async def refused(database: Database, schemas: Schemas, *, drop: bool = False) -> dict[str, str]:
    with pytest.raises(Conflict) as caught:
        await database.migrate(schemas, Strategy.UPDATE, drop=drop)
    assert caught.value.code == "SCHEMA_CONFLICT"
    return {fault.path: fault.message for fault in caught.value.faults}
