"""One project's ways to its streams, and its keys: the same for as long as a process serves it, whatever its schema and
database become."""

from __future__ import annotations

from functools import partial

import msgspec

from commands.engine.ahead import Ahead
from commands.engine.framer import Framer
from commands.engine.outcomes import Waiting
from jetstream import subjects
from jetstream.command_stream import JetStreamCommands
from jetstream.connection import Connection
from jetstream.log import JetStreamLog
from jetstream.owner_requests import OwnerRequests
from jetstream.replies import NatsReplies
from octonet.access.idempotency import Idempotency
from octonet.access.sealing import AesSealer, derived, project_key
from octonet.clock import now
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.ids import ProjectName
from octonet.kernel.position import Positions
from octonet.past.past import ProjectPast


class Ports(msgspec.Struct, frozen=True):
    """What outlasts every change of a project."""

    log: JetStreamLog
    commands: JetStreamCommands
    replies: NatsReplies
    waiting: Waiting
    ahead: Ahead
    framer: Framer
    sealer: AesSealer
    positions: Positions
    idempotency: Idempotency
    trials: OwnerRequests
    rotations: OwnerRequests
    past: ProjectPast


async def open_ports(settings: Settings, client: Connection, process: str, project: ProjectName) -> Ports:
    """Listen for outcomes, be ready to send commands. The project's streams exist. Raises `Unavailable`."""
    key = project_key(DataDirectory(settings.data_dir).keys, project)
    waiting, commands = Waiting(), JetStreamCommands(client, project)
    replies = NatsReplies(client, f"{process}.{project}")
    await replies.listen(waiting.tell)
    ahead, log = Ahead(commands), JetStreamLog(client, project)
    return Ports(
        log,
        commands,
        replies,
        waiting,
        ahead,
        Framer(ahead, waiting, replies.subject, commands.largest, now),
        AesSealer(key),
        Positions(project, derived(key, "positions")),
        Idempotency(derived(key, "idempotency")),
        OwnerRequests(client, partial(subjects.trials, project)),
        OwnerRequests(client, partial(subjects.rotation, project)),
        ProjectPast(log, DataDirectory(settings.data_dir).history / f"{project}.db", now, settings.query_timeout),
    )
