"""A schema is made of what stands in Spanner."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from octonet.dialects.spanner import SpannerDialect
from octonet.kernel.reflected import ReflectedColumn, ReflectedIndex, ReflectedReference
from octonet.kernel.schema import FieldType, OnDelete
from tests import spanner
from tests.conformance.dialect_cases import uri_of

TABLES: Final = "; ".join((
    "CREATE TABLE customers (id STRING(36) NOT NULL, email STRING(80) NOT NULL, bio STRING(MAX), age INT64,"
    " height FLOAT64, active BOOL NOT NULL, photo BYTES(MAX), born DATE, seen TIMESTAMP, more JSON,"
    " labels ARRAY<STRING(MAX)>) PRIMARY KEY (id)",
    "CREATE UNIQUE INDEX by_email ON customers (email) STORING (bio)",
    "CREATE INDEX by_age ON customers (age DESC, active)",
    "CREATE TABLE stock (shop STRING(9) NOT NULL, part STRING(9) NOT NULL, buyer STRING(36),"
    " CONSTRAINT bought FOREIGN KEY (buyer) REFERENCES customers (id)) PRIMARY KEY (part, shop)",
))  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _server() -> None:
    if reason := spanner.missing():
        pytest.skip(reason)


async def test_tables_keys_indexes_and_references_are_told(tmp_path: Path) -> None:
    uri = uri_of("spanner", tmp_path)
    spanner.server().rows(TABLES, uri.rpartition("/")[2])
    customers, stock = await SpannerDialect().reflect(uri)
    assert customers.name == "customers"
    assert [(column.name, column.type, column.required) for column in customers.columns] == [
        ("id", FieldType.STRING, True),
        ("email", FieldType.STRING, True),
        ("bio", FieldType.TEXT, False),
        ("age", FieldType.NUMBER, False),
        ("height", FieldType.NUMBER, False),
        ("active", FieldType.BOOLEAN, True),
        ("photo", None, False),
        ("born", FieldType.DATE, False),
        ("seen", FieldType.DATE, False),
        ("more", FieldType.JSON, False),
        ("labels", FieldType.ARRAY, False),
    ]
    assert customers.indexes == (
        ReflectedIndex("by_age", ("age", "active"), False),
        ReflectedIndex("by_email", ("email",), True),
    )
    assert stock.columns[0] == ReflectedColumn("shop", FieldType.STRING, "VARCHAR", True)
    assert stock.indexes == ()
    assert stock.key == ("part", "shop")
    assert stock.references == (ReflectedReference(("buyer",), "customers", ("id",), OnDelete.NO_ACTION),)
