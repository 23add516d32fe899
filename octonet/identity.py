"""Identity, put together: the gate that keys are shown at, the office where they are made, what keeps both current."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from octonet.access.gate import OPEN, Gate
from octonet.access.key_ring import KeyRing
from octonet.access.keys import Scheme
from octonet.access.permissions import PROJECTS
from octonet.access.quota import Quota
from octonet.access.sealing import derived, project_key
from octonet.access.system_facts import Listener
from octonet.access.tickets import Tickets
from octonet.access.usage import Usage
from octonet.admin.api_keys import ApiKeys
from octonet.admin.authority import Authority, LetIn
from octonet.admin.bootstrap import Admin, bootstrap
from octonet.admin.doors.api_keys import ApiKeysDoor
from octonet.admin.doors.auth import AuthDoor
from octonet.admin.scopes import Scopes
from octonet.admin.system import SystemProject
from octonet.admin.usage_store import UsageStore
from octonet.clock import now
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.gateway import Gateway
from octonet.kernel.errors import Invalid
from octonet.kernel.ids import SYSTEM_PROJECT, is_private
from octonet.kernel.schema import Schemas
from octonet.project import Project, Projects
from octonet.transport import HttpDoor

_LAST_USES = 1.0
"""Seconds that the last uses of keys may take to be written."""


class Identity:
    """Who may do what, in one process. `schemas` are the system project's."""

    def __init__(self, settings: Settings, projects: Projects, schemas: Schemas) -> None:
        self._settings = settings
        self._projects = projects
        self._key = project_key(DataDirectory(settings.data_dir).keys, SYSTEM_PROJECT)
        self._pepper, self._tickets = derived(self._key, "pepper"), Tickets(derived(self._key, "tickets"))
        self._scheme = _scheme(settings)
        self._ring = KeyRing(lambda: self._system.database, schemas, self._pepper, self._tickets, now)
        self.gate = OPEN if settings.open_mode else Gate(self._ring)
        self._housekeeping: list[asyncio.Task[None]] = []

    def begin(self, gateway: Gateway) -> None:
        """Count uses, see to keys that expire, from now on."""
        if self.gate is OPEN:
            return
        store = UsageStore(SystemProject(gateway))
        usage = self.gate.usage = Usage(store.write, now)
        self.gate.quota = Quota(store.take, now)
        self._housekeeping = [asyncio.create_task(work) for work in (self._ring.run(), usage.run())]

    @property
    def listener(self) -> Listener:
        """Who must hear of every change of the system project."""
        return self._ring

    def api_keys(self, gateway: Gateway) -> ApiKeys:
        """How keys are issued, changed and revoked."""
        return ApiKeys(SystemProject(gateway), self._pepper, self._scheme)

    def office(self, gateway: Gateway, let_in: LetIn, authority: Authority) -> Mapping[str, HttpDoor]:
        """The doors for those who see to keys: path prefix → door. None in open mode, which knows of no keys."""
        if self.gate is OPEN:
            return {}
        system = SystemProject(gateway)
        scopes = Scopes(system, {PROJECTS: lambda: [p.name for p in self._projects if not is_private(p.name)]})
        return {
            **AuthDoor(self._tickets, let_in, now).mount(),
            **ApiKeysDoor(self.api_keys(gateway), scopes, let_in, authority, now).mount(),
        }

    async def bootstrap(self, gateway: Gateway) -> str | None:
        """Make what every installation begins with, as far as it is missing; returns the key that everybody may read
        with when it was made just now."""
        settings = self._settings
        admin = Admin(settings.admin_email, settings.admin_password) if settings.admin_email else None
        return await bootstrap(SystemProject(gateway), self.api_keys(gateway), admin)

    async def close(self) -> None:
        """Write what was counted, give back what was not used."""
        for task in self._housekeeping:
            task.cancel()
        await asyncio.gather(*self._housekeeping, return_exceptions=True)
        if self.gate.usage is not None and self.gate.quota is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_USES):
                    await self.gate.usage.flush()
                    await self.gate.quota.close()
        self._ring.close()

    @property
    def _system(self) -> Project:
        return self._projects.get(SYSTEM_PROJECT)


def _scheme(settings: Settings) -> Scheme:
    try:
        return Scheme(settings.key_hash)
    except ValueError:
        raise Invalid(f"OCTONET_KEY_HASH {settings.key_hash!r} is none of {', '.join(Scheme)}") from None
