"""Folding a project's log into another database."""

from __future__ import annotations

import msgspec
from tqdm import tqdm

from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from octonet import dialects
from octonet.access.sealing import AesSealer, derived, project_key
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Assembler, Link
from octonet.kernel.errors import Conflict, Invalid, OctonetError
from octonet.kernel.instant import milliseconds
from octonet.kernel.log import Batch, Stream
from octonet.kernel.position import Positions
from octonet.kernel.storage import DatabaseOptions, Strategy
from octonet.project_files import choose
from octonet.serving.stored_projects import known_projects
from octonet.target import dialect_of
from projections.engine.fold import Fold


class Replayed(msgspec.Struct, frozen=True):
    """What a replay did: log entries folded now, the last one folded, the last one there is."""

    folded: int
    entry: int
    last: int


async def replay(
    settings: Settings, endpoint: Endpoint, project: str, dialect: str | None, uri: str, until: str | None, quiet: bool
) -> Replayed:
    """Fold from the target's checkpoint to the end, or to `until` (a position token or an ISO-8601 time). Without a
    `dialect` the scheme of the uri tells it, or else it is the project's own."""
    projects = await known_projects(settings)
    found = choose(projects, project)[0]
    name, schemas = found.name, found.schemas
    dialect = dialect or dialect_of(uri) or found.dialect
    for other in projects:
        if (dialect, uri) == (other.dialect, other.uri):
            raise Conflict(f"that is the own database of project {other.name}: replay fills another one")
    client = await connect(endpoint, "octonet replay")
    try:
        log = JetStreamLog(client, name)
        last = await log.last()
        key = project_key(DataDirectory(settings.data_dir).keys, name)
        end = last if until is None else await _end(log, Positions(name, derived(key, "positions")), until, last)
        database = await dialects.find(dialect).open(uri, schemas, DatabaseOptions(show_sql=settings.show_sql))
        try:
            followed = await database.follows()
            if followed is None or followed.digest == schemas.digest:
                await database.migrate(schemas, Strategy.UPDATE)
            before = (await database.checkpoint()).entry
            if before > end:
                raise Conflict(f"that database is at log entry {before} already, after the end asked for ({end})")
            sealer = AesSealer(key)
            with tqdm(total=end, initial=before, unit="entry", desc="replay", disable=quiet) as bar:

                def tick(link: Link) -> None:
                    bar.update(link.sequence - bar.n)

                await Fold(log, database, schemas, sealer, as_logged=True).catch_up(end, tick)
            return Replayed((await database.checkpoint()).entry - before, end, last)
        finally:
            await database.close()
    finally:
        await client.close()


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
