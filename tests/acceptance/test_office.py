"""The office refuses what it cannot do, whole and by name; on the command line it does the same."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
FINE = {"label": "fine", "permissions": {"projects": "*", "operations": ["read"], "transports": "*"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("office") / "data", SHOP, OCTONET_OPEN_MODE="") as found:
        yield found


def _cli(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        server.command("keys", *arguments), env=server.environment(), cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def office(server: Server) -> str:
    return _cli(server, "issue", "office", "--projects", "*", "--operations", "read,write,admin").stdout.strip()


async def _ask(server: Server, key: str, method: str, path: str, body: Any = None, raw: bytes | None = None) -> Any:
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.request(method, path, data=data, headers=headers) as reply,
    ):
        return reply.status, await reply.json()


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"label": ""}, 422, "$.label"),
        ({"label": 7}, 400, "$.label"),
        ({"permissions": None}, 400, "$.permissions"),
        ({"permissions": {"scopes": {"projects": "shop"}}}, 422, "$.permissions.scopes.projects"),
        ({"environment": "staging"}, 400, "$.environment"),
        ({"expiresAt": "tomorrow"}, 422, "$.data.expiresAt"),
        ({"account": "nobody"}, 422, "$.data.account"),
        ({"hash": "of my own"}, 400, "$"),
        ({"verifier": "of my own"}, 400, "$"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_at_its_place(
    server: Server, office: str, change: dict[str, Any], status: int, path: str
) -> None:
    before = _cli(server, "list").stdout
    found, told = await _ask(server, office, "POST", "/api/api-keys", {**FINE, **change})
    assert (found, told["error"]["details"][0]["path"]) == (status, path)
    assert _cli(server, "list").stdout == before


async def test_what_is_no_json_no_key_or_no_method_is_said_to_be_so(server: Server, office: str) -> None:
    async def refused(method: str, path: str, body: Any = None) -> tuple[int, str]:
        status, told = await _ask(server, office, method, path, body)
        return status, told["error"]["code"]

    assert await refused("PUT", "/api/api-keys/sk_live_nobody", {"label": "x"}) == (404, "NOT_FOUND")
    assert await refused("DELETE", "/api/api-keys/sk_live_nobody") == (404, "NOT_FOUND")
    assert await refused("PATCH", "/api/api-keys") == (405, "METHOD_NOT_ALLOWED")
    assert await refused("POST", "/api/auth/verify") == (405, "METHOD_NOT_ALLOWED")
    assert await refused("GET", "/api/api-keys/a/b") == (404, "NOT_FOUND")
    status, told = await _ask(server, office, "POST", "/api/api-keys", raw=b"{")
    assert (status, told["error"]["code"]) == (400, "PARSE_ERROR")


async def test_only_who_may_do_everything_sees_to_keys(server: Server, office: str) -> None:
    narrow = {**FINE, "permissions": {"projects": ["default"], "operations": "*", "transports": "*"}}
    for wish in (FINE, narrow):
        _, made = await _ask(server, office, "POST", "/api/api-keys", wish)
        key = made["data"]["apiKey"]
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{office[:20]}"), ("PUT", f"/{office[:20]}")):
            status, told = await _ask(server, key, method, f"/api/api-keys{path}", {})
            assert (status, told["error"]["code"]) == (403, "FORBIDDEN")


async def test_no_answer_shows_what_is_stored_of_a_key(server: Server, office: str) -> None:
    _, made = await _ask(server, office, "POST", "/api/api-keys", FINE)
    _, listed = await _ask(server, office, "GET", "/api/api-keys")
    _, changed = await _ask(server, office, "PUT", f"/api/api-keys/{made['data']['prefix']}", {"label": "renamed"})
    _, known = await _ask(server, made["data"]["apiKey"], "GET", "/api/auth/verify")
    assert changed["data"]["label"] == "renamed"
    assert known["data"]["permissions"]["scopes"]["operations"] == ["read"]
    for told in (made, listed, changed, known):
        assert "hmac" not in str(told)
        assert "verifier" not in str(told)
    assert made["data"]["apiKey"] not in str(listed)


async def test_the_command_line_issues_lists_and_revokes(server: Server, office: str) -> None:
    made = _cli(server, "issue", "by hand", "--operations", "read", "--environment", "test")
    key = made.stdout.strip()
    assert (made.returncode, key[:8]) == (0, "sk_test_")
    assert (await _ask(server, key, "GET", "/api/v1/tags"))[0] == 200
    revoked = _cli(server, "revoke", key[:20])
    assert (revoked.returncode, "by hand" in revoked.stdout) == (0, True)
    async with asyncio.timeout(60):  # the server hears of it a little later than the command is done
        while (await _ask(server, key, "GET", "/api/v1/tags"))[0] != 401:
            await asyncio.sleep(0.05)
    lines = [line for line in _cli(server, "list").stdout.splitlines() if "by hand" in line]
    assert ["revoked" in line for line in lines] == [True]
    unknown = _cli(server, "revoke", "sk_live_nobody")
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (1, False)


def test_open_mode_does_not_leave_this_machine(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP)
    assert server.launch("serve", "--port", "0", "--host", "0.0.0.0").reap() == 1
    assert "open mode is for development on this machine alone" in server.log()


def test_the_first_start_makes_what_the_reference_has_and_shows_one_key_once(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        server = Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="").start()
        shown.append([line for line in server.process.output.seen if "sk_live_" in line])
        assert server.stop() == 0
        assert "sk_live_" not in server.log()
    assert [len(lines) for lines in shown] == [1, 0]


async def test_a_rotated_key_is_replaced_by_one_like_it_and_ends_after_the_overlap(server: Server, office: str) -> None:
    _, made = await _ask(server, office, "POST", "/api/api-keys", FINE)
    old = made["data"]["apiKey"]
    status, rotated = await _ask(server, office, "POST", f"/api/api-keys/{old[:20]}/rotate", {"overlap": 8})
    new = rotated["data"]["apiKey"]
    assert (status, rotated["data"]["permissions"], rotated["data"]["label"]) == (201, FINE["permissions"], "fine")
    assert [(await _ask(server, key, "GET", "/api/v1/tags"))[0] for key in (old, new)] == [200, 200]
    async with asyncio.timeout(60):
        while (await _ask(server, old, "GET", "/api/v1/tags"))[0] != 401:
            await asyncio.sleep(0.1)
    assert (await _ask(server, new, "GET", "/api/v1/tags"))[0] == 200
    for path, body, status in (
        ("nobody/rotate", {}, 404),
        (f"{old[:20]}/rotate", {"overlap": -1}, 400),
        (f"{office[:20]}/rotate", {"lap": 1}, 400),
    ):
        assert (await _ask(server, office, "POST", f"/api/api-keys/{path}", body))[0] == status


async def test_scopes_are_registered_by_their_owners_and_anybody_may_add_more(server: Server, office: str) -> None:
    path = "/api/api-keys/scopes"
    scopes = {scope["name"]: scope for scope in (await _ask(server, office, "GET", path))[1]["data"]}
    told = {name: [value["value"] for value in scope["values"]] for name, scope in scopes.items()}
    assert told["operations"] == ["read", "write", "admin"]
    assert told["projects"] == ["default"]
    assert len(told["transports"]) == 11
    assert (await _ask(server, office, "POST", path, {"name": "regions", "label": "Regions"}))[0] == 201
    assert (await _ask(server, office, "POST", path, {"name": "regions", "label": "Again"}))[0] == 409
    assert (await _ask(server, office, "POST", path, {"name": "no name", "label": "x"}))[0] == 422
    for order, value in ((2, "us"), (1, "eu")):
        body = {"value": value, "sortOrder": order}
        assert (await _ask(server, office, "PUT", f"{path}/regions/values", body))[0] == 200
    assert (await _ask(server, office, "PUT", f"{path}/regions/values", {"value": "eu", "label": "Europe"}))[0] == 200
    assert (await _ask(server, office, "DELETE", f"{path}/regions/values", {"value": "us"}))[0] == 200
    assert (await _ask(server, office, "DELETE", f"{path}/regions/values", {"value": "us"}))[0] == 404
    assert (await _ask(server, office, "PUT", f"{path}/nothing/values", {"value": "x"}))[0] == 404
    assert (await _ask(server, office, "PUT", f"{path}/projects/values", {"value": "x"}))[0] == 409
    found = (await _ask(server, office, "GET", path))[1]["data"]
    [regions] = [scope["values"] for scope in found if scope["name"] == "regions"]
    assert [(value["value"], value["label"]) for value in regions] == [("eu", "Europe")]


async def test_a_worker_without_doors_begins_an_installation_too(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="")
    worker = server.launch("work")
    try:
        line = await asyncio.to_thread(worker.output.until, lambda line: "sk_live_" in line, 60)
        assert line is not None, server.log()
        server.start("--no-worker")
        key = line.split()[-1]
        assert (await _ask(server, key, "GET", "/api/v1/tags"))[0] == 200
        assert (await _ask(server, key, "POST", "/api/v1/tags", {"label": "x"}))[0] == 403
        assert server.stop() == 0
    finally:
        assert worker.stop() == 0


async def test_a_key_tells_its_limits(server: Server) -> None:
    key = _cli(server, "issue", "limited", "--per-day", "500", "--per-second", "20").stdout.strip()
    status, told = await _ask(server, key, "GET", "/api/auth/verify")
    assert status == 200
    assert (told["data"]["permissions"]["rateLimit"], told["data"]["permissions"]["rateLimitPerSecond"]) == (500, 20)
    refused = _cli(server, "issue", "limited", "--per-second", "0")
    assert refused.returncode == 1
    assert "rateLimitPerSecond" in refused.stderr
