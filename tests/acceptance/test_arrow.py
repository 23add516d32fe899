"""Arrow Flight, by its own client: rows as they are on every door, in Arrow's types; streams that begin, go on and end
as they should."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.acceptance.arrow_site import Flights, Site, code, descriptor
from tests.certificates import Authority
from tests.running import EveryDoor

SHOP = Path(__file__).parent / "shop.json"
TIME = pa.timestamp("ms", "UTC")
FULL = {
    "id": "k1",
    "string": "é😀",
    "text": "a\nb",
    "number": 2.5,
    "boolean": True,
    "date": "2024-01-02T03:04:05.678Z",
    "json": {"a": [1, None, "x"]},
    "strings": ["a", ""],
    "numbers": [1, 2.5],
    "booleans": [True, False],
    "dates": ["2024-01-02T03:04:05.678Z"],
    "anything": ["a", 1, {"b": None}],
    "objects": [{"a": 1}],
    "password": "hidden",
    "friend": "k0",
    "others": ["k0"],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("arrow")).open()
    office = found.flights()
    for data in ({"id": "k0", "string": "bare"}, FULL, {"id": "k2", "string": "gone"}):
        office.act("create", entity="Kind", data=data)
    office.act("delete", entity="Kind", id="k2")
    yield found
    assert found.server.stop() == 0
    assert "Traceback" not in found.server.log()


@pytest.fixture
def flights(site: Site) -> Flights:
    return site.flights()


def plain(kind: pa.DataType, value: Any) -> Any:
    """A value of Arrow as JSON has it."""
    if value is None:
        return None
    if isinstance(value, list):
        return [plain(kind.value_type, each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def test_rows_of_every_type_are_those_that_rest_tells(site: Site, flights: Flights) -> None:
    table = flights.get(flights.info("Kind").endpoints[0].ticket)
    told = [{field.name: plain(field.type, row[field.name]) for field in table.schema} for row in table.to_pylist()]
    for row in told:
        row["json"] = row["json"] and json.loads(row["json"])
        for name in ("anything", "objects"):
            row[name] = row[name] and [json.loads(each) for each in row[name]]
    assert told == site.rest("GET", "/api/v1/Kind")["data"]
    assert told[1]["strings"] == FULL["strings"]


def test_the_columns_have_the_types_of_the_entity_and_no_secret(flights: Flights) -> None:
    schema = flights.client.get_schema(descriptor("Kind"), flights.options).schema
    assert {field.name: field.type for field in schema} == {
        "id": pa.string(),
        "string": pa.string(),
        "text": pa.string(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": TIME,
        "json": pa.string(),
        "strings": pa.list_(pa.string()),
        "numbers": pa.list_(pa.float64()),
        "booleans": pa.list_(pa.bool_()),
        "dates": pa.list_(TIME),
        "anything": pa.list_(pa.string()),
        "objects": pa.list_(pa.string()),
        "friend": pa.string(),
        "createdAt": TIME,
        "updatedAt": TIME,
        "deletedAt": TIME,
        "others": pa.list_(pa.string()),
    }
    assert [field.name for field in schema if not field.nullable] == ["id", "string", "others"]
    assert schema.field("json").metadata == {b"octonet.type": b"json"}


def test_flights_are_listed_for_those_who_may_read_them(site: Site) -> None:
    narrow = site.flights(site.keys["other"])
    found = [info.descriptor.path for info in narrow.client.list_flights(b"", narrow.options)]
    assert found == [[b"other", b"Kind"], [b"other", b"Part"]]
    wish = json.dumps({"entity": "parts"}).encode()
    (one,) = narrow.client.list_flights(wish, narrow.options)
    assert narrow.get(one.endpoints[0].ticket).num_rows == 0


def test_a_descriptor_narrows_sorts_and_limits(flights: Flights) -> None:
    batch = pa.record_batch({"label": [f"narrow{n}" for n in range(10)], "size": list(range(10))})
    flights.put(descriptor("Part"), batch)
    wish = {"filter": {"label": {"$regex": "^narrow"}}, "columns": ["size"], "sort": {"size": -1}, "limit": 3}
    rows = flights.rows("Part", **wish)
    assert [row["size"] for row in rows] == [9, 8, 7]
    assert set(rows[0]) == {"id", "size"}
    sorted_by_hidden = flights.rows("Part", **{**wish, "columns": ["label"], "skip": 1})
    assert [row["label"] for row in sorted_by_hidden] == ["narrow8", "narrow7", "narrow6"]
    assert len(flights.rows("Part", op="search", query="NARROW")) == 10
    assert len(flights.rows("Kind", includeDeleted=True)) == 3


def test_a_stream_longer_than_a_page_has_every_row_once_in_its_order(flights: Flights) -> None:
    count = 5001
    labels = [f"long{n:05}" for n in range(count)]
    batch = pa.record_batch({"id": labels, "label": labels, "size": [n % 7 for n in range(count)]})
    told = flights.put(descriptor("Part"), batch)
    assert (told[0]["written"], told[0]["rejections"]) == (count, 0)
    where = {"label": {"$regex": "^long"}}
    assert [row["id"] for row in flights.rows("Part", filter=where)] == labels
    rows = flights.rows("Part", filter=where, sort={"size": -1})
    assert [(-row["size"], row["id"]) for row in rows] == sorted((-(n % 7), labels[n]) for n in range(count))
    assert len(flights.rows("Part", filter=where, limit=4000)) == 4000


def test_rows_are_told_as_they_were(flights: Flights) -> None:
    made = flights.act("create", entity="Part", data={"id": "past", "label": "past", "size": 1})
    changed = flights.act("update", entity="Part", id="past", data={"size": 2})
    where = {"id": "past"}
    assert [row["size"] for row in flights.rows("Part", filter=where, asOf=made["position"])] == [1]
    assert [row["size"] for row in flights.rows("Part", filter=where, asOf=changed["position"])] == [2]
    assert [row["size"] for row in flights.rows("Part", filter=where, minPosition=changed["position"])] == [2]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda ticket: ticket[:-3] + b"AAA", "INVALID_TICKET"),
        (lambda ticket: b"other" + ticket[7:], "INVALID_TICKET"),
        (lambda ticket: b"nowhere" + ticket[7:], "INVALID_TICKET"),
        (lambda ticket: b"_system" + ticket[7:], "INVALID_TICKET"),
        (lambda ticket: b"sql:" + ticket, "INVALID_TICKET"),
        (lambda ticket: b"", "INVALID_TICKET"),
        (lambda ticket: b"\xff\0" * 40, "INVALID_TICKET"),
    ],
)
def test_a_ticket_that_was_tampered_with_is_refused(flights: Flights, spoil: Any, expected: str) -> None:
    ticket = flights.info("Kind").endpoints[0].ticket.ticket
    with pytest.raises(flight.FlightError) as refused:
        flights.get(flight.Ticket(spoil(ticket)))
    assert code(refused.value) == expected


def test_a_ticket_is_for_whoever_it_was_given_to(site: Site, flights: Flights) -> None:
    ticket = flights.info("Kind").endpoints[0].ticket
    for key, expected in ((site.keys["default"], "INVALID_TICKET"), (site.keys["other"], "FORBIDDEN")):
        with pytest.raises(flight.FlightError) as refused:
            site.flights(key).get(ticket)
        assert code(refused.value) == expected


def test_a_key_opens_its_own_project_only(site: Site) -> None:
    narrow = site.flights(site.keys["other"])
    assert narrow.rows("other", "Kind") == []
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        narrow.info("default", "Kind")
    assert code(refused.value) == "FORBIDDEN"
    by_header = site.flights(site.keys["other"], "other")
    assert by_header.rows("Kind") == []
    with pytest.raises(flight.FlightError) as torn:
        by_header.info("default", "Kind")
    assert code(torn.value) == "PROJECT_CONFLICT"
    with pytest.raises(flight.FlightError) as private:
        site.flights().info("_system", "ApiKey")
    assert code(private.value) == "UNKNOWN_PROJECT"


class _Shaking(flight.ClientAuthHandler):  # type: ignore[misc]
    def __init__(self, key: str) -> None:
        super().__init__()
        self._key, self._token = key, b""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        outgoing.write(flight.BasicAuth("anybody", self._key).serialize())
        self._token = incoming.read()

    def get_token(self) -> bytes:
        return self._token


def test_a_key_may_come_as_a_password_in_either_handshake(site: Site) -> None:
    client = flight.connect(site.location)
    token = client.authenticate_basic_token("anybody", site.office)
    options = flight.FlightCallOptions(headers=[token])
    assert client.get_flight_info(descriptor("Kind"), options).schema.names[0] == "id"
    shaken = flight.connect(site.location)
    shaken.authenticate(_Shaking(site.office))
    assert shaken.get_flight_info(descriptor("Kind")).schema.names[0] == "id"
    for wrong in ("", "nonsense", site.office + "x"):
        with pytest.raises(flight.FlightUnauthenticatedError):
            site.flights(wrong or "-").info("Kind")
    with pytest.raises(flight.FlightUnauthenticatedError):
        flight.connect(site.location).get_flight_info(descriptor("Kind"))


def test_rejected_rows_are_named_and_the_others_written(flights: Flights) -> None:
    batch = pa.record_batch(
        {"id": ["r1", "r2", None, "r4"], "label": ["rej", "rej", "rej3", None], "size": [1.0, 2.0, float("nan"), 3.0]}
    )
    (told,) = flights.put(descriptor("Part"), batch)
    assert (told["rows"], told["written"], told["rejections"]) == (4, 1, 3)
    assert [(one["row"], one["error"]["code"]) for one in told["rejected"]] == [
        (1, "UNIQUE_VIOLATION"),
        (2, "VALIDATION_ERROR"),
        (3, "VALIDATION_ERROR"),
    ]
    assert [row["id"] for row in flights.rows("Part", filter={"label": "rej"})] == ["r1"]
    assert flights.act("findById", entity="Part", id="r1", minPosition=told["position"])["data"]["size"] == 1


def test_a_stream_with_an_idempotency_key_has_one_effect(flights: Flights) -> None:
    batch = pa.record_batch({"label": [f"once{n}" for n in range(600)]})
    wish = descriptor("Part", idempotencyKey="load-1")
    first, again = flights.put(wish, batch), flights.put(wish, batch)
    assert first == again
    assert first[0]["written"] == 600
    assert len(flights.rows("Part", filter={"label": {"$regex": "^once"}})) == 600
    by_batch = flights.put(descriptor("Part"), batch.slice(0, 1), metadata=b'{"idempotencyKey":"load-1/0"}')
    assert by_batch[0]["position"] is not None


def test_upserts_find_their_rows_by_the_key_that_is_named(flights: Flights) -> None:
    batch = pa.record_batch({"label": ["up1", "up2"], "size": [1, 2]})
    wish = descriptor("Part", op="upsert", key=["label"])
    assert flights.put(wish, batch)[0]["written"] == 2
    assert flights.put(wish, pa.record_batch({"label": ["up2", "up3"], "size": [5, 6]}))[0]["written"] == 2
    found = flights.rows("Part", filter={"label": {"$regex": "^up"}}, sort={"label": 1})
    assert [(row["label"], row["size"]) for row in found] == [("up1", 1), ("up2", 5), ("up3", 6)]


def test_values_of_every_type_are_written_as_they_were_read(flights: Flights) -> None:
    flights.act("upsert", entity="Kind", filter={"id": "k1"}, data={**FULL, "string": "é😀"})
    table = flights.get(flights.info("Kind", filter={"id": "k1"}).endpoints[0].ticket)
    copied = table.drop_columns(["deletedAt"]).set_column(0, "id", pa.array(["copy"]))
    (told,) = flights.put(descriptor("Kind"), copied.combine_chunks().to_batches()[0])
    assert told["rejected"] == []
    (copy,), (original,) = flights.rows("Kind", filter={"id": "copy"}), flights.rows("Kind", filter={"id": "k1"})
    del copy["id"], original["id"]
    assert copy == original
    flights.act("delete", entity="Kind", id="copy")


def test_facts_are_told_as_they_happen_and_again_from_where_a_client_was(flights: Flights) -> None:
    writer, reader = flights.client.do_exchange(descriptor("Part"), flights.options)
    start = json.loads(reader.read_chunk().app_metadata.to_pybytes())["position"]
    flights.act("create", entity="Part", data={"id": "f1", "label": "f1"})
    flights.act("update", entity="Part", id="f1", data={"size": 3})
    flights.act("delete", entity="Part", id="f1")
    seen: list[Any] = []
    while len(seen) < 3:
        seen += reader.read_chunk().data.to_pylist()
    assert [(fact["fact"], fact["op"], fact["id"]) for fact in seen] == [
        ("created", "create", "f1"),
        ("updated", "update", "f1"),
        ("deleted", "delete", "f1"),
    ]
    assert json.loads(seen[1]["data"])["size"] == 3
    reader.cancel()
    for after, rest in ((start, seen), (seen[0]["position"], seen[1:])):
        _, again = flights.client.do_exchange(descriptor("Part", after=after), flights.options)
        again.read_chunk()
        told: list[Any] = []
        while len(told) < len(rest):
            told += again.read_chunk().data.to_pylist()
        assert told == rest
        again.cancel()
    del writer


def test_the_facts_end_when_the_key_is_revoked(site: Site) -> None:
    key = site.key(projects=["default"])
    flights = site.flights(key)
    _, reader = flights.client.do_exchange(descriptor("Part"), flights.options)
    reader.read_chunk()
    site.rest("DELETE", f"/api/api-keys/{key[:20]}")
    with pytest.raises(flight.FlightUnauthenticatedError):
        reader.read_chunk()


def test_every_operation_is_an_action(site: Site, flights: Flights) -> None:
    names = {action.type for action in flights.client.list_actions(flights.options)}
    assert {"findAll", "create", "aggregate", "deleteMany", "CreatePreparedStatement", "CloseSession"} <= names
    assert flights.act("count", entity="Kind", project="other")["data"] == 0
    assert flights.act("create", entity="Part", data={"label": "dry"}, dryRun=True)["dryRun"]["count"] == 1


def test_a_client_that_does_not_read_keeps_nobody_waiting(site: Site, flights: Flights) -> None:
    count = 20_000
    text = "x" * 1000
    for start in range(0, count, 5000):
        names = [f"slow{n:06}" for n in range(start, start + 5000)]
        flights.put(
            descriptor("other", "Part"), pa.record_batch({"id": names, "label": [name + text for name in names]})
        )
    readers = [
        flights.client.do_get(flights.info("other", "Part").endpoints[0].ticket, flights.options) for _ in range(5)
    ]
    for reader in readers:
        reader.read_chunk()
    began = time.monotonic()
    assert flights.act("count", entity="Part", project="other")["data"] == count
    assert site.rest("GET", "/other/api/v1/Part?limit=1")["status"] == "ok"
    assert time.monotonic() - began < 60
    assert sum(chunk.data.num_rows for chunk in readers[0]) > 10_000
    for reader in readers:
        reader.cancel()


def test_the_json_view_tells_flights_columns_and_rows(site: Site) -> None:
    flights = site.rest("GET", "/arrow/flights")["flights"]
    assert [one["descriptor"] for one in flights] == ["Kind", "Part"]
    assert site.rest("GET", "/arrow")["flights"] == flights
    schema = site.rest("GET", "/arrow/schema/kinds")
    assert (schema["entity"], schema["arrowSchema"]["fields"][0]["type"]) == ("Kind", "utf8")
    told = site.rest("POST", "/arrow/query/Kind", {"filter": {"id": "k1"}, "limit": 5})
    assert (told["rowCount"], told["columns"]["string"], told["format"]) == (1, ["é😀"], "columnar")
    assert "password" not in told["columns"]
    assert site.rest("POST", "/arrow/stream/Nothing", {})["error"]["code"] == "ENTITY_NOT_FOUND"
    assert site.rest("POST", "/arrow/query/Kind", {"x": 1})["error"]["code"] == "UNKNOWN_MEMBER"
    assert site.rest("GET", "/arrow/flights", key="nonsense")["error"]["code"] == "UNAUTHORIZED"


def test_the_port_speaks_tls_where_http_does(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    server = EveryDoor(tmp_path / "data", SHOP, OCTONET_TLS_CERT=certificate, OCTONET_TLS_KEY=key)
    with server:
        location = server.listens["arrow"].replace("arrow://", "grpc+tls://")
        with flight.connect(location, tls_root_certs=Path(authority.ca).read_bytes()) as client:
            assert client.get_schema(descriptor("Tag")).schema.names == ["id", "label"]
        with flight.connect(location.replace("+tls", "")) as client, pytest.raises(OSError, match="UNAVAILABLE"):
            client.get_schema(descriptor("Tag"))


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        server = EveryDoor(tmp_path / "data", SHOP, MOSTA_NET_ARROW_PORT=port)
        with pytest.raises(AssertionError, match=f"the arrow door cannot listen on 127.0.0.1:{port}"):
            server.start()


def test_a_revoked_key_ends_a_stream_of_rows(site: Site) -> None:
    count = 30_000
    names = [f"revoked{n:06}" + "x" * 500 for n in range(count)]
    office = site.flights()
    for start in range(0, count, 5000):
        office.put(descriptor("other", "Part"), pa.record_batch({"label": names[start : start + 5000]}))
    key = site.key(projects=["other"])
    flights = site.flights(key)
    reader = flights.client.do_get(flights.info("other", "Part").endpoints[0].ticket, flights.options)
    reader.read_chunk()
    site.rest("DELETE", f"/api/api-keys/{key[:20]}")
    with pytest.raises(flight.FlightUnauthenticatedError):
        sum(chunk.data.num_rows for chunk in reader)


def test_a_server_stops_while_clients_hold_streams(tmp_path: Path) -> None:
    site = Site(tmp_path).open()
    flights = site.flights()
    _, reader = flights.client.do_exchange(descriptor("Part"), flights.options)
    reader.read_chunk()
    assert site.server.stop() == 0
    with pytest.raises(flight.FlightError):
        reader.read_chunk()
