"""A snapshot of any dialect fills a database of every other: rows, versions, links, secrets, inbox and checkpoint."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path

import pytest

from octonet.access.sealing import AesSealer
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import CommandId, ProjectName
from octonet.kernel.row_hash import row_hashes
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import Checkpoint, Database, Remembered, Strategy
from octonet.snapshots.filling import fill, unfinished
from octonet.snapshots.format import check
from octonet.snapshots.taking import Taking
from tests.conformance.dialect_cases import ACCOUNT, KNOWN, PERSON, SCHEMAS, opened, stored, write

MARK = Checkpoint(7, 5, b"\x01" * 32, SCHEMAS.digest)
SEALER = AesSealer(b"k" * 32)
SECRET = "correct horse battery"


async def _written(database: Database) -> None:
    people = [
        stored(PERSON, f"p{number:04}", number + 1, name=f"n{number}", password=SECRET, groups=["g1", "g2"])
        for number in range(1500)
    ]
    await write(database, PERSON, *people)
    await write(database, ACCOUNT, stored(ACCOUNT, "u1", 2, email="Ada", deletedAt="2026-01-01T00:00:00.000Z"))
    transaction = await database.begin()
    await transaction.remember([Remembered(CommandId(f"c{number}"), number) for number in range(1, 8)])
    await transaction.move_checkpoint(MARK)
    await transaction.commit()


async def _taken(database: Database) -> io.BytesIO:
    out = io.BytesIO()
    await Taking(ProjectName("shop"), SCHEMAS, SEALER).take(database, out, 0)
    return out


@pytest.mark.parametrize("other", KNOWN)
async def test_a_snapshot_fills_a_database_of_every_dialect(database: Database, tmp_path: Path, other: str) -> None:
    await _written(database)
    file = await _taken(database)
    async with opened(other, tmp_path / "filled", SCHEMAS) as filled:
        await fill(filled, file, check(file), SEALER, _at_once)
        here, there = await row_hashes(filled, SCHEMAS), await row_hashes(database, SCHEMAS)
        assert here == there
        assert (here.checkpoint, here.rows) == (MARK, 1501)
        async with filled.snapshot() as one, database.snapshot() as two:
            assert await one.remembered("", 99) == await two.remembered("", 99)


async def test_a_filling_that_was_interrupted_goes_on_and_is_no_fold_until_then(
    database: Database, tmp_path: Path
) -> None:
    await _written(database)
    file = await _taken(database)
    found = check(file)
    async with opened("sqlite", tmp_path / "filled", SCHEMAS) as filled:
        for blocks in (1, 2, 3):
            with pytest.raises(_KilledError):
                await fill(filled, file, found, SEALER, _killed_after_one)
            mark = await filled.checkpoint()
            assert (mark.entry, mark.frame, unfinished(mark)) == (0, blocks, found.digest)
        await fill(filled, file, found, SEALER, _at_once)
        assert await row_hashes(filled, SCHEMAS) == await row_hashes(database, SCHEMAS)
        assert not unfinished(await filled.checkpoint())


async def test_no_secret_stands_in_clear_in_a_snapshot(database: Database) -> None:
    await _written(database)
    text = (await _taken(database)).getvalue()
    inside, start = b"", text.index(b"\n") + 1
    while length := int.from_bytes(text[start : start + 4], "big"):
        inside += zlib.decompress(text[start + 4 : start + 4 + length])
        start += 4 + length
    assert b"n1499" in inside
    assert SECRET.encode() not in inside


async def test_what_the_schema_gave_up_is_not_lost_in_silence(database: Database) -> None:
    await _written(database)
    entities = [entity for entity in json.loads(SCHEMAS.source) if entity["name"] == "Account"]
    less = parse(json.dumps(entities))
    await database.migrate(less, Strategy.UPDATE, mark=Checkpoint(8, 5, b"\x02" * 32, less.digest))
    with pytest.raises(Conflict) as refused:
        await Taking(ProjectName("shop"), less, SEALER).take(database, io.BytesIO(), 0)
    assert refused.value.code == "SNAPSHOT_INCOMPLETE"
    assert "people" in refused.value.message


async def test_tables_that_do_not_follow_the_log_yet_give_no_snapshot(database: Database) -> None:
    with pytest.raises(Conflict) as refused:
        await _taken(database)
    assert refused.value.code == "SNAPSHOT_NOT_READY"


async def _at_once(rows: int) -> None:
    return None


class _KilledError(Exception):
    pass


async def _killed_after_one(rows: int) -> None:
    raise _KilledError
