"""What may be stored, and in which spelling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel import values
from octonet.kernel.errors import ValidationError
from octonet.kernel.ids import Row
from tests.unit.arbitrary import documents, read_or_refused
from tests.unit.shop import AT, DOG, GROUP, ORDER, SCHEMAS, USER


def new(**data: object) -> Row:
    return values.new_row(USER, {"email": "a@b.c", "name": "Ann", **data}, AT)


def dog(**data: object) -> Row:
    return values.new_row(DOG, data, AT)


def refusal(make: Callable[[], object]) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        make()
    return caught.value


def places(make: Callable[[], object]) -> list[str]:
    return [fault.path for fault in refusal(make).faults]


def test_a_new_row_is_complete_in_the_order_of_the_schema() -> None:
    assert new(email=" ANN@B.C ") == {
        "email": "ann@b.c",
        "name": "Ann",
        "age": 0,
        "active": True,
        "bio": None,
        "born": None,
        "seen": AT,
        "role": "member",
        "settings": {"theme": "dark"},
        "labels": None,
        "password": None,
        "addresses": None,
        "bossId": None,
        "createdAt": AT,
        "updatedAt": AT,
        "groups": [],
    }
    assert list(new()) == [*(name for name in USER.columns if name != "id"), "groups"]


def test_values_given_take_the_place_of_defaults_null_included() -> None:
    row = new(age=None, settings=None, seen=None, createdAt="2020-01-01", role="admin")
    assert (row["age"], row["settings"], row["seen"]) == (None, None, None)
    assert (row["createdAt"], row["updatedAt"], row["role"]) == ("2020-01-01T00:00:00.000Z", AT, "admin")


def test_rows_do_not_share_a_default() -> None:
    first = new()
    settings = first["settings"]
    assert isinstance(settings, dict)
    settings["theme"] = "light"
    assert new()["settings"] == {"theme": "dark"}


def test_the_id_is_left_to_the_caller() -> None:
    assert "id" not in new(id=17)
    assert values.change(USER, {"id": None, "age": 3}) == {"age": 3}


def test_a_change_holds_only_what_was_given() -> None:
    given = {"name": "B", "groups": "g2, g1,,g2", "boss": "", "age": 2.0}
    assert values.change(USER, given) == {"name": "B", "groups": ["g1", "g2"], "bossId": None, "age": 2}
    assert values.change(USER, {}) == {}


def test_a_required_field_cannot_be_missing_or_null() -> None:
    assert places(lambda: values.new_row(USER, {}, AT)) == ["$.data.email", "$.data.name"]
    assert places(lambda: values.new_row(ORDER, {"total": None}, AT)) == ["$.data.total", "$.data.customer"]
    assert places(lambda: values.change(USER, {"name": None})) == ["$.data.name"]
    assert places(lambda: values.change(ORDER, {"customer": ""})) == ["$.data.customer"]
    assert places(lambda: values.change(USER, {"updatedAt": None})) == ["$.data.updatedAt"]


def test_a_reference_is_written_by_relation_or_by_column() -> None:
    assert new(boss="u1")["bossId"] == "u1"
    assert new(bossId="u1")["bossId"] == "u1"
    assert new(boss="u1", bossId="u1")["bossId"] == "u1"
    assert places(lambda: new(boss="u1", bossId="u2")) == ["$.data.bossId"]
    assert places(lambda: new(boss={"id": "u1"})) == ["$.data.boss"]


def test_links_are_a_list_a_text_with_commas_or_one_id() -> None:
    assert [new(groups=g)["groups"] for g in (["b", "a", "b"], "b,a", "b", None, [])] == [
        ["a", "b"], ["a", "b"], ["b"], [], [],
    ]  # fmt: skip
    assert places(lambda: new(groups=["a", 7])) == ["$.data.groups[1]"]
    assert places(lambda: new(groups={"a": 1})) == ["$.data.groups"]


def test_a_discriminator_is_filled_and_cannot_be_another() -> None:
    assert dog(weight=3)["_type"] == "dog"
    assert dog(_type="dog")["_type"] == "dog"
    assert places(lambda: dog(_type="cat")) == ["$.data._type"]


def test_names_alone_wrong_are_unknown_fields() -> None:
    error = refusal(lambda: new(nmae="x", orders=[]))
    assert error.code == "UNKNOWN_FIELD"
    assert [fault.path for fault in error.faults] == ["$.data.nmae", "$.data.orders"]
    assert 'did you mean "name"?' in str(error)
    assert refusal(lambda: values.change(ORDER, {"deletedAt": AT})).code == "UNKNOWN_FIELD"
    assert refusal(lambda: new(nmae="x", age="y")).code == "VALIDATION_ERROR"


def test_all_faults_are_told_at_once_each_at_its_path() -> None:
    assert places(lambda: values.new_row(USER, {"age": "x", "two words": 1, "active": 0}, AT, "$.rows[3]")) == [
        "$.rows[3].age", '$.rows[3]["two words"]', "$.rows[3].active", "$.rows[3].email", "$.rows[3].name",
    ]  # fmt: skip


def test_ten_thousand_unknown_names_are_refused_without_naming_them_all() -> None:
    assert len(refusal(lambda: new(**{f"x{i}": i for i in range(10_000)})).faults) == 100


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_data_that_is_no_object_is_refused(data: object) -> None:
    assert places(lambda: values.new_row(USER, data, AT)) == ["$.data"]
    assert places(lambda: values.change(USER, data)) == ["$.data"]


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("age", 30.0, 30),
        ("age", -0.0, 0),
        ("age", 2**53, 2**53),
        ("age", 1.5, 1.5),
        ("name", " É\U0001f600 ", " É\U0001f600 "),
        ("born", "2024-01-02", "2024-01-02T00:00:00.000Z"),
        ("born", "2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678Z"),
        ("born", "2024-01-02T03:04:05.678901Z", "2024-01-02T03:04:05.678Z"),
        ("born", "2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05.000Z"),
        ("born", "2024-01-02 03:04", "2024-01-02T03:04:00.000Z"),
        ("born", "20240102T030405Z", "2024-01-02T03:04:05.000Z"),
        ("born", "2024-W01-1T03:04:05.67Z", "2024-01-01T03:04:05.670Z"),
        ("settings", {"a": [1.0, {"b": None}]}, {"a": [1, {"b": None}]}),
        ("settings", 3.0, 3),
        ("labels", ["a", "a"], ["a", "a"]),
        ("addresses", [{"city": " Rome "}], [{"city": "Rome", "zip": None, "main": False}]),
        ("role", "admin", "admin"),
    ],
)
def test_a_value_is_kept_in_its_one_spelling(field: str, given: object, kept: object) -> None:
    held = new(**{field: given})[field]
    assert held == kept
    assert type(held) is type(kept)


@pytest.mark.parametrize(
    ("field", "given", "place"),
    [
        ("age", True, ""),
        ("age", "30", ""),
        ("age", float("nan"), ""),
        ("age", float("inf"), ""),
        ("age", 2**53 + 1, ""),
        ("age", 1e300, ""),
        ("active", 1, ""),
        ("active", "true", ""),
        ("name", 3, ""),
        ("name", "a\0b", ""),
        ("name", "\ud800", ""),
        ("born", 1700000000000, ""),
        ("born", "", ""),
        ("born", "yesterday", ""),
        ("born", "2024-13-01", ""),
        ("born", "2024-01-02x03:04:05.678Z", ""),
        ("born", "0001-01-01T00:00:00+14:00", ""),
        ("role", "boss", ""),
        ("settings", {"a": [1, 2**60]}, ".a[1]"),
        ("settings", {"a\0": 1}, '["a\\u0000"]'),
        ("labels", "a", ""),
        ("labels", ["a", 1, None], "[1]"),
        ("addresses", [{"city": "x"}, {"zip": 3, "street": 1}], "[1].zip"),
        ("addresses", ["Rome"], "[0]"),
    ],
)
def test_a_value_of_the_wrong_sort_is_refused_at_its_place(field: str, given: object, place: str) -> None:
    assert places(lambda: new(**{field: given}))[0] == f"$.data.{field}{place}"


def test_every_fault_of_an_embedded_object_is_told() -> None:
    assert places(lambda: new(addresses=[{"zip": 3, "street": 1}])) == [
        "$.data.addresses[0].zip", "$.data.addresses[0].street", "$.data.addresses[0].city",
    ]  # fmt: skip


def test_json_is_at_most_32_levels_deep() -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = [value]
        return value

    assert new(settings=nested(32))
    assert places(lambda: new(settings=nested(33)))


def test_an_error_never_repeats_the_value() -> None:
    assert "hunter2" not in str(refusal(lambda: new(password=["hunter2"])))


@pytest.mark.parametrize("good", ["1", "a" * 64, "é ü", "a.b:c", "\U0001f600"])
def test_an_id_has_1_to_64_characters(good: str) -> None:
    assert values.entity_id(good) == good


@pytest.mark.parametrize("bad", ["", "a" * 65, "a/b", "a\nb", "\0", "\x7f", "\x85", "\ud800", 7, None, ["a"]])
def test_an_id_with_anything_else_is_refused(bad: object) -> None:
    assert places(lambda: values.entity_id(bad)) == ["$.id"]


def test_an_element_is_checked_like_the_array_that_will_hold_it() -> None:
    assert values.field_value(USER, "labels", "x") == "x"
    assert values.field_value(USER, "groups", "g1") == "g1"
    assert values.field_value(USER, "addresses", {"city": " Rome "}) == {"city": "Rome", "zip": None, "main": False}
    assert places(lambda: values.field_value(USER, "labels", 3)) == ["$.value"]
    assert places(lambda: values.field_value(USER, "groups", "")) == ["$.value"]
    assert places(lambda: values.field_value(USER, "addresses", {"city": 1})) == ["$.value.city"]


@pytest.mark.parametrize("name", ["age", "boss", "orders", "password", "nope", 3, None])
def test_only_arrays_and_links_have_elements(name: object) -> None:
    assert places(lambda: values.field_value(USER, name, "x")) == ["$.field"]


def test_only_numbers_are_incremented() -> None:
    assert values.number_field(USER, "age") == "age"
    for name in ("name", "groups", "bossId", "createdAt", "nope", 3):
        assert places(partial(values.number_field, USER, name)) == ["$.field"]
    assert values.number(2.0) == 2
    assert places(lambda: values.number("2")) == ["$.amount"]


_names = sorted({name for schema in SCHEMAS.entities.values() for name in (*schema.fields, *schema.relations)})


@given(documents(*_names, "id", "bossId", "_type", "city", "zip"))
def test_any_data_is_taken_or_refused(data: object) -> None:
    for schema in (USER, ORDER, GROUP, DOG):
        read_or_refused(partial(values.new_row, schema, data, AT))
        read_or_refused(partial(values.change, schema, data))
    for name in ("labels", "addresses", "groups"):
        read_or_refused(partial(values.field_value, USER, name, data))


_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(-1e6, 1e6),
        st.text("aB \u0130\u03a3é", max_size=5),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)
_text = st.text("aB \t\u0130\u03a3é\u00df\U0001f600", max_size=8)
_users = st.fixed_dictionaries(
    {"email": _text, "name": _text},
    optional={
        "age": st.none() | st.floats(-1e15, 1e15) | st.integers(-(2**53), 2**53),
        "born": st.none() | st.datetimes().map(lambda moment: moment.isoformat()),
        "settings": _json,
        "labels": st.none() | st.lists(_text),
        "groups": st.lists(st.text("abc", min_size=1, max_size=3)),
        "addresses": st.none() | st.lists(st.fixed_dictionaries({"city": _text}, optional={"zip": _text})),
    },
)


@given(_users)
def test_normalising_twice_is_normalising_once(data: dict[str, object]) -> None:
    row = values.new_row(USER, data, AT)
    assert values.new_row(USER, row, "1999-01-01") == row
    assert values.change(USER, row) == row
