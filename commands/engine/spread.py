"""Spreading the lanes over the workers: a lane goes to the worker that rendezvous hashing names. This only makes the
load even. Whoever owns a lane without being named does no harm, and who owns it is the lease's to say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from octonet.kernel import rendezvous
from octonet.kernel.ids import ProjectName

_LEFT_TO_OTHERS = 0.5
"""Seconds a free lane is left to the worker that is named."""


class Peers(Protocol):
    """The workers that live."""

    me: str
    """This one."""

    def able(self, project: ProjectName) -> Collection[str]:
        """Those that can own a project."""
        ...

    def steady(self, worker: str) -> bool:
        """Whether a worker has been there for a while."""
        ...


class Spread:
    """What one worker does for an even spread."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def patience(self, project: ProjectName) -> float:
        """Seconds to leave a free lane to others."""
        named = rendezvous.first(project, self._peers.able(project))
        return 0.0 if named in (None, self._peers.me) else _LEFT_TO_OTHERS

    def heir(self, project: ProjectName) -> str | None:
        """The worker that a lane of ours is to be handed over to, None when it stays."""
        named = rendezvous.first(project, self._peers.able(project))
        return None if named in (None, self._peers.me) or not self._peers.steady(named or "") else named
