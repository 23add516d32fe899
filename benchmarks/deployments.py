"""Other ways to run it: doors and worker apart, two processes, database servers. Ratios inside the same rounds."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from benchmarks import subjects
from benchmarks.load import fill, run
from tests import mariadb, postgres

_CONNECTIONS = 128
_ROUNDS = 3


def deployments(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    """Measure and say what processes do."""
    _head(say, "deployment")
    _split(directory, say, seconds)
    _two(directory, say, seconds)


def _head(say: Callable[[str], None], what: str) -> None:
    say("")
    say(f"| {what}, {_CONNECTIONS} connections | ratio | target | requests/s | against |")
    say("|---|---|---|---|---|")


def _split(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    one = subjects.octonet(directory / "one")
    worker = subjects.Worker(directory / "split")
    doors = subjects.octonet(directory / "split", "--no-worker")
    try:
        _row(say, "create, doors and worker apart : one process", "0.80", doors, one, "create", seconds)
    finally:
        doors.stop()
        worker.stop()
        one.stop()


def databases(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    """Measure and say what database servers do."""
    _head(say, "database")
    _database(directory, say, seconds, "PostgreSQL", postgres)
    _database(directory, say, seconds, "MariaDB", mariadb)


def _database(directory: Path, say: Callable[[str], None], seconds: int, name: str, kind: ModuleType) -> None:
    if why := kind.missing():
        say(f"| {name} was not measured: {why} | | | | |")
        return
    dialect = kind.__name__.rpartition(".")[2]
    bare = subjects.bare()
    uri = kind.server().uri(directory / dialect)
    octonet = subjects.octonet(directory / dialect, DB_DIALECT=dialect, SGBD_URI=uri)
    try:
        asyncio.run(fill(octonet.url))
        for scenario, target in (("create", "0.40"), ("get", "0.50"), ("list", "")):
            _row(say, f"{scenario}, {name} : bare aiohttp", target, octonet, bare, scenario, seconds)
    finally:
        octonet.stop()
        bare.stop()


def _two(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    one = subjects.octonet(directory / "alone")
    two = subjects.octonet(directory / "two", "--processes", "2")
    try:
        for subject in (one, two):
            asyncio.run(fill(subject.url))
        for scenario in ("get", "list"):
            _row(say, f"{scenario}, two processes : one", "1.50", two, one, scenario, seconds)
    finally:
        two.stop()
        one.stop()


def _row(
    say: Callable[[str], None],
    what: str,
    target: str,
    subject: subjects.Subject,
    against: subjects.Subject,
    scenario: str,
    seconds: int,
) -> None:
    ratios, rates, others = [], [], []
    for _ in range(_ROUNDS):
        other = run(against.url, scenario, _CONNECTIONS, seconds).rate
        found = run(subject.url, scenario, _CONNECTIONS, seconds)
        ratios.append(found.rate / other)
        rates.append(found.rate)
        others.append(other)
    ratio, rate, beside = (statistics.median(numbers) for numbers in (ratios, rates, others))
    say(f"| {what} | **{ratio:.2f}** | {target} | {rate:.0f} | {beside:.0f} |")
