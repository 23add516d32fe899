"""Tenants see and change what is their own, and give no more than they have; whatever else they try is refused as if it
were not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.office import Office, chief, staffed, wish, with_key
from tests.running import Server

KEYS = "/api/api-keys"
DEFAULT = {"projects": ["default"], "operations": ["read", "write"], "transports": "*"}
NOTHING: dict[str, Any] = {"projects": [], "operations": [], "transports": []}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with staffed(tmp_path_factory.mktemp("tenancy") / "data") as found:
        yield found


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


class Tenant:
    """Somebody with an account of their own and a key of it."""

    def __init__(self, office: Office, account: str, key: str) -> None:
        self.office = office
        self.account = account
        self.key = key

    @property
    def path(self) -> str:
        return f"{KEYS}/{self.key[:20]}"


async def _tenant(root: Office, **scopes: Any) -> Tenant:
    office = await root.person()
    account = await root.account(owner=office.id)
    return Tenant(office, account, await root.key(account, **{**DEFAULT, **scopes}))


async def _seen(office: Office) -> set[str]:
    return {row["prefix"] for row in await office.done("GET", KEYS)}


async def test_a_list_holds_what_is_ones_own(root: Office, server: Server) -> None:
    one, other = await _tenant(root, operations="*"), await _tenant(root)
    assert await _seen(one.office) == {one.key[:20]}
    assert await _seen(with_key(server, one.key)) == {one.key[:20]}
    assert [row["id"] for row in await one.office.done("GET", "/api/accounts")] == [one.account]
    assert {one.key[:20], other.key[:20]} < await _seen(root)


async def test_what_is_anothers_is_as_if_it_were_not_there(root: Office, server: Server) -> None:
    one, other = await _tenant(root, operations="*"), await _tenant(root)
    unowned = await root.key(operations=["read"])
    for office in (one.office, with_key(server, one.key)):
        for method, path, body in (
            ("PUT", "", {"label": "mine now"}),
            ("PUT", "", {"enabled": False}),
            ("DELETE", "", None),
            ("POST", "/rotate", {}),
        ):
            foreign = await office.ask(method, other.path + path, body)
            nowhere = await office.ask(method, f"{KEYS}/sk_live_nobody{path}", body)
            assert foreign == nowhere
            assert foreign[0] == 404
            assert await office.status(method, f"{KEYS}/{unowned[:20]}{path}", body) == 404
    assert await with_key(server, other.key).status("GET", "/api/v1/tags") == 200


async def test_a_key_for_another_account_is_not_given(root: Office, server: Server) -> None:
    one, other = await _tenant(root, operations="*"), await _tenant(root)
    for office in (one.office, with_key(server, one.key)):
        for account in (other.account, "public-system", "nobody"):
            assert await office.code("POST", KEYS, wish(DEFAULT, account)) == (403, "FORBIDDEN")
        # One that names none becomes the account's: a key of nobody's could do more.
        made = await office.done("POST", KEYS, wish(DEFAULT))
        assert made["account"] == one.account
    several = await root.account(owner=one.office.id)
    assert await one.office.status("POST", KEYS, wish(NOTHING)) == 422
    assert await one.office.status("POST", KEYS, wish(NOTHING, several)) == 201


@pytest.mark.parametrize(
    "more",
    [
        {"projects": "*"},
        {"projects": ["default", "shop"]},
        {"operations": ["admin"]},
        {"operations": "*"},
        {"regions": ["eu"]},
    ],
)
async def test_nobody_gives_more_than_they_have(root: Office, more: dict[str, Any]) -> None:
    one = await _tenant(root)
    assert await one.office.status("POST", KEYS, wish({"scopes": {**DEFAULT, **more}})) == 403
    assert await one.office.status("PUT", one.path, {"permissions": {"scopes": {**DEFAULT, **more}}}) == 403
    less = {**DEFAULT, "operations": ["read"]}
    assert await one.office.status("PUT", one.path, {"permissions": {"scopes": less}}) == 200


async def test_two_keys_do_not_add_up_to_one_that_can_do_both(root: Office) -> None:
    one = await _tenant(root, projects=["default"], operations=["read"])
    await root.key(one.account, projects=["shop"], operations="*")
    both = {"projects": ["default", "shop"], "operations": ["read"], "transports": "*"}
    more = {"projects": ["default"], "operations": ["write"], "transports": "*"}
    for permissions, status in ((both, 403), (more, 403), ({**more, "projects": ["shop"]}, 201)):
        assert await one.office.status("POST", KEYS, wish(permissions)) == status


async def test_a_key_hands_on_no_more_than_itself(root: Office, server: Server) -> None:
    soon, later = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="milliseconds") for hours in (1, 2))
    one = await _tenant(root)
    strong = await root.key(one.account)
    made = await root.done(
        "POST", KEYS, wish({**DEFAULT, "operations": ["admin"], "rateLimit": 50}, one.account, expiresAt=soon)
    )
    weak = with_key(server, made["apiKey"])
    same = {**DEFAULT, "operations": ["admin"]}
    for permissions, end, status in (
        ({**same, "rateLimit": 5}, soon, 201),
        ({**same, "rateLimit": 51}, soon, 403),
        (same, soon, 403),
        ({**same, "rateLimit": 5}, later, 403),
        ({**same, "rateLimit": 5}, None, 403),
    ):
        assert await weak.status("POST", KEYS, wish(permissions, expiresAt=end)) == status
    # Whoever rotates a key is told its text.
    assert await weak.status("POST", f"{KEYS}/{strong[:20]}/rotate", {}) == 403
    assert await weak.status("PUT", f"{KEYS}/{made['prefix']}", {"expiresAt": None}) == 403
    assert await weak.status("DELETE", f"{KEYS}/{strong[:20]}") == 200
    assert await weak.status("PUT", f"{KEYS}/{strong[:20]}", {"enabled": True}) == 403
    assert await one.office.status("PUT", f"{KEYS}/{strong[:20]}", {"enabled": True}) == 403


async def test_an_account_lends_nobody_the_power_of_its_owner(root: Office, server: Server) -> None:
    member, boss = await root.person(), await root.person("admin")
    shared = await root.account(owner=boss.id, members=[member.id])
    held = await root.key(shared)
    assert await _seen(member) == {held[:20]}
    reads = {"projects": "*", "operations": ["read"], "transports": "*"}
    # Its owner sees all people, and so would the key.
    assert await member.status("POST", KEYS, wish(reads)) == 403
    assert await member.status("POST", f"{KEYS}/{held[:20]}/rotate", {}) == 403
    assert await member.status("POST", KEYS, wish({**reads, "operations": []})) == 201
    assert await boss.status("POST", KEYS, wish(reads, shared)) == 201


async def test_a_portal_sees_its_children_and_not_theirs(root: Office) -> None:
    owner = await root.person()
    portal = await root.account(type="portal", owner=owner.id)
    child = await root.account(parent=portal)
    grandchild = await root.account(parent=child)
    keys = [await root.key(account, **DEFAULT) for account in (portal, child, grandchild)]
    assert await _seen(owner) == {key[:20] for key in keys[:2]}
    assert await owner.status("POST", KEYS, wish(NOTHING, child)) == 201
    assert await owner.status("POST", KEYS, wish(NOTHING, grandchild)) == 403
    assert await owner.status("DELETE", f"{KEYS}/{keys[1][:20]}") == 200
    assert await owner.status("DELETE", f"{KEYS}/{keys[2][:20]}") == 404
    await root.done("PUT", f"/api/accounts/{portal}", {"type": "organization"})
    assert await _seen(owner) & {keys[1][:20], keys[2][:20]} == set()


async def test_whoever_leaves_an_account_or_whose_account_is_suspended_sees_nothing(root: Office) -> None:
    member, one = await root.person(), await _tenant(root)
    path = f"/api/accounts/{one.account}"
    await root.done("PUT", path, {"members": [member.id]})
    assert await _seen(member) == {one.key[:20]}
    await root.done("PUT", path, {"members": []})
    assert await _seen(member) == set()
    assert await member.status("DELETE", one.path) == 404
    await root.done("PUT", path, {"status": "suspended"})
    assert await _seen(one.office) == set()
    assert await one.office.status("POST", KEYS, wish(NOTHING)) == 422


async def test_who_sees_to_all_keys_gives_none_that_opens_the_office(root: Office) -> None:
    codes = ["apikey:list", "apikey:create", "apikey:revoke", "apikey:admin"]
    await root.done("POST", "/api/admin/roles", {"name": "keys", "permissions": codes})
    keeper, boss, one = await root.person("keys"), await root.person("admin"), await _tenant(root)
    of_boss = await root.account(owner=boss.id)
    strong = await root.key()
    assert {one.key[:20], strong[:20]} < await _seen(keeper)
    everything = {"projects": "*", "operations": "*", "transports": "*"}
    for account in (None, of_boss):
        assert await keeper.status("POST", KEYS, wish(everything, account)) == 403
    for path, body in ((f"{strong[:20]}/rotate", {}), (f"{strong[:20]}", {"enabled": True})):
        method = "POST" if "rotate" in path else "PUT"
        assert await keeper.status(method, f"{KEYS}/{path}", body) == 403
    assert await keeper.status("POST", KEYS, wish({"projects": "*", "operations": ["write"]}, of_boss)) == 403
    assert await keeper.status("POST", KEYS, wish({"projects": "*", "operations": ["write"]})) == 201
    assert await keeper.status("DELETE", f"{KEYS}/{strong[:20]}") == 200
