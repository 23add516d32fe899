"""Tickets: what a client shows to be sent the rows that it was told of. Opaque, sealed with the project's key, which
every process of a server has; good for whoever it was given to, for a while."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from octonet.kernel.errors import Internal, Invalid, NotFound
from octonet.kernel.ids import ProjectName, is_private
from octonet.kernel.operation import Raw
from octonet.kernel.sealing import SEALED
from octonet.project import Project
from transports.engine.arrow.call import Call, visitor_key

LIFE: Final = 600
"""Seconds."""
_LONGEST: Final = 1 << 20


class Inside(msgspec.Struct, frozen=True):
    """What a ticket says. `until`: seconds since 1970; 0 for no end."""

    key: str
    until: int
    says: dict[str, Raw]


class Opened(msgspec.Struct, frozen=True):
    """A ticket that is good, and the project it is for."""

    home: Project
    says: dict[str, Raw]


def give(home: Project, call: Call, purpose: str, says: dict[str, Raw], life: int = LIFE) -> bytes:
    """A ticket. `purpose` keeps apart what is not to be mixed up. `life`: seconds; 0: no end."""
    until = int(time.time()) + life if life else 0
    inside = msgspec.to_builtins(Inside(visitor_key(call.who), until, says))
    sealed = home.sealer.seal(inside, f"arrow/{purpose}")
    assert isinstance(sealed, dict)
    return f"{home.name}.{sealed[SEALED]}".encode()


def read(call: Call, purpose: str, ticket: bytes) -> Opened:
    """What a ticket says. Raises `Invalid` with code INVALID_TICKET when it was not given here, not to this caller, or
    for something else; with code TICKET_EXPIRED when it is over; `Denied`."""
    name, _, sealed = ticket[:_LONGEST].decode("latin-1").partition(".")
    if not name or is_private(ProjectName(name)):
        raise _strange()
    try:
        home = call.gateway.look(call.project(name), call.who)
        inside = msgspec.convert(home.sealer.open({SEALED: sealed}, f"arrow/{purpose}"), Inside)
    except (Internal, NotFound, ValueError):
        raise _strange() from None
    if inside.key != visitor_key(call.who):
        raise _strange()
    if inside.until and inside.until <= time.time():
        raise Invalid("this ticket is over: ask for the flight again", code="TICKET_EXPIRED")
    return Opened(home, inside.says)


def _strange() -> Invalid:
    return Invalid("this is not a ticket of this server for you", code="INVALID_TICKET")
