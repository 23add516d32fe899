"""What a lane did, in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from octonet.kernel.figures import SIZES, Family, Histogram, Labels, counter, histogram, labels
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import Decision, Verdict


class LaneTally:
    """Of one lane, since this process serves it."""

    __slots__ = ("appending", "deciding", "facts", "sizes", "verdicts")

    def __init__(self) -> None:
        self.verdicts = dict.fromkeys(Verdict, 0)
        self.facts = 0
        self.sizes = Histogram(SIZES)
        self.deciding = Histogram()
        self.appending = Histogram()

    def add(self, decisions: Sequence[Decision], deciding: float, appending: float) -> None:
        """One more batch: seconds until it was decided, and until the log had it."""
        for decision in decisions:
            self.verdicts[decision.verdict] += 1
            self.facts += len(decision.events)
        self.sizes.observe(len(decisions))
        self.deciding.observe(deciding)
        self.appending.observe(appending)


def families(lanes: Mapping[ProjectName, LaneTally]) -> list[Family]:
    """Of the lanes of a process."""
    verdicts: dict[Labels, float] = {
        labels(project=project, verdict=verdict): count
        for project, lane in lanes.items()
        for verdict, count in lane.verdicts.items()
    }
    facts: dict[Labels, float] = {labels(project=project): lane.facts for project, lane in lanes.items()}
    sizes = {labels(project=project): lane.sizes for project, lane in lanes.items()}
    deciding = {labels(project=project): lane.deciding for project, lane in lanes.items()}
    appending = {labels(project=project): lane.appending for project, lane in lanes.items()}
    return [
        counter("octonet_commands_total", "Commands that were decided.", verdicts),
        counter("octonet_facts_total", "Facts that were appended to the log.", facts),
        histogram("octonet_batch_commands", "Commands of a batch.", sizes, SIZES),
        histogram("octonet_batch_decide_seconds", "Time in which a batch was decided.", deciding),
        histogram("octonet_batch_append_seconds", "Time in which the log took a batch.", appending),
    ]
