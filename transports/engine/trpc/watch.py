"""What a subscription asks for."""

from __future__ import annotations

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import step
from octonet.kernel.operation import Raw
from octonet.kernel.position import Position
from octonet.project import Project
from projections.engine.live import Interest
from transports.engine import wish
from transports.engine.trpc import procedures
from transports.engine.trpc.procedures import Procedure

_MEMBERS = frozenset({"filter", "after", "lastEventId"})


class Watched(msgspec.Struct, frozen=True):
    """Which facts, and from where on; None: from now on."""

    interest: Interest
    after: Position | None


def read(home: Project, procedure: Procedure, given: Raw) -> Watched:
    """Raises `NotFound` for an entity that is none, `Invalid` for a member, a filter or a position that is wrong."""
    found = procedures.members(given)
    for name in found:
        if name not in _MEMBERS:
            raise invalid(step("$", name), "is not a member of a subscription", code="UNKNOWN_MEMBER")
    names = [procedure.entity] if procedure.entity else []
    interest = wish.interest(home.schemas, names, found.get("filter", msgspec.UNSET))
    # A client that connects anew repeats its input and adds how far it got.
    token = found.get("lastEventId") or found.get("after", msgspec.UNSET)
    return Watched(interest, wish.after(home.positions, token))
