"""What is said to each database is what was read and found right."""

from __future__ import annotations

import pytest

from tests.unit.dialects.golden_sql import HERE, golden, grammars, statements, written

GRAMMARS = grammars()


@pytest.mark.parametrize("dialect", GRAMMARS)
def test_the_sql_of_every_operation_is_the_golden_one(dialect: str) -> None:
    file = HERE / f"{dialect}.sql"
    assert file.exists(), "python -m tests.unit.dialects.golden_sql writes it: read what it wrote"
    assert file.read_text() == written(dialect, GRAMMARS[dialect])


@pytest.mark.parametrize("dialect", GRAMMARS)
def test_every_comment_belongs_to_an_operation(dialect: str) -> None:
    assert set(golden(dialect)[1]) == {heading for heading, _ in statements(GRAMMARS[dialect])}


def test_no_golden_file_is_of_a_dialect_that_is_gone() -> None:
    assert {file.stem for file in HERE.iterdir()} == set(GRAMMARS)
