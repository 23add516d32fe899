"""What somebody looks for in the records of a project: parsed from a query string, matched against decisions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, TypeVar

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import did_you_mean
from octonet.kernel.instant import milliseconds
from octonet.kernel.log import Decision, Verdict

T = TypeVar("T")

MOST: Final = 1000
"""Records of a page at most."""
_USUAL: Final = 100
_TEXTS: Final = ("user", "key", "account", "transport", "address", "op", "entity", "id")
_OTHERS: Final = ("verdict", "from", "to", "order", "limit", "cursor", "format", "project")
_SAME: Final = {"action": "op", "status": "verdict"}
"""Names that the reference has for it."""
PARAMETERS: Final = frozenset((*_TEXTS, *_OTHERS, *_SAME))
_EVERY: Final = tuple(Verdict)
_VERDICTS: Final[Mapping[str, tuple[Verdict, ...]]] = {
    **{verdict.value: (verdict,) for verdict in Verdict},
    "success": (Verdict.APPLIED, Verdict.UNCHANGED),
    "failure": (Verdict.REJECTED,),
}


class Search(msgspec.Struct, frozen=True):
    """What a record must be; an empty text means any. `since` and `until`, both included, are milliseconds since
    1970."""

    user: str = ""
    key: str = ""
    account: str = ""
    transport: str = ""
    address: str = ""
    op: str = ""
    entity: str = ""
    """Of the command, or of a row that it changed on its way."""
    id: str = ""
    """Of a row that the command changed, or named."""
    verdicts: tuple[Verdict, ...] = _EVERY
    since: int | None = None
    until: int | None = None
    newest_first: bool = True

    def finds(self, decision: Decision) -> bool:
        """Whether a decision is one of those."""
        return (
            decision.verdict in self.verdicts
            and (self.since is None or decision.at >= self.since)
            and (self.until is None or decision.at <= self.until)
            and self._is_by(decision)
            and self.op in ("", decision.op)
            and self._is_about(decision)
        )

    def mark(self) -> bytes:
        """Short, and another for every other search."""
        return blake2b(msgspec.json.encode(self), digest_size=8).digest()

    def _is_by(self, decision: Decision) -> bool:
        actor = decision.actor
        return (
            self.user in ("", actor.user)
            and self.key in ("", actor.key)
            and self.account in ("", actor.account)
            and self.transport in ("", actor.transport)
            and self.address in ("", actor.address)
        )

    def _is_about(self, decision: Decision) -> bool:
        if not self.id and self.entity in ("", decision.entity):
            return True
        return any(self.id in ("", id) and self.entity in ("", entity) for entity, id in touched(decision))


class Asked(msgspec.Struct, frozen=True):
    """A page of records. `cursor`: where it begins, empty for the start; `project`: as the query string names it."""

    search: Search
    limit: int = _USUAL
    cursor: str = ""
    ndjson: bool = False
    project: str | None = None


class _Row(msgspec.Struct, frozen=True):
    id: str


_row = msgspec.json.Decoder(_Row)


def touched(decision: Decision) -> list[tuple[str, str]]:
    """(entity, id) of every row that a command changed, or of the one that it named, or left as it was."""
    if decision.events:
        return [(event.entity, event.id) for event in decision.events]
    id = decision.target if decision.data is None else _row.decode(decision.data).id
    return [] if id is None else [(decision.entity, id)]


def parse(pairs: Mapping[str, str], ndjson: bool = False) -> Asked:
    """What a query string asks for; `ndjson`: whether that is what it is answered with when it does not say. Raises
    `Invalid` naming the parameter."""
    given = _named(pairs)
    search = Search(
        **{name: given[name] for name in _TEXTS if name in given},
        verdicts=_choice(given, "verdict", _VERDICTS, _EVERY),
        since=_time(given, "from"),
        until=_time(given, "to"),
        newest_first=_choice(given, "order", {"desc": True, "asc": False}, True),
    )
    if search.since is not None and search.until is not None and search.until < search.since:
        raise invalid("?to", "is before ?from")
    return Asked(
        search,
        _limit(given),
        given.get("cursor", ""),
        _choice(given, "format", {"json": False, "ndjson": True}, ndjson),
        given.get("project"),
    )


def _named(pairs: Mapping[str, str]) -> dict[str, str]:
    """The parameters by our own names."""
    found: dict[str, str] = {}
    for given, text in pairs.items():
        if given not in PARAMETERS:
            near = did_you_mean(given, PARAMETERS)
            raise invalid(f"?{given}", f"is not a parameter of the audit{near}", code="UNKNOWN_PARAMETER")
        name = _SAME.get(given, given)
        if name in found:
            raise invalid(f"?{given}", f"says a second time what {name!r} is")
        if not text:
            raise invalid(f"?{given}", "is empty: leave it out to find any")
        found[name] = text
    return found


def _choice(given: Mapping[str, str], name: str, choices: Mapping[str, T], usual: T) -> T:
    text = given.get(name)
    if text is None:
        return usual
    if text not in choices:
        raise invalid(f"?{name}", f"is none of {', '.join(choices)}{did_you_mean(text, choices)}")
    return choices[text]


def _time(given: Mapping[str, str], name: str) -> int | None:
    return milliseconds(given[name], f"?{name}") if name in given else None


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(_USUAL))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise invalid("?limit", f"must be a whole number from 1 to {MOST}")
    return int(text)
