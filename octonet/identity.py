"""Identity, put together: the gate that keys are shown at, the office where they are made, what keeps both current."""

from __future__ import annotations

import asyncio
import contextlib

from octonet.access.gate import OPEN, Gate
from octonet.access.key_ring import KeyRing
from octonet.access.keys import Scheme
from octonet.access.passwords import Passwords
from octonet.access.permissions import PROJECTS
from octonet.access.quota import Quota
from octonet.access.rate import Add, Rate
from octonet.access.sealing import derived, project_key
from octonet.access.sessions import SessionTokens
from octonet.access.system_facts import Listener
from octonet.access.tickets import Tickets
from octonet.access.usage import Usage
from octonet.admin.accounts import Accounts, ProjectsOf
from octonet.admin.api_keys import ApiKeys
from octonet.admin.authority import Authority
from octonet.admin.bootstrap import Admin, bootstrap
from octonet.admin.doors.accounts import AccountsDoor
from octonet.admin.doors.api_keys import ApiKeysDoor
from octonet.admin.doors.auth import AuthDoor
from octonet.admin.doors.people import PeopleDoor
from octonet.admin.doors.roles import RolesDoor
from octonet.admin.doors.sessions import SessionsDoor
from octonet.admin.login import Login
from octonet.admin.office import Office
from octonet.admin.people import People
from octonet.admin.reception import Reception
from octonet.admin.roles import Roles
from octonet.admin.scopes import Scopes
from octonet.admin.system import SystemProject
from octonet.admin.tenancy import Tenancy
from octonet.admin.usage_store import UsageStore
from octonet.clock import now
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.gateway import Gateway
from octonet.kernel.errors import Invalid
from octonet.kernel.ids import SYSTEM_PROJECT, is_private
from octonet.kernel.schema import Schemas
from octonet.project import Project, Projects
from transports.engine.caller import caller

_LAST_USES = 1.0
"""Seconds that the last uses of keys may take to be written."""


class Identity:
    """Who may do what, in one process. `schemas` are the system project's; `add` counts uses of keys by seconds, for
    all processes."""

    def __init__(self, settings: Settings, projects: Projects, schemas: Schemas, add: Add) -> None:
        self._settings = settings
        self._projects = projects
        self._add = add
        self._key = project_key(DataDirectory(settings.data_dir).keys, SYSTEM_PROJECT)
        self._pepper, self._tickets = derived(self._key, "pepper"), Tickets(derived(self._key, "tickets"))
        self._sessions, self._passwords = SessionTokens(derived(self._key, "sessions")), Passwords()
        self._people = schemas.entities["User"]
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
        self.gate.quota, self.gate.rate = Quota(store.take, now), Rate(self._add, now)
        self._housekeeping = [asyncio.create_task(work) for work in (self._ring.run(), usage.run())]

    @property
    def listener(self) -> Listener:
        """Who must hear of every change of the system project."""
        return self._ring

    def api_keys(self, gateway: Gateway) -> ApiKeys:
        """How keys are issued, changed and revoked."""
        return ApiKeys(SystemProject(gateway), self._pepper, self._scheme)

    def office(self, gateway: Gateway, projects_of: ProjectsOf) -> Office:
        """The doors for those who see to keys and people, and who is let in there and what for. There are none in open
        mode, which knows of neither."""
        system = SystemProject(gateway)
        accounts = Accounts(system, now, projects_of)
        authority = Authority(system, accounts)
        tenancy = Tenancy(authority, accounts)
        scopes = Scopes(system, {PROJECTS: lambda: [p.name for p in self._projects if not is_private(p.name)]})
        login = self._login(system)
        public = self._settings.public_url
        encrypted = bool(self._settings.tls_cert)
        reception = Reception(
            gateway, login, self._sessions, lambda incoming: caller(incoming, "admin"), public, encrypted
        )
        people = People(system, authority, login, self._passwords)
        doors = {
            **AuthDoor(self._tickets, reception.by_key, now).mount(),
            **SessionsDoor(reception, login, self._sessions, authority, now).mount(),
            **ApiKeysDoor(self.api_keys(gateway), scopes, reception.let_in, authority, tenancy, now).mount(),
            **PeopleDoor(people, reception.let_in).mount(),
            **RolesDoor(Roles(system), reception.let_in, authority).mount(),
            **AccountsDoor(accounts, reception.let_in, authority).mount(),
        }
        return Office(reception.let_in, reception, authority, accounts, {} if self.gate is OPEN else doors)

    def _login(self, system: SystemProject) -> Login:
        life = self._settings.session_life
        return Login(system, lambda: self._system.database, self._people, self._passwords, self._sessions, life, now)

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
        self._passwords.close()

    @property
    def _system(self) -> Project:
        return self._projects.get(SYSTEM_PROJECT)


def _scheme(settings: Settings) -> Scheme:
    try:
        return Scheme(settings.key_hash)
    except ValueError:
        raise Invalid(f"OCTONET_KEY_HASH {settings.key_hash!r} is none of {', '.join(Scheme)}") from None
