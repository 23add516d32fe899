"""Every route of the office states its permission, and whoever has it in none of their roles is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.office import Office, chief, staffed, wish, with_key
from tests.running import ROOT, Server

SEED = json.loads((ROOT / "octonet" / "admin" / "seed.json").read_text())
ROLES: dict[str, set[str]] = {role["id"]: set(role["permissions"]) for role in SEED["Role"]}
WEAK = {"email": "x@office.test", "password": "short", "firstName": "X", "lastName": "X"}
ROUTES: list[tuple[str, str, str, Any]] = [
    ("apikey:list", "GET", "/api/api-keys", None),
    ("apikey:create", "POST", "/api/api-keys", {}),
    ("apikey:revoke", "PUT", "/api/api-keys/sk_live_nobody", {}),
    ("apikey:revoke", "DELETE", "/api/api-keys/sk_live_nobody", None),
    ("apikey:revoke", "POST", "/api/api-keys/sk_live_nobody/rotate", {}),
    ("apikey:admin", "GET", "/api/api-keys/scopes", None),
    ("apikey:admin", "POST", "/api/api-keys/scopes", {}),
    ("apikey:admin", "PUT", "/api/api-keys/scopes/nothing/values", {}),
    ("apikey:admin", "DELETE", "/api/api-keys/scopes/nothing/values", {}),
    ("user:list", "GET", "/api/users", None),
    ("user:list", "GET", "/api/users/nobody", None),
    ("user:create", "POST", "/api/users", WEAK),
    ("user:read", "GET", "/api/users/{own}", None),
    ("user:update", "PUT", "/api/users/{own}", {"firstName": "Else"}),
    ("user:update:any", "PUT", "/api/users/nobody", {}),
    ("user:delete", "DELETE", "/api/users/nobody", None),
    ("user:read", "GET", "/api/accounts", None),
    ("admin:bypass", "POST", "/api/accounts", {}),
    ("admin:bypass", "PUT", "/api/accounts/nobody", {}),
    ("admin:bypass", "GET", "/api/admin/roles", None),
    ("admin:bypass", "POST", "/api/admin/roles", {}),
    ("admin:bypass", "GET", "/api/admin/roles/nobody", None),
    ("admin:bypass", "PUT", "/api/admin/roles/nobody", {}),
    ("admin:bypass", "DELETE", "/api/admin/roles/nobody", None),
    ("admin:bypass", "GET", "/api/admin/permissions/matrix", None),
    ("admin:bypass", "POST", "/api/admin/permissions/matrix", {}),
]
"""What cannot succeed is refused for another reason where it is allowed."""
ELSEWHERE = {
    code for code in (row["id"] for row in SEED["Permission"]) if code.startswith(("net:", "project:", "schema:"))
}
"""About what has no route in the office so far."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with staffed(tmp_path_factory.mktemp("rbac") / "data") as found:
        yield found


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


def test_every_permission_has_a_route_here_or_is_known_to_have_none() -> None:
    assert {row["id"] for row in SEED["Permission"]} == {permission for permission, *_ in ROUTES} | ELSEWHERE


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_opens_what_it_says_and_nothing_else(root: Office, role: str) -> None:
    somebody = await root.person(role)
    told = (await somebody.done("GET", "/api/auth/me"))["user"]
    assert (told["roles"], set(told["permissions"])) == ([role], ROLES[role])
    wrong = []
    for permission, method, path, body in ROUTES:
        status = await somebody.status(method, path.format(own=somebody.id), body)
        allowed = permission in ROLES[role]
        if (status not in (401, 403)) is not allowed or status >= 500:
            wrong.append((method, path, status, allowed))
    assert wrong == []


async def test_somebody_without_a_role_may_do_nothing_and_nobody_even_less(root: Office, server: Server) -> None:
    nothing = await root.person()
    await root.done("PUT", f"/api/users/{nothing.id}", {"roles": []})
    for _, method, path, body in ROUTES:
        assert await nothing.status(method, path.format(own=nothing.id), body) == 403
        assert await Office(server).status(method, path, body) == 401


async def test_a_role_that_is_taken_away_is_gone_at_once(root: Office) -> None:
    somebody = await root.person("admin")
    assert await somebody.status("GET", "/api/users") == 200
    await root.done("PUT", f"/api/users/{somebody.id}", {"roles": ["trial"]})
    assert await somebody.status("GET", "/api/users") == 403


async def test_a_key_may_do_what_its_accounts_owner_may_as_far_as_its_scopes_go(root: Office, server: Server) -> None:
    tenant, other_chief = await root.person(), await root.person("admin")
    of_tenant, of_chief = await root.account(owner=tenant.id), await root.account(owner=other_chief.id)
    unowned = await root.account()

    async def allowed(account: str, **scopes: Any) -> list[str]:
        office = with_key(server, await root.key(account, **scopes))
        asked = [route for route in ROUTES if "{own}" not in route[2]]
        statuses = [(method, path, await office.status(method, path, body)) for _, method, path, body in asked]
        assert all(status < 500 for *_, status in statuses)
        return [f"{method} {path}" for method, path, status in statuses if status not in (401, 403)]

    keys = [f"{method} {path}" for permission, method, path, _ in ROUTES if permission.startswith("apikey:")][:5]
    assert await allowed(of_tenant) == [*keys, "GET /api/accounts"]
    assert await allowed(of_tenant, operations=["read"]) == [keys[0], "GET /api/accounts"]
    assert await allowed(of_tenant, operations=["write"]) == []
    assert await allowed(of_chief, operations=["read"]) == [
        keys[0], "GET /api/users", "GET /api/users/nobody", "GET /api/accounts"
    ]  # fmt: skip
    assert len(await allowed(of_chief)) == len(ROUTES) - 2
    assert await allowed(of_chief, projects=["default"]) == [*keys, "GET /api/accounts"]
    assert await allowed(unowned) == []
    await root.done("PUT", f"/api/users/{other_chief.id}", {"status": "locked"})
    assert await allowed(of_chief) == []


async def test_nobody_makes_anybody_more_powerful_than_themselves(root: Office, server: Server) -> None:
    tenant, boss = await root.person(), await root.person("admin")
    own, bosses = f"/api/users/{tenant.id}", f"/api/users/{boss.id}"
    for change in ({"roles": ["admin"]}, {"status": "active"}, {"firstName": "X", "roles": []}):
        assert await tenant.code("PUT", own, change) == (403, "FORBIDDEN")
        assert await boss.code("PUT", bosses, change) == (403, "FORBIDDEN")
    assert await tenant.code("PUT", own, {"verified": True}) == (400, "VALIDATION_ERROR")
    assert await boss.code("DELETE", bosses) == (403, "FORBIDDEN")
    assert await tenant.code("PUT", bosses, {"password": "taken over"}) == (403, "FORBIDDEN")
    assert await tenant.code("GET", bosses) == (403, "FORBIDDEN")
    assert await tenant.code("GET", "/api/users/nobody") == (403, "FORBIDDEN")
    assert (await root.done("GET", own))["roles"] == ["subscriber"]


async def test_a_user_is_made_changed_and_disabled_by_name_of_every_fault(root: Office) -> None:
    wished = {**WEAK, "email": " New@Office.test ", "password": "long enough", "roles": ["trial"]}
    for change, status, path in (
        ({"password": "short"}, 422, "$.password"),
        ({"password": "ü" * 37}, 422, "$.password"),
        ({"password": "long\0enough"}, 422, "$.password"),
        ({"email": "nobody"}, 422, "$.email"),
        ({"email": "a b@office.test"}, 422, "$.email"),
        ({"roles": ["emperor"]}, 422, "$.data.roles"),
        ({"status": "active"}, 400, "$"),
    ):
        found, told = await root.ask("POST", "/api/users", {**wished, **change})
        assert (found, told["error"]["details"][0]["path"][: len(path)]) == (status, path), told
    made = await root.done("POST", "/api/users", wished)
    assert (made["email"], made["roles"], made["status"]) == ("new@office.test", ["trial"], "active")
    assert await root.code("POST", "/api/users", wished) == (409, "DUPLICATE")
    path = f"/api/users/{made['id']}"
    assert (await root.done("PUT", path, {"phone": "112", "roles": []}))["roles"] == []
    assert (await root.code("PUT", path, {"status": "gone"}))[0] == 422
    assert (await root.done("DELETE", path))["status"] == "disabled"
    assert (await root.done("GET", path))["phone"] == "112"
    for method in ("GET", "PUT", "DELETE"):
        assert await root.code(method, "/api/users/nobody", {}) == (404, "NOT_FOUND")


async def test_a_key_without_an_account_opens_what_it_always_did(root: Office, server: Server) -> None:
    everything = with_key(server, await root.key())
    assert await everything.status("GET", "/api/users") == 200
    assert await everything.status("GET", "/api/api-keys") == 200
    for scope, value in (("operations", "read"), ("projects", "default")):
        narrow = with_key(server, await root.key(None, **{scope: [value]}))
        assert await narrow.status("GET", "/api/users") == 403
        assert await narrow.status("POST", "/api/api-keys", wish({"projects": []})) == 403


async def test_roles_are_made_changed_by_the_matrix_and_removed(root: Office) -> None:
    path, matrix = "/api/admin/roles", "/api/admin/permissions/matrix"
    made = await root.done("POST", path, {"name": "keeper", "permissions": ["apikey:list"]})
    assert (made["id"], made["permissions"]) == ("keeper", ["apikey:list"])
    assert (await root.code("POST", path, {"name": "keeper"}))[0] == 409
    assert (await root.code("POST", path, {"name": "other", "permissions": ["nothing:there"]}))[0] == 422
    keeper = await root.person("keeper")
    assert await keeper.status("GET", "/api/users") == 403

    async def change(role: str, permission: str, granted: bool) -> int:
        cell = {"roleId": role, "permissionId": permission, "granted": granted}
        return await root.status("POST", matrix, {"changes": [cell]})

    assert await change("keeper", "user:list", True) == 200
    assert await keeper.status("GET", "/api/users") == 200
    told = await root.done("GET", matrix)
    assert told["categoryLabels"]["user"] == "Users"
    assert [code for code, granted in told["matrix"]["keeper"].items() if granted] == ["apikey:list", "user:list"]
    assert await change("keeper", "user:list", False) == 200
    assert await keeper.status("GET", "/api/users") == 403
    assert await change("admin", "user:list", False) == 403
    assert await change("nobody", "user:list", True) == 404
    assert await change("keeper", "nothing:there", True) == 422
    for role, method, refused in (
        ("keeper", "DELETE", (409, "IN_USE")),
        ("trial", "DELETE", (403, "SYSTEM_PROTECTED")),
        ("admin", "PUT", (403, "SYSTEM_PROTECTED")),
        ("nobody", "DELETE", (404, "NOT_FOUND")),
    ):
        assert await root.code(method, f"{path}/{role}", {"permissions": []}) == refused
    changed = await root.done("PUT", f"{path}/keeper", {"permissions": ["user:create"]})
    assert changed["permissions"] == ["user:create"]
    # Whoever lets people in gives them no more than they have.
    assert await keeper.status("POST", "/api/users", {**WEAK, "password": "long enough", "roles": ["trial"]}) == 403
    one = await keeper.done("POST", "/api/users", {**WEAK, "password": "long enough", "roles": ["keeper"]})
    for user in (one["id"], keeper.id):
        await root.done("PUT", f"/api/users/{user}", {"roles": []})
    assert await root.status("DELETE", f"{path}/keeper") == 200


async def test_who_sees_to_all_people_takes_over_none_that_may_do_more(root: Office) -> None:
    codes = ["user:list", "user:update:any", "user:delete", "user:create"]
    await root.done("POST", "/api/admin/roles", {"name": "staff", "permissions": codes})
    staff, boss, mate = await root.person("staff"), await root.person("admin"), await root.person("staff")
    for field, value in (("password", "taken over"), ("email", "mine@x.test"), ("roles", []), ("status", "locked")):
        assert await staff.status("PUT", f"/api/users/{boss.id}", {field: value}) == 403
    assert await staff.status("DELETE", f"/api/users/{boss.id}") == 403
    assert await staff.status("PUT", f"/api/users/{mate.id}", {"roles": ["admin"]}) == 403
    assert await staff.status("PUT", f"/api/users/{mate.id}", {"status": "locked"}) == 200
    assert await boss.status("GET", "/api/auth/me") == 200
