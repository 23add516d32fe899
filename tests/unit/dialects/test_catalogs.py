"""What the catalogs of databases tell that cannot be had here becomes tables; a real one is read in
`tests/acceptance/test_introspect.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import sqlglot

from octonet.dialects.engine import (
    db2_catalog,
    hana_catalog,
    hsqldb_catalog,
    mssql_catalog,
    oracle_catalog,
    sybase_catalog,
)
from octonet.dialects.engine.catalog_reflection import Catalog, reflected
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.sessions import Host, Session
from octonet.kernel.reflected import ReflectedColumn, ReflectedIndex, ReflectedReference, ReflectedTable
from octonet.kernel.schema import FieldType, OnDelete

CATALOGS = {
    "db2": (db2_catalog.CATALOG, None),
    "hana": (hana_catalog.CATALOG, None),
    "hsqldb": (hsqldb_catalog.CATALOG, None),
    "mssql": (mssql_catalog.CATALOG, "tsql"),
    "oracle": (oracle_catalog.CATALOG, "oracle"),
    "sybase": (sybase_catalog.CATALOG, "tsql"),
}


class Told:
    """A host and its session, which answers each query with what stands under it."""

    failures: tuple[type[Exception], ...] = ()

    def __init__(self, answers: dict[str, Sequence[Cells]]) -> None:
        self.answers = answers
        self.closed = False

    def show(self, text: str) -> None:
        """Nobody asked for it."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        return list(self.answers[text])

    async def close(self) -> None:
        self.closed = True


async def tables(catalog: Catalog, *answers: Sequence[Cells]) -> list[ReflectedTable]:
    queries = (catalog.columns, catalog.keys, catalog.indexes, catalog.references)
    told = Told(dict(zip(queries, answers, strict=True)))

    async def connect() -> Session:
        return cast("Session", told)

    found = await reflected(cast("Host", told), connect, catalog)
    assert told.closed
    return found


async def test_names_that_were_not_quoted_are_told_as_they_were_written() -> None:
    catalog, _ = CATALOGS["oracle"]
    columns: list[Cells] = [
        ("ORDERS", "ID", "VARCHAR2", 36, 1),
        ("ORDERS", "createdAt", "TIMESTAMP(6) WITH TIME ZONE", 0, 0),
        ("ORDERS", "SHOP", "VARCHAR2", 4000, 1),
        ("ORDERS", "PHOTO", "BLOB", 0, 0),
    ]
    references: list[Cells] = [("ORDERS", "FK", "SHOP", "SHOPS", "ID", "SET NULL")]
    indexes: list[Cells] = [
        ("ORDERS", "BY_SHOP", "SHOP", 0),
        ("ORDERS", "BY_SHOP", "createdAt", 0),
        ("ORDERS", "BY_CASE", "SYS_NC00005$", 1),
    ]
    assert await tables(catalog, columns, [("ORDERS", "ID")], indexes, references) == [
        ReflectedTable(
            "orders",
            (
                ReflectedColumn("id", FieldType.STRING, "VARCHAR2", True),
                ReflectedColumn("createdAt", FieldType.DATE, "TIMESTAMP(6) WITH TIME ZONE"),
                ReflectedColumn("shop", FieldType.TEXT, "VARCHAR2", True),
                ReflectedColumn("photo", None, "BLOB"),
            ),
            ("id",),
            (ReflectedIndex("by_shop", ("shop", "createdAt")), ReflectedIndex("by_case", ("",), True)),
            (ReflectedReference(("shop",), "shops", ("id",), OnDelete.SET_NULL),),
        )
    ]


async def test_names_keep_their_case_where_the_database_keeps_it() -> None:
    catalog, _ = CATALOGS["mssql"]
    columns: list[Cells] = [("ORDERS", "ID", "nvarchar", -1, 1), ("ORDERS", "ok", "bit", 1, 0)]
    references: list[Cells] = [("ORDERS", "FK", "ID", "SHOPS", "ID", "NO_ACTION")]
    (found,) = await tables(catalog, columns, [], [("ORDERS", "some", "", 1)], references)
    assert (found.name, [column.type for column in found.columns]) == ("ORDERS", [FieldType.TEXT, FieldType.BOOLEAN])
    assert (found.indexes[0].columns, found.references[0].on_delete) == (("",), OnDelete.NO_ACTION)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        *((word, FieldType.NUMBER) for word in ("NUMBER", "tinyint", "INTEGER", "BIGINT", "SMALLDECIMAL", "money")),
        *((word, FieldType.NUMBER) for word in ("DOUBLE", "DOUBLE PRECISION", "BINARY_DOUBLE", "FLOAT", "real")),
        *((word, FieldType.NUMBER) for word in ("DECFLOAT", "unsigned bigint", "smallmoney")),
        *((word, FieldType.DATE) for word in ("bigdatetime", "smalldatetime")),
        *((word, FieldType.TEXT) for word in ("LONG VARCHAR", "unitext", "univarchar", "VARGRAPHIC")),
        *((word, FieldType.DATE) for word in ("DATE", "datetime2", "datetimeoffset", "SECONDDATE", "TIMESTAMP(6)")),
        *((word, FieldType.TEXT) for word in ("NCLOB", "ntext", "CHARACTER LARGE OBJECT", "NVARCHAR2")),
        *((word, FieldType.STRING) for word in ("TIME", "uniqueidentifier")),
        ("BOOLEAN", FieldType.BOOLEAN),
        *((word, None) for word in ("BLOB", "varbinary", "RAW", "rowversion", "ST_GEOMETRY", "BINARY LARGE OBJECT")),
    ],
)
async def test_types_are_known_by_their_words(told: str, kind: FieldType | None) -> None:
    catalog, _ = CATALOGS["hana"]
    (found,) = await tables(catalog, [("t", "c", told, None, 0)], [], [], [])
    assert found.columns[0].type is kind


@pytest.mark.parametrize("name", CATALOGS)
def test_nothing_but_questions_is_asked_of_a_catalog(name: str) -> None:
    catalog, dialect = CATALOGS[name]
    for query, width in ((catalog.columns, 5), (catalog.keys, 2), (catalog.indexes, 4), (catalog.references, 6)):
        parsed = sqlglot.parse_one(query, read=dialect)
        assert isinstance(parsed, sqlglot.exp.Select)
        assert len(parsed.expressions) == width
