"""The file that versions are kept in."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier
from pathlib import Path

from octonet.past.file import Mark, VersionsFile
from tests.forked import at_once

AT_ONCE = 4
ROUNDS = 60


def _open_all(folder: Path, gate: Barrier) -> None:
    """Ends with an exception when one of the files cannot be opened."""
    for number in range(ROUNDS):
        gate.wait(60)
        file = VersionsFile(folder / f"{number}.db")
        assert file.mark() == Mark()
        file.close()


def test_a_file_that_several_processes_make_at_once_is_made_for_all_of_them(tmp_path: Path) -> None:
    assert at_once(AT_ONCE, _open_all, tmp_path) == [0] * AT_ONCE
