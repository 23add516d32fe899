"""Every dialect runs a pipeline's stages in the order in which they stand."""

from __future__ import annotations

import pytest

from octonet.kernel.aggregate import NO_GROUP, Accumulator, Function, Group, Limit, Match, Sort, Stage
from octonet.kernel.filter import Compare, Comparison, In, IsNull, Order
from octonet.kernel.storage import Database
from tests.conformance.dialect_cases import (
    ACCOUNT,
    AT,
    ORDER,
    PERSON,
    ids,
    stored,
    write,
)

COUNT = Accumulator("n", Function.COUNT, 1)


@pytest.fixture
async def database(database: Database) -> Database:
    """The rows that the pipelines run over."""
    await write(
        database,
        PERSON,
        stored(PERSON, "a", name="x", age=1, active=True, born=AT, password="s"),
        stored(PERSON, "b", name="x", age=2.5, active=False),
        stored(PERSON, "c", name="y", age=3, active=True),
        stored(PERSON, "d", name="y", age=None),
        stored(PERSON, "e", name=None, age=0.5),
    )
    return database


async def test_rows_without_a_group_come_whole_in_order_of_id_and_without_secrets(database: Database) -> None:
    rows = await database.aggregate(PERSON, [], 10)
    assert ids(rows) == ["a", "b", "c", "d", "e"]
    assert set(rows[0]) == set(PERSON.columns) - {"password"}
    assert ids(await database.aggregate(PERSON, [], 2)) == ["a", "b"]


async def test_a_group_gives_one_row_for_each_value_null_included(database: Database) -> None:
    group = Group(
        "name",
        (
            COUNT,
            Accumulator("sum", Function.SUM, "age"),
            Accumulator("points", Function.SUM, 2),
            Accumulator("halves", Function.SUM, 0.5),
            Accumulator("average", Function.AVG, "age"),
            Accumulator("least", Function.MIN, "age"),
            Accumulator("most", Function.MAX, "age"),
        ),
    )
    names = ("name", "n", "sum", "points", "halves", "average", "least", "most")
    rows = await database.aggregate(PERSON, [group], 10)
    assert [repr(row) for row in rows] == [
        repr(dict(zip(names, line, strict=True)))
        for line in (
            (None, 1, 0.5, 2, 0.5, 0.5, 0.5, 0.5),
            ("x", 2, 3.5, 4, 1, 1.75, 1, 2.5),
            ("y", 2, 3, 4, 1, 3, 3, 3),
        )
    ]


async def test_grouped_by_nothing_there_is_always_one_row(database: Database) -> None:
    group = Group(
        None,
        (COUNT, Accumulator("sum", Function.SUM, "age"), Accumulator("max", Function.MAX, "name"),
         Accumulator("avg", Function.AVG, "age"), Accumulator("ones", Function.SUM, 1)),
    )  # fmt: skip
    assert await database.aggregate(PERSON, [group], 10) == [
        {NO_GROUP: None, "n": 5, "sum": 7, "max": "y", "avg": 1.75, "ones": 5}
    ]
    nobody = Match(Compare("age", Comparison.GT, 99))
    assert await database.aggregate(PERSON, [nobody, group], 10) == [
        {NO_GROUP: None, "n": 0, "sum": 0, "max": None, "avg": None, "ones": 0}
    ]


async def test_least_and_most_keep_the_type_of_the_column(database: Database) -> None:
    group = Group(None, tuple(Accumulator(name, Function.MAX, name) for name in ("active", "born", "name", "age")))
    rows = await database.aggregate(PERSON, [group], 10)
    assert rows == [{NO_GROUP: None, "active": True, "born": AT, "name": "y", "age": 3}]
    assert rows[0]["active"] is True


async def test_groups_of_true_and_false_are_booleans(database: Database) -> None:
    rows = await database.aggregate(PERSON, [Group("active", (COUNT,))], 10)
    assert [repr(row["active"]) for row in rows] == ["None", "False", "True"]


async def test_stages_run_in_their_order(database: Database) -> None:
    oldest = Sort((Order("age", descending=True),))
    two, grouped = Limit(2), Group("name", (COUNT,))
    adults = Match(Compare("age", Comparison.GTE, 1))
    assert await database.aggregate(PERSON, [oldest, two, grouped], 10) == [
        {"name": "x", "n": 1},
        {"name": "y", "n": 1},
    ]
    assert await database.aggregate(PERSON, [grouped, Sort((Order("name"),)), two], 10) == [
        {"name": None, "n": 1}, {"name": "x", "n": 2},
    ]  # fmt: skip
    assert ids(await database.aggregate(PERSON, [two, adults, oldest], 10)) == ["b", "a"]
    assert ids(await database.aggregate(PERSON, [oldest, adults, two], 10)) == ["c", "b"]
    assert ids(await database.aggregate(PERSON, [oldest, two, Match(In("name", ("x", "y")))], 10)) == ["c", "b"]
    assert ids(await database.aggregate(PERSON, [Limit(3), Limit(1)], 10)) == ["a"]


async def test_what_a_group_made_can_be_matched_sorted_and_grouped_again(database: Database) -> None:
    grouped = Group("name", (COUNT, Accumulator("total", Function.SUM, "age")))
    several = Match(Compare("n", Comparison.GT, 1))
    by_total = Sort((Order("total", descending=True),))
    assert await database.aggregate(PERSON, [grouped, several, by_total], 10) == [
        {"name": "x", "n": 2, "total": 3.5}, {"name": "y", "n": 2, "total": 3},
    ]  # fmt: skip
    again = Group("n", (Accumulator("names", Function.COUNT, 1), Accumulator("most", Function.MAX, "total")))
    assert await database.aggregate(PERSON, [grouped, again], 10) == [
        {"n": 1, "names": 1, "most": 0.5}, {"n": 2, "names": 2, "most": 3.5},
    ]  # fmt: skip
    unnamed = Match(IsNull("name", wanted=True))
    assert await database.aggregate(PERSON, [grouped, unnamed], 10) == [{"name": None, "n": 1, "total": 0.5}]


async def test_a_repeated_pipeline_takes_its_own_values(database: Database) -> None:
    def stages(least: float, factor: int, most: int) -> list[Match | Group | Limit]:
        group = Group("name", (Accumulator("points", Function.SUM, factor),))
        return [Match(Compare("age", Comparison.GTE, least)), group, Limit(most)]

    assert await database.aggregate(PERSON, stages(1, 10, 5), 9) == [
        {"name": "x", "points": 20},
        {"name": "y", "points": 10},
    ]
    assert await database.aggregate(PERSON, stages(2, 3, 1), 9) == [{"name": "x", "points": 3}]


async def test_sums_of_large_numbers_do_not_overflow(database: Database) -> None:
    rows = [stored(ACCOUNT, f"a{number}", balance=2**53) for number in range(2_000)]
    await write(database, ACCOUNT, *rows)
    (row,) = await database.aggregate(ACCOUNT, [Group(None, (Accumulator("sum", Function.SUM, "balance"),))], 1)
    assert row["sum"] == 2_000 * 2**53


async def test_the_living_only_are_aggregated_whatever_the_stages(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "live", balance=1), stored(ACCOUNT, "gone", balance=9, deletedAt=AT))
    group = Group(None, (Accumulator("sum", Function.SUM, "balance"),))
    before: list[list[Stage]] = [[], [Limit(5)], [Match(Compare("balance", Comparison.GT, 0))]]
    for stages in before:
        assert (await database.aggregate(ACCOUNT, [*stages, group], 1))[0]["sum"] == 1


async def test_reserved_words_may_be_grouped_by_and_accumulated_into(database: Database) -> None:
    await write(database, ORDER, stored(ORDER, "o1", select="s", group="g"), stored(ORDER, "o2", select="s", group="h"))
    stages = [
        Group("select", (Accumulator("order", Function.MAX, "group"), Accumulator("returning", Function.COUNT, 1)))
    ]
    assert await database.aggregate(ORDER, stages, 9) == [{"select": "s", "order": "h", "returning": 2}]
