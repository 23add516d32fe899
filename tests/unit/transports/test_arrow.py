"""The Arrow door's parts, alone: messages, statements, tickets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.access.sealing import AesSealer
from octonet.kernel import schema_parse
from octonet.kernel.errors import Invalid, OctonetError
from transports.engine.arrow import tickets, wire
from transports.engine.arrow.call import address
from transports.engine.arrow.statement import Parameter, parse

SCHEMAS = schema_parse.parse(
    json.dumps(
        [
            {
                "name": "Item",
                "collection": "items",
                "fields": {
                    "name": {"type": "string"},
                    "size": {"type": "number"},
                    "made": {"type": "date"},
                    "live": {"type": "boolean"},
                    "password": {"type": "string"},
                },
            },
            {"name": "Box", "collection": "boxes", "fields": {"name": {"type": "string"}}},
        ]
    )
)


def understood(sql: str) -> list[tuple[str, tuple[str, ...], tuple[Any, ...]]]:
    """Of each table: entity, columns, conditions."""
    found = parse(sql, "default", SCHEMAS).needed
    return [(needed.entity.name, needed.columns, needed.conditions) for needed in found]


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        ("name = 'a'", [("name", "$eq", "a")]),
        ("'a' < name AND (size >= 3 AND live = true)",
         [("name", "$gt", "a"), ("size", "$gte", 3), ("live", "$eq", True)]),
        ("Item.size < -2", [("size", "$lt", -2)]),
        ("name = ?", [("name", "$eq", Parameter(0))]),
        ("size = $2 AND name = $1", [("size", "$eq", Parameter(1)), ("name", "$eq", Parameter(0))]),
        ("name = 'a' OR size = 1", []),
        ("NOT name = 'a'", []),
        ("size = 1.5", []),
        ("size = 99999999999999999999", []),
        ("size = '1'", []),
        ("made > '2024-01-01'", []),
        ("name = size", []),
        ("lower(name) = 'a'", []),
        ("other.name = 'a'", []),
    ],
)  # fmt: skip
def test_what_a_filter_says_exactly_is_handed_on(where: str, conditions: list[Any]) -> None:
    ((_, _, found),) = understood(f"SELECT 1 FROM Item WHERE {where}")
    assert list(found) == conditions


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (SELECT * FROM Item) x WHERE name = 'a'",
        "SELECT * FROM Item ASOF JOIN Box ON Item.name >= Box.name WHERE Item.name = 'a'",
        "SELECT * FROM Item TABLESAMPLE 10 ROWS WHERE name = 'a'",
        "SELECT * FROM Item UNION SELECT * FROM Item WHERE name = 'a'",
        "SELECT * FROM Item, Box WHERE name = 'a'",
    ],
)
def test_what_a_filter_might_change_is_left_to_the_statement(sql: str) -> None:
    assert [conditions for _, _, conditions in understood(sql) if conditions] == []


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT name FROM Item", ("name",)),
        ("SELECT NAME FROM Item ORDER BY size", ("name", "size")),
        ("SELECT count(*) FROM Item", ("id",)),
        ("SELECT * FROM Item", ()),
        ("SELECT i FROM Item i", ()),
        ("SELECT COLUMNS('n.*') FROM Item", ()),
        ("SELECT * EXCLUDE (size) FROM Item", ()),
    ],
)
def test_only_columns_that_are_named_are_read(sql: str, columns: tuple[str, ...]) -> None:
    assert [found for _, found, _ in understood(sql)] == [columns]


def test_every_table_gets_a_name_of_ours() -> None:
    found = parse("SELECT * FROM Item a JOIN Item b ON a.id = b.id JOIN boxes ON boxes.id = a.id", "p", SCHEMAS)
    assert [needed.table for needed in found.needed] == ["t0", "t1", "t2"]
    assert "Item" not in found.text
    assert found.once
    assert not parse("WITH x AS (SELECT * FROM Item) SELECT * FROM x", "p", SCHEMAS).once


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    assert _code(lambda: parse(text, "default", SCHEMAS)) in ("", "SQL_REFUSED", "SQL_SYNTAX", "ENTITY_NOT_FOUND")


@given(st.integers(0, 2**63 - 1), st.binary(max_size=300), st.text(max_size=50))
def test_messages_are_read_as_they_were_written(number: int, data: bytes, text: str) -> None:
    body = wire.field(1, number) + wire.field(2, data) + wire.field(15, text.encode())
    found = wire.read_any(wire.pack("Anything", body))
    assert found.name == "Anything"
    assert (found.numbers(1) or [0]) == [number]
    assert (found.data(2), found.text(15) or "") == (data, text)


@given(st.binary(max_size=200))
def test_what_is_no_message_is_refused(body: bytes) -> None:
    def read() -> None:
        found = wire.Message("x", wire.read(body))
        found.text(1), found.texts(4), found.numbers(1), found.data(2), found.flag(5)

    assert _code(read) in ("", "INVALID_MESSAGE")


def _code(work: Callable[[], object]) -> str:
    """Of the error; empty where there is none."""
    try:
        work()
    except OctonetError as problem:
        return problem.code
    return ""


def _call(key: str) -> Any:
    homes = {name: SimpleNamespace(name=name, sealer=AesSealer(name.encode() * 8)) for name in ("a", "b")}
    who = SimpleNamespace(principal=SimpleNamespace(key=key, user=""))
    return SimpleNamespace(
        who=who, project=lambda name: name, gateway=SimpleNamespace(look=lambda name, _: homes[name])
    )


def test_a_ticket_is_good_for_a_while_for_its_purpose_and_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    call = _call("k1")
    home = call.gateway.look("a", None)
    ticket = tickets.give(home, call, "rows", {"entity": "Item"})
    assert tickets.read(call, "rows", ticket).says == {"entity": "Item"}
    for other, purpose, shown in (
        (call, "sql", ticket),
        (_call("k2"), "rows", ticket),
        (call, "rows", b"b" + ticket[1:]),
    ):
        with pytest.raises(Invalid) as strange:
            tickets.read(other, purpose, shown)
        assert strange.value.code == "INVALID_TICKET"
    later = time.time() + tickets.LIFE + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Invalid) as over:
        tickets.read(call, "rows", ticket)
    assert over.value.code == "TICKET_EXPIRED"


@pytest.mark.parametrize(
    ("peer", "found"), [("ipv4:10.0.0.7:1234", "10.0.0.7"), ("ipv6:%5B::1%5D:50052", "::1"), ("unix:", ""), ("", "")]
)
def test_the_address_of_a_peer_is_read(peer: str, found: str) -> None:
    assert address(peer) == found
