"""A database that takes only so much at once is folded by fewer entries at once; one entry is never parted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from octonet import dialects
from octonet.dialects.engine.transaction import SqlTransaction
from octonet.kernel.errors import TOO_MANY_ROWS, ConstraintViolation
from octonet.kernel.ids import EntityId
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import DatabaseOptions, Remembered, Strategy
from projections.engine.fold import Fold
from tests.conformance.test_schema_histories import SEALER, History, content

ITEMS = parse('[{"name": "Item", "collection": "items", "fields": {"one": {"type": "number"}}}]')


@pytest.mark.parametrize("most", [0, 1, 3, 100])
async def test_entries_are_folded_by_as_many_as_the_database_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    history = History(tmp_path)
    live = await history.open()
    await history.change(ITEMS, dropped=False)
    for number, id in enumerate("abcabcabca"):
        await history.write(EntityId(id), [number] * 4)
    original = await content(live, history.schemas)
    await live.close()
    sizes: list[int] = []
    plain = SqlTransaction.remember

    async def limited(transaction: SqlTransaction, decided: Sequence[Remembered]) -> None:
        if len(decided) > most:
            raise ConstraintViolation("too many", code=TOO_MANY_ROWS)
        sizes.append(len(decided))
        await plain(transaction, decided)

    monkeypatch.setattr(SqlTransaction, "remember", limited)
    copy = await dialects.find("sqlite").open(f"sqlite:///{tmp_path}/copy.db", ITEMS, DatabaseOptions())
    await copy.migrate(ITEMS, Strategy.UPDATE)
    fold = Fold(history.log, copy, ITEMS, SEALER)
    if most:
        mark = await fold.catch_up(await history.log.last(), lambda _: None)
        assert (mark, sum(sizes)) == (await copy.checkpoint(), 10)
        assert max(sizes) == min(most, 10)
        assert await content(copy, ITEMS) == original
    else:
        with pytest.raises(ConstraintViolation):
            await fold.catch_up(await history.log.last(), lambda _: None)
    await copy.close()
