"""Keys of a predecessor, imported by what it stored of them, open what they opened before."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import pytest

from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
WITHIN = 60.0
READER = {"projects": ["default"], "operations": ["read"], "transports": "*"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("imported") / "data", SHOP, OCTONET_OPEN_MODE="") as found:
        yield found


def _cli(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        server.command("keys", *arguments), env=server.environment(), cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def _stored(text: str, **more: Any) -> dict[str, Any]:
    """What a predecessor kept of a key."""
    hashed = bcrypt.hashpw(text.encode(), bcrypt.gensalt(4)).decode()
    return {"prefix": text[:16], "hash": hashed, "label": "brought along", "permissions": READER, **more}


def _import(server: Server, path: Path, rows: Any) -> subprocess.CompletedProcess[str]:
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return _cli(server, "import", str(path))


async def _status(server: Server, key: str, method: str = "GET") -> int:
    body = {"label": key} if method == "POST" else None
    async with (
        aiohttp.ClientSession(server.url, headers={"X-API-Key": key}) as session,
        session.request(method, "/api/v1/tags", json=body) as reply,
    ):
        return reply.status


async def _becomes(server: Server, key: str, status: int) -> None:
    async with asyncio.timeout(WITHIN):
        while await _status(server, key) != status:
            await asyncio.sleep(0.02)


async def test_imported_keys_open_what_they_opened_and_can_be_revoked(server: Server, tmp_path: Path) -> None:
    plain, older, off, late = (
        "sk_live_" + "a1B2" * 14,
        "msk_live_Zm9vYmFy-_" + "q" * 20,
        "sk_test_off_" + "x" * 30,
        "sk_live_late" + "x" * 30,
    )
    assert await _status(server, plain) == 401
    rows = [
        _stored(plain, permissions={"scopes": READER, "rateLimit": 500}, account="public-system"),
        _stored(older, prefix=older[:24]),
        _stored(off, prefix=off[:12], enabled=False),
        _stored(late, expiresAt="2020-01-01T00:00:00Z"),
    ]
    done = _import(server, tmp_path / "keys.json", rows)
    assert (done.returncode, done.stdout) == (0, "4 imported, 0 were there already\n"), done.stderr
    await _becomes(server, plain, 200)
    await _becomes(server, older, 200)
    for key in (off, late, plain[:-1] + "3", older + "q", plain[:16], "sk_live_" + "z" * 40):
        assert await _status(server, key) == 401, key
    assert await _status(server, plain, "POST") == 403
    again = _import(server, tmp_path / "keys.json", rows)
    assert (again.returncode, again.stdout) == (0, "0 imported, 4 were there already\n"), again.stderr
    assert rows[0]["hash"] not in _cli(server, "list").stdout
    assert _cli(server, "revoke", plain[:16]).returncode == 0
    await _becomes(server, plain, 401)
    assert await _status(server, older) == 200


async def test_one_bad_row_keeps_all_out_and_every_fault_is_told_at_its_place(server: Server, tmp_path: Path) -> None:
    text = "sk_live_goodgood" + "g" * 30
    rows = [
        _stored(text),
        _stored("sk_live_twicetwi" + "1" * 30),
        _stored("sk_live_twicetwi" + "2" * 30),
        _stored("sk_live_goodgo" + "d" * 30, prefix="sk_live_good"),
        _stored("pk_live_foreignx" + "1" * 30),
        {**_stored("sk_live_sha256xx" + "1" * 30), "hash": "a" * 64},
        _stored("sk_live_scopesxx" + "1" * 30, permissions={"scopes": {"projects": "shop"}}),
        _stored("sk_live_soonxxxx" + "1" * 30, expiresAt="soon"),
        _stored("sk_live_nobodyxx" + "1" * 30, account="nobody"),
        _stored("sk_live_extraxxx" + "1" * 30, usageCount=7),
        {"prefix": "sk_live_bare1234"},
        7,
    ]
    before = _cli(server, "list").stdout
    done = _import(server, tmp_path / "bad.json", rows)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "nothing was imported" in done.stderr
    for place in ("[2].prefix", "[3].prefix", "[4].prefix", "[5].hash", "[6].permissions.scopes.projects",
                  "[7].expiresAt", "[8].account", "[9]", "[10]", "[11]"):  # fmt: skip
        assert f"  ${place}: " in done.stderr, place
    assert "$[1]" not in done.stderr.replace("$[10]", "").replace("$[11]", "").replace("that of $[1]", "")
    assert _cli(server, "list").stdout == before
    assert await _status(server, text) == 401


@pytest.mark.parametrize("text", ["", "{}", "[{]", '"\\ud800"'])
def test_what_is_no_list_of_keys_is_said_to_be_none(server: Server, tmp_path: Path, text: str) -> None:
    done = _import(server, tmp_path / "none.json", text)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a JSON array of keys" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_is_here_by_another_hash_is_not_replaced(server: Server, tmp_path: Path) -> None:
    text = "sk_live_taken123" + "t" * 30
    assert _import(server, tmp_path / "first.json", [_stored(text)]).returncode == 0
    done = _import(server, tmp_path / "second.json", [_stored(text)])
    assert done.returncode == 1
    assert "$[0].prefix" in done.stderr


def test_help_says_what_the_file_is_like(server: Server) -> None:
    told = _cli(server, "import", "--help").stdout
    for word in ("JSON array", '"prefix"', "bcrypt", "sk_live_", "msk_live_", "expiresAt", "nothing is imported"):
        assert word in told
    missing = _cli(server, "import", "nowhere.json")
    assert (missing.returncode, "there is no file nowhere.json" in missing.stderr) == (1, True)
