"""Strategies for anything that JSON, or a careless door, can bring."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from octonet.kernel.errors import OctonetError

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec=None), max_size=12),
    st.sampled_from(["2024-01-02", "now", "asc", "i", "$name", "a/b", "", "\0", "\ud800", "name,age", "^a.*$", "("]),
)


def documents(*keys: str) -> st.SearchStrategy[object]:
    """Nested lists and objects whose keys are often the given ones."""
    names = st.one_of(st.sampled_from(keys), st.text(st.characters(codec=None), max_size=6))
    return st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
        max_leaves=20,
    )


def read_or_refused(read: Callable[[], object]) -> None:
    """Run it; nothing but an `OctonetError` that names its faults may come out."""
    refused: OctonetError | None = None
    try:
        read()
    except OctonetError as error:
        refused = error
    assert refused is None or refused.faults
