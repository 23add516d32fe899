"""A row that two projects write to ends alike on both, whatever was written when, and told in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.merge import NEVER, Clock, Resolution, Side, Stamp

_WRITE = st.tuples(st.just("write"), st.sampled_from(Side), st.integers(min_value=1, max_value=50))
_CARRY = st.tuples(st.just("carry"), st.sampled_from(Side), st.just(0))
_STEPS = st.lists(st.one_of(_WRITE, _CARRY), max_size=40)
_CLOCKS = st.builds(Clock, st.sampled_from(Resolution), st.sampled_from(Side))


@dataclass
class _Project:
    """One side: the state of the row, and all stamps that it had there."""

    stamp: Stamp = NEVER
    state: int | None = None
    stamps: list[Stamp] = field(default_factory=list)

    def put(self, stamp: Stamp, state: int | None) -> None:
        self.stamp, self.state = stamp, state
        self.stamps.append(stamp)


class _World:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sides = {side: _Project() for side in Side}
        self.writes: dict[Stamp, int | None] = {}
        self._last = 0

    def write(self, side: Side, at: int) -> None:
        """Every third write deletes."""
        self._last += 1
        there = self.sides[side]
        stamp = self.clock.stamp(side, there.stamp, at)
        state = None if self._last % 3 == 0 else self._last
        assert stamp not in self.writes, "no two writes share a stamp"
        self.writes[stamp] = state
        there.put(stamp, state)

    def carry(self, side: Side) -> None:
        """From this side, if it is ahead."""
        ours, theirs = self.sides[side], self.sides[side.other]
        if ours.stamp > theirs.stamp:
            theirs.put(ours.stamp, ours.state)


@given(_CLOCKS, _STEPS)
def test_both_sides_end_with_the_state_of_the_greatest_stamp(clock: Clock, steps: list[tuple[str, Side, int]]) -> None:
    world = _World(clock)
    for step, side, at in steps:
        world.write(side, at) if step == "write" else world.carry(side)
    for side in Side:
        world.carry(side)
    source, target = world.sides[Side.SOURCE], world.sides[Side.TARGET]
    assert (source.stamp, source.state) == (target.stamp, target.state)
    if world.writes:
        assert source.state == world.writes[max(world.writes)]
    for project in world.sides.values():
        assert project.stamps == sorted(set(project.stamps)), "what a row was comes before what it became"


@given(_CLOCKS, _STEPS)
def test_stamps_told_by_one_log_are_those_told_by_the_other(clock: Clock, steps: list[tuple[str, Side, int]]) -> None:
    """Whoever takes over and reads both logs anew finds the same stamps: they depend on nothing else."""
    first, second = _World(clock), _World(clock)
    for world in (first, second):
        for step, side, at in steps:
            world.write(side, at) if step == "write" else world.carry(side)
    assert [p.stamps for p in first.sides.values()] == [p.stamps for p in second.sides.values()]


@pytest.mark.parametrize(
    ("resolution", "winner"), [(Resolution.SOURCE_WINS, Side.SOURCE), (Resolution.TARGET_WINS, Side.TARGET)]
)
@given(before=_STEPS, times=st.tuples(*[st.integers(min_value=1, max_value=50)] * 4))
def test_one_write_of_the_side_that_wins_outweighs_all_that_did_not_know_of_it(
    resolution: Resolution, winner: Side, before: list[tuple[str, Side, int]], times: tuple[int, ...]
) -> None:
    world = _World(Clock(resolution, Side.SOURCE))
    for step, side, at in before:
        world.write(side, at) if step == "write" else world.carry(side)
    for side in Side:
        world.carry(side)
    world.write(winner, times[0])
    wanted = world.sides[winner].state
    for at in times[1:]:
        world.write(winner.other, at)
    for side in Side:
        world.carry(side)
    assert {project.state for project in world.sides.values()} == {wanted}


def test_a_write_that_saw_another_one_is_later_whatever_the_clocks_said() -> None:
    clock = Clock(Resolution.TIMESTAMP, Side.TARGET)
    ahead = clock.stamp(Side.TARGET, NEVER, 5000)
    assert clock.stamp(Side.SOURCE, ahead, 3000) > ahead


def test_of_two_writes_in_one_millisecond_the_one_of_the_later_name_stays() -> None:
    clock = Clock(Resolution.TIMESTAMP, Side.SOURCE)
    assert clock.stamp(Side.SOURCE, NEVER, 7) > clock.stamp(Side.TARGET, NEVER, 7)
