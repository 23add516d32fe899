"""Rules that would carry changes in a circle are found, and no others."""

from __future__ import annotations

from octonet.kernel.rule_loops import Way, loop, twin


def _way(rule: str, source: str, target: str, *entities: str) -> Way:
    return Way(rule, source, target, frozenset(entities or ("Item",)))


def _both(rule: str, one: str, other: str) -> list[Way]:
    return [_way(rule, one, other), _way(rule, other, one)]


def test_two_rules_against_each_other_and_rings_are_circles() -> None:
    assert loop([_way("new", "b", "a")], [_way("there", "a", "b")]) == ["new", "there"]
    ring = [_way("x", "a", "b"), _way("y", "b", "c")]
    assert loop([_way("new", "c", "a")], ring) == ["new", "x", "y"]
    assert loop(_both("new", "c", "a"), ring) == ["new", "x", "y"]


def test_a_rule_that_goes_both_ways_is_no_circle_and_neither_is_a_chain_of_them() -> None:
    assert loop(_both("new", "a", "b"), []) is None
    assert loop(_both("new", "b", "c"), _both("there", "a", "b")) is None
    assert loop(_both("new", "c", "a"), [*_both("x", "a", "b"), *_both("y", "b", "c")]) is not None


def test_rules_about_other_entities_do_not_matter() -> None:
    there = [_way("there", "a", "b", "Item")]
    assert loop([_way("new", "b", "a", "Shelf")], there) is None
    assert twin([_way("new", "a", "b", "Shelf")], there) is None
    assert twin([_way("new", "a", "b", "Shelf", "Item")], there) == "there"
