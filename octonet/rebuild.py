"""Rebuilding a project's database from its log, beside the live one: fill, prove equal, take over.

The new database is filled from the newest snapshot, where there is one, and folded to the log's end while the live one
goes on being written to. Its own checkpoint says how far it is, so a rebuild that was killed goes on where it was. What
the live database holds at one moment is hashed, the new one folded to just that entry, and hashed too; only an equal
one takes over, by the way on which a project moves to another database at any time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from octonet.access.gate import insider
from octonet.access.sealing import AesSealer, project_key
from octonet.app import Node
from octonet.beside import beside, catch_up, find
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Link
from octonet.kernel.errors import Conflict, Unavailable
from octonet.kernel.ids import SYSTEM_PROJECT, ProjectName
from octonet.kernel.log import Batch
from octonet.kernel.row_hash import RowHashes
from octonet.kernel.storage import Checkpoint, Database, Strategy
from octonet.project_files import load_projects
from octonet.projects_tree import ProjectSettings
from octonet.proof import prove
from octonet.serving.storage import open_as_it_is
from octonet.serving.stored_projects import known_projects, stored_replicas
from octonet.snapshots.filling import fill, unfinished
from octonet.snapshots.shelf import Found, Shelf
from octonet.target import check_contents, check_place, settled
from octonet.watched_progress import Progress, WatchedProgress
from projections.engine.fold import Fold

log = logging.getLogger("octonet.snapshots")

_NEAR: Final = 64
"""Entries behind the log's end that the takeover may leave to the next owner of the lane."""
_ROUNDS: Final = 20
_TAKEN_WITHIN: Final = 60.0
_LOOK: Final = 0.05


class Wish(msgspec.Struct, frozen=True):
    """What is asked for. `uri` empty: a file beside the live one; `rate`: facts a second, 0 for as many as can be."""

    project: ProjectName
    uri: str = ""
    dialect: str = ""
    rate: float = 0.0
    proved: bool = True
    """Whether the new database is held against the live one."""
    from_snapshot: bool = True
    takes_over: bool = True


class Rebuilt(msgspec.Struct, frozen=True):
    """What came of it. `rows` of the proof, None where none was made, at log entry `entry`."""

    before: ProjectSettings
    target: ProjectSettings
    entry: int
    rows: int | None
    named: bool
    """Whether a file or setting says where the project is kept, too."""


async def rebuild(settings: Settings, endpoint: Endpoint, ours: bool, wish: Wish, progress: Progress) -> Rebuilt:
    """Do all of it. `ours`: no server works on the data directory. Raises `OctonetError` with a sentence that says what
    to do; the live database is untouched then."""
    projects = await known_projects(settings)
    live = find(projects, wish.project)
    target = settled(live, wish.uri, wish.dialect)
    check_place(target, live, projects, await stored_replicas(settings, load_projects(settings)))
    if ours and wish.proved:
        await catch_up(settings, endpoint, live.name)
    client = await connect(endpoint, "octonet rebuild")
    try:
        stream = JetStreamLog(client, live.name)
        watched = WatchedProgress(progress, "rebuild", live.name)
        await watched.show(client)
        database = await open_as_it_is(settings, target)
        try:
            work = _Work(settings, stream, live, target, database, wish, watched)
            await work.fill()
            proof = await work.prove() if wish.proved else None
            entry = (await database.checkpoint()).entry
            if wish.takes_over:
                await _take_over(settings, endpoint, ours, work)
            else:
                await work.follow()
        finally:
            await database.close()
        named = any(project.name == live.name for project in load_projects(settings))
        return Rebuilt(live, target, entry, None if proof is None else proof.rows, named)
    finally:
        await client.close()


class _Work:
    def __init__(
        self,
        settings: Settings,
        stream: JetStreamLog,
        live: ProjectSettings,
        target: ProjectSettings,
        database: Database,
        wish: Wish,
        progress: Progress,
    ) -> None:
        directory = DataDirectory(settings.data_dir)
        self._settings = settings
        self._log = stream
        self._live = live
        self.target = target
        self.database = database
        self._wish = wish
        self._progress = progress
        self._pace = _Pace(wish.rate)
        self._sealer = AesSealer(project_key(directory.keys, live.name))
        self._shelf = Shelf(directory.snapshots(live.name))

    async def fill(self) -> None:
        """Bring the target to the log's end."""
        last = await self._log.last()
        mark = await check_contents(self.database, self._log, last)
        if mark.entry == 0:
            await self._from_snapshot(mark, last)
        followed = await self.database.follows()
        if followed is None or followed.digest == self.target.schemas.digest:
            await self.database.migrate(self.target.schemas, Strategy.UPDATE)
        await self.follow()

    async def follow(self) -> None:
        """Fold until hardly anything is left, which may be as long as others write."""
        for _ in range(_ROUNDS):
            last = await self._log.last()
            behind = last - (await self.database.checkpoint()).entry
            await self.fold(last)
            if behind <= _NEAR:
                return

    async def fold(self, until: int) -> None:
        """Fold up to this entry."""
        mark = await self.database.checkpoint()
        if mark.entry >= until:
            return
        self._progress.begin("fold", "entry", mark.entry, until)

        def tell(link: Link) -> None:
            self._progress.reach(link.sequence, until)
            if isinstance(link.entry, Batch):
                self._pace.facts += sum(len(decision.events) for decision in link.entry.decisions)

        async def pace(size: int) -> None:
            await self._pace.keep()

        fold = Fold(self._log, self.database, self.target.schemas, self._sealer, as_logged=True, pace=pace)
        await fold.catch_up(until, tell)

    async def prove(self) -> RowHashes:
        """Hold the target against the live database, at one entry of the log; returns what both hold. Raises
        `Conflict`, code REBUILD_DIFFERS, naming the entities that differ."""
        proof = await prove(self._settings, self._live, self.database, self.fold, self._progress)
        if proof.differing:
            raise Conflict(
                f"the new database is not equal to the live one at log entry {proof.live.checkpoint.entry}: "
                f"{', '.join(proof.differing)} differ. The live one is not a fold of its log; both are left as they "
                "are. `octonet audit verify` tells whether the log is whole; with --unproved the log is believed",
                code="REBUILD_DIFFERS",
            )
        return proof.live

    async def _from_snapshot(self, mark: Checkpoint, last: int) -> None:
        digest = unfinished(mark)
        found: Found | None = None
        if digest:
            found = self._shelf.of(digest)
            if found is None:
                raise Conflict(
                    "that database was being filled from a snapshot that is not there any more: name an empty one",
                    code="TARGET_NOT_EMPTY",
                )
        elif self._wish.from_snapshot:
            found = await self._shelf.newest(self._log, last)
        if found is None:
            return
        total = sum(found.checked.end.rows.values())
        log.info("the new database is filled from %s", found.path.name)
        self._progress.begin(f"fill from {found.path.name}", "row", 0, total)

        async def breathe(rows: int) -> None:
            self._progress.add(rows)
            self._pace.facts += rows
            await self._pace.keep()

        with found.path.open("rb") as file:
            await fill(self.database, file, found.checked, self._sealer, breathe)


class _Pace:
    """Holds the work to a number of facts a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0
        self.facts = 0
        """Since the last look."""

    async def keep(self) -> None:
        """Wait as long as what was done should have taken."""
        facts, self.facts = self.facts, 0
        if self._rate > 0:
            now = asyncio.get_running_loop().time()
            self._due = max(self._due, now) + facts / self._rate
            await asyncio.sleep(self._due - now)


async def _take_over(settings: Settings, endpoint: Endpoint, ours: bool, work: _Work) -> None:
    """The last entries are folded when everything else is ready, so that writes wait for a moment only."""
    by, name = insider("cli"), work.target.name

    async def move(node: Node) -> None:
        projects = node.registry.projects
        await work.follow()
        left = (await work.database.checkpoint()).entry
        moved = await projects.move(by, name, work.target.dialect, work.target.uri)
        if ours or moved.hold:
            return
        # Whoever owns the lane from now on says so in the log, and in the new database.
        deadline = asyncio.get_running_loop().time() + _TAKEN_WITHIN
        while (await work.database.checkpoint()).entry <= left:
            found = (await projects.specified(by)).get(name)
            if found is not None and found.problem is not None:
                raise Conflict(f"the new database is not taken: {found.problem}", code="SCHEMA_CONFLICT")
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    "the project is to be served from the new database, and nobody does so yet: is a worker running?",
                    code="NOT_READY",
                )
            await asyncio.sleep(_LOOK)

    await beside(settings, endpoint, ours, SYSTEM_PROJECT, move)
