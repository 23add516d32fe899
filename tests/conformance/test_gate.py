"""One gate: every operation through every door, with every kind of key that must not open it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from commands import COMMANDS
from octonet.access import keys
from octonet.kernel.operation import Family
from projections import QUERIES
from tests.conformance.clients import DOORS, NotLetIn, enter
from tests.key_office import KeyOffice
from tests.running import EveryDoor

LIBRARY = Path(__file__).parent / "library.json"
OPERATIONS = {**QUERIES, **COMMANDS}
ALL = ["read", "write", "admin"]
REFUSED = {401: "UNAUTHORIZED", 403: "FORBIDDEN"}
MEMBERS: dict[str, Any] = {
    "id": "nobody",
    "filter": {"label": "nobody"},
    "data": {"label": "made"},
    "query": "nobody",
    "stages": [{"$limit": 1}],
    "field": "label",
    "value": "x",
    "amount": 1,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyOffice]:
    directory = tmp_path_factory.mktemp("gate")
    tree = directory / "tree.json"
    tree.write_text(json.dumps({"other": {"schemas": json.loads(LIBRARY.read_text())}}))
    with EveryDoor(directory / "data", LIBRARY, OCTONET_OPEN_MODE="", MOSTA_PROJECTS=str(tree)) as server:
        yield KeyOffice(server)


@pytest.fixture(scope="module")
def wrong_keys(site: KeyOffice) -> dict[str, tuple[str, str]]:
    """Kind → a key that opens nothing, and what is said."""
    revoked, tampered = site.key(), site.key()
    site.ask("DELETE", f"/api/api-keys/{revoked[:20]}")
    return {
        "no key": ("", "UNAUTHORIZED"),
        "of another server": (keys.make(keys.Environment.LIVE).text, "UNAUTHORIZED"),
        "mistyped": (tampered[:30] + ("a" if tampered[30] != "a" else "b") + tampered[31:], "UNAUTHORIZED"),
        "no key at all": ("let me in", "UNAUTHORIZED"),
        "expired": (site.key(expiresAt="2020-01-01T00:00:00Z"), "UNAUTHORIZED"),
        "revoked": (revoked, "UNAUTHORIZED"),
        "of another project": (site.key(projects=["default"]), "FORBIDDEN"),
        "for other doors": (site.key(transports=["carrier-pigeon"]), "FORBIDDEN"),
    }


async def outcome(site: KeyOffice, door: str, op: str, key: str) -> str:
    """``ok`` or the code of the error, in project `other`."""
    request = {"op": op, "entity": "Tag"} | {name: MEMBERS[name] for name in OPERATIONS[op].needs}
    try:
        async with enter(door, site.server, key, "other") as call:
            return (await call(request))[0]
    except NotLetIn as refused:
        return REFUSED[refused.status]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("op", OPERATIONS)
async def test_no_key_that_does_not_fit_opens_anything(
    site: KeyOffice, wrong_keys: dict[str, tuple[str, str]], door: str, op: str
) -> None:
    found = {kind: await outcome(site, door, op, key) for kind, (key, _) in wrong_keys.items()}
    assert found == {kind: code for kind, (_, code) in wrong_keys.items()}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("op", OPERATIONS)
async def test_a_key_opens_what_its_scopes_name_and_nothing_else(site: KeyOffice, door: str, op: str) -> None:
    family = OPERATIONS[op].family
    fits = {"projects": ["other"], "transports": [door]}
    right = site.key(operations=list({"read", family.value}), **fits)
    # To enter a socket is to be able to listen: that much is read.
    wrong = site.key(operations=[other for other in ALL if other != family], **fits)
    assert await outcome(site, door, op, wrong) == "FORBIDDEN"
    assert await outcome(site, door, op, right) not in REFUSED.values()


async def test_every_family_is_used_and_the_widest_deletion_is_for_administrators(site: KeyOffice) -> None:
    families = {operation.family for operation in OPERATIONS.values()}
    assert families == set(Family)
    assert [op for op, operation in OPERATIONS.items() if operation.family is Family.ADMIN] == ["deleteMany"]


@pytest.mark.parametrize(
    "path",
    ["/events", "/openapi.json", "/api/v1", "/api/v1/other", "/other/events", "/odata", "/other/odata/$metadata"],
)
async def test_what_is_no_operation_asks_for_a_key_too(site: KeyOffice, path: str) -> None:
    writer = site.key(operations=["write"])
    async with aiohttp.ClientSession(site.server.url) as session:
        for key, status in (("", 401), ("nonsense", 401), (writer, 403), (site.office, 200)):
            async with session.get(path, headers={"X-API-Key": key} if key else None) as reply:
                assert reply.status == status, key
                assert status == 200 or (await reply.json())["error"]["code"] == REFUSED[status]


async def test_health_and_its_names_are_told_to_everybody(site: KeyOffice) -> None:
    async with aiohttp.ClientSession(site.server.url) as session:
        for path in ("/health", "/health/live", "/api/v1/health", "/other/health"):
            async with session.get(path) as reply:
                assert reply.status == 200


@pytest.mark.parametrize("path", ["/_system/api/v1/User", "/api/v1/_system/User", "/_system/events", "/_system/health"])
@pytest.mark.parametrize("header", ["", "_system"])
async def test_no_door_leads_to_the_system_project(site: KeyOffice, path: str, header: str) -> None:
    headers = {"X-API-Key": site.office} | ({"X-Project": header} if header else {})
    async with aiohttp.ClientSession(site.server.url) as session, session.get(path, headers=headers) as reply:
        assert reply.status == 404


async def test_an_address_and_a_header_that_name_different_projects_are_refused(site: KeyOffice) -> None:
    narrow = site.key(projects=["default"])
    async with aiohttp.ClientSession(site.server.url) as session:
        for key in (narrow, site.office):
            for path, other in (
                ("/other/api/v1/Tag", "default"),
                ("/other/events", "default"),
                ("/api/v1/Tag?project=other", "default"),
            ):
                async with session.get(path, headers={"X-API-Key": key, "X-Project": other}) as reply:
                    assert (reply.status, (await reply.json())["error"]["code"]) == (400, "PROJECT_CONFLICT")
        # Named one way, it is that project that the key must open.
        for path, headers in (("/other/api/v1/Tag", {}), ("/api/v1/Tag", {"X-Project": "other"})):
            async with session.get(path, headers={"X-API-Key": narrow, **headers}) as reply:
                assert reply.status == 403


async def test_a_key_may_come_as_bearer_and_never_in_the_address(site: KeyOffice) -> None:
    async with aiohttp.ClientSession(site.server.url) as session:
        async with session.get("/api/auth/verify", headers={"Authorization": f"Bearer {site.office}"}) as reply:
            assert reply.status == 200
        for name in ("apikey", "api_key"):
            async with session.get(f"/api/v1/Tag?{name}={site.office}") as reply:
                assert reply.status == 401


async def test_a_browser_connects_with_a_ticket_and_rest_takes_none(site: KeyOffice) -> None:
    ticket = site.ask("POST", "/api/auth/ticket")["ticket"]
    async with aiohttp.ClientSession(site.server.url) as session:
        async with session.get(f"/events?ticket={ticket}") as reply:
            assert reply.status == 200
        async with session.ws_connect(f"/ws?ticket={ticket}") as socket:
            assert (await socket.receive_json())["type"] == "connected"
        for path in (f"/api/v1/Tag?ticket={ticket}", f"/events?ticket={ticket}x", f"/events?ticket={site.office}"):
            async with session.get(path) as reply:
                assert reply.status == 401
        async with session.get("/api/v1/Tag", headers={"X-API-Key": ticket}) as reply:
            assert reply.status == 401
