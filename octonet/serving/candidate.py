"""A look at a database that is to become a replica: whether it is one of its own, and empty or a fold of the log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jetstream.log import JetStreamLog
from octonet.admin.replica_rows import ReplicaSettings
from octonet.kernel.chain import stands
from octonet.kernel.errors import Conflict, OctonetError
from octonet.kernel.log import LogGap
from octonet.kernel.storage import Database, Strategy
from octonet.projects_tree import ProjectSettings
from octonet.serving.follower import open_replica
from octonet.serving.surroundings import Surroundings


async def examine(
    around: Surroundings, project: ProjectSettings, replica: ReplicaSettings, others: Iterable[Database]
) -> None:
    """`others`: databases that are in use, in whatever words their addresses are written. Raises `Conflict` with codes
    PLACE_TAKEN, REPLICA_NOT_EMPTY, OTHER_LOG and SCHEMA_MISMATCH, `Unavailable`."""
    if replica.dialect == "sqlite" and not Path(replica.uri.removeprefix("sqlite:///")).exists():
        # To look would be to make it.
        return
    database = await open_replica(around, replica, project, 1)
    try:
        identity = await database.identity()
        for other in others:
            if await _identity(other) == identity:
                sentence = "$.uri: is a database that is in use already, in other words: name one that nobody uses"
                raise Conflict(sentence, code="PLACE_TAKEN")
        if replica.strategy is not Strategy.UPDATE:
            await database.migrate(project.schemas, replica.strategy)
        await _check_content(database, JetStreamLog(around.client, project.name), project, replica)
    finally:
        await database.close(kept=True)


async def _check_content(
    database: Database, log: JetStreamLog, project: ProjectSettings, replica: ReplicaSettings
) -> None:
    followed = None if replica.strategy is not Strategy.UPDATE else await database.follows()
    if followed is None and replica.strategy is Strategy.UPDATE:
        if tables := (await database.contents()).tables:
            some = ", ".join(sorted(tables)[:3])
            sentence = f"$.uri: the database holds other tables ({some}): a replica begins in an empty one"
            raise Conflict(sentence, code="REPLICA_NOT_EMPTY")
        return
    mark = await database.checkpoint()
    if mark.entry == 0 and followed is not None and followed.digest != project.schemas.digest:
        sentence = "$.uri: the tables there follow another schema: empty the database, or name another one"
        raise Conflict(sentence, code="SCHEMA_MISMATCH")
    last = await log.last()
    try:
        ours = mark.entry <= last and await stands(log, mark.entry, mark.digest)
    except LogGap as problem:
        raise Conflict(f"the log cannot be read: {problem}", code="HISTORY_DAMAGED") from problem
    if not ours:
        sentence = (
            f"$.uri: the database stands at entry {mark.entry} of another history (this log ends at {last}): empty it, "
            "or name another one"
        )
        raise Conflict(sentence, code="OTHER_LOG")


async def _identity(database: Database) -> str:
    try:
        return await database.identity()
    except OctonetError:
        return ""
