"""Folding a project's log into another database."""

from __future__ import annotations

import msgspec
from tqdm import tqdm

from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from octonet import dialects
from octonet.access.sealing import AesSealer, project_key
from octonet.app import load_schemas
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Assembler, Link
from octonet.kernel.errors import Conflict, Invalid, NotFound, OctonetError
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.instant import milliseconds
from octonet.kernel.log import Batch, Stream
from octonet.kernel.position import decode
from octonet.kernel.storage import DatabaseOptions, Strategy
from projections.engine.fold import Fold


class Replayed(msgspec.Struct, frozen=True):
    """What a replay did: log entries folded now, the last one folded, the last one there is."""

    folded: int
    entry: int
    last: int


async def replay(
    settings: Settings, endpoint: Endpoint, project: str, dialect: str, uri: str, until: str | None, quiet: bool
) -> Replayed:
    """Fold from the target's checkpoint to the end, or to `until` (a position token or an ISO-8601 time)."""
    if project != DEFAULT_PROJECT:
        raise NotFound(f"there is no project {project!r}", code="UNKNOWN_PROJECT")
    if dialect == settings.dialect and uri in (settings.uri, settings.database_uri()):
        raise Conflict("that is the project's own database: replay fills another one")
    name = ProjectName(project)
    schemas = load_schemas(settings.schemas_path)
    client = await connect(endpoint, "octonet replay")
    try:
        log = JetStreamLog(client, name)
        last = await log.last()
        end = last if until is None else await _end(log, name, until, last)
        database = await dialects.find(dialect).open(uri, schemas, DatabaseOptions(show_sql=settings.show_sql))
        try:
            await database.migrate(schemas, Strategy.UPDATE)
            before = (await database.checkpoint()).entry
            if before > end:
                raise Conflict(f"that database is at log entry {before} already, after the end asked for ({end})")
            sealer = AesSealer(project_key(DataDirectory(settings.data_dir).keys, name))
            with tqdm(total=end, initial=before, unit="entry", desc="replay", disable=quiet) as bar:

                def tick(link: Link) -> None:
                    bar.update(link.sequence - bar.n)

                await Fold(log, database, schemas, sealer).catch_up(end, tick)
            return Replayed((await database.checkpoint()).entry - before, end, last)
        finally:
            await database.close()
    finally:
        await client.close()


async def _end(log: Stream, project: ProjectName, until: str, last: int) -> int:
    try:
        position = decode(project, until)
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
