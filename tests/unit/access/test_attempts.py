"""Attempts are counted by name, within a while, and no more names are kept than fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.access.attempts import Attempts, TooManyAttempts, household


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000

    def now(self) -> int:
        return self.at


def test_the_next_one_is_heard_when_the_first_is_a_while_ago() -> None:
    clock = Clock()
    attempts = Attempts(3, 60_000, clock.now)
    for _ in range(3):
        attempts.take("a")
        clock.at += 10_000
    with pytest.raises(TooManyAttempts) as refused:
        attempts.take("a")
    assert (refused.value.retry_after, refused.value.code) == (30, "RATE_LIMIT")
    attempts.take("b")
    clock.at += 30_000
    attempts.take("a")
    with pytest.raises(TooManyAttempts):
        attempts.take("a")


def test_what_succeeded_does_not_count() -> None:
    attempts = Attempts(2, 60_000, Clock().now)
    for _ in range(10):
        attempts.take("a")
        attempts.give_back("a")
    attempts.give_back("b")
    attempts.take("a")


@given(st.lists(st.integers(0, 30_000), max_size=60))
def test_never_more_than_allowed_within_any_while(pauses: list[int]) -> None:
    clock = Clock()
    attempts = Attempts(5, 60_000, clock.now)
    heard: list[int] = []
    for pause in pauses:
        clock.at += pause
        try:
            attempts.take("a")
        except TooManyAttempts:
            continue
        heard.append(clock.at)
    assert all(later - earlier >= 60_000 for earlier, later in zip(heard, heard[5:], strict=False))


def test_names_without_end_take_no_room_without_end() -> None:
    attempts = Attempts(1, 60_000, Clock().now)
    for number in range(20_100):
        attempts.take(str(number))
    assert len(attempts._seen) == 20_000
    with pytest.raises(TooManyAttempts):
        attempts.take("20099")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("somewhere", "somewhere"),
    ],
)
def test_a_household_shares_its_attempts(address: str, expected: str) -> None:
    assert household(address) == expected
