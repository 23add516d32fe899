"""`octonet dead-letters`, as an operator uses it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jetstream.api import publish
from jetstream.connection import connect
from jetstream.server import find_running
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", SHOP) as found:
        yield found


def _cli(server: Server, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*server.command("dead-letters", *arguments)], env=server.environment(), cwd=ROOT, input=answer,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _letters(server: Server, least: int) -> list[dict[str, object]]:
    """The letters, once there are this many."""
    for _ in range(60):
        done = _cli(server, "list", "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        if len(found) >= least:
            return found
    raise AssertionError(found)


async def _send(server: Server, *bodies: bytes) -> None:
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    client = await connect(endpoint)
    for body in bodies:
        await publish(client, "octo.cmd.default", body, {})
    await client.close()


async def test_letters_are_listed_shown_retried_and_dropped(server: Server) -> None:
    assert _cli(server, "list").stdout == "project default has no dead letters\n"
    strange = msgspec.msgpack.encode(["", [["id", 1, [], {"op": "explode"}]]])
    await _send(server, b"garbage", strange)
    first, second = _letters(server, 2)
    assert (first["project"], first["frame"], first["bytes"]) == ("default", 1, 7)
    assert "explode" in str(second["reason"])
    table = _cli(server, "list").stdout.splitlines()
    assert table[0].split() == ["SEQ", "FRAME", "FOUND", "BYTES", "REASON"]
    assert len(table) == 3
    shown = json.loads(_cli(server, "show", "2", "--json").stdout)
    assert base64.b64decode(shown["body"]) == strange
    assert "67 61 72 62 61 67 65" in _cli(server, "show", "1").stdout

    done = _cli(server, "retry", "1")
    assert (done.returncode, done.stdout) == (0, "1 of 1 retried\n")
    # It is as unreadable as before: it comes back as a new letter of a new frame.
    again = next(one for one in _letters(server, 2) if one["frame"] == 3)
    assert again["sequence"] == 3
    assert {one["sequence"] for one in _letters(server, 2)} == {2, 3}

    asked = _cli(server, "drop", "--all", answer="n\n")
    assert (asked.returncode, len(_letters(server, 2))) == (1, 2)
    assert _cli(server, "drop", "2", answer="y\n").returncode == 0
    done = _cli(server, "drop", "--all", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"dropped": [3], "failed": []})
    assert _letters(server, 0) == []


async def test_all_letters_are_retried_with_a_progress_bar(server: Server) -> None:
    await _send(server, *(b"garbage %d" % number for number in range(5)))
    _letters(server, 5)
    done = _cli(server, "retry", "--all")
    assert (done.returncode, done.stdout) == (0, "5 of 5 retried\n")
    assert "5/5" in done.stderr
    assert {one["frame"] for one in _letters(server, 5)} == {6, 7, 8, 9, 10}


def test_wrong_calls_and_unknown_letters_are_told_by_exit_code(server: Server) -> None:
    assert _cli(server, "drop", "--yes").returncode == 2
    assert _cli(server, "retry", "1", "--all").returncode == 2
    for action in (("show", "9"), ("retry", "9"), ("drop", "9", "--yes")):
        done = _cli(server, *action)
        assert (done.returncode, "no dead letter 9" in done.stderr) == (1, True), done.stderr
    assert "ghost" in _cli(server, "list", "--project", "ghost").stderr
    assert "SEQ is the number" in _cli(server, "--help").stdout
