"""A schema that touches everything a database has to keep, rows for it, and how to open each dialect here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from octonet import dialects
from octonet.dialects.engine.evidence import Tier
from octonet.kernel import schema_parse
from octonet.kernel.filter import EVERYTHING, Filter, Options, Order
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Page, Source, Stored, Strategy
from tests import (
    cockroachdb,
    h2,
    h2_db2,
    h2_hana,
    h2_mssql,
    h2_oracle,
    h2_sybase,
    hsqldb,
    mariadb,
    mongodb,
    mysql,
    postgres,
    spanner,
)

_PERSON: Final = {
    "name": "Person",
    "collection": "people",
    "timestamps": True,
    "fields": {
        "name": {"type": "string"},
        "bio": {"type": "text"},
        "age": {"type": "number"},
        "active": {"type": "boolean"},
        "born": {"type": "date"},
        "settings": {"type": "json"},
        "labels": {"type": "array", "arrayOf": "string"},
        "password": {"type": "string"},
    },
    "relations": {
        "groups": {"type": "many-to-many", "target": "Group"},
        "boss": {"type": "many-to-one", "target": "Person", "joinColumn": "bossId"},
    },
    "indexes": [{"fields": {"age": "desc"}}],
}
_GROUP: Final = {"name": "Group", "collection": "groups", "fields": {"title": {"type": "string"}}}
_ORDER: Final = {
    "name": "Order",
    "collection": "Order",
    "fields": {
        name: {"type": "string"}
        for name in (
            "select",
            "from",
            "group",
            "where",
            "limit",
            "returning",
            "values",
            "table",
            "index",
            "user",
            "key",
        )
    },
    "relations": {"order": {"type": "many-to-one", "target": "User"}},
}
_USER: Final = {
    "name": "User",
    "collection": "user",
    "fields": {
        "email": {"type": "string", "required": True, "unique": True},
        "tenant": {"type": "string"},
        "number": {"type": "number"},
    },
    "indexes": [{"fields": ["tenant", "number"], "unique": True}],
}
_ACCOUNT: Final = {
    "name": "Account",
    "collection": "accounts",
    "softDelete": True,
    "fields": {"email": {"type": "string", "unique": True}, "balance": {"type": "number"}},
}
_DOG: Final = {
    "name": "Dog",
    "collection": "dogs",
    "discriminator": "kind",
    "discriminatorValue": "dog",
    "fields": {"name": {"type": "string"}},
}

SCHEMAS: Final = schema_parse.parse(json.dumps([_PERSON, _GROUP, _ORDER, _USER, _ACCOUNT, _DOG]))
PERSON, GROUP, ORDER, USER, ACCOUNT, DOG = (
    SCHEMAS.entities[name] for name in ("Person", "Group", "Order", "User", "Account", "Dog")
)
AT: Final = "2024-05-06T07:08:09.010Z"

_URIS: Final[dict[str, Callable[[Path], str]]] = {
    "sqlite": lambda folder: f"sqlite:///{folder}/data/octonet.db",
    "cockroachdb": lambda folder: cockroachdb.server().uri(folder),
    "db2": h2_db2.uri,
    "hana": h2_hana.uri,
    "hsqldb": lambda folder: hsqldb.server().uri(folder),
    "mariadb": lambda folder: mariadb.server().uri(folder),
    "mongodb": lambda folder: mongodb.server().uri(folder),
    "mssql": h2_mssql.uri,
    "mysql": lambda folder: mysql.server().uri(folder),
    "oracle": h2_oracle.uri,
    "postgres": lambda folder: postgres.server().uri(folder),
    "spanner": lambda folder: spanner.server().uri(folder),
    "sybase": h2_sybase.uri,
}
"""For each dialect that can be opened in tests, where."""
_MISSING: Final[dict[str, Callable[[], str]]] = {
    "cockroachdb": cockroachdb.missing,
    "db2": h2.missing,
    "hana": h2.missing,
    "hsqldb": hsqldb.missing,
    "mariadb": mariadb.missing,
    "mongodb": mongodb.missing,
    "mssql": h2.missing,
    "mysql": mysql.missing,
    "oracle": h2.missing,
    "postgres": postgres.missing,
    "spanner": spanner.missing,
    "sybase": h2.missing,
}
"""For each dialect that needs a server, why there is none."""

KNOWN: Final = dialects.known()
APART: Final = [name for name in KNOWN if dialects.evidence(name).tier in (Tier.VERIFIED, Tier.STAND_IN)]
"""Those that a server can open: H2 runs the SQL of others within the process of the tests only, or nothing does."""

CANNOT: Final = {
    ("db2", "test_a_type_that_keeps_no_value_needs_a_confirmation"): "H2 takes no definition back, Db2 does",
    (
        "db2",
        "test_readers_see_the_old_rows_until_the_commit_and_the_new_ones_after",
    ): "readers wait for the commit there (ADR-0028), which test_turns shows",
    ("mssql", "test_a_filter_may_have_thousands_of_branches"): "SQL Server takes 2100 values: FILTER_TOO_LARGE",
    (
        "mssql",
        "test_ten_thousand_values_may_be_listed",
    ): "those with a fraction are bound one by one, see above",
    ("sybase", "test_a_filter_may_have_thousands_of_branches"): "ASE takes 2048 values: FILTER_TOO_LARGE",
    (
        "sybase",
        "test_readers_see_the_old_rows_until_the_commit_and_the_new_ones_after",
    ): "readers wait for the commit there (ADR-0028), which test_turns shows",
    ("sybase", "test_ten_thousand_values_may_be_listed"): "ASE takes 2048 values, see above",
    ("mssql", "test_a_type_that_keeps_no_value_needs_a_confirmation"): "H2 takes no definition back, SQL Server does",
    ("spanner", "test_a_filter_may_have_thousands_of_branches"): "Spanner takes 1000 functions: FILTER_TOO_LARGE",
    (
        "spanner",
        "test_many_rows_are_inserted_fetched_and_deleted_at_once",
    ): "Spanner takes 80,000 cells at once: TOO_MANY_ROWS",
}
"""Cases that a database, or what runs its SQL here, cannot pass, and why."""


def uri_of(dialect: str, folder: Path) -> str:
    """Where a database of this dialect can be opened; skips the test, saying why, when it cannot."""
    find = _URIS.get(dialect)
    reason = f"no {dialect} can be opened here" if find is None else _MISSING.get(dialect, str)()
    if find is None or reason:
        pytest.skip(reason)
    return find(folder)


@asynccontextmanager
async def opened(
    dialect: str, folder: Path, schemas: Schemas = SCHEMAS, options: DatabaseOptions | None = None
) -> AsyncIterator[Database]:
    """A database of this dialect with its tables made."""
    database = await dialects.find(dialect).open(uri_of(dialect, folder), schemas, options or DatabaseOptions())
    try:
        await database.migrate(schemas, Strategy.UPDATE)
        yield database
    finally:
        await database.close()


def state(schema: EntitySchema, id: str, **values: JsonValue) -> Row:
    """A whole row in wire form: what is not given is null, and not linked."""
    row: Row = {name: values.pop(name, None) for name in schema.columns if name != "id"}
    row |= {relation.name: values.pop(relation.name, []) for relation in schema.links}
    if schema.discriminator and row[schema.discriminator] is None:
        row[schema.discriminator] = schema.discriminator_value
    assert not values, f"{schema.name} has no {values}"
    return {"id": id, **row}


def stored(schema: EntitySchema, id: str, version: int = 1, **values: JsonValue) -> Stored:
    """A whole row with its version."""
    return of_values(schema, id, values, version)


def of_values(schema: EntitySchema, id: str, values: dict[str, JsonValue], version: int = 1) -> Stored:
    """A whole row with its version, of values whose names are not known beforehand."""
    return Stored(EntityId(id), version, state(schema, id, **values))


async def write(database: Database, schema: EntitySchema, *rows: Stored) -> None:
    """Insert and commit."""
    transaction = await database.begin()
    await transaction.insert(schema, rows)
    await transaction.commit()


def page(where: Filter = EVERYTHING, *sort: Order, limit: int = 1000, **options: int | bool | tuple[str, ...]) -> Page:
    """A page of everything that matches, unless it says otherwise."""
    skip = options.get("skip", 0)
    select, exclude = options.get("select", ()), options.get("exclude", ())
    assert isinstance(skip, int)
    assert isinstance(select, tuple)
    assert isinstance(exclude, tuple)
    deleted = bool(options.get("include_deleted", False))
    return Page(where, Options(sort, skip, None, select, exclude, deleted), limit)


async def found(database: Database, schema: EntitySchema, where: Filter, *sort: Order) -> list[str]:
    """Ids of the matching rows, in order."""
    return ids(await database.select(schema, page(where, *sort)))


def ids(rows: Iterable[Row]) -> list[str]:
    """Ids of some rows."""
    return [str(row["id"]) for row in rows]


def public(row: Row) -> Row:
    """What a query may show of a person."""
    return {name: value for name, value in row.items() if name != "password"}


async def row_of(source: Source, schema: EntitySchema, id: str, options: Options | None = None) -> Row | None:
    """What a get shows of a row."""
    found = await source.get(schema, EntityId(id), options or Options())
    return None if found is None else found.state
