"""What the filter language means, and how the rest is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from octonet.kernel import filter_parse
from octonet.kernel.errors import Kind, OctonetError
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
    Wild,
    Wildcard,
)
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import Row
from tests.unit.arbitrary import documents, read_or_refused
from tests.unit.shop import DOG, ORDER, USER

BORN = "2024-01-02T00:00:00.000Z"
MANY, ONE = Wild(Wildcard.MANY), Wild(Wildcard.ONE)


def parse(value: object) -> Filter:
    return filter_parse.parse(USER, value)


def refusal(value: object) -> tuple[Kind, str, str]:
    with pytest.raises(OctonetError) as caught:
        parse(value)
    return caught.value.kind, caught.value.code, caught.value.faults[0].path


@pytest.mark.parametrize(
    "nothing", [None, msgspec.UNSET, {}, {"$and": []}, {"$and": [{}]}, {"$or": [{}]}, {"age": {"$nin": []}}]
)
def test_what_excludes_nothing_is_everything(nothing: object) -> None:
    assert parse(nothing) == EVERYTHING


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ({"name": "Ann"}, Compare("name", Comparison.EQ, "Ann")),
        ({"id": "u1"}, Compare("id", Comparison.EQ, "u1")),
        ({"age": 30.0}, Compare("age", Comparison.EQ, 30)),
        ({"active": False}, Compare("active", Comparison.EQ, False)),
        ({"born": {"$gt": "2024-01-01"}}, Compare("born", Comparison.GT, "2024-01-01T00:00:00.000Z")),
        ({"boss": "u1"}, Compare("bossId", Comparison.EQ, "u1")),
        ({"bossId": "u1"}, Compare("bossId", Comparison.EQ, "u1")),
        ({"email": " A@B.C"}, Compare("email", Comparison.EQ, " A@B.C")),
        ({"name": None}, IsNull("name", True)),
        ({"name": {"$eq": None}}, IsNull("name", True)),
        ({"name": {"$ne": None}}, IsNull("name", False)),
        ({"settings": None}, IsNull("settings", True)),
        ({"labels": {"$exists": True}}, IsNull("labels", False)),
        ({"age": {"$in": []}}, In("age", ())),
        ({"age": {"$in": [1.0, 2, 1]}}, In("age", (1, 2))),
        ({"age": {"$in": [1, None]}}, Or((IsNull("age", True), In("age", (1,))))),
        ({"age": {"$in": [None]}}, IsNull("age", True)),
        ({"age": {"$nin": [1, None]}}, In("age", (1,), negated=True)),
        ({"age": {"$nin": [None]}}, IsNull("age", False)),
        (
            {"age": {"$gte": 1, "$lt": 5}, "name": "x"},
            And(
                (
                    And((Compare("age", Comparison.GTE, 1), Compare("age", Comparison.LT, 5))),
                    Compare("name", Comparison.EQ, "x"),
                )
            ),
        ),
        ({"$or": [{"age": 1}]}, Compare("age", Comparison.EQ, 1)),
        ({"$or": []}, Or(())),
        (
            {"$or": [{"age": {"$ne": 1}}, {"$and": [{"name": "x"}, {}]}]},
            Or((Compare("age", Comparison.NE, 1), Compare("name", Comparison.EQ, "x"))),
        ),
    ],
)
def test_a_filter_becomes_a_tree(value: object, meaning: Filter) -> None:
    assert parse(value) == meaning


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("", (MANY,)),
        ("^$", ()),
        ("^a$", (Literal("a"),)),
        ("a", (MANY, Literal("a"), MANY)),
        ("^a.*b.c", (Literal("a"), MANY, Literal("b"), ONE, Literal("c"), MANY)),
        (".*a.*", (MANY, Literal("a"), MANY)),
        (r"^a\.b\*\\c$", (Literal(r"a.b*\c"),)),
        ("50%_", (MANY, Literal("50%_"), MANY)),
        (r"\$", (MANY, Literal("$"), MANY)),
    ],
)
def test_a_pattern_becomes_literals_and_wildcards(pattern: str, parts: tuple[Literal | Wild, ...]) -> None:
    assert parse({"name": {"$regex": pattern}}) == Like("name", parts)


@pytest.mark.parametrize("flag", ["$regexFlags", "$options"])
def test_a_pattern_may_ignore_case(flag: str) -> None:
    assert parse({"name": {"$regex": "^a$", flag: "i"}}) == Like("name", (Literal("a"),), ignore_case=True)
    assert parse({"name": {flag: "", "$regex": "^a$"}}) == Like("name", (Literal("a"),))


def test_a_pattern_may_be_one_that_a_text_does_not_match() -> None:
    unlike = Like("name", (Literal("a"),), ignore_case=True, negated=True)
    assert parse({"name": {"$not": {"$regex": "^a$", "$regexFlags": "i"}}}) == unlike
    assert not matches(unlike, {"name": None})
    assert not matches(unlike, {"name": "A"})
    assert matches(unlike, {"name": "b"})
    for other in ({}, {"$eq": 1}, {"$regex": "a", "$gt": "b"}, {"$not": {"$regex": "a"}}):
        assert refusal({"name": {"$not": other}}) == (Kind.INVALID, "INVALID_FILTER", "$.filter.name.$not")
    assert refusal({"name": {"$not": {"$regex": "a+"}}})[2] == "$.filter.name.$not.$regex"


@pytest.mark.parametrize(
    "pattern",
    ["a|b", "[ab]", "(a)", "a+", "a?", "a{2}", "a*", r"\d", "\\", "a$b", "a^", "a" * 257, "\0", "\ud800", 3, None],
)
def test_a_pattern_beyond_that_is_refused_at_its_path(pattern: object) -> None:
    assert refusal({"name": {"$regex": pattern}}) == (Kind.INVALID, "UNSUPPORTED_PATTERN", "$.filter.name.$regex")


def test_unknown_operator_is_refused_naming_its_path() -> None:
    assert refusal({"age": {"$foo": 1}}) == (Kind.INVALID, "UNKNOWN_OPERATOR", "$.filter.age.$foo")
    assert refusal({"$nor": []}) == (Kind.INVALID, "UNKNOWN_OPERATOR", "$.filter.$nor")
    assert refusal({"age": {"gt": 1}}) == (Kind.INVALID, "UNKNOWN_OPERATOR", "$.filter.age.gt")


def test_unknown_field_is_refused_naming_its_path() -> None:
    assert refusal({"$or": [{}, {"aeg": 1}]}) == (Kind.INVALID, "UNKNOWN_FIELD", "$.filter.$or[1].aeg")
    with pytest.raises(OctonetError, match='did you mean "age"'):
        parse({"aeg": 1})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"age": "30"}, "age"),
        ({"age": True}, "age"),
        ({"age": [1]}, "age"),
        ({"age": {"$in": [1, "2"]}}, "age.$in[1]"),
        ({"age": {"$in": 1}}, "age.$in"),
        ({"age": {"$in": [1] * 10_001}}, "age.$in"),
        ({"age": {"$gt": None}}, "age.$gt"),
        ({"active": 1}, "active"),
        ({"born": "x"}, "born"),
        ({"born": 1700000000000}, "born"),
        ({"name": 3}, "name"),
        ({"name": "\0"}, "name"),
        ({"name": {"$exists": 1}}, "name.$exists"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_naming_its_path(value: object, path: str) -> None:
    assert refusal(value) == (Kind.UNPROCESSABLE, "VALIDATION_ERROR", f"$.filter.{path}")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"password": "x"}, "password"),
        ({"password": {"$exists": True}}, "password"),
        ({"settings": {"theme": "dark"}}, "settings.theme"),
        ({"settings": 3}, "settings"),
        ({"labels": {"$in": ["a"]}}, "labels.$in"),
        ({"orders": "o1"}, "orders"),
        ({"groups": "g1"}, "groups"),
        ({"age": {"$regex": "1"}}, "age.$regex"),
        ({"age": {}}, "age"),
        ({"name": {"$options": "i"}}, "name.$options"),
        ({"name": {"$regex": "a", "$options": "ix"}}, "name.$options"),
        ({"$or": {"age": 1}}, "$or"),
        ({"$and": [3]}, "$and[0]"),
        ({"address.city": "Rome"}, None),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(value: object, path: str | None) -> None:
    kind, _, place = refusal(value)
    assert kind is Kind.INVALID
    assert place == (f"$.filter.{path}" if path else '$.filter["address.city"]')


def test_conditions_nest_at_most_32_levels_deep() -> None:
    def nested(levels: int) -> object:
        value: object = {"age": 1}
        for _ in range(levels):
            value = {"$and": [value]}
        return value

    assert parse(nested(32)) == Compare("age", Comparison.EQ, 1)
    assert refusal(nested(33))[1] == "INVALID_FILTER"
    assert refusal(nested(900))[1] == "INVALID_FILTER"


def test_a_filter_knows_the_columns_it_mentions() -> None:
    where = filter_parse.parse(ORDER, {"$or": [{"total": 1}, {"$and": [{"deletedAt": None}]}]})
    assert filter_parse.mentions(where, "deletedAt")
    assert not filter_parse.mentions(where, "paid")
    assert filter_parse.parse(DOG, {"_type": "dog"})


ROW: Row = {"id": "1", "name": "Zoë\U0001f600", "age": 5, "active": True, "bio": None, "born": BORN}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, True),
        ({"$or": []}, False),
        ({"age": 5}, True),
        ({"age": {"$ne": 5}}, False),
        ({"age": {"$gt": 4.5, "$lte": 5}}, True),
        ({"age": {"$lt": 5}}, False),
        ({"age": {"$gte": 6}}, False),
        ({"age": {"$in": [1, 5]}}, True),
        ({"age": {"$nin": [1, 5]}}, False),
        ({"age": {"$nin": [1]}}, True),
        ({"active": True}, True),
        ({"active": {"$gt": False}}, True),
        ({"born": {"$gt": "2024-01-01T23:00:00-02:00"}}, False),
        ({"bio": "x"}, False),
        ({"bio": {"$ne": "x"}}, False),
        ({"bio": {"$nin": ["x"]}}, False),
        ({"bio": {"$nin": []}}, True),
        ({"bio": {"$in": ["x", None]}}, True),
        ({"bio": {"$regex": ""}}, False),
        ({"bio": None}, True),
        ({"bio": {"$exists": False}}, True),
        ({"name": {"$exists": True}}, True),
        ({"name": {"$gt": "Zoe"}}, True),
        ({"name": {"$gt": "a"}}, False),
        ({"name": {"$regex": "^Zo.\U0001f600$"}}, True),
        ({"name": {"$regex": "^Zo..$"}}, True),
        ({"name": {"$regex": "^Zo.$"}}, False),
        ({"name": {"$regex": "zo"}}, False),
        ({"name": {"$regex": "zOË", "$options": "i"}}, True),
        ({"name": {"$regex": "^Z.*.*o.*$"}}, True),
        ({"$or": [{"age": 1}, {"active": True}]}, True),
        ({"$or": [{"age": 1}, {"active": False}]}, False),
        ({"$and": [{"age": 5}, {"active": False}]}, False),
    ],
)
def test_a_row_matches_or_not(value: object, expected: bool) -> None:
    assert matches(parse(value), ROW) is expected


def test_wildcards_find_overlapping_and_repeated_text() -> None:
    def like(pattern: str, text: str) -> bool:
        return matches(parse({"name": {"$regex": pattern}}), {"name": text})

    assert like("^a.*ab.*b$", "aabb")
    assert not like("^ab.*ba$", "aba")
    assert like("a.c.*ac", "abcac")
    assert like("^a.*$", "a\nb")


def test_no_pattern_makes_matching_explode() -> None:
    where = parse({"name": {"$regex": "^" + ".*a" * 80 + "b$"}})
    assert not matches(where, {"name": "a" * 5000})


@given(documents("$and", "$or", "$in", "$gt", "$regex", "$options", "$exists", *USER.columns, *USER.relations))
def test_any_filter_is_read_or_refused(value: object) -> None:
    read_or_refused(lambda: matches(parse(value), ROW))
