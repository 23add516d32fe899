"""Spans: what one request caused, wherever it was done. The context travels as W3C's ``traceparent``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from octonet.kernel.chain import Link
from octonet.kernel.log import Batch, Decision

_SAMPLED_AT: Final = 54
_SAMPLED: Final = frozenset("13579bdf")


class Span(Protocol):
    """Something that is under way."""

    traceparent: str
    """What is caused by it belongs to."""

    def end(self, status: int) -> None:
        """It is done, with this HTTP status."""
        ...


class Trace(Protocol):
    """Where spans go."""

    def begin(self, name: str, parent: str, attributes: Mapping[str, str]) -> Span:
        """A request came; `parent` is what it says of its own cause, or empty."""
        ...

    def record(
        self, name: str, parent: str, began: int, ended: int, attributes: Mapping[str, str | int], failed: str = ""
    ) -> None:
        """Something was done, between these times in nanoseconds since 1970; `failed` says why it came to nothing."""
        ...


def sampled(traceparent: str) -> bool:
    """Whether spans of this trace are wanted."""
    return len(traceparent) > _SAMPLED_AT and traceparent[_SAMPLED_AT] in _SAMPLED


def record_entries(
    trace: Trace, name: str, project: str, links: Iterable[Link], began: int, ended: int, *, with_facts: bool = False
) -> None:
    """As `record_decisions`, for all decisions of these entries."""
    for link in links:
        if isinstance(link.entry, Batch):
            decisions = link.entry.decisions
            record_decisions(trace, name, project, link.sequence, decisions, began, ended, with_facts=with_facts)


def record_decisions(
    trace: Trace,
    name: str,
    project: str,
    entry: int,
    decisions: Iterable[Decision],
    began: int,
    ended: int,
    *,
    with_facts: bool = False,
) -> None:
    """A span for each decision whose caller is traced; `with_facts`: only of those that left any."""
    for decision in decisions:
        parent = decision.actor.traceparent
        if not parent or not sampled(parent) or (with_facts and not decision.events):
            continue
        attributes: dict[str, str | int] = {
            "octonet.project": project,
            "octonet.entity": decision.entity,
            "octonet.op": decision.op,
            "octonet.command": decision.command_id,
            "octonet.entry": entry,
            "octonet.facts": len(decision.events),
        }
        refused = "" if decision.rejection is None else decision.rejection.code
        trace.record(name, parent, began, ended, attributes, refused)
