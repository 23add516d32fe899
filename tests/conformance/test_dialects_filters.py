"""Every dialect filters and sorts exactly as the kernel's own evaluation does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octonet.kernel.filter import (
    EVERYTHING,
    And,
    Compare,
    Comparison,
    Filter,
    In,
    IsNull,
    Like,
    Literal,
    Or,
    Order,
    Wild,
    Wildcard,
)
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.storage import Database
from tests.conformance.dialect_cases import (
    PERSON,
    found,
    ids,
    of_values,
    page,
    state,
    stored,
    write,
)

MANY, ONE = Wild(Wildcard.MANY), Wild(Wildcard.ONE)
_LETTERS = "aAbBkéÉßжЖ😀𝔘%_*?[]^-!\\'\" ;"

texts = st.text(st.sampled_from(_LETTERS), max_size=4)
numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.1, 0.1 + 0.2, 2.5, -(2**53), 2**53, 1e-300]))
dates = st.sampled_from(["1999-12-31T23:59:59.999Z", "2000-01-01T00:00:00.000Z", "2024-02-29T12:00:00.000Z"])
values: dict[str, st.SearchStrategy[str | int | float | bool]] = {
    "name": texts, "bio": texts, "age": numbers, "active": st.booleans(), "born": dates,
}  # fmt: skip
orders = st.lists(st.builds(Order, st.sampled_from([*values, "id"]), st.booleans()), max_size=3).map(tuple)


@st.composite
def leaves(draw: st.DrawFn) -> Filter:
    column = draw(st.sampled_from([*values, "id"]))
    value = values.get(column, st.sampled_from(["p0", "p1", "p2"]))
    kinds: list[Callable[[], Filter]] = [
        lambda: Compare(column, draw(st.sampled_from(Comparison)), draw(value)),
        lambda: In(column, tuple(draw(st.lists(value, max_size=5))), draw(st.booleans())),
        lambda: IsNull(draw(st.sampled_from([column, "settings", "labels"])), draw(st.booleans())),
    ]
    if column in ("name", "bio"):
        parts = st.lists(st.one_of(st.sampled_from([MANY, ONE]), texts.map(Literal)), max_size=5).map(tuple)
        kinds.append(lambda: Like(column, draw(parts), draw(st.booleans()), draw(st.booleans())))
    return draw(st.sampled_from(kinds))()


filters = st.recursive(
    leaves(),
    lambda inner: st.builds(
        lambda kind, parts: kind(tuple(parts)), st.sampled_from([And, Or]), st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)
rows = st.lists(st.fixed_dictionaries({name: st.none() | value for name, value in values.items()}), max_size=8)


def in_order(rows: list[Row], sort: tuple[Order, ...]) -> list[str]:
    for order in reversed((*sort, Order("id"))):
        rows = sorted(
            rows, key=lambda row: (row[order.column] is not None, row[order.column]), reverse=order.descending
        )
    return ids(rows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, filters, orders)
async def test_any_filter_and_sort_gives_what_the_kernel_evaluates(
    database: Database, given_rows: list[dict[str, JsonValue]], where: Filter, sort: tuple[Order, ...]
) -> None:
    people = [of_values(PERSON, f"p{number}", row) for number, row in enumerate(given_rows)]
    transaction = await database.begin()
    await transaction.delete(PERSON, await transaction.match(PERSON, EVERYTHING))
    await transaction.insert(PERSON, people)
    expected = [person.state for person in people if matches(where, person.state)]
    assert await transaction.match(PERSON, where) == ids(expected)
    await transaction.commit()
    assert await database.count(PERSON, where) == len(expected)
    assert await found(database, PERSON, where, *sort) == in_order(expected, sort)
    few = await database.select(PERSON, page(where, *sort, limit=2, skip=1))
    assert ids(few) == in_order(expected, sort)[1:3]


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        (Comparison.EQ, ["two"]),
        (Comparison.NE, ["one", "three"]),
        (Comparison.GT, ["three"]),
        (Comparison.GTE, ["three", "two"]),
        (Comparison.LT, ["one"]),
        (Comparison.LTE, ["one", "two"]),
    ],
)
async def test_comparisons_never_hold_for_null(database: Database, op: Comparison, wanted: list[str]) -> None:
    ages = {"one": 1, "two": 2, "three": 3, "none": None}
    await write(database, PERSON, *(stored(PERSON, id, age=age) for id, age in ages.items()))
    assert sorted(await found(database, PERSON, Compare("age", op, 2))) == sorted(wanted)


async def test_membership_of_nothing_is_nothing_and_its_negation_everything(database: Database) -> None:
    await write(database, PERSON, stored(PERSON, "a", age=1), stored(PERSON, "b"))
    assert await found(database, PERSON, In("age", ())) == []
    assert await found(database, PERSON, In("age", (), negated=True)) == ["a", "b"]
    assert await found(database, PERSON, In("age", (2,), negated=True)) == ["a"]
    assert await found(database, PERSON, And(())) == ["a", "b"]
    assert await found(database, PERSON, Or(())) == []


@pytest.mark.parametrize("negated", [False, True])
async def test_ten_thousand_values_may_be_listed(database: Database, negated: bool) -> None:
    await write(database, PERSON, *(stored(PERSON, f"p{n}", name=f"n{n}", age=n / 4) for n in (1, 2, 9_999, 10_001)))
    wanted = ["p10001"] if negated else ["p1", "p2", "p9999"]
    by_text = In("name", tuple(f"n{n}" for n in range(10_000)), negated)
    by_number = In("age", tuple(n / 4 for n in range(10_000)), negated)
    assert await found(database, PERSON, by_text) == wanted
    assert await found(database, PERSON, by_number) == wanted


async def test_a_filter_may_have_thousands_of_branches(database: Database) -> None:
    await write(database, PERSON, *(stored(PERSON, f"p{n}", age=n) for n in (7, 2_999, 3_000)))
    either = Or(tuple(Compare("age", Comparison.EQ, n) for n in range(3_000)))
    each = And(tuple(Compare("age", Comparison.NE, n) for n in range(3_000)))
    assert await found(database, PERSON, either) == ["p2999", "p7"]
    assert await found(database, PERSON, each) == ["p3000"]


async def test_filters_may_be_nested_as_deep_as_the_parser_allows(database: Database) -> None:
    await write(database, PERSON, stored(PERSON, "a", age=1), stored(PERSON, "b", age=2))
    where: Filter = Compare("age", Comparison.EQ, 1)
    for level in range(32):
        kind = And if level % 2 else Or
        where = kind((where, Compare("age", Comparison.EQ if kind is Or else Comparison.NE, 5)))
    assert await found(database, PERSON, where) == ["a"]


STRANGE = [
    "%",
    "_",
    "*",
    "?",
    "[a]",
    "a]",
    "[",
    "\\",
    "\\%",
    "'",
    '"',
    "''",
    "a%b",
    "A*b",
    "😀",
    "\u00e9",
    "e\u0301",
    "",
    " ",
]


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize("text", STRANGE)
async def test_signs_that_mean_something_to_databases_are_only_text(
    database: Database, text: str, ignore_case: bool
) -> None:
    await write(database, PERSON, *(stored(PERSON, f"p{n}", name=name) for n, name in enumerate(STRANGE)))
    own = f"p{STRANGE.index(text)}"
    assert await found(database, PERSON, Compare("name", Comparison.EQ, text)) == [own]
    assert await found(database, PERSON, In("name", (text,))) == [own]
    assert await found(database, PERSON, Like("name", (Literal(text),), ignore_case)) == [own]
    holding = [f"p{n}" for n, name in enumerate(STRANGE) if text in name]
    assert sorted(await found(database, PERSON, Like("name", (MANY, Literal(text), MANY), ignore_case))) == sorted(
        holding
    )


@pytest.mark.parametrize(
    ("parts", "ignore_case", "wanted"),
    [
        ((Literal("Ada"),), False, ["Ada"]),
        ((Literal("ada"),), True, ["Ada", "ada"]),
        ((Literal("a"), MANY), False, ["ada"]),
        ((MANY, Literal("A")), True, ["Ada", "ada"]),
        ((ONE, Literal("da")), False, ["Ada", "ada"]),
        ((ONE,), False, ["😀"]),
        ((ONE, ONE, ONE, MANY), False, ["Ada", "ada", "Élodie", "élODIE"]),
        ((Literal("éLOD"), MANY), True, ["Élodie", "élODIE"]),
        ((Literal("é"), MANY), False, ["élODIE"]),
        ((MANY,), False, ["", "Ada", "ada", "Élodie", "élODIE", "😀"]),
        ((), False, [""]),
    ],
)
async def test_patterns_match_the_whole_text(
    database: Database, parts: tuple[Literal | Wild, ...], ignore_case: bool, wanted: list[str]
) -> None:
    names = ["Ada", "ada", "Élodie", "élODIE", "😀", "", None]
    await write(database, PERSON, *(stored(PERSON, f"p{n}", name=name) for n, name in enumerate(names)))
    where = Like("name", parts, ignore_case)
    rows = await database.select(PERSON, page(where, Order("name"), select=("name",)))
    assert [row["name"] for row in rows] == sorted(wanted)
    assert [name for name in names if matches(where, state(PERSON, "p", name=name))] == [
        n for n in names if n in wanted
    ]
