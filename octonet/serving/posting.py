"""A project's lane, and all that a worker needs beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from commands import COMMANDS
from commands.engine.frames import FrameCodec
from commands.engine.lane import Lane
from commands.engine.parts import Parts
from commands.engine.replicate import Replicate
from commands.engine.trying import Trying
from jetstream.dead_letters import JetStreamDeadLetters
from jetstream.fact_message import FactSpeller
from jetstream.feed_stream import JetStreamFeed
from jetstream.lease import JetStreamLease
from octonet.access.notary import CheckpointFile
from octonet.clock import now
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import is_private
from octonet.kernel.storage import Database
from octonet.projects_tree import ProjectSettings
from octonet.serving.keeping import ROWS_AT_ONCE, Keeper, breathe
from octonet.serving.ports import Ports
from octonet.serving.rotating import Rotator
from octonet.serving.surroundings import Surroundings, limits, notary
from octonet.serving.trying import Answering
from octonet.serving.worker import Post, Worker
from octonet.snapshots.shelf import Shelf
from octonet.snapshots.taking import Taking
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
    """The lane over this database; `prepare` and `unfit` as in `commands.engine.parts.Parts`."""
    schemas, name, settings = project.schemas, project.name, around.settings
    lease = JetStreamLease(around.client, name, around.process, around.owners, lambda: worker.spread.patience(name))
    codec = FrameCodec([*COMMANDS.values(), Replicate], now)
    parts = Parts(
        name,
        schemas,
        database,
        ports.commands,
        ports.ahead,
        ports.log,
        ports.log,
        lease,
        ports.replies,
        ports.waiting,
        ports.sealer,
        Fold(ports.log, database, schemas, ports.sealer),
        codec,
        around.process,
        JetStreamDeadLetters(around.client, name, limits(settings, name)),
        prepare,
        unfit,
        around.trace,
    )
    lane = Lane(parts)
    feed = Feed(
        lane.shown,
        JetStreamFeed(around.client, ports.positions),
        FactSpeller(ports.positions, schemas.digest),
        lane.owned,
        name,
        around.trace,
    )
    vouched = CheckpointFile(DataDirectory(settings.data_dir).checkpoint(name), notary(settings, name))
    trying = Trying(lane.try_out, codec, ports.trials.largest)
    answering = Answering(ports.trials, around.process, trying)
    taking = Taking(name, schemas, ports.sealer, breathe, most=ROWS_AT_ONCE)
    shelf = Shelf(DataDirectory(settings.data_dir).snapshots(name))
    # Keys and accounts come and go, but there are never many: their log is folded soon.
    every = 0 if is_private(name) else settings.snapshot_every
    keeper = Keeper(lane, database, taking, shelf, every, settings.snapshots_kept)
    rotator = Rotator(lane, ports.log, ports.rotations, around.process, settings.rotate_at)
    return Post(name, lane, feed, ports.log, lease, vouched, answering, keeper, rotator)
