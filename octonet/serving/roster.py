"""All projects of this process. What is wanted is told as a whole; each project is brought there by itself, so that one
whose database hangs holds up none of the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import SYSTEM_PROJECT, ProjectName
from octonet.project import Projects
from octonet.projects_tree import ProjectSettings
from octonet.serving.served import Served
from octonet.serving.surroundings import Surroundings

log = logging.getLogger("octonet")

_AT_ONCE = 16
"""Projects that are opened at the same time."""
_PAUSE = 2.0


class Roster:
    """`projects` holds those that can be asked; `only` as in `octonet.app.Node`; `refused` hears of changes that the
    tables do not allow."""

    def __init__(
        self,
        around: Surroundings,
        projects: Projects,
        only: frozenset[ProjectName] | None,
        refused: Callable[[ProjectSettings, str], None],
    ) -> None:
        self._around = around
        self._only = only
        self._projects = projects
        self._refused = refused
        self._served: dict[ProjectName, Served] = {}
        self._wanted: dict[ProjectName, ProjectSettings] = {}
        self._moving: dict[ProjectName, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def find(self, name: ProjectName) -> Served | None:
        """The project of this name."""
        return self._served.get(name)

    def chooses(self, name: ProjectName) -> bool:
        """Whether a project of this name is to be served here, if there is one."""
        return self._only is None or name in self._only or name == SYSTEM_PROJECT

    async def open(self, wanted: Sequence[ProjectSettings]) -> None:
        """Serve these, at a start. Raises the first `OctonetError` that waiting does not mend, after all were tried:
        a database that is slow to refuse holds up nobody, and nothing is left half open."""
        self._wanted |= self._chosen(wanted)
        found = [self._make(project) for project in self._chosen(wanted).values()]

        async def one(served: Served) -> None:
            async with self._room:
                await served.open()

        for outcome in await asyncio.gather(*map(one, found), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def follow(self, wanted: Sequence[ProjectSettings]) -> None:
        """Serve exactly these from now on, in these ways; returns at once."""
        self._wanted = self._chosen(wanted)
        for name in self._wanted | self._served:
            if name not in self._moving and not self._is_there(name):
                task = asyncio.create_task(self._move(name), name=f"change of project {name}")
                self._moving[name] = task

    async def drain(self) -> None:
        """Change nothing more, record what is queued."""
        for task in self._moving.values():
            task.cancel()
        await asyncio.gather(*self._moving.values(), return_exceptions=True)
        await asyncio.gather(*(served.drain() for served in self))

    async def close(self) -> None:
        """Release everything but the lanes."""
        for served in self:
            await served.close()

    def _chosen(self, wanted: Sequence[ProjectSettings]) -> dict[ProjectName, ProjectSettings]:
        """Nothing goes without the system project."""
        found = {project.name: project for project in wanted}
        return {name: project for name, project in found.items() if self.chooses(name)}

    def _make(self, project: ProjectSettings) -> Served:
        served = self._served[project.name] = Served(self._around, project, self._projects.put, self._refused)
        return served

    def _is_there(self, name: ProjectName) -> bool:
        served = self._served.get(name)
        return (None if served is None else served.asked) == self._wanted.get(name)

    async def _move(self, name: ProjectName) -> None:
        """Until the project is as it is wanted, which may change meanwhile."""
        try:
            while not self._is_there(name):
                async with self._room:
                    try:
                        await self._step(name, self._wanted.get(name))
                    except OctonetError as problem:
                        log.error("project %s cannot be served as it is: %s", name, problem)
                        await asyncio.sleep(_PAUSE)
        finally:
            del self._moving[name]

    async def _step(self, name: ProjectName, wanted: ProjectSettings | None) -> None:
        served = self._served.get(name)
        if wanted is None:
            await self._end(name)
        elif served is None:
            await self._join(wanted)
        else:
            await served.change(wanted)

    async def _join(self, wanted: ProjectSettings) -> None:
        served = self._make(wanted)
        try:
            await served.join()
        except OctonetError:
            await self._end(wanted.name)
            raise

    async def _end(self, name: ProjectName) -> None:
        served = self._served.pop(name, None)
        self._projects.remove(name)
        if served is not None:
            await served.drain()
            if self._around.worker is not None:
                await self._around.worker.remove(name)
            await served.close()
            log.info("project %s is not served any more", name)
