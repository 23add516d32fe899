"""The lanes of one worker process: stand by for them, spread them over the workers, give them up in good order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from commands.engine.lane import Lane
from commands.engine.spread import Spread
from jetstream.lease import JetStreamLease
from jetstream.log import JetStreamLog
from jetstream.workers import Workers
from octonet.access.notary import CheckpointFile
from octonet.clock import now
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.integrity import walk
from octonet.kernel.log import LogGap
from octonet.serving.keeping import Keeper
from octonet.serving.rotating import Rotator
from octonet.serving.trying import Answering
from projections.engine.feed import Feed

log = logging.getLogger("octonet.lane")

_LOOK = 0.25
"""Seconds between two looks at who should own what; one lane at most is handed over at each."""
_BREATH = 0.02
"""Seconds between two batches of the log that is looked through: serving goes first."""
_VOUCH = 30.0
"""Seconds between two signed checkpoints."""
_LAST_WORK = 4.0
"""Seconds for the batch under way and its facts."""


class Post(msgspec.Struct, frozen=True):
    """One project's lane in this worker, and what goes with it."""

    project: ProjectName
    lane: Lane
    feed: Feed
    log: JetStreamLog
    lease: JetStreamLease
    checkpoints: CheckpointFile
    trials: Answering
    keeper: Keeper
    rotator: Rotator


class Worker:
    """All lanes of this process."""

    def __init__(self, workers: Workers) -> None:
        self.spread = Spread(workers)
        self._workers = workers
        self._posts: dict[ProjectName, Post] = {}
        self._tasks: dict[asyncio.Task[None], ProjectName] = {}
        self._failed: dict[ProjectName, Callable[[str], None]] = {}
        self._spreading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Be known to the other workers. Raises `Unavailable`."""
        await self._workers.open()
        self._spreading = asyncio.create_task(self._spread(), name="spread")

    def add(self, post: Post, failed: Callable[[str], None]) -> None:
        """Stand by for a lane. `failed` hears why it stands still, if ever it does."""
        self._posts[post.project] = post
        self._workers.take(post.project)
        for name, work in (
            ("lane", post.lane.run()),
            ("feed", post.feed.run()),
            ("log", _scrub(post)),
            ("checkpoints", _vouch(post)),
            ("trials", post.trials.run()),
            ("snapshots", post.keeper.run()),
            ("rotation", post.rotator.run()),
        ):
            task = asyncio.create_task(work, name=f"{name} of project {post.project}")
            self._tasks[task] = post.project
            task.add_done_callback(self._ended)
        self._failed[post.project] = failed

    async def remove(self, project: ProjectName) -> None:
        """Stand by no longer: finish the batch under way, publish its facts, leave the lane to others."""
        post = self._posts.pop(project, None)
        if post is None:
            return
        self._workers.drop(project)
        await _settle(post)
        _sign(post)
        tasks = [task for task, name in self._tasks.items() if name == project]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await post.lease.release()

    @property
    def posts(self) -> list[Post]:
        """Those it stands by for."""
        return list(self._posts.values())

    def owns(self, project: ProjectName) -> bool:
        """Whether this worker owns the project's lane and has caught up."""
        post = self._posts.get(project)
        return post is not None and post.lane.owned.is_set()

    async def close(self) -> None:
        """Finish every batch under way, publish its facts, and leave the lanes to others."""
        if self._spreading is not None:
            self._spreading.cancel()
            await asyncio.gather(self._spreading, return_exceptions=True)
        await self._workers.leave()
        await asyncio.gather(*(_settle(post) for post in self._posts.values()))
        for post in self._posts.values():
            _sign(post)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(post.lease.release() for post in self._posts.values()))

    async def _spread(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            for post in list(self._posts.values()):
                heir = self.spread.heir(post.project) if post.lane.owned.is_set() else None
                if heir is not None:
                    log.info("lane %s is handed over to worker %s", post.project, heir)
                    if await _settle(post):
                        await post.lease.release()
                        post.lane.give_up()
                    break

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Lane and feed run for ever. One that ended found history missing, or a fault of ours: going on would make
        the database a fold of something else, so all of the project stands still, and health says so."""
        project = self._tasks.pop(task)
        problem = None if task.cancelled() else task.exception()
        if problem is None or project not in self._posts:
            return
        self._failed[project](f"the {task.get_name()} stands still: {problem}")
        log.critical("ALARM: the %s stands still: %s", task.get_name(), problem, exc_info=problem)
        for other, owner in self._tasks.items():
            if owner == project:
                other.cancel()


async def _vouch(post: Post) -> None:
    """Sign for the log now and then, so that it is known elsewhere how far it had come."""
    while True:
        await post.lane.owned.wait()
        _sign(post)
        await asyncio.sleep(_VOUCH)


def _sign(post: Post) -> None:
    mark = post.lane.mark
    if post.lane.owned.is_set() and mark.entry:
        try:
            post.checkpoints.note(mark.entry, mark.digest, iso(now()))
        except OSError as problem:
            log.warning("no checkpoint of project %s could be written: %s", post.project, problem)


async def _scrub(post: Post) -> None:
    """Read the log once from its first entry, beside all other work: a server counts a rotten message as there until
    somebody reads it. Raises `LogGap`."""
    await post.lane.owned.wait()
    while True:
        try:
            async for _ in walk(post.log, await post.log.last()):
                await asyncio.sleep(_BREATH)
        except Unavailable as problem:
            log.info("the log is looked through later: %s", problem)
            await asyncio.sleep(_LAST_WORK)
        else:
            return


async def _settle(post: Post) -> bool:
    """Let the lane finish its batch and decide nothing more, and the feed tell what was decided; the next owner sees
    to what takes too long. Whether the lane is paused."""
    paused = False
    try:
        async with asyncio.timeout(_LAST_WORK):
            await post.lane.pause()
            paused = True
            if post.feed.running:
                last = await post.log.last()
                while post.feed.reached < last and post.feed.running:
                    await asyncio.sleep(0.01)
    except (TimeoutError, Unavailable, LogGap) as problem:
        log.info("the last facts of %s are left to the next owner: %s", post.project, problem or "they took too long")
    return paused
