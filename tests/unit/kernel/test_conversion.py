"""Values become values of another type, or are refused; none is bent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.conversion import Keeps, conversion, keeps
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import Field, FieldType
from octonet.kernel.value_types import CHECKS, LARGEST, Misfit

T = FieldType


@pytest.mark.parametrize(
    ("before", "after", "value", "expected"),
    [
        (T.NUMBER, T.STRING, 30, "30"),
        (T.NUMBER, T.TEXT, 0.5, "0.5"),
        (T.STRING, T.NUMBER, " 30.0 ", 30),
        (T.STRING, T.NUMBER, "-1e3", -1000),
        (T.BOOLEAN, T.STRING, True, "true"),
        (T.STRING, T.BOOLEAN, "false", False),
        (T.NUMBER, T.BOOLEAN, 1, True),
        (T.BOOLEAN, T.NUMBER, False, 0),
        (T.DATE, T.TEXT, "2024-01-02T00:00:00.000Z", "2024-01-02T00:00:00.000Z"),
        (T.TEXT, T.DATE, "2024-01-02", "2024-01-02T00:00:00.000Z"),
        (T.JSON, T.TEXT, {"a": [1]}, '{"a":[1]}'),
        (T.TEXT, T.JSON, '{"a":[1]}', {"a": [1]}),
        (T.TEXT, T.JSON, "12", "12"),
        (T.ARRAY, T.STRING, ["a"], '["a"]'),
        (T.STRING, T.ARRAY, '["a"]', ["a"]),
    ],
)
def test_a_value_converts(before: FieldType, after: FieldType, value: JsonValue, expected: JsonValue) -> None:
    found = conversion(before, Field("f", after))(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        (T.STRING, T.NUMBER, "12 apples"),
        (T.STRING, T.NUMBER, ""),
        (T.STRING, T.NUMBER, "1e400"),
        (T.STRING, T.NUMBER, "9" * 5000),
        (T.STRING, T.BOOLEAN, "yes"),
        (T.NUMBER, T.BOOLEAN, 2),
        (T.STRING, T.DATE, "soon"),
        (T.NUMBER, T.DATE, 0),
        (T.JSON, T.ARRAY, {"a": 1}),
        (T.JSON, T.NUMBER, [1]),
    ],
)
def test_a_value_that_is_none_is_refused(before: FieldType, after: FieldType, value: JsonValue) -> None:
    with pytest.raises(Misfit):
        conversion(before, Field("f", after))(value)


def test_a_converted_value_obeys_the_field() -> None:
    convert = conversion(T.NUMBER, Field("f", T.STRING, enum=("1", "2")))
    assert convert(2) == "2"
    with pytest.raises(Misfit):
        convert(3)


@given(st.one_of(st.integers(-LARGEST, LARGEST), st.floats(-LARGEST, LARGEST)))
def test_numbers_come_back_from_text(number: float) -> None:
    kept = CHECKS[T.NUMBER](number)
    assert conversion(T.STRING, Field("f", T.NUMBER))(conversion(T.NUMBER, Field("f", T.STRING))(kept)) == kept


_VALUES: dict[FieldType, st.SearchStrategy[JsonValue]] = {
    T.STRING: st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    T.NUMBER: st.integers(-LARGEST, LARGEST),
    T.BOOLEAN: st.booleans(),
    T.DATE: st.sampled_from(["2024-01-02T03:04:05.678Z"]),
    T.ARRAY: st.lists(st.integers(-9, 9)),
}


@given(st.sampled_from(sorted(_VALUES)), st.sampled_from(sorted(FieldType)), st.data())
def test_all_none_or_some_is_told_beforehand(before: FieldType, after: FieldType, data: st.DataObject) -> None:
    value = data.draw(_VALUES[before])
    try:
        conversion(before, Field("f", after))(value)
    except Misfit:
        assert keeps(before, after) is not Keeps.ALL
    else:
        assert keeps(before, after) is not Keeps.NONE
