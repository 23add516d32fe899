"""Whatever JSON comes in a body, on whatever route: never a server's error, always the one envelope."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.bodies import BODIES
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_ROUTES = [
    *(("POST", path) for path in ("", "/c1/increment", "/c1/addToSet", "/c1/pull")),
    *(("POST", f"/{op}") for op in (
        "search", "aggregate", "upsert", "updateMany", "deleteMany", "create", "update", "delete", "increment",
        "addToSet", "pull", "findAll", "findOne", "findById", "count",
    )),
    ("PUT", "/c1"), ("PUT", "/bulk"), ("PATCH", "/c1"), ("DELETE", "/bulk"), ("DELETE", "/c1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("any") / "data", SHOP) as found:
        yield found


def test_no_body_makes_the_server_fail(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)) as connection:

        def send(method: str, path: str, body: object) -> tuple[int, object]:
            text = json.dumps(body)
            headers = {"Content-Type": "application/json"}
            connection.request(method, f"/api/v1/customers{path}", text, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        assert send("POST", "", {"id": "c1", "email": "c1@x.org"})[0] == 201

        @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(route=st.sampled_from(_ROUTES), body=BODIES)
        def fuzz(route: tuple[str, str], body: object) -> None:
            status, told = send(*route, body)
            assert status < 500, (route, body, told)
            assert isinstance(told, dict)
            assert told["status"] == ("ok" if status in (200, 201) else "error")

        fuzz()
    assert "Traceback" not in server.log()
