"""A snapshot rule at work: the target is made what the source was at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from commands.engine.replicate import ANY_VERSION
from octonet.admin.rule_rows import RuleSettings
from octonet.clock import now
from octonet.kernel.equality import same
from octonet.kernel.errors import OctonetError, OutcomeUnknown, Unavailable, ValidationError
from octonet.kernel.ids import Row
from octonet.kernel.instant import iso
from octonet.kernel.log import Outcome, Verdict
from octonet.kernel.rule import Counting
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Snapshot, Stored
from octonet.project import Project
from octonet.serving.carriage import Carriage, Carried, fitted

_PAGE: Final = 256
_PATIENCE: Final = 30.0
_ROUNDS: Final = 3
"""How often rows are sent that were refused: what they refer to may come behind them."""
_MOST_AGAIN: Final = 10_000


class Mirroring:
    """One run, between projects as they are served now. `run` names it among all."""

    def __init__(self, rule: RuleSettings, source: Project, target: Project, run: str, counting: Counting) -> None:
        self._rule = rule
        self._source = source
        self._target = target
        self._run = run
        self._counting = counting
        self._again: list[Carried] = []
        self._round = 0

    async def mirror(self) -> int:
        """Do it, a page of rows in memory at a time; the source's log entry that the target is like now. Raises
        `Unavailable`: to run again goes on."""
        names = in_order(self._target.schemas, self._rule.scope(self._source.schemas, self._target.schemas))
        async with self._source.database.snapshot() as theirs, self._target.database.snapshot() as ours:
            entry = (await theirs.checkpoint()).entry
            for name in names:
                await self._pass(name, theirs, ours, removes=False)
            for name in reversed(names):
                await self._pass(name, theirs, ours, removes=True)
        for _ in range(_ROUNDS):
            rows, self._again = self._again, []
            self._round += 1
            for start in range(0, len(rows), _PAGE):
                await self._send(rows[start : start + _PAGE], last=False)
        self._round += 1
        await self._send(self._again, last=True)
        return entry

    async def _pass(self, name: str, theirs: Snapshot, ours: Snapshot, *, removes: bool) -> None:
        source, target = self._source.schemas.entities[name], self._target.schemas.entities[name]
        page: list[Carried] = []
        async for wanted, there in _joined(theirs, source, ours, target):
            if wanted is None and there is not None and removes:
                page.append(self._carried(name, there, None, fresh=False))
            elif wanted is not None and not removes:
                if there is not None and _is_like(target, wanted.state, there.state):
                    self._counting.of(name).skipped += 1
                else:
                    page.append(self._carried(name, wanted, wanted.state, fresh=there is None))
            if len(page) == _PAGE:
                await self._send(page, last=False)
                page = []
        await self._send(page, last=False)

    def _carried(self, name: str, found: Stored, row: Row | None, *, fresh: bool) -> Carried:
        return Carried(name, found.id, row, ANY_VERSION, now(), (self._source.name,), fresh=fresh)

    async def _send(self, page: Sequence[Carried], *, last: bool) -> None:
        waiting = [self._outcome(one) for one in page]
        for one, answer in zip(page, await asyncio.gather(*waiting, return_exceptions=True), strict=True):
            if isinstance(answer, Outcome):
                self._count(one, answer, last)
            elif isinstance(answer, Unavailable) or not isinstance(answer, OctonetError):
                raise answer
            else:
                self._refused(one, answer.message, last)

    def _count(self, one: Carried, outcome: Outcome, last: bool) -> None:
        tally = self._counting.of(one.entity)
        if outcome.verdict is Verdict.REJECTED:
            assert outcome.rejection is not None
            self._refused(one, outcome.rejection.message, last)
        elif outcome.verdict is Verdict.UNCHANGED:
            tally.skipped += 1
        elif one.row is None:
            tally.deleted += 1
        elif one.fresh:
            tally.created += 1
        else:
            tally.updated += 1

    def _refused(self, one: Carried, sentence: str, last: bool) -> None:
        if last or len(self._again) >= _MOST_AGAIN:
            self._counting.refused(one.entity, f"{one.entity} {one.id}: {sentence}")
        else:
            self._again.append(one)

    async def _outcome(self, one: Carried) -> Outcome:
        attempt = f"{self._run} {self._round}"
        try:
            return await self._target.intake.submit(Carriage(self._rule.id, self._target, one, attempt), _PATIENCE)
        except TimeoutError:
            raise OutcomeUnknown(f"what became of a row in project {self._target.name} is not known yet") from None


def in_order(schemas: Schemas, names: Sequence[str]) -> list[str]:
    """Entities, as far as that goes such that each stands behind those that it refers to."""
    found: dict[str, None] = {}

    def put(name: str, above: frozenset[str]) -> None:
        if name in found or name in above or name not in names:
            return
        schema = schemas.entities[name]
        for relation in (*schema.references, *schema.links):
            put(relation.target, above | {name})
        found[name] = None

    for name in names:
        put(name, frozenset())
    return list(found)


def _is_like(schema: EntitySchema, wanted: Row, there: Row) -> bool:
    try:
        full, known = fitted(schema, wanted, iso(0))
    except ValidationError:
        # The target says why when it is sent there.
        return False
    return all(same(full[name], there[name]) for name in known)


async def _joined(
    theirs: Snapshot, source: EntitySchema, ours: Snapshot, target: EntitySchema
) -> AsyncIterator[tuple[Stored | None, Stored | None]]:
    """The rows of both, those of the same id together."""
    left, right = _rows(theirs, source), _rows(ours, target)
    one, other = await anext(left, None), await anext(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.id < other.id):
            yield one, None
            one = await anext(left, None)
        elif one is None or other.id < one.id:
            yield None, other
            other = await anext(right, None)
        else:
            yield one, other
            one, other = await anext(left, None), await anext(right, None)


async def _rows(snapshot: Snapshot, schema: EntitySchema) -> AsyncIterator[Stored]:
    last = ""
    while found := await snapshot.rows(schema, last, _PAGE):
        last = found[-1].id
        for row in found:
            yield row
