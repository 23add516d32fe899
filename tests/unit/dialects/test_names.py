"""Physical names: short enough, never those of the database itself, never the name of two things."""

from __future__ import annotations

import msgspec
import pytest

from octonet.dialects.engine.names import Names
from octonet.dialects.engine.sqlite_grammar import GRAMMAR
from octonet.kernel.errors import Invalid

SHORT = msgspec.structs.replace(GRAMMAR, longest_name=30)


def test_names_are_quoted_and_prefixed() -> None:
    name = Names(GRAMMAR, "p_").table("users", "the collection of User")
    assert name == "p_users"
    assert name.quote is True


def test_a_name_the_database_keeps_for_itself_is_refused() -> None:
    with pytest.raises(Invalid, match="keeps that name"):
        Names(GRAMMAR, "").table("SQLite_users", "the collection of User")
    assert Names(GRAMMAR, "p_").table("sqlite_users", "the collection of User") == "p_sqlite_users"


def test_names_that_are_too_long_are_cut_and_stay_different() -> None:
    names = Names(SHORT, "")
    tables = [names.table("t" * 31 + last, "the collection of T") for last in "ab"]
    assert {len(name) for name in (*tables, names.column("c" * 40))} == {30}
    assert len(set(tables)) == 2
    first, second = (names.index(f"idx_a_very_long_collection_name_{number}") for number in (1, 2))
    assert first != second
    assert {len(first), len(second)} == {30}
    assert names.index("idx_short") == "idx_short"


def test_the_length_of_a_name_is_counted_in_bytes() -> None:
    name = Names(SHORT, "é" * 12).index("idx_é_é")
    assert len(name.encode()) <= 30
    assert name.startswith("é" * 10)


def test_two_things_of_one_name_are_refused_by_both_their_names() -> None:
    names = Names(GRAMMAR, "")
    names.table("users", "the collection of User")
    with pytest.raises(Invalid, match=r"the junction of A\.b and the collection of User"):
        names.table("USERS", "the junction of A.b")
