"""The command line, as an operator uses it: real processes, real files."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jetstream.server import EmbeddedServer
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
_TAKEOVER = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("cli") / "data", SHOP) as found:
        yield found


def _run(*arguments: str, within: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """`octonet …` with an environment that holds nothing of ours but what is given."""
    ours = ("OCTONET_", "MOSTA_", "DB_", "SGBD_", "NATS_", "SCHEMAS_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "octonet", *arguments],
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        cwd=within or ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _on(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(*arguments, "--data-dir", str(server.directory), "--schemas", str(SHOP))


def _ask(server: Server, path: str) -> Any:
    with urllib.request.urlopen(f"{server.url}/api/v1/{path}", timeout=60) as response:
        return json.load(response)["data"]


def _settings(*arguments: str, within: Path | None = None, **environment: str) -> Any:
    done = _run("info", *arguments, within=within, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["settings"]


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson"])
def test_load_reports_each_rejected_line_and_leaves_alone_what_is_there(
    server: Server, tmp_path: Path, ending: str
) -> None:
    good = [{"id": f"{ending}{n}", "email": f"{ending}{n}@x.org", "visits": n, "vip": n % 2 == 0} for n in range(40)]
    bad: dict[str, Any] = {"id": f"{ending}-bad", "email": f"{ending}@x.org", "visits": 1, "vip": "perhaps"}
    records = [*good[:3], bad, *good[3:]]
    file = tmp_path / f"customers.{ending}"
    first = 1
    if ending == "csv":
        first = 2
        lines = ["id,email,visits,vip", *(f"{r['id']},{r['email']},{r['visits']},{r['vip']}" for r in records)]
        file.write_text("\n".join(lines))
    elif ending == "json":
        file.write_text(json.dumps(records))
    else:
        file.write_text("\n".join(json.dumps(record) for record in records))
    done = _on(server, "load", "Customer", str(file), "--quiet")
    assert done.returncode == 3, done.stderr
    assert done.stdout == "40 created, 0 were there already, 1 rejected\n"
    [line] = [line for line in done.stderr.splitlines() if "line " in line]
    assert f"line {3 + first}:" in line
    assert "vip" in line
    assert _ask(server, f"customers/{ending}7")["visits"] == 7
    assert _ask(server, f"customers/{ending}-bad") is None
    done = _on(server, "load", "customers", str(file), "--quiet")
    assert done.returncode == 3
    assert done.stdout == "0 created, 40 were there already, 1 rejected\n"


def test_load_of_a_whole_good_file_exits_with_zero(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "tags.ndjson"
    file.write_text('{"id":"t1","label":"One"}\n\n{"id":"t2","label":"Two"}\n')
    done = _on(server, "load", "Tag", str(file), "--quiet")
    assert (done.returncode, done.stdout) == (0, "2 created, 0 were there already, 0 rejected\n")
    assert _ask(server, "tags/t1")["label"] == "one"


def test_load_says_what_it_cannot_read(server: Server, tmp_path: Path) -> None:
    (tmp_path / "tags.xml").write_text("<tags/>")
    (tmp_path / "tags.csv").write_bytes(b"label\n\xff\xfe\n")
    for entity, file, word in (
        ("Tag", "nowhere.csv", "nowhere.csv"), ("Tag", "tags.xml", ".json"), ("Tgs", "tags.xml", "Tgs"),
        ("Tag", "tags.csv", "UTF-8"),
    ):  # fmt: skip
        done = _on(server, "load", entity, str(tmp_path / file), "--quiet")
        assert done.returncode == 1
        assert word in done.stderr
        assert "Traceback" not in done.stderr


def test_tail_prints_the_facts_it_was_asked_for(server: Server) -> None:
    tail = subprocess.Popen(
        server.command("tail", "mostajs.Note.*", "--count", "2"),
        env=server.environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tail.stdout is not None
    with tail.stdout:
        number = 0
        lines: list[str] = []
        while len(lines) < 2:
            # It tells nobody when it has begun to listen: notes are written until two of them were seen.
            number += 1
            assert number < 400
            _post(server, "tags", {"label": f"tail {number}"})
            _post(server, "notes", {"slug": f"tail {number}"})
            while len(lines) < 2 and select.select([tail.stdout], [], [], 0.05)[0]:
                lines.append(tail.stdout.readline())
    assert tail.wait(60) == 0
    subjects, bodies = zip(*(line.split(" ", 1) for line in lines), strict=True)
    assert set(subjects) == {"mostajs.Note.created"}
    assert all(json.loads(body)["entity"] == "Note" for body in bodies)


def _post(server: Server, collection: str, data: Any) -> None:
    request = urllib.request.Request(
        f"{server.url}/api/v1/{collection}", json.dumps(data).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 201


def test_info_tells_no_secret(tmp_path: Path) -> None:
    done = _run(
        "info", "--data-dir", str(tmp_path), SGBD_URI="postgresql://me:hunter2@db/x", DB_DIALECT="postgres",
        NATS_URL="nats://me:hunter3@nats:4222", NATS_PASSWORD="hunter4",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hunter" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["running"] is False


def test_check_schema_lists_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text(json.dumps([
        {"name": "A", "collection": "as", "fields": {"x": {"type": "strnig"}, "y": {"type": "number", "enum": ["a"]}}},
        {"name": "A", "collection": "bs", "fields": {}, "relations": {"c": {"target": "As", "type": "many-to-one"}}},
    ]))  # fmt: skip
    done = _run("check-schema", str(file))
    assert done.returncode == 1
    for path in ("$[0].fields.x.type", "$[0].fields.y.enum", "$[1].name", "$[1].relations.c.target"):
        assert f"{path}:" in done.stdout
    done = _run("check-schema", str(SHOP))
    assert done.returncode == 0
    assert "Customer (customers): 8 fields, 3 relations" in done.stdout


def test_an_unknown_variable_is_warned_of_with_the_nearest_name() -> None:
    done = _run("info", OCTONET_DATA_DRI="x")
    assert done.returncode == 0
    assert "warning: OCTONET_DATA_DRI is not a setting; did you mean OCTONET_DATA_DIR?" in done.stderr


def test_a_setting_that_does_not_fit_is_refused_by_name() -> None:
    done = _run("info", MOSTA_NET_PORT="many", OCTONET_OPEN_MODE="perhaps")
    assert done.returncode == 1
    assert "MOSTA_NET_PORT: 'many' is not a number" in done.stderr
    assert "OCTONET_OPEN_MODE: 'perhaps' is neither true nor false" in done.stderr


def test_settings_cascade_from_files_to_environment_to_profile_to_flags(tmp_path: Path) -> None:
    lines = ["MOSTA_NET_PORT=1", "OCTONET_HOST=from-env", "OCTONET_LOG_LEVEL=debug", "DEV_DB_POOL_SIZE=9"]
    (tmp_path / ".env").write_text("\n".join(lines))
    (tmp_path / ".env.local").write_text("OCTONET_HOST=from-local\n")
    found = _settings(within=tmp_path)
    assert (found["port"], found["host"], found["log_level"], found["pool_size"]) == (1, "from-local", "debug", 4)
    found = _settings(within=tmp_path, MOSTA_NET_PORT="2", OCTONET_HOST="", DEV_MOSTA_NET_PORT="3")
    assert (found["port"], found["host"]) == (2, "from-local")
    found = _settings(within=tmp_path, MOSTA_ENV=" DEV ", MOSTA_NET_PORT="2", DEV_MOSTA_NET_PORT="3")
    assert (found["port"], found["pool_size"]) == (3, 9)
    found = _settings("--log-level", "error", within=tmp_path, OCTONET_LOG_LEVEL="info")
    assert found["log_level"] == "error"


def test_open_mode_is_told_loudly(server: Server) -> None:
    assert any(line.startswith("OPEN MODE: everyone") for line in server.process.output.seen)


def test_a_second_server_on_the_same_data_is_refused_naming_the_first(server: Server) -> None:
    done = _run(
        "serve", "--data-dir", str(server.directory), "--schemas", str(SHOP), "--port", "0", OCTONET_OPEN_MODE="true"
    )
    assert done.returncode == 1
    assert f"process {server.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert _ask(server, "tags/count") >= 0


def test_a_worker_takes_over_from_a_killed_server(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    broker = EmbeddedServer(tmp_path / "nats")
    broker.spawn()
    broker.wait_ready()
    endpoint = broker.endpoint
    server = Server(directory, SHOP, NATS_URL=endpoint.url, NATS_USER=endpoint.user, NATS_PASSWORD=endpoint.password)
    worker: subprocess.Popen[str] | None = None
    try:
        server.start()
        _post(server, "tags", {"id": "before", "label": "before"})
        worker = subprocess.Popen(
            server.command("work"), env=server.environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "standing by for the lane\n"
        server.kill()
        killed = time.monotonic()
        assert select.select([worker.stdout], [], [], _TAKEOVER)[0], "nobody took the lane over"
        assert worker.stdout.readline() == "owns the lane\n"
        assert time.monotonic() - killed < _TAKEOVER
        file = tmp_path / "tags.ndjson"
        file.write_text('{"id":"before","label":"before"}\n{"id":"after","label":"after"}\n')
        done = subprocess.run(
            server.command("load", "Tag", str(file), "--quiet"),
            env=server.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout == "1 created, 1 were there already, 0 rejected\n", done.stderr
    finally:
        if worker is not None:
            worker.terminate()
            worker.wait(60)
            assert worker.stdout is not None
            worker.stdout.close()
        broker.stop()
