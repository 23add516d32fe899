"""Spanner's statements that take all lines at once: wide ones, and those over tables that are called like anything."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from octonet import dialects
from octonet.kernel import schema_parse
from octonet.kernel.storage import Database, DatabaseOptions
from tests import spanner
from tests.conformance.alteration_cases import follow, item, put, rows
from tests.conformance.dialect_cases import of_values, stored, uri_of

WIDE: Final = [f"field{number}" for number in range(200)]


@pytest.fixture(autouse=True, scope="module")
def _server() -> None:
    if reason := spanner.missing():
        pytest.skip(reason)


async def opened(folder: Path, text: str) -> Database:
    schemas = schema_parse.parse(text)
    return await dialects.find("spanner").open(uri_of("spanner", folder), schemas, DatabaseOptions())


async def test_a_row_of_two_hundred_columns_is_inserted_changed_and_read(tmp_path: Path) -> None:
    wide = item({name: {"type": "string"} for name in WIDE})
    database = await opened(tmp_path, "[]")
    await follow(database, wide)
    await put(database, wide, "a", **dict.fromkeys(WIDE, "x"))
    entity = wide.entities["Item"]
    changed = [(1, of_values(entity, "a", {name: name for name in WIDE}, 2))]
    transaction = await database.begin()
    await transaction.update(entity, changed)
    await transaction.commit()
    assert await rows(database, wide) == [{"id": "a", **{name: name for name in WIDE}}]
    await database.close()


@pytest.mark.parametrize("collection", ["place", "lines", "each", "there", "key", "unnest", "a-b", "O_x", "x_0x_"])
async def test_a_table_may_be_called_like_a_word_of_a_statement(tmp_path: Path, collection: str) -> None:
    called = item({"place": {"type": "number"}, "o_v": {"type": "string"}}, collection=collection)
    database = await opened(tmp_path, "[]")
    await follow(database, called)
    entity = called.entities["Item"]
    await put(database, called, "a", place=1, o_v="x")
    transaction = await database.begin()
    await transaction.update(entity, [(1, stored(entity, "a", 2, place=2, o_v="y"))])
    await transaction.commit()
    assert await rows(database, called) == [{"id": "a", "place": 2, "o_v": "y"}]
    filled = item(
        {"place": {"type": "number", "required": True, "default": 3}, "o_v": {"type": "string"}}, collection=collection
    )
    await put(database, called, "b", o_v="z")
    await follow(database, filled)
    assert [row["place"] for row in await rows(database, filled)] == [2, 3]
    other = item({"place": {"type": "string"}, "o_v": {"type": "string"}}, collection=collection)
    await follow(database, other)
    assert [(row["place"], row["o_v"]) for row in await rows(database, other)] == [("2", "y"), ("3", "z")]
    await database.close()
