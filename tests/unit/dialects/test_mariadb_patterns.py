"""A pattern that minds the case becomes a LIKE; one that does not a regular expression that reads a text once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.dialects.engine.mariadb_patterns import LIKE, REGEX, pattern
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Like, Literal, Wild, Wildcard
from octonet.kernel.filter_match import matches

MANY, ONE = Wild(Wildcard.MANY), Wild(Wildcard.ONE)
texts = st.text(st.sampled_from("aAkKéÉßςσΣ.*+?[]()|\\\n #^$"), max_size=6)
parts = st.lists(st.one_of(st.sampled_from([MANY, ONE]), texts.map(Literal)), max_size=6).map(tuple)


@pytest.mark.parametrize(
    ("given_parts", "ignore_case", "wanted"),
    [
        ((Literal("a|b%c_d"), MANY, ONE), False, (LIKE, "a||b|%c|_d%_")),
        ((Literal("\\"),), False, (LIKE, "\\")),
        ((), False, (LIKE, "")),
        ((), True, (REGEX, r"(?s)\A\z")),
        ((MANY, Literal("x.y"), MANY, MANY, Literal("1"), ONE, MANY), True,
         (REGEX, r"(?s)\A(?>.*?[xX]\.[yY])(?>.*?1.).*\z")),
    ],
)  # fmt: skip
def test_every_part_has_its_spelling(
    given_parts: tuple[Literal | Wild, ...], ignore_case: bool, wanted: tuple[str, str]
) -> None:
    assert pattern(given_parts, ignore_case) == wanted


@given(parts, texts)
def test_the_expression_matches_what_the_kernel_says(given_parts: tuple[Literal | Wild, ...], text: str) -> None:
    _, expression = pattern(given_parts, True)
    found = re.search(expression.replace(r"\z", r"\Z"), text) is not None
    assert found == matches(Like("name", given_parts, True), {"name": text})


def test_a_pattern_too_long_to_be_run_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        pattern((Literal("x" * 60_000),), False)
    assert refused.value.code == "UNSUPPORTED_PATTERN"
