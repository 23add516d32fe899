"""People log in to the office, on every process, and whatever pretends to be them is refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.office import PASSWORD, ROOT_EMAIL, ROOT_PASSWORD, Office, chief, login, staffed, with_key
from tests.running import Server

LOGIN = "/api/auth/login"
ME = "/api/auth/me"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    directory = tmp_path_factory.mktemp("login") / "data"
    found = [staffed(directory) for _ in range(2)]
    found[0].start()
    found[1].start("--no-worker", within=60.0)
    yield found
    for server in reversed(found):
        server.kill()


@pytest.fixture
def server(servers: list[Server]) -> Server:
    return servers[0]


def _credentials(email: str, password: str) -> dict[str, str]:
    return {"email": email, "password": password}


async def test_a_login_says_who_somebody_is_and_gives_a_cookie_that_scripts_cannot_read(server: Server) -> None:
    reply = await Office(server).raw("POST", LOGIN, _credentials(f"  {ROOT_EMAIL.upper()}", ROOT_PASSWORD))
    told = (await reply.json())["data"]
    assert (reply.status, told["user"]["email"], told["user"]["roles"]) == (200, ROOT_EMAIL, ["admin"])
    assert "admin:bypass" in told["user"]["permissions"]
    assert set(told["user"]) == {"id", "email", "firstName", "lastName", "roles", "permissions"}
    attributes = set(reply.headers["Set-Cookie"].split("; ")[1:])
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} < attributes
    assert "Secure" not in attributes
    assert reply.headers["Cache-Control"] == "no-store"
    assert await (await login(server, ROOT_EMAIL, ROOT_PASSWORD)).status("GET", "/api/users") == 200


async def test_a_session_counts_on_every_process_and_ends_on_every_process(servers: list[Server]) -> None:
    root = await chief(servers[0])
    elsewhere = root.at(servers[1])
    assert (await elsewhere.done("GET", ME)) == root.told
    assert await elsewhere.status("POST", "/api/auth/logout") == 200
    for office in (root, elsewhere):
        assert await office.code("GET", ME) == (401, "UNAUTHORIZED")
        assert await office.code("GET", "/api/users") == (401, "UNAUTHORIZED")


async def test_a_logout_takes_the_cookie_away_and_leaves_other_logins_alone(server: Server) -> None:
    first, second = await chief(server), await chief(server)
    reply = await first.raw("POST", "/api/auth/logout")
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert [await office.status("GET", ME) for office in (first, second)] == [401, 200]


async def test_a_cookie_without_its_token_changes_nothing(server: Server) -> None:
    root = await chief(server)
    stolen = root.without("X-CSRF-Token")
    before = await root.done("GET", "/api/users")
    for method, path in (
        ("POST", "/api/users"),
        ("PUT", f"/api/users/{root.id}"),
        ("DELETE", f"/api/users/{root.id}"),
        ("POST", "/api/api-keys"),
        ("POST", "/api/accounts"),
        ("POST", "/api/auth/logout"),
    ):
        for headers in ({}, {"X_CSRF_Token": ""}, {"X_CSRF_Token": "0" * 32}, {"X_XSRF_Token": root.told["csrfToken"]}):
            assert await stolen.code(method, path, {"firstName": "Mallory"}, **headers) == (403, "CSRF")
        assert await stolen.code(method, f"{path}?X-CSRF-Token={root.told['csrfToken']}") == (403, "CSRF")
    another = await chief(server)
    assert await stolen.code("POST", "/api/users", {}, X_CSRF_Token=another.told["csrfToken"]) == (403, "CSRF")
    after = await root.done("GET", "/api/users")
    assert [row["firstName"] for row in after] == [row["firstName"] for row in before]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example", "X_Forwarded_Host": "evil.example"},
    ],
)
async def test_a_page_of_elsewhere_neither_logs_in_nor_changes_anything(
    server: Server, headers: dict[str, str]
) -> None:
    right = _credentials(ROOT_EMAIL, ROOT_PASSWORD)
    reply = await Office(server).raw("POST", LOGIN, right, **headers)
    assert (reply.status, "Set-Cookie" in reply.headers) == (403, False)
    root = await chief(server)
    assert await root.code("PUT", f"/api/users/{root.id}", {"firstName": "Mallory"}, **headers) == (403, "CSRF")


async def test_a_page_of_our_own_may(server: Server) -> None:
    root = await chief(server)
    own = {"Origin": server.url, "Sec_Fetch_Site": "same-origin"}
    assert await root.status("PUT", f"/api/users/{root.id}", {"firstName": "Root"}, **own) == 200
    reply = await Office(server).raw(
        "POST", LOGIN, _credentials(ROOT_EMAIL, ROOT_PASSWORD), Origin=server.url.replace("http:", "https:")
    )
    assert "; Secure" in reply.headers["Set-Cookie"]


async def test_a_request_is_what_its_first_line_says_whatever_headers_pretend(server: Server) -> None:
    root = await chief(server)
    somebody = await root.person()
    path = f"/api/users/{somebody.id}"
    stolen = root.without("X-CSRF-Token")
    for header in ("X_HTTP_Method_Override", "X_Method_Override", "X_HTTP_Method"):
        assert await stolen.status("GET", f"{path}?_method=DELETE", **{header: "DELETE"}) == 200
        assert await stolen.code("DELETE", path, **{header: "GET"}) == (403, "CSRF")
    cookie = {"X_Cookie": root.headers["Cookie"], "Cookie2": root.headers["Cookie"]}
    rewritten = {"X_Original_URL": "/health", "X_Rewrite_URL": "/health"}
    for headers in (cookie, rewritten, {"X_User": root.id, "X_Remote_User": root.id}):
        assert await Office(server).status("GET", path, **headers) == 401
    assert await somebody.status("GET", ME) == 200


async def test_a_forged_cookie_is_nobodys(server: Server) -> None:
    root = await chief(server)
    name, _, token = root.headers["Cookie"].partition("=")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    longer = raw.replace(b".", b"9.", 1)
    forged = [
        base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        for changed in (longer, bytes(32) + raw[32:], raw[:-1] + bytes([raw[-1] ^ 1]), raw[32:])
    ]
    for value in (*forged, "", "x", token[:-2], "A" * 5000, f"{token}; {name}={forged[0]}", f'"{token}"'):
        office = Office(server, {**root.headers, "Cookie": f"{name}={value}"})
        assert await office.status("GET", "/api/users") == 401
    assert await root.status("GET", "/api/users") == 200


async def test_no_door_to_data_looks_at_the_cookie(server: Server) -> None:
    root = await chief(server)
    for method, path in (
        ("GET", "/api/v1/tags"),
        ("POST", "/api/v1/tags"),
        ("GET", "/events"),
        ("GET", "/api/auth/verify"),
        ("POST", "/api/auth/ticket"),
    ):
        assert await root.status(method, path) == 401, path
    async with aiohttp.ClientSession(server.url) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect("/ws", headers=root.headers)


async def test_a_key_needs_no_token_and_is_not_helped_by_a_cookie(server: Server) -> None:
    root = await chief(server)
    key = await root.key()
    assert await with_key(server, key).status("POST", "/api/api-keys", {}) == 400
    wrong = Office(server, {**root.headers, "X-API-Key": key[:-1] + ("1" if key.endswith("0") else "0")})
    assert await wrong.status("GET", "/api/users") == 401


async def test_whoever_is_disabled_or_locked_is_out_at_once_and_stays_out(servers: list[Server]) -> None:
    root = await chief(servers[0])
    for change in ({"status": "disabled"}, {"status": "locked"}, None):
        somebody = await root.person()
        there = somebody.at(servers[1])
        assert await there.status("GET", ME) == 200
        path = f"/api/users/{somebody.id}"
        await (root.done("PUT", path, change) if change else root.done("DELETE", path))
        assert await there.status("GET", ME) == 401
        refused = await Office(servers[1]).code("POST", LOGIN, _credentials(somebody.email, PASSWORD))
        assert refused == (401, "INVALID_CREDENTIALS")
        # Back again is not logged in again.
        await root.done("PUT", path, {"status": "active"})
        assert await there.status("GET", ME) == 401


async def test_a_new_password_ends_what_began_with_the_old_one(servers: list[Server]) -> None:
    root = await chief(servers[0])
    somebody = await root.person()
    there = somebody.at(servers[1])
    path = f"/api/users/{somebody.id}"
    new = {"password": "another long one"}
    assert await there.code("PUT", path, new) == (401, "INVALID_CREDENTIALS")
    assert await there.code("PUT", path, {**new, "currentPassword": "guessed"}) == (401, "INVALID_CREDENTIALS")
    assert await there.status("PUT", path, {**new, "currentPassword": PASSWORD}) == 200
    assert [await office.status("GET", ME) for office in (there, somebody)] == [401, 401]
    again = await login(servers[0], somebody.email, "another long one")
    await root.done("PUT", path, {"password": "yet another one"})
    assert await again.status("GET", ME) == 401


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(server: Server) -> None:
    office = Office(server)
    answers = [
        await office.ask("POST", LOGIN, _credentials(email, "wrong password"))
        for email in (ROOT_EMAIL, "nobody@office.test")
    ]
    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][1]["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    more = {**_credentials(ROOT_EMAIL, "x"), "roles": ["admin"]}
    for body in ({}, {"email": ROOT_EMAIL}, more, {"email": 7}, _credentials("x" * 255, "x")):
        assert await office.status("POST", LOGIN, body) == 400
    assert await office.status("GET", LOGIN) == 405


async def test_no_answer_shows_a_password_and_no_file_holds_one(servers: list[Server]) -> None:
    root = await chief(servers[0])
    somebody = await root.person(password="unlikely to stand there")
    answers = [
        await root.done("GET", "/api/users"),
        await root.done("PUT", f"/api/users/{somebody.id}", {"password": "neither would this one"}),
        somebody.told,
    ]
    for told in answers:
        assert "$2b$" not in str(told)
        assert not {"password", "verifyToken", "resetToken", "mark"} & set(str(told).replace("'", " ").split())
    for path in servers[0].directory.rglob("*"):
        # What is only there for a moment, as while a file is written anew, may be gone by now.
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes() if path.is_file() else b""
            assert b"unlikely to stand there" not in content
            assert b"neither would this one" not in content
    assert somebody.headers["Cookie"].partition("=")[2] not in servers[0].log()


async def test_what_somebody_does_is_on_record_as_theirs(servers: list[Server]) -> None:
    root = await chief(servers[0])
    somebody = await root.person()
    exported = servers[0].launch("audit", "export", "--project", "_system")
    lines = []
    while (line := await asyncio.to_thread(exported.output.until, lambda _: True, 60)) is not None:
        lines.append(line)
    assert exported.reap() == 0, servers[0].log()[-2000:]
    [made] = [line for line in lines if somebody.id in line and '"op":"create"' in line and '"entity":"User"' in line]
    assert f'"user":"{root.id}"' in made


async def test_guessing_is_slowed_down_by_name_and_by_address_whatever_headers_say(tmp_path: Path) -> None:
    with staffed(tmp_path / "data") as server:

        async def guess(number: int, email: str) -> tuple[int, str | None]:
            pretended = f"10.0.0.{number}"
            forged = {"X_Forwarded_For": pretended, "X_Real_IP": pretended, "Forwarded": f"for={pretended}"}
            body = _credentials(email, f"guess number {number}")
            reply = await Office(server).raw("POST", LOGIN, body, **forged)
            return reply.status, reply.headers.get("Retry-After")

        found = await asyncio.gather(*(guess(number, ROOT_EMAIL) for number in range(8)))
        assert sorted(status for status, _ in found) == [401] * 5 + [429] * 3
        assert all(after is not None and 1 <= int(after) <= 60 for status, after in found if status == 429)
        # The right one is not tried either: it could be told apart otherwise.
        right = _credentials(f" {ROOT_EMAIL.upper()} ", ROOT_PASSWORD)
        assert await Office(server).code("POST", LOGIN, right) == (429, "RATE_LIMIT")
        others = await asyncio.gather(*(guess(number, f"n{number}@office.test") for number in range(16)))
        assert {status for status, _ in others} == {401, 429}
        # What was refused by name counts for the address as well.
        assert sum(status == 401 for status, _ in others) == 20 - 9


async def test_a_login_outlives_a_restart_but_not_its_time(tmp_path: Path) -> None:
    server = staffed(tmp_path / "data", OCTONET_SESSION_LIFE="20")
    server.start()
    root = await chief(server)
    assert server.stop() == 0
    server.start()
    assert await root.status("GET", ME) == 200
    async with asyncio.timeout(90):
        while await root.status("GET", ME) != 401:
            await asyncio.sleep(0.2)
    assert server.stop() == 0


async def test_behind_a_proxy_the_configured_address_counts(tmp_path: Path) -> None:
    public = "https://octonet.example"
    with staffed(tmp_path / "data", OCTONET_PUBLIC_URL=f"{public}/") as server:
        office, right = Office(server), _credentials(ROOT_EMAIL, ROOT_PASSWORD)
        reply = await office.raw("POST", LOGIN, right, Origin=public)
        assert "; Secure" in reply.headers["Set-Cookie"]
        assert await office.code("POST", LOGIN, right, Origin=server.url) == (403, "CSRF")
