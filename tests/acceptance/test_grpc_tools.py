"""What tools make of the gRPC door: buf lints its files and calls it by reflection; HTTP and a command print them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.grpc_site import OPEN, SHOP, address
from tests.running import Server

BUF = Path(sys.executable).parent / "buf"
LIBRARY = SHOP.parent.parent / "conformance" / "library.json"
LINT = """\
version: v2
lint:
  use: [STANDARD]
  ignore_only:
    # What clients know from before: a package without a version, messages that many methods share, and the names that
    # fields have in the schema.
    PACKAGE_VERSION_SUFFIX: [mostajs]
    RPC_REQUEST_STANDARD_NAME: [mostajs]
    RPC_RESPONSE_STANDARD_NAME: [mostajs]
    RPC_REQUEST_RESPONSE_UNIQUE: [mostajs]
    FIELD_LOWER_SNAKE_CASE: [mostajs]
breaking:
  use: [WIRE_JSON]
  # A field that comes back has its own number again.
  except: [RESERVED_MESSAGE_NO_DELETE]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("tools") / "data", SHOP, **OPEN) as found:
        yield found
        assert "Traceback" not in found.log()


def buf(*arguments: str, folder: Path | None = None, fails: bool = False) -> str:
    """Run it; what it prints."""
    done = subprocess.run([BUF, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert fails or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def printed(server: Server, *arguments: str) -> str:
    """What `octonet proto` prints."""
    command = server.command("proto", *arguments)
    done = subprocess.run(command, env=server.environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl(server: Server, method: str, content: Any) -> Any:
    """Call a method by reflection."""
    url = f"http://{address(server)}/{method}"
    return json.loads(buf("curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", json.dumps(content), url))


@pytest.mark.parametrize("schemas", [SHOP, LIBRARY])
def test_the_printed_files_pass_buf_lint(tmp_path: Path, schemas: Path) -> None:
    offline = Server(tmp_path / "data", schemas)
    listed = printed(offline, "--to", str(tmp_path / "proto")).split()
    assert sorted(Path(path).relative_to(tmp_path / "proto").as_posix() for path in listed) == [
        "mostajs/mostajs.proto", "octonet/core/v1/core.proto", "octonet/v1/entities.proto",
    ]  # fmt: skip
    (tmp_path / "proto" / "buf.yaml").write_text(LINT)
    assert buf("lint", folder=tmp_path / "proto") == ""


def test_a_command_prints_what_the_server_tells_over_http(server: Server) -> None:
    assert "FindAll(FilterRequest) returns (TagList);" in printed(server, "--package", "mostajs")
    assert "rpc Watch(TagServiceWatchRequest) returns (stream TagServiceWatchResponse);" in printed(server)


async def test_http_prints_the_files_and_lists_the_services(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as session:
        async with session.get("/api/grpc/services") as reply:
            names = ["TagService", "CustomerService", "OrderService", "NoteService"]
            assert await reply.json() == {"services": names, "proto": "GET /api/grpc/proto"}
        for package in ("mostajs", "octonet.v1", "octonet.core.v1"):
            async with session.get("/api/grpc/proto", params={"package": package}) as reply:
                assert reply.content_type == "text/plain"
                assert await reply.text() == printed(server, "--package", package)
        async with session.get("/api/grpc/proto") as reply:
            assert "package mostajs;" in await reply.text()
        for path, status in (("/proto?package=x", 400), ("/proto?x=1", 400), ("/nothing", 404), ("", 404)):
            async with session.get(f"/api/grpc{path}") as reply:
                assert reply.status == status
        async with session.post("/api/grpc/proto") as reply:
            assert reply.status == 405


def test_buf_lists_and_calls_by_reflection(server: Server) -> None:
    url = f"http://{address(server)}"
    listed = buf("curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-methods", url).split()
    assert {
        "octonet.v1.TagService/FindById",
        "mostajs.TagService/FindAll",
        "octonet.core.v1.OperationService/Execute",
        "grpc.health.v1.Health/Check",
    } <= set(listed)
    made = curl(server, "octonet.v1.CustomerService/Create", {"data": {"email": "buf@x.org", "visits": 2}})
    # The names in JSON are those of the schema.
    assert {"id", "email", "visits", "createdAt"} <= set(made["row"])
    found = curl(server, "octonet.v1.CustomerService/FindAll", {"filter": '{"visits":2}', "readMask": "email"})
    assert found == {"rows": [{"id": made["row"]["id"], "email": "buf@x.org"}]}
    assert curl(server, "grpc.health.v1.Health/Check", {"service": "octonet.v1.TagService"}) == {"status": "SERVING"}
    refused = buf(
        *("curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", '{"data":{"email":"buf@x.org"}}'),
        f"{url}/octonet.v1.CustomerService/Create",
        fails=True,
    )
    assert "already_exists" in refused
    assert "google.rpc.BadRequest" in refused
