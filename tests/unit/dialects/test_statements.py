"""Statements are compiled once for each shape, whatever the values."""

from __future__ import annotations

from functools import partial

from octonet.dialects.engine.grammar import Cell
from octonet.dialects.engine.model import build
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.sqlite_grammar import GRAMMAR
from octonet.dialects.engine.statement import Cache
from octonet.kernel.aggregate import Accumulator, Function, Group, Limit, Match, Stage
from octonet.kernel.filter import EVERYTHING, And, Compare, Comparison, Filter, In, Like, Literal, Or, Order
from octonet.kernel.schema import ID
from tests.conformance.dialect_cases import DOG, PERSON, SCHEMAS, page

QUERIES = Queries(build(SCHEMAS, GRAMMAR), GRAMMAR)


def of(where: Filter, *sort: Order, limit: int = 10, skip: int = 0) -> tuple[int, list[Cell]]:
    bound = QUERIES.select(PERSON, page(where, *sort, limit=limit, skip=skip))
    return id(bound.query), list(bound.arguments)


def test_values_limits_and_long_lists_share_a_statement() -> None:
    first, arguments = of(And((Compare("age", Comparison.GT, 1), In("name", ("a", "b")))), limit=5)
    second, others = of(And((Compare("age", Comparison.GT, 2.5), In("name", tuple(map(str, range(5000)))))), limit=7)
    assert first == second
    assert arguments == [1, '["a","b"]', 5, 0]
    assert others[0::2] == [2.5, 7]


def test_a_different_column_operator_order_or_skip_is_a_different_statement() -> None:
    filters: list[Filter] = [
        EVERYTHING,
        Compare("age", Comparison.GT, 1),
        Compare("age", Comparison.LT, 1),
        Compare("id", Comparison.GT, "1"),
        In("age", (1,)),
        In("age", (1,), negated=True),
        In("age", ()),
        In("age", (0.5,)),
        Like("name", (Literal("a"),)),
        Like("name", (Literal("a"),), ignore_case=True),
        And((EVERYTHING, Or(()))),
        Or((EVERYTHING, And(()))),
    ]
    shapes = [
        *map(of, filters),
        of(EVERYTHING, skip=1),
        of(EVERYTHING, Order("age")),
        of(EVERYTHING, Order("age", True)),
    ]
    assert len({shape for shape, _ in shapes}) == len(shapes)


def test_lists_of_fractions_are_padded_to_few_widths() -> None:
    three, arguments = of(In("age", (0.5, 1.5, 2.5)))
    four, _ = of(In("age", (0.5, 1.5, 2.5, 3.5)))
    assert three == four
    assert arguments == [0.5, 1.5, 2.5, 2.5, 10, 0]


def test_constants_of_the_schema_are_bound_among_the_values() -> None:
    bound = QUERIES.select(DOG, page(Compare("name", Comparison.EQ, "rex"), limit=3))
    assert bound.text.count("?") == 4
    assert list(bound.arguments) == ["rex", "dog", 3, 0]
    assert list(QUERIES.get(DOG, page().options).statement.arguments(["d1"])) == ["d1", "dog"]


def test_pipelines_differing_only_in_values_share_a_statement() -> None:
    def query(least: int, factor: int, column: str = "age") -> int:
        stages: list[Stage] = [
            Match(Compare("age", Comparison.GT, least)),
            Group("name", (Accumulator("a", Function.SUM, factor), Accumulator("b", Function.MAX, column))),
            Limit(factor),
        ]
        return id(QUERIES.aggregate(PERSON, stages, 10).query)

    assert query(1, 2) == query(3, 4)
    assert query(1, 2) != query(1, 2, "born")


def test_no_value_and_no_name_of_a_value_stands_in_the_text() -> None:
    evil = "x'; DROP TABLE people; --"
    where = Or((Compare("name", Comparison.EQ, evil), In("name", (evil,)), Like("name", (Literal(evil),))))
    assert "DROP" not in QUERIES.select(PERSON, page(where)).text


def test_only_small_pages_by_id_or_along_an_index_are_short() -> None:
    def short(where: Filter, *sort: Order) -> bool:
        return QUERIES.select(PERSON, page(where, *sort)).query.short

    assert short(EVERYTHING)
    assert short(Compare("age", Comparison.GT, 1), Order("age"))
    assert short(And((Compare(ID, Comparison.EQ, "p"), Compare("name", Comparison.EQ, "x"))), Order("name"))
    assert not short(EVERYTHING, Order("name"))
    assert not short(Compare("name", Comparison.EQ, "x"))
    assert not short(Compare("age", Comparison.NE, 1))
    assert not short(Or((Compare("age", Comparison.EQ, 1), Like("name", (Literal("x"),)))))


def test_a_page_is_in_order_where_it_is_sorted_along_an_index() -> None:
    def ordered(where: Filter, *sort: Order) -> bool:
        return QUERIES.select(PERSON, page(where, *sort)).query.in_order

    assert ordered(Compare("name", Comparison.EQ, "x"))
    assert ordered(Compare("name", Comparison.EQ, "x"), Order("age", descending=True))
    assert not ordered(EVERYTHING, Order("name"))


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    made: list[str] = []
    cache: Cache[str] = Cache(2)

    def make(key: str) -> str:
        made.append(key)
        return key

    for key in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(key, partial(make, key)) == key
    assert made == ["a", "b", "c", "b"]
