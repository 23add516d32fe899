"""When a login is over, whatever order things happen in; whose a cookie is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from octonet.access.passwords import Passwords
from octonet.access.permissions import Permissions
from octonet.access.principal import Principal, Visitor
from octonet.access.sessions import SessionTokens
from octonet.admin.login import Login
from octonet.admin.reception import cookie
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Unauthenticated
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.operation import Request
from octonet.kernel.schema import EntitySchema
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import Stored

SCHEMAS = parse((Path(__file__).parents[3] / "octonet" / "access" / "system.json").read_bytes())
BY = Visitor(Principal("", "", Permissions({})), Actor(address="192.0.2.7"))
EMAIL, PASSWORD = "somebody@office.test", "long enough"


def _hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class System:
    """As much of the system project as a login asks for: one user, and sessions. `before_session` happens just before
    one is made."""

    def __init__(self) -> None:
        self.user: Row = {"id": "u", "email": EMAIL, "status": "active", "password": _hashed(PASSWORD), "roles": []}
        self.sessions: dict[str, Row] = {}
        self.before_session: Callable[[], None] = lambda: None

    async def find(self, by: Visitor, entity: str, id: str) -> Row | None:
        return self.sessions.get(id)

    async def find_one(self, by: Visitor, entity: str, where: dict[str, Any]) -> Row | None:
        return self.user if where == {"email": self.user["email"]} else None

    async def create(self, by: Visitor, entity: str, row: Row) -> Row:
        self.before_session()
        self.sessions[str(row["id"])] = row
        return row

    async def write(self, by: Visitor, request: Request) -> None:
        where = request.filter
        if request.op == "deleteMany" and isinstance(where, dict) and "expiresAt" not in where:
            gone = [id for id, row in self.sessions.items() if all(row[name] == where[name] for name in where)]
            for id in gone:
                del self.sessions[id]

    async def whole(self, schema: EntitySchema, id: EntityId) -> Stored | None:
        return Stored(id, 1, self.user) if id == self.user["id"] else None


class World:
    def __init__(self) -> None:
        self.now = 1_000_000
        self.system = System()
        self.tokens = SessionTokens(b"a key")
        system: Any = self.system
        users = SCHEMAS.entities["User"]
        self.login = Login(system, lambda: system, users, Passwords(), self.tokens, 60, lambda: self.now)

    async def token(self) -> str:
        return (await self.login.login(BY, EMAIL, PASSWORD))[1]


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_session_is_somebodys_and_shows_no_secret(world: World) -> None:
    session, token = await world.login.login(BY, f" {EMAIL.upper()}", PASSWORD)
    assert await world.login.resume(BY, token) == session
    assert (session.principal.user, session.principal.key, "password" in session.user) == ("u", "", False)


async def test_a_password_that_was_changed_by_any_way_ends_it(world: World) -> None:
    token = await world.token()
    world.system.user = {**world.system.user, "password": _hashed(PASSWORD)}
    assert await world.login.resume(BY, token) is None


@pytest.mark.parametrize("status", ["locked", "disabled"])
async def test_whoever_is_not_active_has_none(world: World, status: str) -> None:
    token = await world.token()
    world.system.user = {**world.system.user, "status": status}
    assert await world.login.resume(BY, token) is None


async def test_a_row_that_ends_sooner_than_its_token_counts(world: World) -> None:
    token = await world.token()
    [session] = world.system.sessions.values()
    session["expiresAt"] = "1970-01-01T00:16:41.000Z"
    assert await world.login.resume(BY, token) is not None
    world.now = 1_001_000
    assert await world.login.resume(BY, token) is None


async def test_a_token_ends_sooner_than_a_row_that_was_kept(world: World) -> None:
    token = await world.token()
    [session] = world.system.sessions.values()
    session["expiresAt"] = "2999-01-01T00:00:00.000Z"
    world.now += 60_000
    assert await world.login.resume(BY, token) is None


async def test_whoever_is_disabled_while_they_log_in_is_not_logged_in_and_does_not_come_back_so(world: World) -> None:
    def disable() -> None:
        world.system.user = {**world.system.user, "status": "disabled"}

    world.system.before_session = disable
    with pytest.raises(Unauthenticated) as refused:
        await world.token()
    assert (refused.value.code, world.system.sessions) == ("INVALID_CREDENTIALS", {})


async def test_an_end_for_all_ends_all(world: World) -> None:
    tokens = [await world.token(), await world.token()]
    await world.login.end_all(BY, "u")
    assert [await world.login.resume(BY, token) for token in tokens] == [None, None]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ""),
        ("octonet_session=a", "a"),
        ("other=1; octonet_session=a=b; more=2", "a=b"),
        ("octonet_session=a; octonet_session=a", "a"),
        ("octonet_session=a; octonet_session=b", ""),
        ("Octonet_Session=a", ""),
        ("xoctonet_session=a", ""),
        ("__Host-octonet_session=a", ""),
        ("octonet_session", ""),
    ],
)
def test_a_cookie_is_found_by_its_name_alone_and_only_once(header: str, expected: str) -> None:
    assert cookie(header) == expected
