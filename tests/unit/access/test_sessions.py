"""Tokens of sessions: what was given is known again, whatever else is not."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from octonet.access.sessions import SessionTokens

TOKENS = SessionTokens(b"a key")
IDS = st.text("0123456789abcdef", min_size=1, max_size=64)
TIMES = st.integers(1, 2**45)


@given(id=IDS, until=TIMES)
def test_a_token_names_its_session_until_it_is_over(id: str, until: int) -> None:
    token = TOKENS.give(id, until)
    assert token.isascii()
    assert not set(token) & set(' ;,"=\\')
    assert TOKENS.read(token, until - 1) == id
    assert TOKENS.read(token, until) is None
    assert SessionTokens(b"another key").read(token, until - 1) is None


@given(id=IDS, until=TIMES, data=st.data())
def test_a_token_that_was_changed_anywhere_is_nobodys(id: str, until: int, data: st.DataObject) -> None:
    token = TOKENS.give(id, until)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert TOKENS.read(base64.urlsafe_b64encode(raw).decode().rstrip("="), 0) is None


@given(st.text(max_size=600))
def test_any_text_that_was_not_given_is_nobodys(text: str) -> None:
    assert TOKENS.read(text, 0) is None


@given(one=IDS, other=IDS)
def test_a_session_has_a_csrf_token_of_its_own(one: str, other: str) -> None:
    assert TOKENS.is_csrf(one, TOKENS.csrf(one))
    assert TOKENS.is_csrf(one, TOKENS.csrf(other)) is (one == other)
    assert not TOKENS.is_csrf(one, SessionTokens(b"another key").csrf(one))
    assert not any(TOKENS.is_csrf(one, wrong) for wrong in ("", one, "\udcff", "é"))


def test_the_mark_of_a_password_is_not_its_hash() -> None:
    stored = "$2b$12$abcdefghijklmnopqrstuu5iDbwymaXmD/j1OeVYCxCop7jZvU78."
    assert TOKENS.mark(stored) == TOKENS.mark(stored) != TOKENS.mark(stored[:-1])
    assert TOKENS.mark(stored) not in (TOKENS.csrf(stored), stored)
