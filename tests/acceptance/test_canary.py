"""A secret that is put into every sensitive field leaves in no byte, by no door, and replay brings it back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import nats

from jetstream.server import find_facts
from octonet.kernel.schema import SECRET_NAMES
from tests.running import ROOT, Server

CANARY = "canary-5f1e-in-the-coal-mine"
NAMES = sorted(SECRET_NAMES)
TEXTS = [name for name in NAMES if not name.endswith("At")]
DATES = [name for name in NAMES if name.endswith("At")]
SCHEMAS = [
    {
        "name": "Vault",
        "collection": "vaults",
        "fields": {
            "label": {"type": "string"},
            **{name: {"type": "string"} for name in TEXTS},
            **{name: {"type": "date"} for name in DATES},
            "code": {"type": "string", "sensitive": True},
            "notes": {"type": "json", "sensitive": True},
        },
        "relations": {"inside": {"target": "Vault", "type": "many-to-one", "nullable": True, "fetch": "eager"}},
    }
]
SECRETS = {name: f"{CANARY} {name}" for name in TEXTS} | {"code": CANARY, "notes": {"deep": [CANARY]}}
FIELDS = [*SECRETS, *DATES]
OFFICE = ("/api/schemas-config", "/api/config-tree", "/api/audit?limit=1000", "/api/audit?project=_system&limit=1000")


class Ear:
    """Everything that any door lets out."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def ask(self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
        async with session.request(method, path, json=body) as reply:
            raw = await reply.read()
            self.heard += [raw, str(reply.headers).encode()]
            return json.loads(raw)

    async def listen(self, session: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        async with session.get("/events") as stream:
            ready.set()
            async for line in stream.content:
                self.heard.append(line)

    async def talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self.heard.append(str(message.data).encode())


async def _use_every_door(server: Server, ear: Ear) -> None:
    endpoint = find_facts(server.directory / "nats")
    assert endpoint is not None
    broker = await nats.connect(
        endpoint.url, user=endpoint.user, password=endpoint.password, inbox_prefix=endpoint.inbox.encode()
    )

    async def on_fact(message: Any) -> None:
        ear.heard += [message.data, str(message.headers).encode()]

    await broker.subscribe("mostajs.>", cb=on_fact)
    async with aiohttp.ClientSession(server.url) as session, session.ws_connect("/ws") as socket:
        ready = asyncio.Event()
        tasks = [asyncio.create_task(ear.listen(session, ready)), asyncio.create_task(ear.talk(socket))]
        await asyncio.wait_for(ready.wait(), 60)
        base = "/api/v1/Vault"
        outer = (await ear.ask(session, "POST", base, {"id": "outer", "label": "o", **SECRETS}))["data"]
        assert set(outer).isdisjoint(FIELDS)
        await ear.ask(session, "POST", base, {"id": "inner", "label": "i", "inside": "outer", **SECRETS})
        await ear.ask(session, "PUT", f"{base}/inner", {"label": "renamed", "code": CANARY + " 2"})
        await ear.ask(session, "PUT", f"{base}/bulk", {"filter": {"label": "o"}, "data": {"code": CANARY + " 3"}})
        await ear.ask(session, "POST", f"{base}/upsert", {"filter": {"label": "u"}, "data": {"label": "u", **SECRETS}})
        for path in ("", "/inner", "/inner?relations=inside", "?relations=inside", "/one", "/search?q=canary"):
            await ear.ask(session, "GET", base + path)
        for field in FIELDS:
            await _probe(session, ear, base, field)
        for more in ({}, {"relations": ["inside"]}):
            await socket.send_json({"op": "findAll", "entity": "Vault", **more})
        await socket.send_json({"op": "create", "entity": "Vault", "data": {"label": "w", **SECRETS}})
        # Values that do not fit are told of, and not told.
        for name in TEXTS:
            told = await ear.ask(session, "POST", base, {name: [CANARY]})
            assert told["status"] == "error"
        await ear.ask(session, "POST", base, {"label": [CANARY], "unknown": 1})
        # A password in an address is a secret, too, whether or not anybody answers there.
        for dialect, uri in (
            ("postgres", f"postgresql://me:{CANARY}@127.0.0.1:1/x"),
            ("postgres", f"postgresql://me:a@{CANARY}:b@127.0.0.1:1/x?password={CANARY}"),
            ("sqlite", f"sqlite:////{CANARY}"),
        ):
            where = {"dialect": dialect, "uri": uri}
            wish = {"name": f"p{len(ear.heard)}", "schemas": SCHEMAS, **where}
            for path, body in (
                ("/api/projects", wish),
                ("/api/test-connection", where),
                ("/api/change-dialect", where),
            ):
                await ear.ask(session, "POST", path, body)
        for path in ("/openapi.json", "/health", "/api/v1", "/api/projects", "/api/projects/export", *OFFICE):
            await ear.ask(session, "GET", path)
        await asyncio.sleep(1.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await broker.close()


async def _probe(session: aiohttp.ClientSession, ear: Ear, base: str, field: str) -> None:
    """Nothing can be found out about it by asking cleverly, either."""
    where = json.dumps({field: {"$exists": True}})
    assert (await ear.ask(session, "GET", f"{base}?filter={where}"))["status"] == "error"
    for wish in ({"sort": json.dumps({field: 1})}, {"select": field}):
        name, value = next(iter(wish.items()))
        assert (await ear.ask(session, "GET", f"{base}?{name}={value}"))["status"] == "error"
    search = {"query": "canary", "fields": [field]}
    assert (await ear.ask(session, "POST", f"{base}/search", search))["status"] == "error"
    stages = [{"$group": {"_by": field, "n": {"$count": True}}}]
    assert (await ear.ask(session, "POST", f"{base}/aggregate", {"stages": stages}))["status"] == "error"


def test_a_canary_in_every_sensitive_field_is_heard_nowhere(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas.json"
    schemas.write_text(json.dumps(SCHEMAS))
    server = Server(tmp_path / "data", schemas, OCTONET_LOG_LEVEL="debug", OCTONET_DATABASE_HOSTS="127.0.0.1").start()
    ear = Ear()
    asyncio.run(_use_every_door(server, ear))
    assert server.stop() == 0
    assert sum(CANARY.encode() in piece for piece in ear.heard) == 0
    assert len(ear.heard) > 150
    # On disk it is in the database alone: commands and facts carry it sealed.
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and "octonet.db" not in path.name]
    assert files
    assert [str(path) for path in files if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in server.log()

    copy = tmp_path / "copy.db"
    command = server.command("replay", "--to", f"sqlite:///{copy}", "--quiet")
    subprocess.run(command, env=server.environment(), cwd=ROOT, check=True, capture_output=True, timeout=60)
    with closing(sqlite3.connect(copy)) as rebuilt, closing(sqlite3.connect(tmp_path / "data" / "octonet.db")) as first:
        rows = [database.execute("SELECT * FROM vaults ORDER BY id").fetchall() for database in (first, rebuilt)]
        code = rebuilt.execute("SELECT code FROM vaults WHERE id = 'inner'").fetchone()[0]
    assert rows[0] == rows[1]
    assert code == CANARY + " 2"
