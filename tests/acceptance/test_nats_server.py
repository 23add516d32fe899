"""The embedded nats-server: it lives and dies with its parent, lets nobody in, and syncs before it acknowledges."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jetstream import connection
from jetstream import server as server_module
from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.server import EmbeddedServer, find_running, stop_stale
from octonet.kernel.errors import Unavailable
from tests.running import ROOT

_PARENT = """
import pathlib, sys, time
from jetstream.server import EmbeddedServer
server = EmbeddedServer(pathlib.Path(sys.argv[1]))
server.spawn()
server.wait_ready()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    found = EmbeddedServer(tmp_path / "nats")
    found.spawn()
    try:
        found.wait_ready()
        yield found
    finally:
        found.stop()


def _process(directory: Path) -> int:
    return int((directory / "nats-server.pid").read_text())


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _until(true: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_port_that_somebody_took_meanwhile_is_given_up_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, plain = EmbeddedServer(tmp_path / "nats"), server_module._free_port
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        ports = [int(somebody.getsockname()[1])]
        monkeypatch.setattr(server_module, "_free_port", lambda: ports.pop() if ports else plain())
        found.spawn()
        try:
            found.wait_ready()
            assert found.endpoint.url != f"nats://127.0.0.1:{somebody.getsockname()[1]}"
        finally:
            found.stop()


def _start_parent(directory: Path) -> subprocess.Popen[str]:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(directory)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    with parent.stdout:
        assert parent.stdout.readline() == "ready\n"
    return parent


def test_it_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = _start_parent(tmp_path)
    process = _process(tmp_path)
    assert _runs(process)
    assert find_running(tmp_path) is not None
    parent.kill()
    parent.wait(60)
    _until(lambda: not _runs(process))
    assert find_running(tmp_path) is None


def test_a_stale_one_is_stopped_at_the_next_start(tmp_path: Path) -> None:
    parent = _start_parent(tmp_path)
    process = _process(tmp_path)
    # A frozen server does not notice that its parent is gone.
    os.kill(process, signal.SIGSTOP)
    parent.kill()
    parent.wait(60)
    assert _runs(process)
    os.kill(process, signal.SIGCONT)
    again = EmbeddedServer(tmp_path)
    again.spawn()
    try:
        again.wait_ready()
        assert not _runs(process)
        assert _process(tmp_path) != process
    finally:
        again.stop()
    assert find_running(tmp_path) is None


def test_a_stranger_under_a_reused_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (tmp_path / "nats-server.pid").write_text(str(stranger.pid))
        stop_stale(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(60)


@pytest.mark.parametrize("credentials", [{}, {"user": "octonet"}, {"user": "octonet", "pass": "wrong"}])
async def test_nobody_enters_without_its_credentials(server: EmbeddedServer, credentials: dict[str, str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.endpoint.url.rpartition(":")[2]))
    assert b'"auth_required":true' in await reader.readline()
    writer.write(b"CONNECT %b\r\nPING\r\n" % json.dumps({"verbose": False, **credentials}).encode())
    # It asks whether the client lives while it waits for somebody who knows the client.
    while (line := await reader.readline()) == b"PING\r\n":
        pass
    assert line == b"-ERR 'Authorization Violation'\r\n"
    writer.close()
    await writer.wait_closed()


async def test_whoever_has_them_enters(server: EmbeddedServer) -> None:
    client = await connect(server.endpoint)
    assert client.is_connected
    await client.close()


def test_its_files_are_private_and_its_credentials_fresh(server: EmbeddedServer, tmp_path: Path) -> None:
    first = server.endpoint.password
    for name in ("nats-server.conf", "endpoint.json"):
        assert (tmp_path / "nats" / name).stat().st_mode & 0o077 == 0
    server.stop()
    server.spawn()
    server.wait_ready()
    assert server.endpoint.password != first
    assert len(first) >= 32


def test_it_syncs_before_it_acknowledges(server: EmbeddedServer, tmp_path: Path) -> None:
    config = (tmp_path / "nats" / "nats-server.conf").read_text()
    assert re.findall(r"^\s*sync_interval: *(\S+)$", config, re.MULTILINE) == ["always"]
    assert 'listen: "127.0.0.1:' in config


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "jetstream").write_text("a file where a directory should be")
    server = EmbeddedServer(tmp_path / "nats")
    server.spawn()
    try:
        with pytest.raises(Unavailable, match=r"nats-server ended at once; its log says:\n(?s:.)*storage directory"):
            server.wait_ready()
    finally:
        server.stop()


@pytest.mark.parametrize("version", ["2.10.0", "2.14.99", "2.15.0"])
async def test_an_old_server_is_refused_with_a_sentence(version: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "old", "version": version, "max_payload": 1048576, "proto": 1, "headers": True}
        writer.write(b"INFO %b\r\n" % json.dumps(info).encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as old:
        port = old.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match=rf"is version {version}; Octonet needs 2\.15\.1 or newer") as refused:
            await connect(Endpoint(f"nats://127.0.0.1:{port}"))
    assert refused.value.code == "NATS_UNSUITABLE"


async def test_a_server_that_hangs_up_is_told_of_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REACHED_WITHIN", 3.0)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match=rf"cannot connect to NATS at nats://127\.0\.0\.1:{port}: \S+"):
            await connect(Endpoint(f"nats://127.0.0.1:{port}"))


async def test_an_address_where_nobody_listens_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REACHED_WITHIN", 3.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"cannot connect to NATS at nats://127\.0\.0\.1:{port}: .*failed"):
            await connect(Endpoint(f"nats://127.0.0.1:{port}"))
