"""A cursor leads through any rows in their order, each exactly once."""

from __future__ import annotations

from functools import cmp_to_key, partial

from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel import cursor
from octonet.kernel.filter import Order
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import JsonValue, Row
from tests.unit.shop import USER


def compare(orders: tuple[Order, ...], a: Row, b: Row) -> int:
    """The order that every source keeps: nulls first ascending, last descending, the id last."""
    for order in (*orders, Order("id")):
        x, y = a[order.column], b[order.column]
        if x != y:
            less = x is None or (y is not None and before(x, y))
            return -1 if less is not order.descending else 1
    return 0


def before(x: JsonValue, y: JsonValue) -> bool:
    if isinstance(x, str) and isinstance(y, str):
        return x < y
    assert isinstance(x, int | float)
    assert isinstance(y, int | float)
    return x < y


_rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abAB\U0001f600\uffff", min_size=1, max_size=3),
            "name": st.none() | st.text("aB\u00e9\U0001f600\uffff", max_size=2),
            "age": st.none() | st.integers(-2, 2) | st.sampled_from([0.5, -1.5]),
            "active": st.none() | st.booleans(),
        }
    ),
    unique_by=lambda row: row["id"],
    max_size=12,
)
_orders = st.lists(
    st.builds(Order, st.sampled_from(["name", "age", "active", "id"]), st.booleans()),
    unique_by=lambda order: order.column,
    max_size=4,
).map(tuple)


@given(_rows, _orders, st.integers(1, 4))
def test_pages_hold_every_row_once_in_order(rows: list[Row], orders: tuple[Order, ...], size: int) -> None:
    expected = sorted(rows, key=cmp_to_key(partial(compare, orders)))
    found: list[Row] = []
    rest = expected
    while rest:
        found += rest[:size]
        last = found[-1]
        values: tuple[JsonValue, ...] = (*(last[order.column] for order in orders), last["id"])
        token = cursor.encode(values)
        assert token.replace("-", "").replace("_", "").isalnum()
        behind = cursor.after(orders, cursor.decode(token, orders, USER, "$.options.after"))
        rest = [row for row in expected if matches(behind, row)]
    assert found == expected
