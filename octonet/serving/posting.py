"""A project's lane, and all that a worker needs beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from commands import COMMANDS
from commands.engine.frames import FrameCodec
from commands.engine.lane import Lane, Parts
from jetstream.dead_letters import JetStreamDeadLetters
from jetstream.fact_message import FactSpeller
from jetstream.feed_stream import JetStreamFeed
from jetstream.lease import JetStreamLease
from octonet.access.notary import CheckpointFile
from octonet.clock import now
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import OctonetError
from octonet.kernel.storage import Database
from octonet.projects_tree import ProjectSettings
from octonet.serving.ports import Ports
from octonet.serving.surroundings import Surroundings, limits, notary
from octonet.serving.worker import Post, Worker
from projections.engine.feed import Feed
from projections.engine.fold import Fold


def make_post(
    around: Surroundings,
    worker: Worker,
    project: ProjectSettings,
    ports: Ports,
    database: Database,
    prepare: Callable[[], Awaitable[None]],
    unfit: Callable[[OctonetError], None],
) -> Post:
    """The lane over this database; `prepare` and `unfit` as in `commands.engine.lane.Parts`."""
    schemas, name, settings = project.schemas, project.name, around.settings
    lease = JetStreamLease(around.client, name, around.process, around.owners, lambda: worker.spread.patience(name))
    parts = Parts(
        name,
        schemas,
        database,
        ports.commands,
        ports.ahead,
        ports.log,
        lease,
        ports.replies,
        ports.waiting,
        ports.sealer,
        Fold(ports.log, database, schemas, ports.sealer),
        FrameCodec(COMMANDS.values(), now),
        around.process,
        JetStreamDeadLetters(around.client, name, limits(settings, name)),
        prepare,
        unfit,
    )
    lane = Lane(parts)
    feed = Feed(
        lane.shown,
        JetStreamFeed(around.client, ports.positions),
        FactSpeller(ports.positions, schemas.digest),
        lane.owned,
    )
    vouched = CheckpointFile(DataDirectory(settings.data_dir).checkpoint(name), notary(settings, name))
    return Post(name, lane, feed, ports.log, lease, vouched)
