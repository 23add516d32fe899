"""A project: one schema, one database, one lane. The registry of all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import Protocol

import msgspec

from octonet.access.idempotency import Idempotency
from octonet.kernel.catch_up import CatchUp
from octonet.kernel.envelope import Draft
from octonet.kernel.errors import NotFound
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import Outcome
from octonet.kernel.operation import Command, Limits
from octonet.kernel.past import Past
from octonet.kernel.position import Positions
from octonet.kernel.schema import Schemas
from octonet.kernel.sealing import Sealer
from octonet.kernel.storage import Database
from octonet.kernel.trial import Trial
from octonet.sources import NO_REPLICAS, Sources
from projections.engine.hub import Hub


class Intake(Protocol):
    """Where commands go in."""

    def submit(self, draft: Draft[Command], patience: float) -> Awaitable[Outcome]:
        """Send a command on its way; the awaitable gives its outcome, or raises why it was refused or not recorded,
        or `TimeoutError` after about `patience` seconds."""
        ...

    def submit_together(self, drafts: Sequence[Draft[Command]], patience: float) -> Sequence[Awaitable[Outcome]]:
        """The same for the commands of a change set, which travel in one frame or not at all: one that is refused on
        its way refuses them all, and every awaitable raises why."""
        ...


class Project(msgspec.Struct, frozen=True):
    """One isolated schema and database, and the ports to its lane."""

    name: ProjectName
    schemas: Schemas
    database: Database
    dialect: str
    intake: Intake
    history: CatchUp
    hub: Hub
    sealer: Sealer
    positions: Positions
    idempotency: Idempotency
    past: Past
    trial: Trial
    limits: Limits = Limits()
    sources: Sources = NO_REPLICAS
    """Replicas that queries may be answered from."""


class Projects:
    """The projects this process serves, by name."""

    def __init__(self, projects: list[Project]) -> None:
        self._by_name = {project.name: project for project in projects}

    def __iter__(self) -> Iterator[Project]:
        return iter(list(self._by_name.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def put(self, project: Project) -> None:
        """Serve a project from now on, in place of one of the same name."""
        self._by_name[project.name] = project

    def remove(self, name: ProjectName) -> None:
        """Serve it no longer."""
        self._by_name.pop(name, None)

    def get(self, name: ProjectName) -> Project:
        """The project of this name. Raises `NotFound` with code UNKNOWN_PROJECT."""
        try:
            return self._by_name[name]
        except KeyError:
            raise NotFound(f"there is no project {name!r}", code="UNKNOWN_PROJECT") from None
