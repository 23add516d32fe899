"""Bodies that are nearly requests: the members that operations know, with values that fit or do not."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.arbitrary import documents

_KEYS = (
    "id", "filter", "data", "options", "relations", "query", "fields", "stages", "field", "value", "amount", "email",
    "visits", "hobbies", "profile", "tags", "referrer", "orders", "password", "all", "limit", "sort", "$or", "$and",
    "$eq", "$in", "$regex", "$group", "$match", "$sum", "_by", "select", "confirm",
)  # fmt: skip
_VALUES: dict[str, st.SearchStrategy[object]] = {
    "id": st.sampled_from(["c1", "", None, 7]),
    "filter": documents("email", "visits", "id", "$or", "$and", "$gt", "$in", "$regex", "$exists"),
    "data": documents("id", "email", "visits", "hobbies", "profile", "tags", "referrer", "status"),
    "options": documents("all", "limit", "skip", "sort", "select", "exclude", "after"),
    "relations": documents("tags", "orders"),
    "query": documents("x"),
    "stages": st.lists(documents("$group", "$match", "$sort", "$limit", "_by", "$sum", "$count", "email", "visits")),
    "field": st.sampled_from(["visits", "hobbies", "tags", "email", "password", "nope", 3]),
    "value": documents("x"),
    "amount": documents("x"),
}
BODIES: st.SearchStrategy[object] = st.one_of(documents(*_KEYS), st.fixed_dictionaries({}, optional=_VALUES))
"""For an entity like `shop.json`'s Customer."""
