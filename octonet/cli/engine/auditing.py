"""What `octonet audit` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from tqdm import tqdm

from jetstream.connection import connect
from jetstream.log import JetStreamLog
from octonet.access.notary import CheckpointFile
from octonet.cli.engine import broker
from octonet.clock import now
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Assembler, Link
from octonet.kernel.errors import Invalid, OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.integrity import Vouched, walk
from octonet.kernel.log import Batch, Decision, LogGap
from octonet.kernel.position import Position
from octonet.kernel.storage import Strategy
from octonet.project_files import choose
from octonet.serving.storage import open_database
from octonet.serving.stored_projects import known_projects
from octonet.serving.surroundings import notary

_encode = msgspec.json.Encoder().encode


async def verify(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    """Read all of the log, and hold it against what is known of it elsewhere."""
    project = ProjectName(arguments.project)
    async with _log(started, project) as log:
        try:
            vouched = [*_signed(settings, arguments, project), *await _folded(settings, project)]
            last = await log.stored()
            with tqdm(total=last, unit="entry", desc=project, disable=arguments.quiet) as bar:
                async for reached in walk(log, last, vouched):
                    bar.update(reached - bar.n)
            # The server's own count is asked last: it names no place, the walk does.
            await log.last()
        except (LogGap, Invalid) as problem:
            print(f"octonet: the log of project {project} is damaged: {log.name}: {problem}", file=sys.stderr)
            return 1
        print(f"{last} messages of {log.name} are whole; held against {len(vouched)} checkpoints")
    return 0


async def checkpoint(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    """Vouch for the log as it is, after reading all of it."""
    project = ProjectName(arguments.project)
    async with _log(started, project) as log:
        assembler = Assembler()
        async for _ in _read(log, assembler):
            pass
        line = notary(settings, project).sign(assembler.sequence, assembler.digest, iso(now()))
        sys.stdout.buffer.write(line)
    return 0


async def export(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    """Every command that was decided, in order."""
    async with _log(started, ProjectName(arguments.project)) as log:
        async for link in _read(log, Assembler()):
            for line in _lines(link):
                sys.stdout.buffer.write(_encode(line) + b"\n")
    return 0


async def _read(log: JetStreamLog, assembler: Assembler) -> AsyncIterator[Link]:
    """Every entry that there is now, from the first on."""
    last = await log.last()
    if last:
        async for messages in log.read(0, last):
            for link in assembler.feed(messages):
                yield link


def _lines(link: Link) -> list[dict[str, object]]:
    if not isinstance(link.entry, Batch):
        return []
    lines, index = [], 0
    for decision in link.entry.decisions:
        index += len(decision.events)
        lines.append(_told(decision, Position(link.sequence, max(index - 1, 0))))
    return lines


def _told(decision: Decision, position: Position) -> dict[str, object]:
    rejection = decision.rejection
    return {
        "at": iso(decision.at),
        "command": decision.command_id,
        "op": decision.op,
        "entity": decision.entity,
        "target": decision.target,
        "actor": decision.actor.key,
        "account": decision.actor.account,
        "user": decision.actor.user,
        "transport": decision.actor.transport,
        "address": decision.actor.address,
        "correlation": decision.actor.correlation,
        "outcome": decision.verdict,
        "rejection": None if rejection is None else rejection.code,
        "facts": [{"fact": event.fact, "entity": event.entity, "id": event.id} for event in decision.events],
        "entry": position.entry,
        "index": position.index,
    }


def _signed(settings: Settings, arguments: argparse.Namespace, project: ProjectName) -> list[Vouched]:
    """What was signed for, here and in the file that was brought along."""
    ours = notary(settings, project)
    newest = CheckpointFile(DataDirectory(settings.data_dir).checkpoint(project), ours).newest()
    found = [] if newest is None else [newest]
    if arguments.checkpoint is not None:
        try:
            found += [ours.read(line) for line in arguments.checkpoint.read_bytes().splitlines() if line]
        except OSError as problem:
            raise Invalid(f"the checkpoint {arguments.checkpoint} cannot be read: {problem.strerror}") from None
    return found


async def _folded(settings: Settings, project: ProjectName) -> list[Vouched]:
    """How far the project's own database has come; nothing while it cannot be read."""
    try:
        [specified] = choose(await known_projects(settings), project)
        database = await open_database(settings, specified, Strategy.NONE)
    except OctonetError as problem:
        print(f"the log is not held against the database: {problem.message}", file=sys.stderr)
        return []
    try:
        mark = await database.checkpoint()
    except OctonetError as problem:
        print(f"the log is not held against the database: {problem.message}", file=sys.stderr)
        return []
    finally:
        await database.close()
    return [Vouched(mark.entry, mark.digest, "the database")] if mark.entry else []


@asynccontextmanager
async def _log(started: broker.Started, project: ProjectName) -> AsyncIterator[JetStreamLog]:
    client = await connect(started.ready(), "octonet audit")
    try:
        yield JetStreamLog(client, project)
    finally:
        await client.close()
