"""The outcomes that a log entry holds."""

from __future__ import annotations

from collections.abc import Iterator

from octonet.kernel.log import Batch, Outcome
from octonet.kernel.position import Position


def outcomes_of(batch: Batch, sequence: int) -> Iterator[Outcome]:
    """One per decision, in order; each stands at its command's last fact, or at the last one before it. The row it
    answers with is that of its first event, or the one kept beside it."""
    index = 0
    for decision in batch.decisions:
        index += len(decision.events)
        data, version = decision.data, decision.version
        if data is None and decision.events:
            data, version = decision.events[0].data, decision.events[0].version
        yield Outcome(
            decision.command_id,
            Position(sequence, max(index - 1, 0)),
            decision.verdict,
            decision.count,
            data,
            decision.rejection,
            decision.fingerprint,
            0 if data is None else version,
        )
