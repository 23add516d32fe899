"""A program at the office, with a key, as somebody who is logged in, or as nobody."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import aiohttp

from tests.running import Server

ROOT_EMAIL, ROOT_PASSWORD = "root@office.test", "correct horse battery"
PASSWORD = "staple of a tenant"
_SHOP = Path(__file__).parent / "shop.json"


def staffed(directory: Path, **environment: str) -> Server:
    """A server that has its first administrator."""
    return Server(
        directory,
        _SHOP,
        program=("-m", "octonet"),
        OCTONET_OPEN_MODE="",
        OCTONET_ADMIN_EMAIL=ROOT_EMAIL,
        OCTONET_ADMIN_PASSWORD=ROOT_PASSWORD,
        **environment,
    )


class Office:
    """`headers` go along with every request."""

    def __init__(self, server: Server, headers: dict[str, str] | None = None, told: Any = None) -> None:
        self.server = server
        self.headers = headers or {}
        self.told = told

    async def raw(self, method: str, path: str, body: Any = None, **headers: str) -> aiohttp.ClientResponse:
        """The whole answer, read."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(self.server.url, cookie_jar=jar) as session,
            session.request(method, path, json=body, headers=sent) as reply,
        ):
            await reply.read()
            return reply

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and body."""
        reply = await self.raw(method, path, body, **headers)
        return reply.status, await reply.json()

    async def status(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        return (await self.ask(method, path, body, **headers))[0]

    async def code(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Status and code of a refusal."""
        status, told = await self.ask(method, path, body, **headers)
        return status, told["error"]["code"]

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """The data of an answer that must be fine."""
        status, told = await self.ask(method, path, body)
        assert status < 300, told
        return told["data"]

    def at(self, server: Server) -> Office:
        """The same person at another process."""
        return Office(server, self.headers, self.told)

    def without(self, header: str) -> Office:
        return Office(self.server, {name: value for name, value in self.headers.items() if name != header}, self.told)

    async def person(self, role: str = "subscriber", password: str = PASSWORD) -> Office:
        """Somebody new, logged in."""
        email = f"{role}-{secrets.token_hex(4)}@office.test"
        row = {"email": email, "password": password, "firstName": "Some", "lastName": "Body", "roles": [role]}
        await self.done("POST", "/api/users", row)
        return await login(self.server, email, password)

    async def account(self, **wish: Any) -> str:
        """The id of a new account."""
        made = await self.done("POST", "/api/accounts", {"name": f"account {secrets.token_hex(4)}", **wish})
        return str(made["id"])

    async def key(self, account: str | None = None, **scopes: Any) -> str:
        """The text of a new key."""
        permissions = {"projects": "*", "operations": "*", "transports": "*", **scopes}
        made = await self.done("POST", "/api/api-keys", wish(permissions, account))
        return str(made["apiKey"])

    @property
    def id(self) -> str:
        return str(self.told["user"]["id"])

    @property
    def email(self) -> str:
        return str(self.told["user"]["email"])


def wish(permissions: Any, account: str | None = None, **more: Any) -> dict[str, Any]:
    """A key to be."""
    return {"label": "some key", "permissions": permissions, "account": account, **more}


def with_key(server: Server, key: str) -> Office:
    """A program that shows a key."""
    return Office(server, {"X-API-Key": key})


async def login(server: Server, email: str, password: str) -> Office:
    """Log in, as a browser would."""
    reply = await Office(server).raw("POST", "/api/auth/login", {"email": email, "password": password})
    assert reply.status == 200, await reply.text()
    told = (await reply.json())["data"]
    cookie = reply.headers["Set-Cookie"].partition(";")[0]
    return Office(server, {"Cookie": cookie, "X-CSRF-Token": told["csrfToken"]}, told)


async def chief(server: Server) -> Office:
    """The first administrator, logged in."""
    return await login(server, ROOT_EMAIL, ROOT_PASSWORD)
