"""What a lane is built from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from commands.engine.ahead import Ahead
from commands.engine.frames import FrameCodec
from commands.engine.outcomes import Waiting
from octonet.kernel.catch_up import CatchUp
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import CommandStream, DeadLetters, Lease, Log, Replies, Rotation
from octonet.kernel.schema import Schemas
from octonet.kernel.sealing import Sealer
from octonet.kernel.storage import Database
from octonet.kernel.trace import Trace


class Parts(msgspec.Struct, frozen=True):
    """The ports of one project, and who works on them."""

    project: ProjectName
    schemas: Schemas
    database: Database
    commands: CommandStream
    ahead: Ahead
    log: Log
    rotation: Rotation
    lease: Lease
    replies: Replies
    waiting: Waiting
    sealer: Sealer
    catch_up: CatchUp
    codec: FrameCodec
    worker: str
    dead_letters: DeadLetters
    prepare: Callable[[], Awaitable[None]]
    """Sees to the tables, once the lane is this worker's, before the log is folded into them."""
    unfit: Callable[[OctonetError], None]
    """Hears why the tables cannot be made to fit the schema."""
    trace: Trace | None = None
