"""Patterns mean in SQLite what they mean in the kernel."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octonet.dialects.engine import glob
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Like, Literal, Wild, Wildcard
from octonet.kernel.filter_match import matches

MANY, ONE = Wild(Wildcard.MANY), Wild(Wildcard.ONE)
_SQL = {glob.GLOB: "SELECT ? GLOB ?", glob.LIKE: "SELECT ? LIKE ? ESCAPE '\\'"}


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def holds(sqlite: sqlite3.Connection, text: str, *parts: Literal | Wild, ignore_case: bool = False) -> bool:
    language, pattern = glob.pattern(parts, ignore_case)
    (answer,) = sqlite.execute(_SQL[language], (text, pattern)).fetchone()
    return bool(answer)


texts = st.text(st.sampled_from("aAbéÉßẞжЖǅǆθϴ😀%_*?[]^-!\\' "), max_size=6)


@settings(max_examples=400, deadline=None)
@given(texts, st.lists(st.one_of(st.sampled_from([MANY, ONE]), texts.map(Literal)), max_size=5), st.booleans())
def test_sqlite_and_the_kernel_agree_on_every_pattern(
    sqlite: sqlite3.Connection, text: str, parts: list[Literal | Wild], ignore_case: bool
) -> None:
    expected = matches(Like("name", tuple(parts), ignore_case), {"name": text})
    assert holds(sqlite, text, *parts, ignore_case=ignore_case) is expected


def test_every_letter_of_unicode_is_found_in_any_case(sqlite: sqlite3.Connection) -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    cased = [letter for letter in letters if letter.lower() != letter and len(letter.lower()) == 1]
    assert len(cased) > 1_000
    missed = [letter for letter in cased if not holds(sqlite, f"ü{letter}", Literal(f"Ü{letter}"), ignore_case=True)]
    assert missed == []


def test_the_plain_letter_for_the_kelvin_sign_is_the_one_that_is_missed(sqlite: sqlite3.Connection) -> None:
    assert not holds(sqlite, "\u212a", Literal("k"), ignore_case=True)
    assert holds(sqlite, "ü\u212a", Literal("ük"), ignore_case=True)


def test_a_pattern_too_long_to_be_run_is_refused(sqlite: sqlite3.Connection) -> None:
    assert holds(sqlite, "a" * glob.LONGEST, Literal("a" * glob.LONGEST))
    for text, ignore_case in (
        ("a" * (glob.LONGEST + 1), False),
        ("é" * glob.LONGEST, True),
        ("%" * glob.LONGEST, True),
    ):
        with pytest.raises(Invalid) as refused:
            glob.pattern((Literal(text),), ignore_case)
        assert refused.value.code == "UNSUPPORTED_PATTERN"
