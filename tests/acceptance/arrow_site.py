"""A server with two projects whose keys are looked at, as clients of Arrow see it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import flight

from tests.key_office import office_key
from tests.running import EveryDoor

KINDS = [
    {
        "name": "Kind",
        "collection": "kinds",
        "fields": {
            "string": {"type": "string", "required": True},
            "text": {"type": "text"},
            "number": {"type": "number"},
            "boolean": {"type": "boolean"},
            "date": {"type": "date"},
            "json": {"type": "json"},
            "strings": {"type": "array", "arrayOf": "string"},
            "numbers": {"type": "array", "arrayOf": "number"},
            "booleans": {"type": "array", "arrayOf": "boolean"},
            "dates": {"type": "array", "arrayOf": "date"},
            "anything": {"type": "array"},
            "objects": {"type": "array", "arrayOf": {"kind": "embedded", "fields": {"a": {"type": "number"}}}},
            "password": {"type": "string"},
        },
        "relations": {
            "friend": {"target": "Kind", "type": "many-to-one"},
            "others": {"target": "Kind", "type": "many-to-many", "through": "kind_others"},
        },
        "timestamps": True,
        "softDelete": True,
    },
    {
        "name": "Part",
        "collection": "parts",
        "fields": {"label": {"type": "string", "required": True, "unique": True}, "size": {"type": "number"}},
        "relations": {"kind": {"target": "Kind", "type": "many-to-one"}},
    },
]


class Site:
    """`office` is a key that may do everything; `keys` are those of one project each."""

    def __init__(self, directory: Path) -> None:
        schemas, tree = directory / "kinds.json", directory / "tree.json"
        schemas.write_text(json.dumps(KINDS))
        tree.write_text(json.dumps({"other": {"schemas": KINDS}}))
        self.server = EveryDoor(
            directory / "data",
            schemas,
            OCTONET_OPEN_MODE="",
            MOSTA_PROJECTS=str(tree),
            OCTONET_ARROW_SQL_TIMEOUT="2",
            OCTONET_ARROW_SQL_ROWS="5000",
        )

    def open(self) -> Site:
        """Start it, and issue the keys."""
        self.server.start()
        self.office = office_key(self.server)
        self.keys = {project: self.key(projects=[project]) for project in ("default", "other")}
        return self

    def key(self, **scopes: Any) -> str:
        """A new key."""
        wish = {"label": "t", "permissions": {"scopes": {"operations": "*", "transports": "*", **scopes}}}
        return str(self.rest("POST", "/api/api-keys", wish)["data"]["apiKey"])

    def rest(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """What HTTP answers."""
        headers = {"X-API-Key": key or self.office, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.url + path, data, headers, method=method)
        try:
            reply = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as problem:
            reply = problem
        with reply:
            return json.load(reply)

    @property
    def location(self) -> str:
        return self.server.listens["arrow"].replace("arrow://", "grpc://")

    def flights(self, key: str = "", project: str = "") -> Flights:
        """A client of Flight."""
        return Flights(self.location, key or self.office, project)


class Flights:
    """A client of Flight that shows a key."""

    def __init__(self, location: str, key: str, project: str = "") -> None:
        self.client = flight.connect(location)
        headers = [(b"authorization", f"Bearer {key}".encode())]
        headers += [(b"x-project", project.encode())] if project else []
        self.options = flight.FlightCallOptions(timeout=90, headers=headers)

    def info(self, *path: str, **command: Any) -> flight.FlightInfo:
        """Where rows are to be had."""
        return self.client.get_flight_info(descriptor(*path, **command), self.options)

    def get(self, ticket: flight.Ticket) -> pa.Table:
        return self.client.do_get(ticket, self.options).read_all()

    def rows(self, *path: str, **command: Any) -> list[dict[str, Any]]:
        """All rows of a flight."""
        info = self.info(*path, **command)
        table = self.get(info.endpoints[0].ticket)
        assert table.schema.equals(info.schema, check_metadata=True)
        return list(table.to_pylist())

    def act(self, op: str, **members: Any) -> Any:
        """The OrmResponse of an operation."""
        (result,) = self.client.do_action(flight.Action(op, json.dumps(members).encode()), self.options)
        return json.loads(result.body.to_pybytes())

    def put(self, wish: Any, *batches: pa.RecordBatch, metadata: bytes = b"") -> list[Any]:
        """Write batches; what is told of each."""
        writer, reader = self.client.do_put(wish, batches[0].schema, self.options)
        with writer:
            for batch in batches:
                if metadata:
                    writer.write_with_metadata(batch, metadata)
                else:
                    writer.write_batch(batch)
            writer.done_writing()
            found = []
            while (told := reader.read()) is not None:
                found.append(json.loads(told.to_pybytes()))
            return found


def descriptor(*path: str, **command: Any) -> flight.FlightDescriptor:
    if command:
        return flight.FlightDescriptor.for_command(json.dumps({"entity": path[-1], **command}))
    return flight.FlightDescriptor.for_path(*path)


def code(problem: Exception) -> str:
    """The stable code of an error, which also stands in its message."""
    told = str(json.loads(problem.extra_info)["code"])  # type: ignore[attr-defined]
    assert f"[{told}]" in str(problem)
    assert "Traceback" not in str(problem)
    return told
