"""How a page may be cut."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from hypothesis import given

from octonet.kernel import cursor, options_parse
from octonet.kernel.errors import Kind, OctonetError
from octonet.kernel.filter import Options, Order
from tests.unit.arbitrary import documents, read_or_refused
from tests.unit.shop import ORDER, USER


def parse(**members: object) -> Options:
    return options_parse.parse(USER, members)


def test_absent_null_and_empty_options_are_the_defaults() -> None:
    nothing: tuple[object, ...] = (None, msgspec.UNSET, {})
    assert all(options_parse.parse(USER, value) == Options() for value in nothing)
    assert parse(sort=None, skip=None, limit=None, select=None, includeDeleted=None, after=None) == Options()
    assert parse(sort={}, skip=0, limit=0, select=[], exclude="", after="") == Options()


def test_options_are_read() -> None:
    assert parse(
        sort={"name": 1, "age": -1, "boss": "DESC", "id": "asc"}, skip=3, limit=7,
        select=["name", "boss", "groups", "name"], exclude=" bio , age,", includeDeleted=True,
    ) == Options(
        sort=(Order("name"), Order("age", True), Order("bossId", True), Order("id")), skip=3, limit=7,
        select=("name", "bossId", "groups"), exclude=("bio", "age"), include_deleted=True,
    )  # fmt: skip


def test_a_cursor_is_read_under_its_sort() -> None:
    token = cursor.encode((None, 3, "u1"))
    assert parse(sort={"name": 1, "age": -1}, after=token).after == (None, 3, "u1")


@pytest.mark.parametrize(
    ("members", "path", "code"),
    [
        ({"sorted": {}}, "sorted", "UNKNOWN_OPTION"),
        ({"sort": "name"}, "sort", "INVALID_REQUEST"),
        ({"sort": {"nmae": 1}}, "sort.nmae", "UNKNOWN_FIELD"),
        ({"sort": {"name": 2}}, "sort.name", "INVALID_SORT"),
        ({"sort": {"name": True}}, "sort.name", "INVALID_SORT"),
        ({"sort": {"name": "up"}}, "sort.name", "INVALID_SORT"),
        ({"sort": {"boss": 1, "bossId": 1}}, "sort.bossId", "INVALID_SORT"),
        ({"sort": {"settings": 1}}, "sort.settings", "FIELD_NOT_ALLOWED"),
        ({"sort": {"password": 1}}, "sort.password", "FIELD_NOT_ALLOWED"),
        ({"sort": {"orders": 1}}, "sort.orders", "FIELD_NOT_ALLOWED"),
        ({"skip": -1}, "skip", "INVALID_OPTIONS"),
        ({"limit": -1}, "limit", "INVALID_OPTIONS"),
        ({"limit": "10"}, "limit", "INVALID_OPTIONS"),
        ({"limit": 1.5}, "limit", "INVALID_OPTIONS"),
        ({"limit": True}, "limit", "INVALID_OPTIONS"),
        ({"limit": 2**60}, "limit", "INVALID_OPTIONS"),
        ({"select": ["name", "nope"]}, "select[1]", "UNKNOWN_FIELD"),
        ({"select": "password"}, "select", "FIELD_NOT_ALLOWED"),
        ({"select": ["orders"]}, "select[0]", "FIELD_NOT_ALLOWED"),
        ({"select": [3]}, "select[0]", "INVALID_REQUEST"),
        ({"exclude": {"name": 1}}, "exclude", "INVALID_REQUEST"),
        ({"includeDeleted": "true"}, "includeDeleted", "INVALID_OPTIONS"),
        ({"after": 3}, "after", "INVALID_CURSOR"),
        ({"after": "%%%"}, "after", "INVALID_CURSOR"),
        ({"after": cursor.encode(("u1", "u2"))}, "after", "INVALID_CURSOR"),
        ({"after": cursor.encode((None,))}, "after", "INVALID_CURSOR"),
        ({"after": cursor.encode(("x", "u1")), "sort": {"age": 1}}, "after", "INVALID_CURSOR"),
        ({"after": cursor.encode(("u1",)), "skip": 2}, "skip", "INVALID_OPTIONS"),
    ],
)
def test_a_wrong_option_is_refused_naming_its_path(members: dict[str, object], path: str, code: str) -> None:
    with pytest.raises(OctonetError) as caught:
        parse(**members)
    assert (caught.value.kind, caught.value.code) == (Kind.INVALID, code)
    assert caught.value.faults[0].path == f"$.options.{path}"


def test_options_that_are_no_object_are_refused() -> None:
    with pytest.raises(OctonetError) as caught:
        options_parse.parse(USER, [])
    assert caught.value.faults[0].path == "$.options"


def test_relations_are_a_list_or_a_text_with_commas() -> None:
    assert options_parse.relations(USER, ["boss", "groups", "boss"]) == ("boss", "groups")
    assert options_parse.relations(USER, "boss, orders") == ("boss", "orders")
    assert options_parse.relations(USER, msgspec.UNSET) == ()
    with pytest.raises(OctonetError, match='did you mean "customer"') as caught:
        options_parse.relations(ORDER, ["custmer"])
    assert (caught.value.code, caught.value.faults[0].path) == ("UNKNOWN_RELATION", "$.relations[0]")


@given(documents("sort", "skip", "limit", "select", "exclude", "after", "includeDeleted", *USER.columns))
def test_any_options_are_read_or_refused(value: object) -> None:
    for read in (options_parse.parse, options_parse.relations):
        read_or_refused(partial(read, USER, value))
