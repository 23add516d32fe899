"""Every dialect follows the schema strategies: what is made, what is added, what is refused, what is dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel import schema_parse
from octonet.kernel.errors import Conflict, ConstraintViolation, Invalid
from octonet.kernel.filter import EVERYTHING
from octonet.kernel.schema import Direction, EntitySchema, Index, Schemas
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Strategy
from tests.conformance.dialect_cases import KNOWN, page, row_of, state, stored, uri_of, write


def shop(fields: dict[str, object], **more: object) -> Schemas:
    tag = {"name": "Tag", "collection": "tags", "fields": {}}
    return schema_parse.parse(json.dumps([{"name": "Item", "collection": "items", "fields": fields, **more}, tag]))


SMALL = shop({"name": {"type": "string"}})
LARGE = shop(
    {"name": {"type": "string", "unique": True}, "price": {"type": "number", "required": True, "default": 0}},
    relations={"tags": {"type": "many-to-many", "target": "Tag"}, "first": {"type": "many-to-one", "target": "Tag"}},
    indexes=[{"fields": ["price"]}],
    softDelete=True,
)


@pytest.fixture(params=KNOWN)
def dialect(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    uri_of(request.param, tmp_path)
    return str(request.param)


async def reopened(dialect: str, folder: Path, schemas: Schemas, prefix: str = "") -> Database:
    return await dialects.find(dialect).open(uri_of(dialect, folder), schemas, DatabaseOptions(table_prefix=prefix))


async def migrated(
    dialect: str, folder: Path, schemas: Schemas, strategy: Strategy = Strategy.UPDATE, prefix: str = ""
) -> Database:
    database = await reopened(dialect, folder, schemas, prefix)
    try:
        await database.migrate(schemas, strategy)
    except Conflict:
        await database.close()
        raise
    return database


async def filled(dialect: str, folder: Path) -> None:
    database = await migrated(dialect, folder, SMALL)
    await write(database, SMALL.entities["Item"], stored(SMALL.entities["Item"], "i1", name="old"))
    transaction = await database.begin()
    await transaction.move_checkpoint(Checkpoint(5, 6, b"d", "s"))
    await transaction.commit()
    await database.close()


async def test_update_adds_what_is_missing_and_keeps_the_rows(dialect: str, tmp_path: Path) -> None:
    await filled(dialect, tmp_path)
    database = await migrated(dialect, tmp_path, LARGE)
    item = LARGE.entities["Item"]
    assert await row_of(database, item, "i1") == state(item, "i1", name="old", price=0)
    assert await database.checkpoint() == Checkpoint(5, 6, b"d", "s")
    await write(database, item, stored(item, "i2", name="new", price=1, tags=["t"], first="t"))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(item, [stored(item, "i3", name="new", price=1)])
    await transaction.rollback()
    await database.close()
    again = await migrated(dialect, tmp_path, LARGE)
    assert await again.count(item, EVERYTHING) == 2
    await again.migrate(LARGE, Strategy.VALIDATE)
    await again.close()


async def test_an_open_database_can_follow_a_new_schema(dialect: str, tmp_path: Path) -> None:
    database = await migrated(dialect, tmp_path, SMALL)
    await database.migrate(LARGE, Strategy.UPDATE)
    item = LARGE.entities["Item"]
    await write(database, item, stored(item, "i1", name="n", price=2, tags=["a", "b"]))
    assert await database.select(item, page()) == [state(item, "i1", name="n", price=2, tags=["a", "b"])]
    await database.close()


async def test_validate_tells_every_difference_and_changes_nothing(dialect: str, tmp_path: Path) -> None:
    await filled(dialect, tmp_path)
    with pytest.raises(Conflict) as refused:
        await migrated(dialect, tmp_path, LARGE, Strategy.VALIDATE)
    assert [fault.path for fault in refused.value.faults] == [
        "items.price", "items.first", "items.deletedAt", "items_tags",
    ]  # fmt: skip
    with pytest.raises(Conflict):
        await migrated(dialect, tmp_path, LARGE, Strategy.VALIDATE)
    await (await migrated(dialect, tmp_path, SMALL, Strategy.VALIDATE)).close()


async def test_none_makes_only_the_private_tables(dialect: str, tmp_path: Path) -> None:
    database = await migrated(dialect, tmp_path, SMALL, Strategy.NONE)
    assert await database.checkpoint() == Checkpoint()
    await database.close()
    with pytest.raises(Conflict) as refused:
        await migrated(dialect, tmp_path, SMALL, Strategy.VALIDATE)
    assert [fault.path for fault in refused.value.faults] == ["items", "tags"]


@pytest.mark.parametrize("strategy", [Strategy.CREATE, Strategy.CREATE_DROP])
async def test_create_starts_from_nothing_checkpoint_included(dialect: str, tmp_path: Path, strategy: Strategy) -> None:
    await filled(dialect, tmp_path)
    database = await migrated(dialect, tmp_path, LARGE, strategy)
    assert await database.count(LARGE.entities["Item"], EVERYTHING) == 0
    assert await database.checkpoint() == Checkpoint()
    await database.close()
    if strategy is Strategy.CREATE:
        await (await migrated(dialect, tmp_path, LARGE, Strategy.VALIDATE)).close()
    else:
        with pytest.raises(Conflict):
            await migrated(dialect, tmp_path, LARGE, Strategy.VALIDATE)


async def test_a_new_unique_index_over_duplicates_is_refused_and_nothing_is_changed(
    dialect: str, tmp_path: Path
) -> None:
    database = await migrated(dialect, tmp_path, SMALL)
    item = SMALL.entities["Item"]
    await write(database, item, stored(item, "a", name="same"), stored(item, "b", name="same"))
    with pytest.raises(Conflict):
        await database.migrate(
            shop({"name": {"type": "string", "unique": True}, "x": {"type": "text"}}), Strategy.UPDATE
        )
    assert await database.select(item, page()) == [state(item, "a", name="same"), state(item, "b", name="same")]
    await database.migrate(SMALL, Strategy.VALIDATE)
    await database.close()


async def test_a_prefix_keeps_two_projects_apart_in_one_database(dialect: str, tmp_path: Path) -> None:
    one = await migrated(dialect, tmp_path, LARGE, prefix="one_")
    item = LARGE.entities["Item"]
    await write(one, item, stored(item, "i1", name="n", price=1, tags=["t"]))
    two = await migrated(dialect, tmp_path, LARGE, prefix="two_")
    assert await two.count(item, EVERYTHING) == 0
    await write(two, item, stored(item, "i1", name="n", price=1))
    await two.migrate(LARGE, Strategy.CREATE)
    assert await one.select(item, page()) == [state(item, "i1", name="n", price=1, tags=["t"])]
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    "names", [("octonet_inbox", "b"), ("octonet_checkpoint", "b"), ("same", "SAME"), ("a", "idx_a_0")]
)
async def test_collections_that_would_share_a_name_are_refused(
    dialect: str, tmp_path: Path, names: tuple[str, str]
) -> None:
    index = Index((("id", Direction.ASC),))
    entities = {name: EntitySchema(name, name, indexes=(index,)) for name in names}
    with pytest.raises(Invalid):
        await reopened(dialect, tmp_path, Schemas(entities))
