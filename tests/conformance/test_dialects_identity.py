"""Every dialect tells which database it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel import schema_parse
from octonet.kernel.storage import Checkpoint, DatabaseOptions, Strategy
from tests.conformance.dialect_cases import KNOWN, uri_of

_SCHEMAS = schema_parse.parse(json.dumps([{"name": "Tag", "collection": "tags", "fields": {}}]))


@pytest.mark.parametrize("dialect", KNOWN)
async def test_two_ways_to_one_database_have_one_identity_and_two_databases_two(dialect: str, tmp_path: Path) -> None:
    uris = [uri_of(dialect, tmp_path), uri_of(dialect, tmp_path), uri_of(dialect, tmp_path / "other")]
    found = [await dialects.find(dialect).open(uri, _SCHEMAS, DatabaseOptions()) for uri in uris]
    one, same, other = [await database.identity() for database in found]
    assert one == same != other
    for database in found:
        await database.close()


@pytest.mark.parametrize("dialect", KNOWN)
async def test_commits_that_wait_for_the_disk_are_commits_like_others(dialect: str, tmp_path: Path) -> None:
    database = await dialects.find(dialect).open(uri_of(dialect, tmp_path), _SCHEMAS, DatabaseOptions(synced=True))
    await database.migrate(_SCHEMAS, Strategy.UPDATE)
    transaction = await database.begin()
    await transaction.move_checkpoint(Checkpoint(1, 2, b"d", "s"))
    await transaction.commit()
    assert await database.checkpoint() == Checkpoint(1, 2, b"d", "s")
    await database.close()
