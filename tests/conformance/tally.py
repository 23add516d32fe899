"""How many conformance cases each dialect passed: what the README says of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from octonet import dialects

_HERE: Final = "tests/conformance/"
_OUTCOMES: Final = ("passed", "failed", "skipped")


class Tally:
    """A plug-in of pytest that writes `file` when all is over. A dialect that could not be asked here, all of whose
    cases were skipped, keeps what was counted of it where it could."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = set(dialects.known())
        self._counts: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it, where it is of one dialect."""
        counts = report.when == "call" or (report.when == "setup" and not report.passed)
        place, _, parameters = report.nodeid.rstrip("]").partition("[")
        named = self._known & set(parameters.split("-"))
        if counts and place.startswith(_HERE) and len(named) == 1:
            self._counts.setdefault(named.pop(), Counter())[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        """Write it down, dialects and outcomes in order."""
        before = json.loads(self._file.read_text()) if self._file.exists() else {}
        told = {
            name: before[name]
            if name in before and counted["skipped"] == counted.total()
            else {outcome: counted[outcome] for outcome in _OUTCOMES}
            for name, counted in sorted(self._counts.items())
        }
        self._file.write_text(json.dumps(told, indent=2) + "\n")
