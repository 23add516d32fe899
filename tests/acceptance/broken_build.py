"""Runs Octonet with one protection taken away, to show that the checker would notice: `broken_build.py FAULT …`.

stop-at-append        nothing is broken; the process pauses itself (SIGSTOP) between deciding and appending
no-compare-and-set    the same, and appends go out without their fence
early-reply           appends are called done before they are sent, and the process dies in between
late-checkpoint       the checkpoint is written after the rows' transaction, and the process dies in between
die-before-reply      nothing is broken; the process dies between a commit and the replies to it
no-inbox              decided commands are not remembered: only the broker's window could find a copy
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from commands.engine.lane import Lane
from jetstream import log as jetstream_log
from jetstream.api import publish
from jetstream.log import JetStreamLog
from octonet import cli
from octonet.config import Settings
from octonet.dialects.engine.database import SqlDatabase
from octonet.dialects.engine.transaction import SqlTransaction
from octonet.kernel.ids import DEFAULT_PROJECT, CommandId
from octonet.kernel.storage import Checkpoint, Database, Remembered, Strategy, Transaction
from octonet.projects_tree import ProjectSettings
from octonet.serving import served, storage

_STOP_AT = 25
_DIE_AT = 40


def stop_at_append(fenced: bool) -> None:
    """Pause once, after the decision, before the append."""
    plain = JetStreamLog.append
    appends = 0

    async def append(self: JetStreamLog, body: bytes, after: int) -> int:
        nonlocal appends
        appends += 1
        if appends == _STOP_AT:
            os.kill(os.getpid(), signal.SIGSTOP)
        if fenced:
            return await plain(self, body, after)
        await publish(self._client, self._streams.subject, body, {})
        return after + 1

    JetStreamLog.append = append  # type: ignore[method-assign]


def early_reply() -> None:
    """Say that the append is done, do it a little later, and die in between."""
    plain = JetStreamLog.append
    chain: list[asyncio.Task[int]] = []

    async def later(self: JetStreamLog, body: bytes, after: int, before: asyncio.Task[int] | None) -> int:
        await asyncio.sleep(0.2)
        if before is not None:
            await before
        return await plain(self, body, after)

    async def append(self: JetStreamLog, body: bytes, after: int) -> int:
        if self.name != "OCTO_LOG_default":
            return await plain(self, body, after)
        chain.append(asyncio.create_task(later(self, body, after, chain[-1] if chain else None)))
        if len(chain) == _DIE_AT:
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGKILL)
        return after + 1

    JetStreamLog.append = append  # type: ignore[method-assign]


def late_checkpoint() -> None:
    """Commit the rows, then the checkpoint; die between the two."""
    plain_move, plain_commit = SqlTransaction.move_checkpoint, SqlTransaction.commit
    plain_open = storage.open_database
    commits = 0
    kept: dict[int, Checkpoint] = {}
    mine: set[int] = set()
    databases: list[Database] = []

    async def move_checkpoint(self: SqlTransaction, to: Checkpoint) -> None:
        if id(self) in mine:
            kept[id(self)] = to
        else:
            await plain_move(self, to)

    async def commit(self: SqlTransaction) -> None:
        nonlocal commits
        await plain_commit(self)
        if id(self) not in mine:
            return
        commits += 1
        if commits >= _DIE_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        mine.discard(id(self))
        to = kept.pop(id(self), None)
        if to is not None:
            database = databases[-1]
            assert isinstance(database, SqlDatabase)
            again = await plain_begin(database)
            assert isinstance(again, SqlTransaction)
            await plain_move(again, to)
            await plain_commit(again)

    async def open_database(settings: Settings, project: ProjectSettings, strategy: Strategy) -> Database:
        found = await plain_open(settings, project, strategy)
        if project.name == DEFAULT_PROJECT:
            databases.append(found)
        return found

    plain_begin = SqlDatabase.begin

    async def begin(self: SqlDatabase) -> Transaction:
        transaction = await plain_begin(self)
        if id(self) in map(id, databases):
            mine.add(id(transaction))
        return transaction

    served.open_database = open_database  # type: ignore[attr-defined]
    SqlDatabase.begin = begin  # type: ignore[method-assign]
    SqlTransaction.move_checkpoint = move_checkpoint  # type: ignore[method-assign]
    SqlTransaction.commit = commit  # type: ignore[method-assign]


def no_inbox() -> None:
    """Know nothing of what was decided before."""

    async def recall(self: SqlTransaction, ids: Collection[CommandId]) -> Mapping[CommandId, int]:
        return {}

    async def remember(self: SqlTransaction, decided: Sequence[Remembered]) -> None:
        """Nothing is kept."""

    SqlTransaction.recall = recall  # type: ignore[method-assign]
    SqlTransaction.remember = remember  # type: ignore[method-assign]


def die_before_reply() -> None:
    """Leave those who wait without an answer that exists."""
    plain = Lane._reply
    batches = 0

    async def reply(self: Lane, *arguments: Any) -> None:
        nonlocal batches
        batches += 1
        if batches >= _STOP_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        await plain(self, *arguments)

    Lane._reply = reply  # type: ignore[assignment,method-assign]


FAULTS = {
    "die-before-reply": die_before_reply,
    "stop-at-append": lambda: stop_at_append(fenced=True),
    "no-compare-and-set": lambda: stop_at_append(fenced=False),
    "early-reply": early_reply,
    "late-checkpoint": late_checkpoint,
    "no-inbox": no_inbox,
}

if __name__ == "__main__":
    assert jetstream_log
    FAULTS[sys.argv[1]]()
    sys.exit(cli.main(sys.argv[2:]))
