"""What there is to know of a dialect before it is asked for: what it was proved by, what it needs, what it can. Told
for each dialect in a file of its own, `<name>_evidence.py`, that imports no driver."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Tier(StrEnum):
    """How a dialect is proved, the strongest first."""

    VERIFIED = "verified"
    """The tests run against that very server."""
    STAND_IN = "stand-in"
    """The tests run its driver against a compatible server, which is named; the vendor's own was never asked."""
    EXECUTED = "executed SQL"
    """Its SQL is run in another database's compatible mode; its driver is not."""
    GOLDEN = "golden SQL"
    """Its SQL is compared with what was read and found right."""


class Evidence(msgspec.Struct, frozen=True):
    """One dialect."""

    title: str
    """The database, as its makers call it."""
    versions: str
    tier: Tier
    proof: str
    """The peer of the tests."""
    driver: str
    """As it is imported."""
    extra: str
    """What installs the driver, as in ``octonet[extra]``; empty where it is there anyway."""
    uri: str
    """How an address is written."""
    migrations: str
    """What makes a change of the schema whole."""
    isolation: str
    """Of write transactions."""
    ends_idle_after: int | None
    """Seconds after which the server ends a write transaction whose owner does nothing; None where it never does."""
    most_ids: int
    """Ids that one statement names; longer lists are read in several."""
    longest_name: int
    """Bytes of a table's or a column's name; longer ones are cut and made unique."""
    limits: tuple[str, ...] = ()
    """What it cannot, or was never seen to do; nothing of it is answered wrongly in silence."""
