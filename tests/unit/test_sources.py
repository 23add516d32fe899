"""Which replica is asked, by what is known of them."""

from __future__ import annotations

import time
from typing import cast

import msgspec
import pytest

from octonet.kernel.ids import ProjectName
from octonet.kernel.replica import Condition, Lag, Report, Routing
from octonet.kernel.storage import Database
from octonet.sources import ReplicaSource, Sources

TODAY = "digest"
FINE = Report("id", ProjectName("p"), "process", Condition.CONNECTED, 10, TODAY, Lag(1, 100))


def replica(name: str = "one", report: Report = FINE) -> ReplicaSource:
    source = ReplicaSource(name, name, tolerance=500)
    source.database, source.opened_for = cast(Database, object()), TODAY
    source.hear(report)
    return source


def test_a_replica_that_is_near_enough_is_asked() -> None:
    assert replica().answers(TODAY)


@pytest.mark.parametrize(
    "report",
    [
        msgspec.structs.replace(FINE, condition=Condition.DISCONNECTED),
        msgspec.structs.replace(FINE, condition=Condition.ERROR),
        msgspec.structs.replace(FINE, lag=Lag(9, 501)),
        msgspec.structs.replace(FINE, schema="yesterday"),
    ],
)
def test_one_that_is_away_behind_or_of_another_schema_is_not(report: Report) -> None:
    assert not replica(report=report).answers(TODAY)


def test_one_that_is_not_open_is_not_asked() -> None:
    source = replica()
    source.database = None
    assert not source.answers(TODAY)


def test_one_that_failed_is_not_asked_whatever_is_said_of_it() -> None:
    source = replica()
    source.suspend("it hangs")
    source.hear(FINE)
    assert not source.answers(TODAY)


def test_one_that_nobody_speaks_of_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    source, now = replica(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 0.5)
    assert source.answers(TODAY)
    monkeypatch.setattr(time, "monotonic", lambda: now + 1.2)
    assert not source.answers(TODAY)
    assert source.is_heard()
    monkeypatch.setattr(time, "monotonic", lambda: now + 2.1)
    assert not source.is_heard()


def test_turns_are_taken_and_only_those_asked_that_have_come_far_enough() -> None:
    one, two = replica("one"), replica("two", msgspec.structs.replace(FINE, entry=12))
    sources = Sources()
    assert sources.choose(TODAY) is None
    sources.set([one, two], Routing.ROUND_ROBIN)
    turns = [sources.choose(TODAY) for _ in range(4)]
    assert turns[:2] == turns[2:]
    assert set(turns) == {one, two}
    assert [sources.choose(TODAY, 11) for _ in range(3)] == [two] * 3
    assert sources.choose(TODAY, 13) is None


def test_the_nearest_is_asked_where_that_is_the_strategy() -> None:
    one, two = replica("one"), replica("two", msgspec.structs.replace(FINE, lag=Lag(1, 20)))
    sources = Sources()
    sources.set([one, two], Routing.LEAST_LAG)
    assert [sources.choose(TODAY) for _ in range(3)] == [two] * 3


def test_a_follower_that_has_just_begun_takes_nothing_back() -> None:
    source = replica()
    source.hear(Report("id", ProjectName("p"), "another", Condition.DISCONNECTED))
    assert (source.entry, source.report and source.report.condition) == (10, Condition.DISCONNECTED)


def test_the_last_word_counts_for_a_replica_may_lose_what_it_had() -> None:
    source = replica()
    source.hear(msgspec.structs.replace(FINE, entry=3))
    assert source.entry == 3
