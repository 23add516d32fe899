"""A name that stands twice in an object is found, wherever it stands and whatever stands around it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.errors import Invalid
from octonet.kernel.members import check_unique

NAMES = st.text('ab:"\\{', max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a:"{},\\', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.sampled_from([None, 1]))
def test_what_has_every_name_once_passes(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    check_unique(text, value)
    check_unique(text.encode(), value)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.data(), st.sampled_from([":", " :", "\n: "]))
def test_a_name_that_stands_twice_is_found(members: dict[str, object], data: st.DataObject, colon: str) -> None:
    pairs = [json.dumps(name) + colon + json.dumps(value) for name, value in members.items()]
    twice = data.draw(st.sampled_from(sorted(members)))
    pairs.insert(data.draw(st.integers(0, len(pairs))), json.dumps(twice) + colon + json.dumps(data.draw(VALUES)))
    for text in ("{" + ",".join(pairs) + "}", '[{"x":{' + ",".join(pairs) + "}}]"):
        with pytest.raises(Invalid) as refused:
            check_unique(text, json.loads(text))
        assert refused.value.code == "DUPLICATE_MEMBER"
