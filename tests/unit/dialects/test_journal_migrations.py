"""MariaDB, MySQL, CockroachDB, HSQLDB, Oracle, HANA, SAP ASE and Spanner commit at every definition; a migration is
whole all the same, wherever it is refused or broken off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from octonet import dialects
from octonet.dialects.engine import dbapi_link, hsqldb_server, spanner_server
from octonet.dialects.engine.mariadb_connection import Connection
from octonet.kernel.errors import ConstraintViolation, OctonetError
from octonet.kernel.filter import Compare, Comparison
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Strategy
from tests import cockroachdb, h2, hsqldb, mariadb, mysql, spanner
from tests.conformance.alteration_cases import follow, item, put, refused, rows
from tests.conformance.dialect_cases import found, of_values, stored, uri_of, write

BEFORE = item(
    {
        "name": {"type": "string", "unique": True},
        "size": {"type": "number", "required": True},
        "note": {"type": "text"},
        "old": {"type": "string", "required": True, "unique": True},
    },
    {"name": "Gone", "collection": "gone", "fields": {"a": {"type": "string"}}},
    softDelete=True,
    indexes=[{"fields": ["size", "name"]}],
    relations={"tags": {"type": "many-to-many", "target": "Tag"}, "first": {"type": "many-to-one", "target": "Tag"}},
)
AFTER = item(
    {
        "name": {"type": "string", "unique": True},
        "size": {"type": "string"},
        "note": {"type": "text", "required": True, "default": "-"},
        "more": {"type": "number", "required": True, "default": 1},
    },
    {"name": "New", "collection": "new", "fields": {"a": {"type": "string"}}},
    collection="things",
    indexes=[{"fields": ["note", "size"], "unique": True}],
    relations={"tags": {"type": "many-to-many", "target": "Tag"}},
)
MARK = Checkpoint(3, 4, b"d", "s")
_ALTERED = ("ALTER", "CREATE", "DROP", "INSERT", "DELETE", "UPDATE", "RENAME", "COMMIT", "ROLLBACK")


_STRIDES: Final = {
    **{"mariadb": 1, "mysql": 4, "cockroachdb": 4, "hsqldb": 5, "oracle": 5, "hana": 5, "sybase": 5, "spanner": 5},
}
"""How many statements lie between two that a migration is broken off at: all of them matter, and some are one code."""
_LISTED: Final = """
SELECT table_name, format('%s %s %s %s', column_name, data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'octonet_turns'
UNION ALL SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'octonet_turns'
"""

_ASKED_OF_HSQLDB: Final = (
    "SELECT TABLE_NAME, COLUMN_NAME, DTD_IDENTIFIER, IS_NULLABLE, GENERATION_EXPRESSION, COLUMN_DEFAULT"
    " FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'PUBLIC'",
    "SELECT TABLE_NAME, CASE WHEN INDEX_NAME LIKE 'SYS%' THEN 'key' ELSE INDEX_NAME END, NON_UNIQUE, COLUMN_NAME"
    " FROM INFORMATION_SCHEMA.SYSTEM_INDEXINFO WHERE TABLE_SCHEM = 'PUBLIC'",
)
_ASKED_OF_H2: Final = (
    "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, IS_NULLABLE, GENERATION_EXPRESSION,"
    " COLUMN_DEFAULT FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'PUBLIC'"
    " AND TABLE_NAME NOT LIKE 'octonet_turn%'",
    "SELECT TABLE_NAME, CASE WHEN INDEX_NAME LIKE 'PRIMARY_KEY%' THEN 'key' ELSE INDEX_NAME END, IS_UNIQUE,"
    " COLUMN_NAME, ORDERING_SPECIFICATION FROM INFORMATION_SCHEMA.INDEX_COLUMNS WHERE TABLE_SCHEMA = 'PUBLIC'"
    " AND TABLE_NAME NOT LIKE 'octonet_turn%'",
)


_ASKED_OF_SPANNER: Final = (
    "SELECT TABLE_NAME, COLUMN_NAME, SPANNER_TYPE, IS_NULLABLE, GENERATION_EXPRESSION, COLUMN_DEFAULT"
    " FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = '' AND TABLE_NAME <> 'octonet_turns'",
    "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, COLUMN_ORDERING FROM INFORMATION_SCHEMA.INDEX_COLUMNS"
    " WHERE TABLE_SCHEMA = '' AND TABLE_NAME <> 'octonet_turns'",
    "SELECT TABLE_NAME, INDEX_NAME, IS_UNIQUE, IS_NULL_FILTERED FROM INFORMATION_SCHEMA.INDEXES"
    " WHERE TABLE_SCHEMA = '' AND TABLE_NAME <> 'octonet_turns'",
)


@pytest.fixture(params=_STRIDES, autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Each dialect whose migrations are noted: the one that all of a test is about."""
    uri_of(request.param, tmp_path)
    monkeypatch.setitem(_CHOSEN, "dialect", request.param)
    return str(request.param)


_CHOSEN: Final = {"dialect": ""}


_CALLS: Final[dict[str, tuple[type, str]]] = {
    "cockroachdb": (asyncpg.Connection, "execute"),
    "hsqldb": (hsqldb_server.Connection, "run"),
    "oracle": (dbapi_link.Connection, "run"),
    "hana": (dbapi_link.Connection, "run"),
    "sybase": (dbapi_link.Connection, "run"),
    "spanner": (spanner_server.Connection, "run"),
}
"""By what statements are run that change something."""


class Broken(Exception):
    """The process ends here."""


class Fate:
    """Ends the connection at the n-th statement that changes something, before or after the server has carried it
    out: to the server it is as if the process were killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, *, done: bool) -> None:
        self.count = 0
        on, name = _CALLS.get(_CHOSEN["dialect"], (Connection, "run"))
        run: Callable[..., Awaitable[object]] = getattr(on, name)

        async def counted(connection: Any, text: str, *arguments: object, **more: object) -> object:
            if not text.startswith(_ALTERED):
                return await run(connection, text, *arguments, **more)
            self.count += 1
            if self.count == at and not done:
                connection.terminate()
                raise Broken
            try:
                return await run(connection, text, *arguments, **more)
            finally:
                # Also where the server found nothing to do.
                if self.count == at:
                    connection.terminate()
                    raise Broken

        monkeypatch.setattr(on, name, counted)


async def opened(folder: Path, schemas: Schemas) -> Database:
    return await dialects.find(_CHOSEN["dialect"]).open(place(folder), schemas, DatabaseOptions())


def place(folder: Path) -> str:
    return uri_of(_CHOSEN["dialect"], folder)


async def migrated(folder: Path, schemas: Schemas, *, drop: bool = False) -> Database:
    database = await opened(folder, schemas)
    await database.migrate(schemas, Strategy.UPDATE, drop=drop)
    return database


def written(folder: Path) -> dict[str, str]:
    """Every table as the server would make it, its columns and indexes in any order."""
    name = place(folder).rpartition("/")[2]
    if _CHOSEN["dialect"] == "cockroachdb":
        found: dict[str, str] = {}
        for line in sorted(cockroachdb.server().sql(_LISTED, name).splitlines()):
            table, _, text = line.partition("|")
            found[table] = f"{found.get(table, '')}{text}\n"
        return found
    if _CHOSEN["dialect"] == "hsqldb":
        return _by_table(hsqldb.server().rows(question, name) for question in _ASKED_OF_HSQLDB)
    if _CHOSEN["dialect"] in ("oracle", "hana", "sybase"):
        return _by_table(h2.asked(name, question) for question in _ASKED_OF_H2)
    if _CHOSEN["dialect"] == "spanner":
        return _by_table(spanner.server().rows(question, name) for question in _ASKED_OF_SPANNER)
    server = mariadb.server() if _CHOSEN["dialect"] == "mariadb" else mysql.server()
    tables = server.sql("SHOW TABLES", name).split()
    told = server.sql(";".join(f"SHOW CREATE TABLE `{table}`" for table in tables), name) if tables else ""
    lines = [sorted(text.replace(",\\n", "\\n").split("\\n")) for text in told.splitlines()]
    return dict(zip(tables, map("\n".join, lines), strict=True))


def _by_table(answers: Iterable[Iterable[Sequence[object]]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for answer in answers:
        for table, *rest in answer:
            found.setdefault(str(table), set()).add(str(rest))
    return {table: "\n".join(sorted(lines)) for table, lines in found.items()}


async def fill(folder: Path) -> None:
    database = await migrated(folder, BEFORE)
    await put(database, BEFORE, "a", name="one", size=1, old="x", tags=["t", "u"], first="t")
    await put(database, BEFORE, "b", name="two", size=2.5, note="told", old="y")
    await write(database, BEFORE.entities["Gone"], of_values(BEFORE.entities["Gone"], "g", {"a": "b"}))
    await database.close()


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    await fill(tmp_path)
    return tmp_path


async def shown(database: Database, schemas: Schemas, *members: str) -> list[tuple[JsonValue, ...]]:
    return [tuple(row[name] for name in members) for row in await rows(database, schemas)]


async def taken(database: Database, schemas: Schemas, **values: JsonValue) -> None:
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(schemas.entities["Item"], [of_values(schemas.entities["Item"], "c", values)])
    await transaction.rollback()


async def as_before(folder: Path) -> None:
    database = await migrated(folder, BEFORE)
    assert await shown(database, BEFORE, "name", "size", "note", "old", "tags") == [
        ("one", 1, None, "x", ["t", "u"]),
        ("two", 2.5, "told", "y", []),
    ]
    assert await rows(database, BEFORE, "Gone") == [{"id": "g", "a": "b"}]
    await taken(database, BEFORE, name="one", size=1, old="z")
    await database.close()


async def as_after(folder: Path) -> None:
    database = await migrated(folder, AFTER, drop=True)
    assert await shown(database, AFTER, "name", "size", "note", "more", "tags") == [
        ("one", "1", "-", 1, ["t", "u"]),
        ("two", "2.5", "told", 1, []),
    ]
    assert await rows(database, AFTER, "New") == []
    assert await found(database, AFTER.entities["Item"], Compare("size", Comparison.EQ, "2.5")) == ["b"]
    await taken(database, AFTER, name="one", size="3", note="n", more=1)
    await taken(database, AFTER, name="c", size="1", note="-", more=1)
    await database.close()


@asynccontextmanager
async def closing(database: Database) -> AsyncIterator[Database]:
    """The same, closed in the end."""
    try:
        yield database
    finally:
        await database.close()


async def broken(folder: Path) -> bool:
    """Whether the migration was broken off; true, too, where that was after its commit."""
    try:
        async with closing(await opened(folder, AFTER)) as database:
            await database.migrate(AFTER, Strategy.UPDATE, drop=True, mark=MARK)
    except (Broken, OctonetError):
        return True
    return False


async def steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements the migration changes something by."""
    with monkeypatch.context() as patch:
        fate = Fate(patch, 0, done=False)
        assert not await broken(folder)
    return fate.count


async def test_a_migration_that_is_refused_at_its_end_leaves_no_trace(filled: Path) -> None:
    before = written(filled)
    database = await opened(filled, AFTER)
    await database.migrate(BEFORE, Strategy.UPDATE)
    transaction = await database.begin()
    item_ = BEFORE.entities["Item"]
    await transaction.insert(item_, [stored(item_, "c", name="dup", size=1, old="z")])
    await transaction.insert(item_, [stored(item_, "d", name="d", size=1, old="zz")])
    await transaction.commit()
    told = await refused(database, AFTER, drop=True)
    assert "must be unique" in told["$.Item.fields.note"]
    assert written(filled) == before
    await database.migrate(BEFORE, Strategy.VALIDATE)
    assert [row["note"] for row in await rows(database, BEFORE)] == [None, "told", None, None]
    await database.close()


async def test_an_untouched_migration_does_what_it_is_asked(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await steps(filled, monkeypatch) > 40
    await as_after(filled)
    assert {"octonet_undo", "items", "gone"}.isdisjoint(written(filled))
    assert not [name for name, text in written(filled).items() if "octonet_gone" in name + text]


@pytest.mark.parametrize("done", [False, True])
async def test_a_migration_broken_off_anywhere_is_finished_or_undone_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, done: bool
) -> None:
    at, ended = 1, False
    while not ended:
        folder = tmp_path / str(at)
        await fill(folder)
        before = written(folder)
        with monkeypatch.context() as patch:
            fate = Fate(patch, at, done=done)
            ended = not await broken(folder)
            ended = ended and fate.count < at
        database = await opened(folder, BEFORE)
        committed = await database.checkpoint() == MARK
        await database.close()
        if (at // _STRIDES[kind] % 2 == 0) is done and not committed:
            await as_before(folder)
            assert written(folder) == before
        await as_after(folder)
        assert "octonet_undo" not in written(folder)
        at += _STRIDES[kind]
    assert at > 40


async def test_a_first_migration_broken_off_leaves_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in (1, 2, 3, 5, 8, 13, 21):
        with monkeypatch.context() as patch:
            Fate(patch, at, done=True)
            assert await broken(tmp_path)
        database = await opened(tmp_path, AFTER)
        assert (await database.contents()).tables == ()
        await database.close()
        assert written(tmp_path) == {}


async def test_a_prefix_may_hold_signs_that_mean_something_to_databases(tmp_path: Path) -> None:
    # Oracle has no names with a quotation mark, HANA none that is sure to be, and SAP ASE's are like a program's.
    unmarked = "o'th`er\\_%?"
    prefix = {"oracle": unmarked, "hana": unmarked, "sybase": "ot$h-er_"}.get(_CHOSEN["dialect"], "o'th`e\"r\\_%?")
    options = DatabaseOptions(table_prefix=prefix)
    database = await dialects.find(_CHOSEN["dialect"]).open(place(tmp_path), BEFORE, options)
    await follow(database, BEFORE)
    await put(database, BEFORE, "a", name="one", size=1, old="x", tags=["t"])
    await put(database, BEFORE, "b", name="two", size=2.5, old="y")
    await follow(database, AFTER, drop=True)
    assert [row["size"] for row in await rows(database, AFTER)] == ["1", "2.5"]
    await database.close()


async def test_what_is_left_is_undone_though_the_undoing_is_broken_off_again_and_again(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written(filled)
    with monkeypatch.context() as patch:
        Fate(patch, 30, done=True)
        assert await broken(filled)
    for turn in range(1, 12):
        with monkeypatch.context() as patch:
            Fate(patch, 3, done=turn % 2 == 0)
            with pytest.raises((Broken, OctonetError)):
                async with closing(await opened(filled, BEFORE)) as database:
                    await database.migrate(BEFORE, Strategy.UPDATE)
        if "octonet_undo" not in written(filled):
            break
    await as_before(filled)
    assert written(filled) == before


async def test_a_second_schema_of_the_same_database_may_be_followed_back_and_forth(filled: Path) -> None:
    database = await opened(filled, BEFORE)
    for _ in range(3):
        await follow(database, AFTER)
        await follow(database, BEFORE)
    assert [row["name"] for row in await rows(database, BEFORE)] == ["one", "two"]
    await database.close()
