"""Who waits for whom, and who hands over to whom."""

from __future__ import annotations

from collections.abc import Collection

from commands.engine.spread import Spread
from octonet.kernel.ids import ProjectName
from octonet.kernel.rendezvous import first

ALL = frozenset({"a", "b", "c"})
PROJECTS = [ProjectName(f"p{number}") for number in range(60)]


class Known:
    """Implements `Peers`: workers that are all able, of which some have just come."""

    def __init__(self, me: str, able: Collection[str] = ALL, new: Collection[str] = ()) -> None:
        self.me = me
        self._able, self._new = able, new

    def able(self, project: ProjectName) -> Collection[str]:
        return self._able

    def steady(self, worker: str) -> bool:
        return worker not in self._new


def test_of_all_workers_one_takes_a_free_lane_at_once_and_the_others_wait() -> None:
    for project in PROJECTS:
        eager = [me for me in ALL if Spread(Known(me)).patience(project) == 0]
        assert eager == [first(project, ALL)]


def test_an_owner_hands_over_to_the_worker_that_is_named_and_keeps_what_is_its_own() -> None:
    for project in PROJECTS:
        named = first(project, ALL)
        for me in ALL:
            assert Spread(Known(me)).heir(project) == (None if me == named else named)


def test_nothing_is_handed_to_a_worker_that_has_just_come() -> None:
    assert {Spread(Known("a", new={"b", "c"})).heir(project) for project in PROJECTS} == {None}


def test_whoever_knows_of_nobody_takes_what_is_free_and_keeps_it() -> None:
    alone = Spread(Known("a", able=()))
    assert {alone.patience(project) for project in PROJECTS} == {0.0}
    assert {alone.heir(project) for project in PROJECTS} == {None}
