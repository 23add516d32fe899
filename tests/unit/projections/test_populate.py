"""How related rows come to stand where their ids stood."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from octonet.kernel.errors import Invalid
from octonet.kernel.ids import Row
from octonet.kernel.operation import Limits, Request
from octonet.kernel.values import new_row
from projections import QUERIES
from tests.unit.projections.memory_source import MemorySource
from tests.unit.shop import AT, GROUP, ORDER, SCHEMAS, USER

LIMITS = Limits(default_page=100, maximum_page=1000)


def shop(users: Sequence[Row], orders: Sequence[Row] = (), groups: Sequence[Row] = ()) -> MemorySource:
    return MemorySource({"User": list(users), "Order": list(orders), "Group": list(groups)})


def user(id: str, **data: object) -> Row:
    return {"id": id, **new_row(USER, {"email": f"{id}@x.y", "name": id.upper(), "password": "p", **data}, AT)}


def order(id: str, customer: str) -> Row:
    return {"id": id, **new_row(ORDER, {"customer": customer, "total": 1}, AT)}


def group(id: str) -> Row:
    return {"id": id, **new_row(GROUP, {"title": id}, AT)}


async def find(source: MemorySource, relations: object, schema: str = "User", options: object = None) -> list[Row]:
    request = Request(op="findAll", entity=schema, relations=relations, options=options)
    query = QUERIES["findAll"].parse(request, SCHEMAS.entities[schema], SCHEMAS, LIMITS)
    return (await query.answer(source, SCHEMAS.entities[schema], SCHEMAS)).rows or []


async def test_a_to_one_relation_stands_under_its_name_beside_its_column() -> None:
    first, second, third = await find(shop([user("u1"), user("u2", boss="u1"), user("u3", boss="gone")]), ["boss"])
    assert (first["boss"], first["bossId"]) == (None, None)
    assert (second["boss"], second["bossId"]) == ({"id": "u1", "name": "U1"}, "u1")
    assert (third["boss"], third["bossId"]) == (None, "gone")


async def test_a_relation_that_is_its_own_column_gives_way_to_the_row() -> None:
    (row,) = await find(shop([user("u1")], [order("o1", "u1")]), ["customer"], "Order")
    customer = row["customer"]
    assert isinstance(customer, dict)
    assert customer["email"] == "u1@x.y"
    assert "password" not in customer


async def test_children_stand_in_a_list_cut_to_the_relations_select() -> None:
    first, second = await find(shop([user("u1"), user("u2")], [order("o2", "u1"), order("o1", "u1")]), ["orders"])
    assert first["orders"] == [{"id": "o1", "total": 1}, {"id": "o2", "total": 1}]
    assert second["orders"] == []


async def test_links_become_rows_in_order_of_their_ids() -> None:
    source = shop([user("u1", groups="g2,g1,gone"), user("u2")], groups=[group("g1"), group("g2"), group("g3")])
    first, second = await find(source, "groups")
    assert first["groups"] == [{**group("g1")}, {**group("g2")}]
    assert second["groups"] == []


async def test_links_that_are_not_populated_stay_ids() -> None:
    (row,) = await find(shop([user("u1", groups=["g2", "g1"])]), [])
    assert row["groups"] == ["g1", "g2"]


async def test_each_relation_costs_one_query_per_page() -> None:
    users = [user(f"u{n:02}", boss="u00", groups=["g1"]) for n in range(20)]
    source = shop(users, [order(f"o{n}", "u01") for n in range(9)], [group("g1")])
    await find(source, ["boss", "orders", "groups"])
    assert source.asked == [("User", "select"), ("User", "select"), ("Order", "select"), ("Group", "select")]


async def test_nothing_to_populate_costs_no_query() -> None:
    source = shop([user("u1")])
    await find(source, ["boss", "groups"])
    assert source.asked == [("User", "select")]
    await find(shop([]), ["orders"])


async def test_populating_needs_no_selected_column_and_shows_none() -> None:
    source = shop([user("u1", groups=["g1"]), user("u2", boss="u1")], [order("o1", "u2")], [group("g1")])
    options = {"select": ["name"]}
    _, second = await find(source, ["boss", "orders", "groups"], options=options)
    assert second == {
        "id": "u2", "name": "U2", "boss": {"id": "u1", "name": "U1"}, "orders": [{"id": "o1", "total": 1}],
        "groups": [],
    }  # fmt: skip


async def test_more_than_a_thousand_children_on_a_page_are_refused() -> None:
    source = shop([user("u1")], [order(f"o{n}", "u1") for n in range(1000)])
    (row,) = await find(source, ["orders"])
    orders = row["orders"]
    assert isinstance(orders, list)
    assert len(orders) == 1000
    source.rows["Order"].append(order("one more", "u1"))
    with pytest.raises(Invalid) as caught:
        await find(source, ["orders"])
    assert (caught.value.code, caught.value.faults[0].path) == ("TOO_MANY_ROWS", "$.relations")


async def test_more_than_a_thousand_linked_rows_on_a_page_are_refused() -> None:
    users = [user(f"u{k}", groups=[f"g{k}-{n}" for n in range(501)]) for k in range(2)]
    with pytest.raises(Invalid) as caught:
        await find(shop(users), ["groups"])
    assert caught.value.code == "TOO_MANY_ROWS"
