"""What the six queries answer."""

from __future__ import annotations

from typing import cast

import pytest

from octonet.kernel.errors import Kind, OctonetError
from octonet.kernel.ids import Row
from octonet.kernel.operation import Answer, Limits, Request, Result
from octonet.kernel.schema import EntitySchema
from octonet.kernel.values import new_row
from projections import QUERIES
from tests.unit.projections.memory_source import MemorySource
from tests.unit.shop import AT, GROUP, ORDER, SCHEMAS, USER

LIMITS = Limits(default_page=3, maximum_page=5)


def user(id: str, **data: object) -> Row:
    return {"id": id, **new_row(USER, {"email": f"{id}@x.y", "name": id.upper(), "password": "p", **data}, AT)}


def order(id: str, customer: str, total: float, deleted: str | None = None) -> Row:
    return {"id": id, **new_row(ORDER, {"customer": customer, "total": total}, AT), "deletedAt": deleted}


@pytest.fixture
def source() -> MemorySource:
    users = [
        user("u1", age=30, groups=["g1", "g2"], bio="100% wool_"),
        user("u2", age=None, boss="u1"),
        user("u3", age=20, boss="u1", groups=["g2", "gone"]),
        user("u4", age=30, boss="gone", name="wool"),
    ]
    orders = [order("o1", "u1", 5), order("o2", "u1", 7), order("o3", "u2", 9, AT), order("o4", "u3", 1)]
    groups = [{"id": f"g{n}", **new_row(GROUP, {"title": f"G{n}", "level": n}, AT)} for n in (1, 2, 3)]
    return MemorySource({"User": users, "Order": orders, "Group": groups})


async def ask(source: MemorySource, op: str, schema: EntitySchema = USER, **members: object) -> Answer:
    request = Request(op=op, entity=schema.name, **members)
    query = QUERIES[op].parse(request, schema, SCHEMAS, LIMITS)
    return await query.answer(source, schema, SCHEMAS)


def ids(answer: Answer) -> list[object]:
    return [row["id"] for row in answer.rows or ()]


async def refusal(source: MemorySource, op: str, schema: EntitySchema = USER, **members: object) -> tuple[str, str]:
    with pytest.raises(OctonetError) as caught:
        await ask(source, op, schema, **members)
    assert caught.value.kind in (Kind.INVALID, Kind.UNPROCESSABLE)
    return caught.value.code, caught.value.faults[0].path


def test_the_six_queries_are_found() -> None:
    assert set(QUERIES) == {"findAll", "findOne", "findById", "count", "search", "aggregate"}
    assert {op: query.result for op, query in QUERIES.items()} == {
        "findAll": Result.ROWS, "findOne": Result.ROW, "findById": Result.ROW, "count": Result.COUNT,
        "search": Result.ROWS, "aggregate": Result.ROWS,
    }  # fmt: skip


async def test_find_all_gives_the_default_page_and_the_way_on(source: MemorySource) -> None:
    first = await ask(source, "findAll")
    assert (ids(first), first.count) == (["u1", "u2", "u3"], 3)
    second = await ask(source, "findAll", options={"after": first.cursor})
    assert (ids(second), second.count, second.cursor) == (["u4"], 1, None)


async def test_find_all_filters_sorts_skips_and_limits(source: MemorySource) -> None:
    options = {"sort": {"age": -1, "name": 1}, "skip": 1, "limit": 1}
    answer = await ask(source, "findAll", filter={"age": {"$exists": True}}, options=options)
    assert ids(answer) == ["u4"]
    assert answer.cursor is not None


async def test_a_page_that_holds_exactly_the_rest_has_no_cursor(source: MemorySource) -> None:
    assert (await ask(source, "findAll", options={"limit": 4})).cursor is None


async def test_a_cursor_works_when_the_sort_columns_are_not_selected(source: MemorySource) -> None:
    options: dict[str, object] = {"sort": {"age": -1}, "limit": 1, "select": ["name"]}
    seen: list[object] = []
    while True:
        answer = await ask(source, "findAll", options=options)
        assert all(set(row) == {"id", "name"} for row in answer.rows or ())
        seen += ids(answer)
        if answer.cursor is None:
            break
        options["after"] = answer.cursor
    assert seen == ["u1", "u4", "u3", "u2"]


async def test_a_page_larger_than_the_maximum_is_refused(source: MemorySource) -> None:
    assert len((await ask(source, "findAll", options={"limit": 5})).rows or ()) == 4
    assert await refusal(source, "findAll", options={"limit": 6}) == ("LIMIT_TOO_LARGE", "$.options.limit")


async def test_rows_have_no_secrets_and_always_their_id(source: MemorySource) -> None:
    whole = await ask(source, "findAll")
    assert all("password" not in row for row in whole.rows or ())
    narrow = await ask(source, "findAll", options={"select": "name,age", "exclude": "id,age", "limit": 1})
    assert narrow.rows == [{"id": "u1", "name": "U1"}]
    without = await ask(source, "findAll", options={"exclude": ["groups", "settings"], "limit": 1})
    assert set((without.rows or [])[0]) == {*USER.columns} - {"settings", "password"}


async def test_deleted_rows_are_seen_only_when_asked_for(source: MemorySource) -> None:
    assert ids(await ask(source, "findAll", ORDER)) == ["o1", "o2", "o4"]
    assert ids(await ask(source, "findAll", ORDER, options={"includeDeleted": True, "limit": 5})) == [
        "o1", "o2", "o3", "o4",
    ]  # fmt: skip
    assert ids(await ask(source, "findAll", ORDER, filter={"deletedAt": {"$ne": None}})) == ["o3"]
    assert (await ask(source, "count", ORDER)).count == 3
    assert (await ask(source, "count", ORDER, filter={"deletedAt": {"$exists": True}})).count == 1


async def test_find_one_gives_the_first_row_or_none(source: MemorySource) -> None:
    found = await ask(source, "findOne", filter={"age": 30}, options={"sort": {"name": -1}}, relations=["boss"])
    assert found.row is not None
    assert (found.row["id"], found.row["boss"]) == ("u4", None)
    assert source.pages[0].limit == 1
    assert (await ask(source, "findOne", filter={"age": 99})).row is None


async def test_find_by_id_gives_the_row_or_none(source: MemorySource) -> None:
    assert (await ask(source, "findById", id="u2", options={"select": ["name"]})).row == {"id": "u2", "name": "U2"}
    assert (await ask(source, "findById", id="nobody")).row is None


async def test_find_by_id_populates_eager_relations_unasked(source: MemorySource) -> None:
    row = (await ask(source, "findById", ORDER, id="o1")).row
    assert row is not None
    assert cast(Row, row["customer"])["name"] == "U1"
    assert "password" not in cast(Row, row["customer"])
    narrow = await ask(source, "findById", ORDER, id="o1", options={"select": ["total"]})
    assert narrow.row == {"id": "o1", "total": 5}


@pytest.mark.parametrize("missing", [{}, {"id": None}, {"id": ""}])
async def test_find_by_id_needs_an_id(source: MemorySource, missing: dict[str, object]) -> None:
    assert await refusal(source, "findById", USER, **missing) == ("MISSING_ID", "$.id")
    assert (await refusal(source, "findById", id="a/b"))[1] == "$.id"


async def test_count_answers_a_number(source: MemorySource) -> None:
    answer = await ask(source, "count", filter={"age": {"$gte": 20}})
    assert (answer.count, answer.total, answer.rows) == (3, 3, None)


async def test_search_looks_into_every_field_of_text_whatever_the_case(source: MemorySource) -> None:
    assert ids(await ask(source, "search", query="WOOL")) == ["u1", "u4"]
    assert ids(await ask(source, "search", query="WOOL", search_fields="name")) == ["u4"]
    assert ids(await ask(source, "search", query="0% wool_", search_fields=["bio", "name"])) == ["u1"]
    assert ids(await ask(source, "search", query=".*")) == []
    assert ids(await ask(source, "search", query="u1", search_fields=["boss"])) == ["u2", "u3"]


async def test_search_takes_options_and_relations(source: MemorySource) -> None:
    first = await ask(source, "search", query="u", options={"limit": 1, "select": ["name"]}, relations="groups")
    assert [row["name"] for row in first.rows or ()] == ["U1"]
    assert [group["title"] for group in cast(list[Row], (first.rows or [])[0]["groups"])] == ["G1", "G2"]
    options = {"limit": 1, "after": first.cursor}
    assert ids(await ask(source, "search", query="u", options=options)) == ["u2"]


async def test_search_never_looks_into_secrets_or_beyond_text(source: MemorySource) -> None:
    assert ids(await ask(source, "search", query="p", search_fields=["role"])) == []
    assert await refusal(source, "search", query="p", search_fields=["password"]) == (
        "FIELD_NOT_ALLOWED", "$.searchFields[0]",
    )  # fmt: skip
    assert (await refusal(source, "search", query="3", search_fields="age"))[0] == "FIELD_NOT_ALLOWED"
    assert (await refusal(source, "search", query="3", search_fields="nope"))[0] == "UNKNOWN_FIELD"
    assert (await refusal(source, "search", ORDER, query="3"))[0] == "NOT_SEARCHABLE"


@pytest.mark.parametrize("missing", [{}, {"query": None}, {"query": ""}])
async def test_search_needs_a_query(source: MemorySource, missing: dict[str, object]) -> None:
    assert await refusal(source, "search", USER, **missing) == ("MISSING_QUERY", "$.query")


@pytest.mark.parametrize("query", [3, "\0", "x" * 257])
async def test_a_query_is_text_of_at_most_256_characters(source: MemorySource, query: object) -> None:
    assert (await refusal(source, "search", query=query))[1] == "$.query"


async def test_aggregate_gives_all_rows_or_refuses(source: MemorySource) -> None:
    stages = [{"$group": {"_by": "role", "n": {"$count": True}}}]
    source.aggregated = [{"role": str(n), "n": n} for n in range(5)]
    answer = await ask(source, "aggregate", stages=stages)
    assert (answer.rows, answer.count) == (source.aggregated, 5)
    source.aggregated = source.aggregated * 2
    assert await refusal(source, "aggregate", stages=stages) == ("TOO_MANY_ROWS", "$.stages")
    assert await refusal(source, "aggregate") == ("MISSING_STAGES", "$.stages")
