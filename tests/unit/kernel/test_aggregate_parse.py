"""What a pipeline may say, stage by stage."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from hypothesis import given

from octonet.kernel import aggregate_parse
from octonet.kernel.aggregate import Accumulator, Function, Group, Limit, Match, Sort
from octonet.kernel.errors import OctonetError
from octonet.kernel.filter import Compare, Comparison, Order
from tests.unit.arbitrary import documents, read_or_refused
from tests.unit.shop import USER

GROUP = {"$group": {"_by": "role", "n": {"$count": True}, "oldest": {"$min": "$born"}}}


def refusal(*stages: object) -> tuple[str, str]:
    with pytest.raises(OctonetError) as caught:
        aggregate_parse.parse(USER, list(stages))
    return caught.value.code, caught.value.faults[0].path


def test_stages_are_read_in_order() -> None:
    stages = aggregate_parse.parse(
        USER,
        [
            {"$match": {"active": True}},
            GROUP,
            {"$match": {"n": {"$gt": 1}, "oldest": {"$lt": "2000-01-01"}}},
            {"$sort": {"n": -1, "role": 1}},
            {"$limit": 5},
        ],
    )
    assert stages[0] == Match(Compare("active", Comparison.EQ, True))
    count, oldest = Accumulator("n", Function.COUNT, 1), Accumulator("oldest", Function.MIN, "born")
    assert stages[1] == Group("role", (count, oldest))
    assert isinstance(stages[2], Match)
    assert stages[3:] == (Sort((Order("n", True), Order("role"))), Limit(5))


def test_accumulators_are_read_in_every_spelling() -> None:
    group = {
        "a": {"$sum": 1}, "b": {"$sum": "age"}, "c": {"$sum": "$age"}, "d": {"$sum": 2.5}, "e": {"$avg": "age"},
        "f": {"$max": "name"},
    }  # fmt: skip
    (stage,) = aggregate_parse.parse(USER, [{"$group": group}])
    assert isinstance(stage, Group)
    assert stage.by is None
    assert [(a.function.value, a.operand) for a in stage.accumulators] == [
        ("sum", 1), ("sum", "age"), ("sum", "age"), ("sum", 2.5), ("avg", "age"), ("max", "name"),
    ]  # fmt: skip
    assert aggregate_parse.parse(USER, [{"$group": {"_by": None}}]) == (Group(None, ()),)
    assert aggregate_parse.parse(USER, [{"$group": {"_by": "$boss"}}]) == (Group("bossId", ()),)


def test_a_group_of_groups_sees_the_first_groups_columns() -> None:
    (_, second) = aggregate_parse.parse(USER, [GROUP, {"$group": {"_by": "n", "roles": {"$count": True}}}])
    assert isinstance(second, Group)
    assert second.by == "n"


@pytest.mark.parametrize("nothing", [None, msgspec.UNSET, []])
def test_stages_are_needed(nothing: object) -> None:
    with pytest.raises(OctonetError) as caught:
        aggregate_parse.parse(USER, nothing)
    assert caught.value.code == "MISSING_STAGES"


@pytest.mark.parametrize(
    ("stages", "code", "path"),
    [
        ([{"$macth": {}}], "UNKNOWN_STAGE", "[0].$macth"),
        ([{}], "INVALID_STAGE", "[0]"),
        ([{"$limit": 1, "$sort": {"name": 1}}], "INVALID_STAGE", "[0]"),
        (["$match"], "INVALID_REQUEST", "[0]"),
        ([{"$match": {"age": {"$foo": 1}}}], "UNKNOWN_OPERATOR", "[0].$match.age.$foo"),
        ([{"$match": {"password": "x"}}], "FIELD_NOT_ALLOWED", "[0].$match.password"),
        ([GROUP, {"$match": {"age": 1}}], "UNKNOWN_FIELD", "[1].$match.age"),
        ([GROUP, {"$match": {"n": "x"}}], "VALIDATION_ERROR", "[1].$match.n"),
        ([GROUP, {"$match": {"oldest": 3}}], "VALIDATION_ERROR", "[1].$match.oldest"),
        ([GROUP, {"$sort": {"born": 1}}], "UNKNOWN_FIELD", "[1].$sort.born"),
        ([{"$sort": {}}], "INVALID_STAGE", "[0].$sort"),
        ([{"$sort": {"settings": 1}}], "FIELD_NOT_ALLOWED", "[0].$sort.settings"),
        ([{"$limit": 0}], "INVALID_STAGE", "[0].$limit"),
        ([{"$limit": True}], "INVALID_STAGE", "[0].$limit"),
        ([{"$group": {"_by": "nope"}}], "UNKNOWN_FIELD", "[0].$group._by"),
        ([{"$group": {"_by": "password"}}], "FIELD_NOT_ALLOWED", "[0].$group._by"),
        ([{"$group": {"_by": "labels"}}], "FIELD_NOT_ALLOWED", "[0].$group._by"),
        ([{"$group": {"_by": ["role"]}}], "INVALID_REQUEST", "[0].$group._by"),
        ([{"$group": {"_id": "$role"}}], "INVALID_STAGE", "[0].$group._id"),
        ([{"$group": {"a b": {"$count": True}}}], "INVALID_STAGE", '[0].$group["a b"]'),
        ([{"$group": {"_by": "role", "Role": {"$count": True}}}], "INVALID_STAGE", "[0].$group.Role"),
        ([{"$group": {"n": {"$count": 1}}}], "INVALID_STAGE", "[0].$group.n.$count"),
        ([{"$group": {"n": {"$sum": "name"}}}], "INVALID_STAGE", "[0].$group.n.$sum"),
        ([{"$group": {"n": {"$sum": True}}}], "INVALID_REQUEST", "[0].$group.n.$sum"),
        ([{"$group": {"n": {"$sum": float("inf")}}}], "INVALID_STAGE", "[0].$group.n.$sum"),
        ([{"$group": {"n": {"$avg": "born"}}}], "INVALID_STAGE", "[0].$group.n.$avg"),
        ([{"$group": {"n": {"$min": "active"}}}], "INVALID_STAGE", "[0].$group.n.$min"),
        ([{"$group": {"n": {"$max": "password"}}}], "FIELD_NOT_ALLOWED", "[0].$group.n.$max"),
        ([{"$group": {"n": {"$first": "age"}}}], "UNKNOWN_ACCUMULATOR", "[0].$group.n.$first"),
        ([{"$group": {"n": {}}}], "INVALID_STAGE", "[0].$group.n"),
        ([{"$group": {"n": 1}}], "INVALID_REQUEST", "[0].$group.n"),
        ([{"$limit": 1}] * 21, "INVALID_STAGE", ""),
    ],
)
def test_a_wrong_stage_is_refused_naming_its_path(stages: list[object], code: str, path: str) -> None:
    assert refusal(*stages) == (code, f"$.stages{path}")


@given(documents("$match", "$group", "$sort", "$limit", "_by", "$sum", "$count", "$min", "age", "name", "n"))
def test_any_pipeline_is_read_or_refused(value: object) -> None:
    for stages in (value, [value], [{"$group": value}], [{"$match": value}, {"$sort": value}]):
        read_or_refused(partial(aggregate_parse.parse, USER, stages))
