"""Folding a project's log into another database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from octonet import dialects
from octonet.access.sealing import AesSealer, derived, project_key
from octonet.beside import catch_up, open_live
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Assembler
from octonet.kernel.errors import Conflict, Invalid, OctonetError
from octonet.kernel.ids import is_private
from octonet.kernel.instant import milliseconds
from octonet.kernel.log import Batch, Stream
from octonet.kernel.position import Positions
from octonet.kernel.row_hash import RowHashes
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from octonet.project_files import choose
from octonet.projects_tree import ProjectSettings
from octonet.proof import prove
from octonet.serving.stored_projects import known_projects
from octonet.target import dialect_of
from octonet.watched_progress import Progress
from projections.engine.fold import Fold


class Wish(msgspec.Struct, frozen=True):
    """What is asked for. `dialect` empty: as the uri's scheme says, or else the project's own; `until`: a position
    token or an ISO-8601 time, empty for the log's end."""

    project: str
    uri: str
    dialect: str = ""
    until: str = ""
    proved: bool = True
    """Whether the rows are held against those of the live database; never where the end is not the log's."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay did: log entries folded now, the last one folded, the last one there was."""

    folded: int
    entry: int
    last: int
    proof: RowHashes | None = None
    """What both databases hold; None where they were not held against each other."""


async def replay(settings: Settings, endpoint: Endpoint, ours: bool, wish: Wish, progress: Progress) -> Replayed:
    """Fold from the target's checkpoint on. `ours`: no server works on the data directory. Raises `OctonetError`;
    `Conflict`, code REPLAY_DIFFERS, names the entities whose rows are not those of the live database."""
    projects = await known_projects(settings)
    found = choose(projects, wish.project)[0]
    dialect = wish.dialect or dialect_of(wish.uri) or found.dialect
    for other in projects:
        if (dialect, wish.uri) == (other.dialect, other.uri):
            raise Conflict(f"that is the own database of project {other.name}: replay fills another one")
    proved = wish.proved and not wish.until
    client = await connect(endpoint, "octonet replay")
    try:
        log = JetStreamLog(client, found.name)
        last = await log.last()
        key = project_key(DataDirectory(settings.data_dir).keys, found.name)
        end = (
            await _end(log, Positions(found.name, derived(key, "positions")), wish.until, last) if wish.until else last
        )
        options = DatabaseOptions(show_sql=settings.show_sql)
        database = await dialects.find(dialect).open(wish.uri, found.schemas, options)
        try:
            before = await _opened(database, found.schemas, end)
            fold = _fold(log, database, found.schemas, AesSealer(key), progress)
            await fold(end)
            if ours and proved and not is_private(found.name) and await _is_behind(settings, found, end):
                await catch_up(settings, endpoint, found.name)
            proof = await _proof(settings, found, database, fold, progress) if proved else None
            entry = (await database.checkpoint()).entry
            return Replayed(entry - before, entry, max(last, entry), proof)
        finally:
            await database.close()
    finally:
        await client.close()


async def _opened(database: Database, schemas: Schemas, end: int) -> int:
    """Make the tables, where there are none; returns the entry that the database was folded to. Raises `Conflict`."""
    followed = await database.follows()
    if followed is None or followed.digest == schemas.digest:
        await database.migrate(schemas, Strategy.UPDATE)
    before = (await database.checkpoint()).entry
    if before > end:
        raise Conflict(f"that database is at log entry {before} already, after the end asked for ({end})")
    return before


def _fold(
    log: Stream, database: Database, schemas: Schemas, sealer: AesSealer, progress: Progress
) -> Callable[[int], Awaitable[None]]:
    async def fold(until: int) -> None:
        progress.begin("replay", "entry", (await database.checkpoint()).entry, until)
        folding = Fold(log, database, schemas, sealer, as_logged=True)
        await folding.catch_up(until, lambda link: progress.reach(link.sequence, until))

    return fold


async def _is_behind(settings: Settings, project: ProjectSettings, end: int) -> bool:
    """Whether a server that was killed left the live database before this entry."""
    live, _ = await open_live(settings, project)
    try:
        return (await live.checkpoint()).entry < end
    finally:
        await live.close()


async def _proof(
    settings: Settings,
    project: ProjectSettings,
    database: Database,
    fold: Callable[[int], Awaitable[None]],
    progress: Progress,
) -> RowHashes:
    proof = await prove(settings, project, database, fold, progress)
    if proof.differing:
        raise Conflict(
            f"the rows are not those of the live database at log entry {proof.live.checkpoint.entry}: "
            f"{', '.join(proof.differing)} differ. The live one is not a fold of its log: `octonet audit verify` tells "
            "whether the log is whole; with --unproved the log is believed",
            code="REPLAY_DIFFERS",
        )
    return proof.live


async def _end(log: Stream, positions: Positions, until: str, last: int) -> int:
    try:
        position = positions.decode(until)
    except OctonetError:
        return await _entry_before(log, milliseconds(until, "--until"), last)
    if position.entry > last:
        raise Invalid(f"position {until} is after the end of the log", code="INVALID_POSITION")
    return position.entry


async def _entry_before(log: Stream, moment: int, last: int) -> int:
    """The last entry all of whose commands are not later than the moment (milliseconds since 1970)."""
    assembler = Assembler()
    found = 0
    if last == 0:
        return 0
    async for messages in log.read(0, last):
        for link in assembler.feed(messages):
            if isinstance(link.entry, Batch) and any(d.at > moment for d in link.entry.decisions):
                return found
            found = link.sequence
    return found
