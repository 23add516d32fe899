"""What the authority makes of users, roles, accounts and keys as they are stored, and that it fails closed."""

from __future__ import annotations

from typing import Any

import pytest

from octonet.access.permissions import UNLIMITED, Permissions, parse
from octonet.access.principal import Principal, Visitor
from octonet.admin.accounts import Accounts
from octonet.admin.authority import Authority
from octonet.admin.tenancy import Tenancy
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Denied, StorageUnavailable, Unauthenticated, Unavailable
from octonet.kernel.ids import Row

NOW = 1_000_000
NOTHING = Permissions({})


class Rows:
    """As much of the system project as is asked here."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Row]] = {}
        self.away = False

    def put(self, entity: str, id: str, **row: Any) -> None:
        self.rows.setdefault(entity, {})[id] = {"id": id, **row}

    async def find(self, by: Visitor, entity: str, id: str) -> Row | None:
        if self.away:
            raise StorageUnavailable
        return self.rows.get(entity, {}).get(id)

    async def every(self, by: Visitor, entity: str, where: dict[str, Any] | None = None, **options: Any) -> list[Row]:
        if self.away:
            raise StorageUnavailable

        def fits(row: Row) -> bool:
            return all(
                row[name] in wanted["$in"] if isinstance(wanted, dict) else row[name] == wanted
                for name, wanted in (where or {}).items()
            )

        return [row for row in self.rows.get(entity, {}).values() if fits(row)]


class World:
    def __init__(self) -> None:
        self.rows = Rows()
        self.owned: dict[str, str] = {}

        async def projects_of(by: Visitor, accounts: frozenset[str]) -> frozenset[str]:
            return frozenset(name for name, account in self.owned.items() if account in accounts)

        accounts = Accounts(self.rows, lambda: NOW, projects_of)  # type: ignore[arg-type]
        self.authority = Authority(self.rows, accounts)  # type: ignore[arg-type]
        self.tenancy = Tenancy(self.authority, accounts)
        for code in ("project:read", "project:update", "project:read:any", "apikey:list", "apikey:create"):
            self.rows.put("Permission", code, code=code)
        self.rows.put("Role", "admin", name="admin", permissions=[])
        tenant = ["project:read", "project:update", "apikey:list", "apikey:create"]
        self.rows.put("Role", "tenant", name="tenant", permissions=tenant)
        self.rows.put("Role", "auditor", name="auditor", permissions=["project:read", "project:read:any"])
        for role in ("admin", "tenant", "auditor"):
            self.rows.put("User", role, status="active", roles=[role])
        self.account("ours", owner="tenant")

    def account(self, id: str, **row: Any) -> None:
        fresh: Row = {"type": "personal", "status": "active", "owner": None, "parent": None, "members": []}
        self.rows.put("Account", id, **{**fresh, **row})

    def key(self, id: str, account: str | None, permissions: Any, **row: Any) -> None:
        fresh = {"account": account, "permissions": permissions, "enabled": True, "expiresAt": None}
        self.rows.put("ApiKey", id, **{**fresh, **row})

    async def may(self, by: Visitor, permission: str, project: str = "*") -> bool:
        try:
            await self.authority.check(by, permission, project)
        except Denied:
            return False
        return True


@pytest.fixture
def world() -> World:
    return World()


def person(user: str) -> Visitor:
    return Visitor(Principal("", "", NOTHING, 0, user), Actor())


def key(account: str, permissions: Permissions = UNLIMITED) -> Visitor:
    return Visitor(Principal("sk_live_x", account, permissions), Actor())


async def test_the_administrators_role_may_do_everything_whatever_is_written_in_it(world: World) -> None:
    assert await world.may(person("admin"), "unheard:of", "any-project")


@pytest.mark.parametrize("status", ["locked", "disabled", "", None])
async def test_whoever_is_not_active_may_do_nothing(world: World, status: str | None) -> None:
    world.rows.put("User", "tenant", status=status, roles=["tenant", "admin"])
    for by in (person("tenant"), key("ours"), person("nobody"), key("nobody")):
        assert not await world.may(by, "apikey:list")


async def test_a_tenant_reaches_a_project_by_owning_it_or_by_a_key(world: World) -> None:
    tenant = person("tenant")
    assert not await world.may(tenant, "project:read", "shop")
    assert not await world.may(tenant, "project:read")
    world.key("k", "ours", {"projects": ["shop"], "operations": ["read"]})
    assert await world.may(tenant, "project:read", "shop")
    assert not await world.may(tenant, "project:update", "shop")
    assert not await world.may(tenant, "project:read", "blog")
    world.key("k", "ours", {"projects": ["shop"], "operations": ["read"]}, enabled=False)
    assert not await world.may(tenant, "project:read", "shop")
    world.key("k", "ours", {"projects": ["shop"], "operations": ["read"]}, expiresAt="1970-01-01T00:16:40.000Z")
    assert not await world.may(tenant, "project:read", "shop")
    world.key("k", "theirs", {"projects": ["shop"], "operations": ["read"]})
    assert not await world.may(tenant, "project:read", "shop")
    world.owned["shop"] = "ours"
    assert await world.may(tenant, "project:update", "shop")
    assert not await world.may(tenant, "project:update")


async def test_who_may_read_any_project_may_read_any(world: World) -> None:
    assert await world.may(person("auditor"), "project:read", "shop")
    assert not await world.may(person("auditor"), "project:update", "shop")


async def test_a_key_reaches_the_projects_that_it_opens(world: World) -> None:
    narrow = parse({"projects": ["shop"], "operations": ["read"]})
    for by in (key("ours", narrow), key("", narrow)):
        assert await world.may(by, "project:read", "shop")
        assert not await world.may(by, "project:read", "blog")
        assert not await world.may(by, "project:read")
        assert not await world.may(by, "project:update", "shop")


async def test_a_key_of_a_suspended_account_may_do_nothing(world: World) -> None:
    assert await world.may(key("ours"), "apikey:list")
    world.account("ours", owner="tenant", status="suspended")
    assert not await world.may(key("ours"), "apikey:list")


async def test_a_role_that_is_gone_gives_nothing(world: World) -> None:
    world.rows.put("User", "tenant", status="active", roles=["vanished"])
    assert not await world.may(person("tenant"), "apikey:list")
    world.rows.put("User", "tenant", status="active", roles=None)
    assert not await world.may(person("tenant"), "apikey:list")


async def test_while_nothing_can_be_read_nobody_may_do_anything(world: World) -> None:
    world.rows.away = True
    for by in (person("admin"), person("tenant"), key("ours")):
        with pytest.raises(Unavailable):
            await world.authority.check(by, "apikey:list")
        with pytest.raises(Unavailable):
            await world.tenancy.standing(by, "apikey:list")


async def test_a_revoked_key_may_do_nothing(world: World) -> None:
    by = key("")
    by.principal.revoke()
    with pytest.raises(Unauthenticated):
        await world.authority.check(by, "apikey:list")


async def test_a_tenant_gives_keys_for_the_projects_that_they_own(world: World) -> None:
    world.owned["shop"] = "ours"
    tenant = person("tenant")
    standing = await world.tenancy.standing(tenant, "apikey:create")
    wanted = parse({"projects": ["shop"], "operations": ["write"], "transports": "*"})
    await world.tenancy.check_grant(tenant, standing, "ours", wanted, None)
    for account, more in (("ours", ["shop", "blog"]), ("theirs", ["shop"])):
        wanted = parse({"projects": more, "operations": ["write"], "transports": "*"})
        with pytest.raises(Denied):
            await world.tenancy.check_grant(tenant, standing, account, wanted, None)
