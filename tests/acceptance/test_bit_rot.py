"""A rotten disk under the log: found by reading, named, and never folded past."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
_FACTS = 2_000


def _ask(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def _cli(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        server.command(*arguments), env=server.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a server that was stopped after it wrote its facts, in many entries."""
    directory = tmp_path_factory.mktemp("filled") / "data"
    server = Server(directory, SHOP)
    with server:
        for start in range(0, _FACTS, 100):
            rows = [{"id": f"t{number}", "label": f"label {number}"} for number in range(start, start + 100)]
            call = {"jsonrpc": "2.0", "method": "Tag.create"}
            batch = [{**call, "id": number, "params": {"data": row}} for number, row in enumerate(rows)]
            assert all("result" in answer for answer in _ask(f"{server.url}/rpc", batch)[1])
    whole = _cli(server, "audit", "verify", "--quiet")
    assert (whole.returncode, "OCTO_LOG_default are whole" in whole.stdout) == (0, True), whole.stderr
    return directory


def _flip(directory: Path, where: float) -> None:
    [block] = directory.glob("nats/**/OCTO_LOG_default/msgs/1.blk")
    raw = bytearray(block.read_bytes())
    raw[int(len(raw) * where)] ^= 1
    block.write_bytes(raw)


def _alarm(server: Server) -> str:
    """What `/health` says once it is not well any more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status, told = _ask(f"{server.url}/health")
        if status == 503 and "stands still" in told.get("reason", ""):
            return str(told["reason"])
        time.sleep(0.1)
    raise AssertionError("the server calls itself healthy over a broken log")


@pytest.mark.parametrize("where", [0.5, 0.999])
@pytest.mark.parametrize("rebuilt", [False, True], ids=["database kept", "database rebuilt"])
def test_a_flipped_bit_in_the_log_stops_the_project_and_is_named(
    tmp_path: Path, filled: Path, where: float, rebuilt: bool
) -> None:
    directory = tmp_path / "data"
    shutil.copytree(filled, directory)
    server = Server(directory, SHOP)
    _flip(directory, where)
    if rebuilt:
        for file in directory.glob("octonet.db*"):
            file.unlink()
    server.start()
    try:
        problem = _alarm(server)
        assert "OCTO_LOG_default" in problem
        assert any(word.isdigit() for word in problem.split()), problem
        status, told = _ask(f"{server.url}/api/v1/tags", {"label": "new"})
        assert status == 503
        assert "OCTO_LOG_default" in told["error"]["message"]
        assert _ask(f"{server.url}/api/v1/tags/count")[0] == 200
        broken = _cli(server, "audit", "verify", "--quiet")
        assert broken.returncode == 1
        assert "OCTO_LOG_default" in broken.stderr
        assert "Traceback" not in broken.stderr
    finally:
        server.stop()
    if rebuilt:
        database = sqlite3.connect(directory / "octonet.db")
        ids = [int(id[1:]) for (id,) in database.execute("SELECT id FROM tags")]
        database.close()
        # What is there is a prefix: nothing behind the rotten place was folded.
        assert len(ids) < _FACTS
        assert max(ids, default=-1) < len(ids) + 100
