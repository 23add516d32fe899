"""Dialects are found by their files, and imported only when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from octonet import dialects
from octonet.kernel.errors import Invalid


def test_a_dialect_is_found_by_its_name() -> None:
    assert "sqlite" in dialects.known()
    assert dialects.find("sqlite").name == "sqlite"


@pytest.mark.parametrize("name", ["nosuch", "engine", "sqlite.evil", "", "__init__"])
def test_an_unknown_dialect_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        dialects.find(name)
    assert refused.value.code == "UNKNOWN_DIALECT"
    assert "sqlite" in refused.value.message


def test_no_driver_is_imported_before_its_dialect_is_asked_for() -> None:
    program = (
        "import sys, octonet.dialects as d; d.known();"
        " print({'sqlalchemy', 'aiosqlite', 'sqlite3', 'pymongo', 'bson'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
