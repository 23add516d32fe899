"""Rendezvous hashing spreads projects evenly, and moves as few of them as can be."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.ids import ProjectName
from octonet.kernel.rendezvous import first

PROJECTS = [ProjectName(f"project-{number}") for number in range(1000)]
WORKERS = [f"{number}-worker" for number in range(8)]
names = st.lists(st.text("abcdef0123456789-", min_size=1), min_size=1, max_size=8, unique=True)


def test_a_thousand_projects_are_spread_evenly_over_eight_workers() -> None:
    share = Counter(first(project, WORKERS) for project in PROJECTS)
    assert set(share) == set(WORKERS)
    assert max(share.values()) < 1.4 * len(PROJECTS) / len(WORKERS)
    assert min(share.values()) > 0.6 * len(PROJECTS) / len(WORKERS)


@given(names)
def test_the_order_in_which_workers_are_known_does_not_matter(workers: list[str]) -> None:
    shuffled = sorted(workers)
    assert [first(p, workers) for p in PROJECTS[:20]] == [first(p, shuffled) for p in PROJECTS[:20]]


@given(names)
def test_a_worker_that_joins_takes_projects_and_moves_no_other(workers: list[str]) -> None:
    for project in PROJECTS[:50]:
        assert first(project, [*workers, "new worker"]) in (first(project, workers), "new worker")


def test_a_worker_that_leaves_gives_away_its_own_projects_only() -> None:
    left = WORKERS[1:]
    for project in PROJECTS:
        if first(project, WORKERS) != WORKERS[0]:
            assert first(project, left) == first(project, WORKERS)


def test_without_workers_nobody_is_first() -> None:
    assert first(PROJECTS[0], []) is None
