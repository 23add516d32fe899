"""A log that somebody changed is found out, whatever they changed: `octonet audit verify`."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import aiohttp
import nats
import pytest

from jetstream.server import EmbeddedServer
from jetstream.topology import StreamLimits, project_streams
from octonet.kernel.ids import DEFAULT_PROJECT
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
LOG = "OCTO_LOG_default"
WRITES = 40
Tamper: TypeAlias = Callable[[list[bytes]], list[bytes]]


def _cli(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        server.command("audit", *arguments), env=server.environment(), cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """Stopped, after it wrote some history."""
    found = Server(tmp_path / "data", SHOP)
    with found:
        asyncio.run(_write(found))
    return found


async def _write(server: Server) -> None:
    async with aiohttp.ClientSession(server.url, headers={"X-Correlation-Id": "audited"}) as session:
        for number in range(WRITES):
            async with session.post("/api/v1/tags", json={"label": f"t{number}"}) as reply:
                assert reply.status == 201
        async with session.post("/api/v1/tags", json={"label": "t0"}) as reply:
            assert reply.status == 409


def _made_anew(server: Server, tamper: Tamper) -> None:
    """Put another log in the place of this one, as whoever has the broker's password can."""
    broker = EmbeddedServer(server.directory / "nats")
    broker.spawn()
    broker.wait_ready()
    try:
        asyncio.run(_replace(broker, tamper))
    finally:
        broker.stop()


async def _replace(broker: EmbeddedServer, tamper: Tamper) -> None:
    way = broker.endpoint
    client = await nats.connect(way.url, user=way.user, password=way.password)
    stream = client.jetstream()
    last = (await stream.stream_info(LOG)).state.last_seq
    bodies = [(await stream.get_msg(LOG, number)).data or b"" for number in range(1, last + 1)]
    await stream.delete_stream(LOG)
    config = next(one for one in project_streams(DEFAULT_PROJECT, StreamLimits()) if one["name"] == LOG)
    await client.request(f"$JS.API.STREAM.CREATE.{LOG}", json.dumps(config).encode())
    for body in tamper(bodies):
        await stream.publish("octo.log.default", body)
    await client.close()


def _flipped(bodies: list[bytes]) -> list[bytes]:
    body = bytearray(bodies[10])
    body[len(body) // 2] ^= 1
    return [*bodies[:10], bytes(body), *bodies[11:]]


TAMPERED: dict[str, Tamper] = {
    "one flipped bit": _flipped,
    "one removed entry": lambda bodies: bodies[:10] + bodies[11:],
    "two swapped entries": lambda bodies: [*bodies[:10], bodies[11], bodies[10], *bodies[12:]],
    "a truncated tail": lambda bodies: bodies[:-3],
    "an added entry": lambda bodies: [*bodies[:10], bodies[9], *bodies[10:]],
    "nothing left": lambda bodies: [],
}


def test_a_log_that_nobody_touched_is_whole(server: Server) -> None:
    _made_anew(server, lambda bodies: bodies)
    found = _cli(server, "verify", "--quiet")
    assert (found.returncode, "are whole; held against 2 checkpoints" in found.stdout) == (0, True), found.stderr


@pytest.mark.parametrize("what", TAMPERED)
@pytest.mark.parametrize("alone", [False, True], ids=["with its database", "without its database"])
def test_a_log_that_somebody_changed_is_found_out(server: Server, what: str, alone: bool) -> None:
    _made_anew(server, TAMPERED[what])
    if alone:
        for file in server.directory.glob("octonet.db*"):
            file.unlink()
    found = _cli(server, "verify", "--quiet")
    assert (found.returncode, LOG in found.stderr) == (1, True), found.stdout + found.stderr
    assert "Traceback" not in found.stderr


def test_a_checkpoint_that_was_kept_elsewhere_finds_what_nothing_here_would(server: Server, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(_cli(server, "checkpoint").stdout)
    assert _cli(server, "verify", "--quiet", "--checkpoint", str(kept)).returncode == 0
    _made_anew(server, TAMPERED["a truncated tail"])
    for file in (*server.directory.glob("octonet.db*"), *server.directory.glob("audit/*")):
        file.unlink()
    assert _cli(server, "verify", "--quiet").returncode == 0
    found = _cli(server, "verify", "--quiet", "--checkpoint", str(kept))
    assert (found.returncode, "its end is missing" in found.stderr) == (1, True)


@pytest.mark.parametrize("wrong", ["entry", "project", "signature", "not json"])
def test_a_checkpoint_that_was_not_signed_here_is_refused(server: Server, tmp_path: Path, wrong: str) -> None:
    kept = tmp_path / "kept.json"
    line = json.loads(_cli(server, "checkpoint").stdout)
    if wrong == "signature":
        line["signature"] = line["signature"][::-1]
    else:
        line["said"][wrong if wrong != "not json" else "entry"] = 3 if wrong == "entry" else "other"
    kept.write_text("{" if wrong == "not json" else json.dumps(line))
    found = _cli(server, "verify", "--quiet", "--checkpoint", str(kept))
    assert (found.returncode, "was not signed for project 'default' here" in found.stderr) == (1, True), found.stderr


def test_the_export_tells_who_did_what_through_which_door_and_what_came_of_it(server: Server) -> None:
    lines = [json.loads(line) for line in _cli(server, "export").stdout.splitlines()]
    assert len(lines) == WRITES + 1
    assert {(line["op"], line["entity"], line["transport"]) for line in lines} == {("create", "Tag", "rest")}
    assert {(line["address"], line["correlation"]) for line in lines} == {("127.0.0.1", "audited")}
    assert [line["outcome"] for line in lines] == ["applied"] * WRITES + ["rejected"]
    assert lines[-1]["rejection"] == "UNIQUE_VIOLATION"
    assert (lines[0]["target"], len(lines[-1]["target"])) == (None, 36)
    assert lines[0]["facts"][0]["fact"] == "created"
    assert [line["entry"] for line in lines] == sorted(line["entry"] for line in lines)
