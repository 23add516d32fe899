"""Other ways to run it: doors and worker apart, PostgreSQL, two processes. Ratios inside the same rounds."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks import subjects
from benchmarks.load import fill, run
from tests import postgres

_CONNECTIONS = 128
_ROUNDS = 3


def deployments(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    """Measure and say all of them."""
    say("")
    say(f"| deployment, {_CONNECTIONS} connections | ratio | target | requests/s | against |")
    say("|---|---|---|---|---|")
    _split(directory, say, seconds)
    _postgres(directory, say, seconds)
    _two(directory, say, seconds)


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


def _postgres(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    if why := postgres.missing():
        say(f"| PostgreSQL was not measured: {why} | | | | |")
        return
    bare = subjects.bare()
    uri = postgres.server().uri(directory / "postgres")
    octonet = subjects.octonet(directory / "postgres", DB_DIALECT="postgres", SGBD_URI=uri)
    try:
        asyncio.run(fill(octonet.url))
        for scenario, target in (("create", "0.40"), ("get", "0.50"), ("list", "")):
            _row(say, f"{scenario}, PostgreSQL : bare aiohttp", target, octonet, bare, scenario, seconds)
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
