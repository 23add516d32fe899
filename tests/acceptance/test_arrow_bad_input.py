"""Whatever is sent to the Arrow door: an error in the protocol's own form with our code, and the server lives on."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import flight

from tests.acceptance.arrow_site import Flights, Site, code, descriptor
from tests.running import ROOT
from transports.engine.arrow import wire

WORDS = re.findall(
    r"\S+",
    "SELECT FROM WHERE Part Kind id label size * , ( ) 'x' 1 ? $1 = > AND OR JOIN ON USING UNION WITH AS t a GROUP BY "
    "ORDER LIMIT count( ; -- /* */ \" ' [ ] { } :: NULL CASE WHEN END PIVOT LATERAL UNNEST( \0",
)
SQL = b"type.googleapis.com/arrow.flight.protocol.sql."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("arrow_bad")).open()
    found.flights().act("create", entity="Part", data={"id": "here", "label": "here"})
    yield found
    assert found.flights().act("count", entity="Part")["data"] == 1
    assert found.server.stop() == 0
    assert "Traceback" not in found.server.log()


@pytest.fixture(scope="module")
def flights(site: Site) -> Flights:
    return site.flights()


def refusal(work: Callable[[], Any]) -> str:
    with pytest.raises((flight.FlightError, pa.ArrowException)) as problem:
        work()
    return code(problem.value)


def outcome(work: Callable[[], Any]) -> str:
    """``ok``, or the code of the error."""
    try:
        work()
    except (flight.FlightError, pa.ArrowException) as problem:
        return code(problem)
    return "ok"


def schema_refusal(flights: Flights, sent: flight.FlightDescriptor) -> str:
    """The code of the error. Of this method alone pyarrow tells errors in a form of its own."""
    with pytest.raises(pa.ArrowException) as problem:
        flights.client.get_schema(sent, flights.options)
    told = str(problem.value)
    assert str(ROOT) not in told
    return str(re.findall(r"\[([A-Z_]{4,})\]", told)[0])


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"entity": "Nothing"}, "ENTITY_NOT_FOUND"),
        ({"entity": 7}, "INVALID_REQUEST"),
        ({"entity": "Part", "project": "nowhere"}, "UNKNOWN_PROJECT"),
        ({"entity": "Part", "project": 1}, "INVALID_REQUEST"),
        ({"entity": "Part", "filter": {"nothing": 1}}, "UNKNOWN_FIELD"),
        ({"entity": "Part", "filter": {"size": {"$foo": 1}}}, "UNKNOWN_OPERATOR"),
        ({"entity": "Part", "filter": 7}, "INVALID_FILTER"),
        ({"entity": "Part", "columns": ["nothing"]}, "UNKNOWN_FIELD"),
        ({"entity": "Kind", "columns": ["password"]}, "FIELD_NOT_ALLOWED"),
        ({"entity": "Part", "sort": {"size": "up"}}, "INVALID_SORT"),
        ({"entity": "Part", "limit": -1}, "INVALID_OPTIONS"),
        ({"entity": "Part", "limit": "1"}, "INVALID_OPTIONS"),
        ({"entity": "Part", "options": {"after": "x"}}, "INVALID_CURSOR"),
        ({"entity": "Part", "options": 7}, "INVALID_OPTIONS"),
        ({"entity": "Part", "where": {}}, "UNKNOWN_MEMBER"),
        ({"entity": "Part", "op": "deleteMany"}, "UNKNOWN_OP"),
        ({"entity": "Part", "op": "search"}, "MISSING_QUERY"),
        ({"entity": "Part", "op": "search", "query": "x", "filter": {}}, "UNKNOWN_MEMBER"),
        ({"entity": "Part", "asOf": "tomorrow"}, "INVALID_AS_OF"),
    ],
)
def test_a_descriptor_that_is_wrong_is_refused_naming_the_place(flights: Flights, wish: Any, expected: str) -> None:
    sent = flight.FlightDescriptor.for_command(json.dumps(wish))
    found = refusal(lambda: flights.client.get_flight_info(sent, flights.options))
    assert found == expected or (expected.startswith("INVALID") and found.startswith("INVALID"))
    assert schema_refusal(flights, sent) == found


@pytest.mark.parametrize(
    "sent",
    [
        flight.FlightDescriptor.for_command(b""),
        flight.FlightDescriptor.for_command(b"{"),
        flight.FlightDescriptor.for_command(b"[]"),
        flight.FlightDescriptor.for_command(b'{"entity":"\xff"}'),
        flight.FlightDescriptor.for_command(b"[" * 100_000),
        flight.FlightDescriptor.for_command(b'{"entity":"Part","entity":"Kind"}'),
        flight.FlightDescriptor.for_command(b" " * (1 << 21)),
        flight.FlightDescriptor.for_path(),
        flight.FlightDescriptor.for_path("a", "b", "c"),
        flight.FlightDescriptor.for_path("octonet_checkpoint"),
        flight.FlightDescriptor.for_path("_system", "User"),
        flight.FlightDescriptor.for_command(b"\n\xff\xff\xff\xff" + SQL),
        flight.FlightDescriptor.for_command(b"\n\x35" + SQL + b"Nothing\x12\x00"),
        flight.FlightDescriptor.for_command(b"sql:"),
    ],
)
def test_a_descriptor_that_is_none_is_refused(flights: Flights, sent: flight.FlightDescriptor) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: flights.client.get_flight_info(sent, flights.options),
        lambda: flights.put(sent, pa.record_batch({"label": ["x"]})),
    ]
    for call in calls:
        assert refusal(call)
    assert schema_refusal(flights, sent)


@pytest.mark.parametrize(
    ("batch", "place"),
    [
        (pa.record_batch({"label": ["x"], "nothing": [1]}), "$.nothing"),
        (pa.record_batch({"label": [1]}), "$.label"),
        (pa.record_batch({"label": ["x"], "size": ["1"]}), "$.size"),
        (pa.record_batch({"label": [["x"]]}), "$.label"),
        (pa.record_batch({"label": [b"x"]}), "$.label"),
        (pa.record_batch({"label": ["x"], "_version": [1]}), "$._version"),
        (pa.RecordBatch.from_arrays([pa.array(["a"]), pa.array(["b"])], ["label", "label"]), "$.label"),
    ],
)
def test_columns_that_do_not_fit_are_named_and_nothing_is_written(flights: Flights, batch: Any, place: str) -> None:
    with pytest.raises(flight.FlightError, match=place.replace("$", r"\$")) as problem:
        flights.put(descriptor("Part"), batch)
    assert code(problem.value) == "SCHEMA_MISMATCH"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"op": "delete"}, "UNKNOWN_OP"),
        ({"op": ["create"]}, "UNKNOWN_OP"),
        ({"key": ["label"]}, "INVALID_REQUEST"),
        ({"op": "upsert", "key": []}, "INVALID_REQUEST"),
        ({"idempotencyKey": 7}, "INVALID_IDEMPOTENCY_KEY"),
        ({"idempotencyKey": "x" * 300}, "INVALID_IDEMPOTENCY_KEY"),
        ({"filter": {}}, "UNKNOWN_MEMBER"),
    ],
)
def test_a_wish_to_write_that_is_wrong_is_refused(flights: Flights, members: Any, expected: str) -> None:
    assert refusal(lambda: flights.put(descriptor("Part", **members), pa.record_batch({"label": ["x"]}))) == expected


def test_a_batch_that_is_too_large_is_refused(flights: Flights) -> None:
    batch = pa.record_batch({"label": ["x" * (11 * 2**20)]})
    assert refusal(lambda: flights.put(descriptor("Part"), batch)) == "BATCH_TOO_LARGE"


def test_metadata_that_is_none_is_refused(flights: Flights) -> None:
    batch = pa.record_batch({"label": ["x"]})
    for metadata in (b"{", b'{"a":1}', b"\xff", b'{"idempotencyKey":7}'):
        assert refusal(lambda sent=metadata: flights.put(descriptor("Part"), batch, metadata=sent))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("op", "body", "expected"),
    [
        ("nothing", b"{}", "ENTITY_NOT_FOUND"),
        ("nothing", b'{"entity":"Part"}', "UNKNOWN_OP"),
        ("findAll", b"", "ENTITY_NOT_FOUND"),
        ("findAll", b"{", "PARSE_ERROR"),
        ("findAll", b"[]", "INVALID_REQUEST"),
        ("findAll", b'{"entity":"Part","op":"count"}', "INVALID_REQUEST"),
        ("findAll", b" " * (11 * 2**20), "BODY_TOO_LARGE"),
        ("BeginTransaction", b"", "NOT_SUPPORTED"),
        ("CreatePreparedStatement", b"\xff\xff", "INVALID_MESSAGE"),
        ("CreatePreparedStatement", b"", "INVALID_MESSAGE"),
    ],
)
def test_an_action_that_is_wrong_is_refused(flights: Flights, op: str, body: bytes, expected: str) -> None:
    assert refusal(lambda: list(flights.client.do_action(flight.Action(op, body), flights.options))) == expected


def test_criteria_that_are_wrong_are_refused(flights: Flights) -> None:
    for criteria in (b"{", b"[]", b'{"a":1}', b"\xff"):
        assert refusal(lambda sent=criteria: list(flights.client.list_flights(sent, flights.options)))  # type: ignore[misc]


@pytest.mark.parametrize("wish", [{"after": "x"}, {"after": 7}, {"filter": {"a": 1}}, {"x": 1}])
def test_a_wish_for_facts_that_is_wrong_is_refused(flights: Flights, wish: Any) -> None:
    def listen() -> None:
        _, reader = flights.client.do_exchange(descriptor("Part", **wish), flights.options)
        reader.read_chunk()

    assert refusal(listen)


def test_a_stream_that_breaks_off_is_refused(flights: Flights) -> None:
    writer, reader = flights.client.do_put(descriptor("Part"), pa.schema([("label", pa.string())]), flights.options)
    writer.done_writing()
    assert reader.read() is None
    writer.close()


_GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda tail: b"\n\x40" + SQL + tail, st.binary(max_size=80)),
    st.builds(
        lambda name, body: b"\n" + bytes([len(SQL) + len(name)]) + SQL + name + b"\x12" + bytes([len(body)]) + body,
        st.sampled_from([b"CommandGetTables", b"CommandStatementQuery", b"CommandGetSqlInfo", b"CommandGetCatalogs"]),
        st.binary(max_size=100),
    ),
    st.builds(lambda text: json.dumps({"entity": text}).encode(), st.text(max_size=20)),
    st.builds(lambda text: b"sql:default." + text, st.binary(max_size=60)),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(_GARBAGE)
def test_garbage_never_is_our_fault(flights: Flights, garbage: bytes) -> None:
    sent = flight.FlightDescriptor.for_command(garbage)
    action = random.Random(len(garbage)).choice(["CreatePreparedStatement", "ClosePreparedStatement", "search"])
    calls: list[Callable[[], Any]] = [
        lambda: flights.client.get_flight_info(sent, flights.options),
        lambda: flights.get(flight.Ticket(garbage)),
        lambda: list(flights.client.do_action(flight.Action(action, garbage), flights.options)),
        lambda: list(flights.client.list_flights(garbage, flights.options)),
    ]
    for call in calls:
        assert outcome(call) != "INTERNAL"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(WORDS),
        max_size=14,
    )
)
def test_words_of_sql_in_any_order_never_are_our_fault(flights: Flights, words: list[str]) -> None:
    text = " ".join(["SELECT", *words])
    sent = flight.FlightDescriptor.for_command(wire.pack("CommandStatementQuery", wire.field(1, text.encode())))
    assert outcome(lambda: flights.get(flights.client.get_flight_info(sent, flights.options).endpoints[0].ticket)) != (
        "INTERNAL"
    ), text
