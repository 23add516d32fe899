"""One set of questions about awkward rows: every dialect gives the same answers."""

from __future__ import annotations

import pytest

from octonet.kernel.storage import Database
from tests.conformance.dialect_cases import PERSON, page, write
from tests.conformance.questions import answer, awkward_people, pages, pipelines

PAGES, PIPELINES = 450, 150


@pytest.fixture
async def database(database: Database) -> Database:
    """The rows that are asked about."""
    await write(database, PERSON, *awkward_people())
    return database


async def test_four_hundred_and_fifty_pages_are_equal_everywhere(database: Database) -> None:
    people = awkward_people()
    empty = 0
    for asked in pages(PAGES):
        wanted = answer(people, asked)
        assert await database.select(PERSON, asked) == wanted, asked
        assert await database.count(PERSON, asked.where) == len(answer(people, page(asked.where))), asked
        empty += not wanted
    assert empty < PAGES / 2, "most questions must have an answer"


async def test_a_hundred_and_fifty_pipelines_are_equal_everywhere(database: Database) -> None:
    people = awkward_people()
    for asked in pipelines(PIPELINES):
        assert await database.aggregate(PERSON, asked, 1000) == answer(people, asked), asked
