"""The address of a database is shown without its password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.admin.masking import masked


@given(st.text(st.characters(exclude_characters=":/?#"), max_size=8), st.text(max_size=12), st.booleans())
def test_nothing_of_any_password_is_shown(user: str, password: str, parameters: bool) -> None:
    more = "?sslpassword=hidden" if parameters else ""
    assert (
        masked(f"postgresql://{user}:{password}@db.test:5432/shop{more}")
        == f"postgresql://{user}:***@db.test:5432/shop"
    )


@pytest.mark.parametrize(
    "uri", ["sqlite:////data/shop.db", "postgresql://db.test:5432/shop", "postgresql://me@db.test/shop"]
)
def test_an_address_without_a_password_is_shown_as_it_is(uri: str) -> None:
    assert masked(uri) == uri


def test_what_may_be_a_password_is_left_out() -> None:
    assert masked("postgresql://me:secret?half@db.test/shop") == "postgresql://me:***@db.test/shop"
    assert "secret" not in masked("postgresql://me:secret@db.test/shop?user=a@b")
