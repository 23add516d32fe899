"""What is said to each database is what was read and found right."""

from __future__ import annotations

from pathlib import Path

import pytest

from octonet import dialects
from tests import mongodb
from tests.unit.dialects import golden_commands
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


def test_every_dialect_has_a_golden_file_and_no_other_is_there() -> None:
    assert {file.stem for file in HERE.iterdir()} == set(dialects.known())


async def test_the_commands_of_every_operation_on_mongodb_are_the_golden_ones(tmp_path: Path) -> None:
    if reason := mongodb.missing():
        pytest.skip(reason)
    found = await golden_commands.commands(tmp_path)
    assert golden_commands.FILE.read_text() == golden_commands.written(found)
    assert set(golden_commands.golden()[1]) == set(found)
