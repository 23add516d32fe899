"""Whoever asks gets a sandbox of their own; when nobody used it for a while, nothing of it is left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jetstream.connection import connect
from jetstream.server import find_running
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
NOTES = """[{"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}}]"""
MANY = 200
AT_ONCE = 8
WITHIN = 240.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("sandbox")
    (directory / "notes.json").write_text(NOTES)
    with Server(
        directory / "data",
        SHOP,
        OCTONET_OPEN_MODE="",
        MOSTA_TRIAL_SCHEMAS=str(directory / "notes.json"),
        OCTONET_TRIAL_RATE_LIMIT_PER_HOUR="3",
        OCTONET_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
    ) as found:
        yield found


@pytest.fixture
async def session(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as found:
        yield found


async def ask(session: aiohttp.ClientSession, method: str, path: str, body: Any = None, **headers: str) -> Any:
    async with session.request(method, path, json=body, headers=headers) as reply:
        return reply.status, await reply.json(), reply.headers


async def make(session: aiohttp.ClientSession, address: str, alias: str | None = None) -> Any:
    body = {} if alias is None else {"alias": alias}
    return await ask(session, "POST", "/try", body, **{"X-Forwarded-For": address})


async def test_a_sandbox_is_ready_at_once_and_opens_nothing_else(session: aiohttp.ClientSession) -> None:
    status, told, _ = await make(session, "192.0.2.1", "My Notes")
    assert status == 201, told
    made = told["data"]
    assert (made["alias"], made["projectSlug"]) == ("my-notes", "sandbox-my-notes")
    assert made["quota"] == {"reqPerDay": 500}
    assert made["apiKey"].startswith("sk_test_")
    assert made["apiKey"] in made["exampleCurl"]
    key = {"X-API-Key": made["apiKey"]}
    status, row, _ = await ask(session, "POST", "/sandbox-my-notes/api/v1/notes", {"text": "mine"}, **key)
    assert status == 201
    assert (await ask(session, "GET", "/sandbox-my-notes/api/v1/notes", **key))[1]["data"] == [row["data"]]
    assert (await ask(session, "GET", "/api/v1/tags", **key))[0] == 403
    assert (await ask(session, "DELETE", "/sandbox-my-notes/api/v1/notes/bulk", {"filter": {"text": "a"}}, **key))[
        0
    ] == 403
    other = (await make(session, "192.0.2.1"))[1]["data"]
    assert (await ask(session, "GET", f"/{other['projectSlug']}/api/v1/notes", **key))[0] == 403
    listed = (await ask(session, "GET", "/api/projects", **key))[1]
    assert [project["name"] for project in listed] == ["sandbox-my-notes"]
    for method, path in (("POST", "/api/projects"), ("POST", "/api/api-keys"), ("DELETE", "/api/projects/default")):
        assert (await ask(session, method, path, {"name": "more"}, **key))[0] == 403
    assert (await ask(session, "POST", "/sandbox-my-notes/api/apply-schema", **key))[0] == 403


@pytest.mark.parametrize(
    ("alias", "status", "code"),
    [
        ("../../etc/passwd", 400, "BAD_ALIAS"),
        ("..", 400, "BAD_ALIAS"),
        ("a/b/c", 400, "BAD_ALIAS"),
        ("a%2fbc", 400, "BAD_ALIAS"),
        ("a\\bc", 400, "BAD_ALIAS"),
        ("a\0bc", 400, "BAD_ALIAS"),
        ("ab", 400, "BAD_ALIAS"),
        ("-abc", 400, "BAD_ALIAS"),
        ("x" * 31, 400, "BAD_ALIAS"),
        (7, 400, "VALIDATION_ERROR"),
    ],
)
async def test_an_alias_that_is_none_is_refused(
    session: aiohttp.ClientSession, alias: Any, status: int, code: str
) -> None:
    found, told, _ = await make(session, "192.0.2.2", alias)
    assert (found, told["status"], told["error"]["code"]) == (status, "error", code)


async def test_an_alias_is_taken_once_however_many_ask_together(session: aiohttp.ClientSession) -> None:
    found = await asyncio.gather(*(make(session, f"192.0.2.{n}", "wanted") for n in range(30, 34)))
    assert sorted(status for status, _, _ in found) == [201, 409, 409, 409]
    assert {told["error"]["code"] for status, told, _ in found if status == 409} == {"ALIAS_TAKEN"}


async def test_an_address_makes_so_many_an_hour_and_cannot_change_its_address_by_itself(
    session: aiohttp.ClientSession,
) -> None:
    found = await asyncio.gather(*(make(session, "192.0.2.50") for _ in range(6)))
    assert sum(status == 201 for status, _, _ in found) <= 3
    assert all(status == 201 or told["error"]["code"] == "RATE_LIMIT" for status, told, _ in found)
    # The trusted proxy appends whom it heard; what stands before that is the client's own invention.
    while (await make(session, "198.51.100.7, 192.0.2.50, 10.1.2.3"))[0] == 201:
        pass
    status, told, headers = await make(session, "203.0.113.9, 192.0.2.50, 10.1.2.3")
    assert (status, told["error"]["code"]) == (429, "RATE_LIMIT")
    assert 0 < int(headers["Retry-After"]) <= 3600


async def test_two_hundred_sandboxes_are_made_used_and_gone(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text(NOTES)
    with Server(
        tmp_path / "data",
        SHOP,
        OCTONET_OPEN_MODE="",
        MOSTA_TRIAL_SCHEMAS=str(tmp_path / "notes.json"),
        OCTONET_TRIAL_RATE_LIMIT_PER_HOUR="1000",
        OCTONET_TRIAL_TTL_DAYS=str(25 / 86400),
        OCTONET_TRIAL_CLEANUP="2",
    ) as server:
        room = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(server.url) as session:

            async def one(number: int) -> str:
                async with room:
                    status, told, _ = await make(session, "", f"number-{number}")
                    assert status == 201, told
                    made = told["data"]
                    key = {"X-API-Key": made["apiKey"]}
                    path = f"/{made['projectSlug']}/api/v1/notes"
                    assert (await ask(session, "POST", path, {"text": "mine"}, **key))[0] == 201
                    assert len((await ask(session, "GET", path, **key))[1]["data"]) == 1
                    assert (tmp_path / "data" / "trials" / f"number-{number}.sqlite").exists()
                    return str(made["apiKey"])

            keys = await asyncio.gather(*map(one, range(MANY)))
            endpoint = find_running(tmp_path / "data" / "nats")
            assert endpoint is not None
            client = await connect(endpoint)

            async def left() -> tuple[int, int]:
                walked = os.walk(tmp_path / "data")
                files = [name for _, inside, names in walked for name in (*inside, *names) if "number-" in name]
                names = [info.config.name async for info in _streams(client)]
                return len(files), len([name for name in names if "number-" in name])

            assert min(await left()) > 0
            async with asyncio.timeout(WITHIN):
                while await left() != (0, 0):
                    await asyncio.sleep(1)
            await client.close()
            for key in (keys[0], keys[-1]):
                assert (await ask(session, "GET", "/sandbox-number-0/api/v1/notes", **{"X-API-Key": key}))[0] in (
                    401,
                    404,
                )
        made = server.launch("keys", "list")
        assert made.reap() == 0
        assert not [line for line in made.output.seen if "trial-number" in line]


async def _streams(client: Any) -> AsyncIterator[Any]:
    offset = 0
    while page := await client.jetstream().streams_info(offset=offset):
        for info in page:
            yield info
        offset += len(page)
