"""A project's log, put back onto the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from jetstream.connection import Connection
from jetstream.log import JetStreamLog
from jetstream.restoration import Found, Restoration
from jetstream.topology import StreamLimits
from octonet.backups.checking import digest_at, messages
from octonet.backups.manifest import Backed
from octonet.kernel.batches import batches
from octonet.kernel.chain import digest
from octonet.kernel.errors import Conflict, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import AppendDoubtful, LogGap, Recorded, WrongSequence

_MOST: Final = 500
"""Messages that are stored together."""
_MOST_BYTES: Final = 4 * 1024 * 1024
_ATTEMPTS: Final = 5
_PAUSE: Final = 1.0


class LogRestoration:
    """One project's; `folder` is the backup's, `name` tells the backup from others."""

    def __init__(self, folder: Path, name: str, backed: Backed, client: Connection, limits: StreamLimits) -> None:
        project = ProjectName(backed.project)
        self.backed = backed
        self._folder = folder
        self._name = name
        self._largest = client.max_payload
        self._streams = Restoration(client, project, limits)
        self._log = JetStreamLog(client, project)
        self._found: Found | None = None

    @property
    def there(self) -> int:
        """The last message that the server had already."""
        return 0 if self._found is None else self._found.last

    async def check(self, resume: bool) -> None:
        """Whether the log can be put back. Raises `Conflict`, with a code of its own for each reason."""
        backed, project = self.backed, self.backed.project
        if await self._streams.served():
            raise Conflict(
                f"project {project} is being served: stop every process of this installation, and try again",
                code="PROJECT_IS_SERVED",
            )
        if backed.largest + 1024 > self._largest:
            raise Conflict(
                f"the log of project {project} has a message of {backed.largest} bytes, this nats-server takes "
                f"{self._largest}: raise its max_payload",
                code="NATS_UNSUITABLE",
            )
        self._found = await self._streams.found()
        if self._found is None or (not self.there and not self._found.unfinished):
            return
        if not await self._is_same():
            raise Conflict(
                f"the server holds another history of project {project}: its entry {min(self.there, backed.last)} is "
                f"not the one of the backup. {_AWAY}",
                code="LOG_OF_ANOTHER_HISTORY",
            )
        if self.there > backed.last:
            raise Conflict(
                f"the log of project {project} holds entries up to {self.there}, the backup ends at {backed.last}: it "
                f"is newer, and nothing of it is lost. A lost database is filled at the next start; "
                f"other projects are restored with --project. {_AWAY}",
                code="LOG_IS_NEWER",
            )
        if self._found.unfinished and not resume:
            raise Conflict(
                f"a restore of project {project} was broken off at entry {self.there} of {backed.last}: go on with "
                "--resume",
                code="RESTORE_UNFINISHED",
            )
        if self.there == backed.last and not resume:
            raise Conflict(
                f"the log of project {project} holds all {backed.last} entries of the backup: there is nothing to "
                "restore. A lost database is filled at the next start, or now by --resume; other projects are restored "
                "with --project",
                code="LOG_IS_THERE",
            )
        if not resume:
            raise Conflict(
                f"the log of project {project} holds the first {self.there} of the {backed.last} entries of the "
                "backup: with --resume the rest is added",
                code="LOG_IS_OLDER",
            )

    async def begin(self) -> None:
        """From now on nobody serves the project until `finish`. Raises `Unavailable`."""
        if self._found is None:
            await self._streams.begin(self._name)
        elif not self._is_done:
            await self._streams.go_on(self._name)

    async def put_back(self, tell: Callable[[int], object]) -> None:
        """Add what is missing. Raises `Conflict`, code LOG_IN_USE, when somebody else writes; `Unavailable`."""
        try:
            stored = chain.from_iterable(messages(self._folder, self.backed, self.there))
            for batch in batches(stored, _MOST, _MOST_BYTES):
                await self._store(batch)
                tell(len(batch))
        except WrongSequence as problem:
            raise Conflict(
                f"somebody else writes to the log of project {self.backed.project}: stop every process of this "
                "installation, then go on with --resume",
                code="LOG_IN_USE",
            ) from problem
        except AppendDoubtful as problem:
            raise Unavailable(
                f"the log of project {self.backed.project} was restored in part: {problem}; go on with --resume",
                code="RESTORE_UNFINISHED",
            ) from problem

    async def _store(self, batch: Sequence[Recorded]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._streams.append([message.body for message in batch], batch[0].sequence - 1)
            except AppendDoubtful:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_PAUSE)
                found = await self._streams.found()
                if found is not None and found.last == batch[-1].sequence:
                    return
            else:
                return

    async def finish(self, frame: int) -> None:
        """Let the project be served. `frame`: the last one that its database knows to be decided. Raises
        `Unavailable`."""
        if not self._is_done:
            await self._streams.finish(max(frame, self.backed.frame))

    @property
    def _is_done(self) -> bool:
        return self._found is not None and not self._found.unfinished and self.there == self.backed.last

    async def _is_same(self) -> bool:
        last = min(self.there, self.backed.last)
        found = b""
        try:
            if last:
                async for batch in self._log.read(last - 1, last):
                    found = digest(batch[-1].body)
        except LogGap:
            return False
        return found == digest_at(self._folder, self.backed, last)


_AWAY = (
    "To put the backup in its place all the same, restore into a data directory and a nats-server of their own, or "
    "remove the store of this one"
)
