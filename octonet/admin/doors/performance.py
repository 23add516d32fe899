"""`/metrics` and `/api/performance`: how the installation does, told by all of its processes together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import answer, body, nowhere, only, steps
from octonet.admin.pace import PaceChange, Paces
from octonet.kernel.errors import validation
from octonet.kernel.figures import Family
from octonet.transport import HttpDoor, Incoming, Reply

_PERMISSION: Final = "net:metrics:read"
_MOST: Final = 1_000_000


class Observed(Protocol):
    """What the processes say of themselves."""

    async def families(self) -> Iterable[tuple[str, Iterable[Family]]]:
        """Figures by the process that tells them; those of none alone without a name."""
        ...

    async def performance(self) -> dict[str, object]:
        """How requests are served, all processes together."""
        ...


class PerformanceDoor:
    """`let_in` is the gate's."""

    def __init__(self, observed: Observed, paces: Paces, let_in: LetIn, authority: Authority) -> None:
        self._observed = observed
        self._paces = paces
        self._let_in = let_in
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/metrics": self.metrics, "/api/performance": self.performance}

    async def metrics(self, incoming: Incoming) -> Reply:
        """The figures in Prometheus' text format."""
        by = await self._let_in(incoming)
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET", "HEAD")
        await self._authority.check(by, _PERMISSION)
        from octonet.admin.exposition import exposition  # noqa: PLC0415  # heavy, and most processes are never asked

        text, kind = exposition(await self._observed.families(), incoming.headers.get("accept", ""))
        return Reply(text, headers={"Cache-Control": "no-store"}, content_type=kind)

    async def performance(self, incoming: Incoming) -> Reply:
        """The page of the reference, and the pace that is kept."""
        by = await self._let_in(incoming)
        match steps(incoming):
            case [""]:
                only(incoming, "GET")
                await self._authority.check(by, _PERMISSION)
                told = await self._observed.performance()
                pace = await self._paces.read(by)
                limiting = {
                    "perClient": pace.per_client,
                    "perProject": pace.per_project,
                    "rejected": told.pop("rejected"),
                }
                return answer({**told, "rateLimiting": limiting})
            case ["rate-limit"]:
                only(incoming, "PUT")
                await self._authority.check(by, "admin:bypass")
                change = body(incoming, PaceChange)
                for member, value in (("perClient", change.per_client), ("perProject", change.per_project)):
                    if isinstance(value, int) and not 0 <= value <= _MOST:
                        raise validation(f"$.{member}", f"expected a whole number from 0 (no limit) to {_MOST}")
                pace = await self._paces.change(by, change)
                return answer({"ok": True, "perClient": pace.per_client, "perProject": pace.per_project})
            case _:
                raise nowhere(incoming)
