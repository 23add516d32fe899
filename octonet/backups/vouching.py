"""What is known of a log elsewhere: a signed checkpoint, and how far the database has folded it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from jetstream.log import JetStreamLog
from octonet.access.notary import CheckpointFile
from octonet.backups.checking import digest_at
from octonet.backups.manifest import Backed
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import stands
from octonet.kernel.errors import Invalid, OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.integrity import Vouched
from octonet.kernel.log import LogGap
from octonet.kernel.storage import Checkpoint
from octonet.projects_tree import ProjectSettings
from octonet.serving.storage import open_as_it_is
from octonet.serving.surroundings import notary

log = logging.getLogger("octonet.backup")


async def vouched(settings: Settings, project: ProjectName, specified: ProjectSettings | None) -> list[Vouched]:
    """All that is known; nothing of a database that cannot be read. Raises `Invalid`."""
    path = DataDirectory(settings.data_dir).checkpoint(project)
    newest = CheckpointFile(path, notary(settings, project)).newest()
    found = [] if newest is None else [newest]
    if specified is None or specified.hold:
        return found
    try:
        database = await open_as_it_is(settings, specified)
        try:
            mark = (await database.contents()).checkpoint or Checkpoint()
        finally:
            await database.close()
    except OctonetError as problem:
        log.warning("the log of project %s is not held against its database: %s", project, problem.message)
        return found
    return [*found, Vouched(mark.entry, mark.digest, "the database")] if mark.entry else found


async def end_of(stream: JetStreamLog, known: list[Vouched]) -> int:
    """The last message of a log that has all that is known of it. Raises `LogGap`."""
    last = await stream.last()
    for one in known:
        if one.entry > last:
            raise LogGap(f"it ends at message {last}, but {one.by} saw message {one.entry}: its end is missing")
        if not await stands(stream, one.entry, one.digest):
            raise LogGap(f"message {one.entry} is another than the one that {one.by} saw")
    return last


def set_aside(settings: Settings, project: ProjectName, folder: Path, backed: Backed) -> Iterator[str]:
    """Move away the newest checkpoint where it vouches for more than the backup holds, or for something else: it would
    be an alarm for ever. Says so."""
    path = DataDirectory(settings.data_dir).checkpoint(project)
    try:
        newest = CheckpointFile(path, notary(settings, project)).newest()
    except Invalid:
        return
    if newest is None:
        return
    if newest.entry <= backed.last and digest_at(folder, backed, newest.entry) == newest.digest:
        return
    aside = path.with_name(f"{path.name}.before-restore")
    path.replace(aside)
    if newest.entry > backed.last:
        yield (
            f"{newest.by} saw entry {newest.entry}, the backup ends at {backed.last}: what was in between is lost; "
            f"the checkpoint is kept as {aside}"
        )
    else:
        yield f"{newest.by} saw another entry {newest.entry}; the checkpoint is kept as {aside}"
