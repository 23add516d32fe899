"""The past of one project, as this process can tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from octonet.kernel.errors import Unavailable, invalid
from octonet.kernel.ids import EntityId
from octonet.kernel.log import LogGap, Stream
from octonet.kernel.past import INVALID, PATH, Moment, Version
from octonet.kernel.position import Position
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, Source
from octonet.past import place as places
from octonet.past.catching_up import CatchingUp
from octonet.past.file import Damaged, VersionsFile
from octonet.past.moments import Moments
from octonet.past.rows import Told
from octonet.past.source import PastSource

T = TypeVar("T")


class ProjectPast:
    """Implements `octonet.kernel.past.Past` over the project's log and a file at `path`. `now` is the time in
    milliseconds since 1970, `patience` the seconds that a caller waits, for the log to be read and for rows to be
    gathered."""

    def __init__(self, log: Stream, path: Path, now: Callable[[], int], patience: float) -> None:
        self._log = log
        self._now = now
        self._patience = patience
        self._catching_up = CatchingUp(log, path)
        self._moments = Moments(path.parent / "moments", path, patience)
        self._told: tuple[int, str, Told] | None = None

    @asynccontextmanager
    async def seen(self, schemas: Schemas, at: Moment) -> AsyncIterator[Source]:
        """See the port."""
        place = await self._place(at)
        told = await self._tell(schemas)
        try:
            async with AsyncExitStack() as used:

                async def gather(entity: str) -> Database:
                    moment = await used.enter_async_context(self._moments.at(place, schemas, entity, told))
                    return await moment.filled(self._patience)

                yield PastSource(place, self._catching_up.file, told, gather)
        except Damaged as problem:
            await self._made_anew(problem)

    async def versions(
        self, schemas: Schemas, entity: str, id: EntityId, before: Position | None, limit: int
    ) -> list[Version]:
        """See the port."""
        await self._reach(await self._last())
        end = places.end_of(self._catching_up.reached) if before is None else places.place(before) - 1
        spans = (await self._tell(schemas)).spans(entity, end)
        return await self._ask(lambda file: file.find(spans, id, limit))

    async def schemas(self) -> list[Schemas]:
        """See the port."""
        await self._reach(await self._last())
        return await self._ask(lambda file: [change.schemas for change in reversed(file.changes())])

    async def close(self) -> None:
        """Release everything."""
        await self._moments.close()
        await self._catching_up.close()

    async def _place(self, at: Moment) -> int:
        """Where the last fact before or at a moment stands. Raises `Invalid` for one of the future."""
        if isinstance(at, Position):
            if at.entry > self._catching_up.reached and at.entry > await self._last():
                raise invalid(PATH, "is behind the end of this project's log", code="INVALID_POSITION")
            await self._reach(at.entry)
            return await self._ask(lambda file: file.newest(places.place(at)))
        if at > self._now():
            raise invalid(PATH, "has not come yet: what will be then is not known", code=INVALID)
        await self._reach(await self._last())
        return await self._ask(lambda file: file.newest(file.last_of(at)))

    async def _tell(self, schemas: Schemas) -> Told:
        """How rows are told. What the log says of schemas is only asked again when it may say more."""
        reached, kept = self._catching_up.reached, self._told
        if kept is None or kept[:2] != (reached, schemas.digest):
            changes = await self._ask(lambda file: file.changes())
            kept = self._told = reached, schemas.digest, Told(schemas, changes)
        return kept[2]

    async def _last(self) -> int:
        """The end of the log. One that is shorter than what was read of it was put in its place."""
        reached = self._catching_up.reached
        try:
            last = await self._log.last()
        except LogGap as gap:
            raise Unavailable(f"the history cannot be read: {gap}", code="HISTORY_DAMAGED") from gap
        if last < reached:
            await self._moments.close()
            await self._catching_up.discard()
        return last

    async def _reach(self, entry: int) -> None:
        await self._catching_up.reach(entry, self._patience)

    async def _ask(self, work: Callable[[VersionsFile], T]) -> T:
        try:
            return await asyncio.to_thread(work, self._catching_up.file)
        except Damaged as problem:
            await self._made_anew(problem)
            raise AssertionError from problem

    async def _made_anew(self, problem: Damaged) -> None:
        """Raises `Unavailable`: whoever asks again is answered."""
        await self._moments.close()
        await self._catching_up.discard()
        told = Unavailable(
            "the history of this project was damaged here, and is being read anew", code="HISTORY_NOT_READY"
        )
        told.retry_after = 2
        raise told from problem
