"""What stands in for a project's database and lane while it cannot be reached, or the project is paused."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from octonet.kernel.aggregate import Stage
from octonet.kernel.envelope import Draft, Envelope
from octonet.kernel.errors import Unavailable
from octonet.kernel.filter import Filter, Options
from octonet.kernel.ids import CommandId, EntityId, Row
from octonet.kernel.log import Outcome
from octonet.kernel.operation import Command
from octonet.kernel.past import Moment, Version
from octonet.kernel.position import Position
from octonet.kernel.schema import EntitySchema, Relation, Schemas
from octonet.kernel.storage import Checkpoint, Contents, Followed, Page, Snapshot, Source, Stored, Strategy, Transaction
from octonet.kernel.trial import Tried


class AwayDatabase:
    """Implements `kernel.storage.Database`: whatever it is asked, it raises `problem`."""

    def __init__(self, problem: Unavailable) -> None:
        self._problem = problem

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        self._refuse()

    async def whole(self, schema: EntitySchema, id: EntityId) -> Stored | None:
        self._refuse()

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        self._refuse()

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        self._refuse()

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        self._refuse()

    async def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> list[Row]:
        self._refuse()

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        self._refuse()

    async def checkpoint(self) -> Checkpoint:
        self._refuse()

    async def recall(self, id: CommandId) -> int | None:
        self._refuse()

    async def migrate(
        self, schemas: Schemas, strategy: Strategy, *, drop: bool = False, mark: Checkpoint | None = None
    ) -> None:
        self._refuse()

    async def follows(self) -> Followed | None:
        self._refuse()

    async def identity(self) -> str:
        self._refuse()

    async def contents(self) -> Contents:
        self._refuse()

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        self._refuse()

    async def begin(self) -> Transaction:
        self._refuse()

    async def close(self, *, kept: bool = False) -> None:
        """There is nothing to release."""

    def _refuse(self) -> NoReturn:
        raise type(self._problem)(self._problem.message, code=self._problem.code)


class AwayPast:
    """Implements `kernel.past.Past` for a project that nobody may ask."""

    def __init__(self, problem: Unavailable) -> None:
        self._problem = problem

    def seen(self, schemas: Schemas, at: Moment) -> AbstractAsyncContextManager[Source]:
        raise type(self._problem)(self._problem.message, code=self._problem.code)

    async def versions(
        self, schemas: Schemas, entity: str, id: EntityId, before: Position | None, limit: int
    ) -> list[Version]:
        raise type(self._problem)(self._problem.message, code=self._problem.code)

    async def schemas(self) -> list[Schemas]:
        raise type(self._problem)(self._problem.message, code=self._problem.code)


class AwayTrial:
    """Implements `kernel.trial.Trial` for a project that nobody may ask."""

    def __init__(self, problem: Unavailable) -> None:
        self._problem = problem

    async def attempt(self, envelope: Envelope[Command]) -> Tried:
        raise type(self._problem)(self._problem.message, code=self._problem.code)


class AwayIntake:
    """Implements `octonet.project.Intake`: a command that could be checked against nothing is not taken."""

    def __init__(self, problem: Unavailable) -> None:
        self._problem = problem

    def submit(self, draft: Draft[Command], patience: float) -> Awaitable[Outcome]:
        raise type(self._problem)(self._problem.message, code=self._problem.code)

    def submit_together(self, drafts: Sequence[Draft[Command]], patience: float) -> Sequence[Awaitable[Outcome]]:
        raise type(self._problem)(self._problem.message, code=self._problem.code)
