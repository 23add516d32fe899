"""The records of any log, by any search, in pages of any size: each once, in order, however little a request reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.admin.audit_records import record
from octonet.admin.audit_search import PARAMETERS, Asked, Search, parse
from octonet.admin.audit_trail import AuditTrail, Cursors, Trail
from octonet.kernel.chain import digest, encode, split
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Invalid, Kind, Unavailable
from octonet.kernel.event import Event, Fact
from octonet.kernel.ids import CommandId, EntityId, ProjectName
from octonet.kernel.log import Batch, Decision, Entry, Ownership, Part, Recorded, Rejection, Verdict
from octonet.kernel.position import Position, Positions
from tests.unit.arbitrary import read_or_refused

SHOP = ProjectName("shop")
POSITIONS = Positions(SHOP, b"positions")
KEY = b"audit"


class ListLog:
    """A log in memory: message by message, one a second."""

    def __init__(self) -> None:
        self.messages: list[Recorded] = []
        self.read_messages = 0

    def append(self, *bodies: bytes) -> None:
        self.messages += [Recorded(len(self.messages) + n, body) for n, body in enumerate(bodies, 1)]

    @property
    def digest(self) -> bytes:
        return digest(self.messages[-1].body) if self.messages else b""

    async def last(self) -> int:
        return len(self.messages)

    async def stored_since(self, moment: int) -> int:
        return min(max(1, -(-moment // 1000)), len(self.messages) + 1)

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        assert until is not None
        assert until <= len(self.messages)
        while after < until:
            found = self.messages[after : min(after + 7, until)]
            after, self.read_messages = found[-1].sequence, self.read_messages + len(found)
            yield found


NAMES = st.sampled_from(["", "a", "b"])
ACTORS = st.builds(Actor, key=NAMES, account=NAMES, transport=NAMES, address=NAMES, user=NAMES)
EVENTS = st.builds(
    Event,
    st.sampled_from(Fact),
    st.sampled_from(["Tag", "Order"]),
    st.sampled_from(["a", "b"]).map(EntityId),
    st.just(1),
    st.just(b"{}"),
)


@st.composite
def _decisions(draw: st.DrawFn) -> Decision:
    verdict = draw(st.sampled_from(Verdict))
    events = tuple(draw(st.lists(EVENTS, min_size=1, max_size=3))) if verdict is Verdict.APPLIED else ()
    return Decision(
        CommandId(draw(st.uuids()).hex),
        draw(st.sampled_from(["create", "update"])),
        draw(st.sampled_from(["Tag", "Order"])),
        draw(st.integers(0, 20)) * 1000,
        draw(ACTORS),
        verdict,
        events,
        data=draw(st.sampled_from([None, b'{"id":"a","x":1}'])) if verdict is Verdict.UNCHANGED else None,
        rejection=Rejection(Kind.CONFLICT, "TAKEN", "it is") if verdict is Verdict.REJECTED else None,
        target=draw(st.sampled_from([None, EntityId("a")])) if not events else None,
    )


BATCHES = st.lists(_decisions(), max_size=4)


@st.composite
def _logs(draw: st.DrawFn) -> tuple[ListLog, list[Decision]]:
    """A log, and what was decided in it: entries of one part and of many, and pieces of entries that never were."""
    log, decided = ListLog(), []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["batch", "batch", "parts", "owner", "void"]))
        found = draw(BATCHES)
        entry: Entry = Ownership(log.digest, "w", 0) if kind == "owner" else Batch(log.digest, 0, tuple(found))
        if kind == "void":
            log.append(encode(Part(log.digest, 1, 3, b"of what was never finished")))
            continue
        log.append(*(split(entry, 192) if kind == "parts" else [encode(entry)]))
        decided += found if kind != "owner" else []
    return log, decided


SEARCHES = st.builds(
    Search,
    user=NAMES,
    key=NAMES,
    transport=NAMES,
    op=st.sampled_from(["", "create"]),
    entity=st.sampled_from(["", "Tag"]),
    id=NAMES,
    verdicts=st.sampled_from([tuple(Verdict), (Verdict.REJECTED,), (Verdict.APPLIED, Verdict.UNCHANGED)]),
    since=st.none() | st.integers(0, 20_000),
    until=st.none() | st.integers(0, 20_000),
    newest_first=st.booleans(),
)


@given(_logs(), SEARCHES | st.builds(Search, newest_first=st.booleans()), st.integers(1, 5), st.integers(1, 6))
async def test_all_that_is_looked_for_is_found_once_in_order(
    found: tuple[ListLog, list[Decision]], search: Search, limit: int, most: int
) -> None:
    log, decided = found
    trail, audit = Trail(SHOP, log, POSITIONS), AuditTrail(KEY, most)
    seen: list[str] = []
    asked = Asked(search, limit)
    while True:
        page = await audit.page(trail, asked)
        assert len(page.records) <= limit
        seen += [one.command for one in page.records]
        if not page.more:
            break
        assert page.cursor not in (None, asked.cursor)
        asked = msgspec.structs.replace(asked, cursor=page.cursor)
    wanted = [decision.command_id for decision in decided if search.finds(decision)]
    assert seen == (wanted[::-1] if search.newest_first else wanted)


@given(_logs(), _logs(), st.booleans())
async def test_what_is_written_between_two_pages_changes_nothing_that_is_there(
    found: tuple[ListLog, list[Decision]], later: tuple[ListLog, list[Decision]], newest_first: bool
) -> None:
    (log, decided), (_, more) = found, later
    trail, audit = Trail(SHOP, log, POSITIONS), AuditTrail(KEY)
    asked = Asked(Search(newest_first=newest_first), 1)
    page = await audit.page(trail, asked)
    seen = [one.command for one in page.records]
    log.append(encode(Batch(log.digest, 0, tuple(more))))
    while page.cursor is not None:
        page = await audit.page(trail, msgspec.structs.replace(asked, cursor=page.cursor))
        seen += [one.command for one in page.records]
        if not page.more:
            break
    wanted = [one.command_id for one in decided]
    assert seen == (wanted[::-1] if newest_first else [*wanted, *(one.command_id for one in more)])


def _naive(search: Search, decision: Decision) -> bool:
    """What a search means, in other words."""
    actor = decision.actor
    said = {"user": actor.user, "key": actor.key, "transport": actor.transport, "op": decision.op}
    if any(getattr(search, name) not in ("", value) for name, value in said.items()):
        return False
    rows = {(event.entity, event.id) for event in decision.events}
    if not rows and decision.data is not None:
        rows = {(decision.entity, EntityId("a"))}
    elif not rows and decision.target is not None:
        rows = {(decision.entity, decision.target)}
    if search.id:
        about = any(id == search.id and search.entity in ("", entity) for entity, id in rows)
    else:
        about = search.entity in {"", decision.entity, *(entity for entity, _ in rows)}
    late = search.since is not None and decision.at < search.since
    early = search.until is not None and decision.at > search.until
    return about and not late and not early and decision.verdict in search.verdicts


@given(SEARCHES, _decisions())
def test_a_search_finds_what_it_says(search: Search, decision: Decision) -> None:
    assert search.finds(decision) == _naive(search, decision)


@given(st.dictionaries(st.sampled_from(sorted(PARAMETERS)) | st.text(max_size=6), st.text(max_size=30), max_size=5))
def test_any_query_is_read_or_refused_by_name(pairs: dict[str, str]) -> None:
    def read() -> None:
        asked = parse(pairs)
        assert set(pairs) <= PARAMETERS
        assert 1 <= asked.limit <= 1000

    read_or_refused(read)


@given(st.text(max_size=60), st.integers(0, 2**62), st.integers(0, 2**62), SEARCHES, SEARCHES)
def test_only_cursors_that_were_given_out_come_back(
    text: str, entry: int, number: int, search: Search, other: Search
) -> None:
    cursors = Cursors(KEY)
    token = cursors.encode(SHOP, search, (entry, number))
    assert cursors.decode(SHOP, search, token) == (entry, number)
    wrong = [(cursors, SHOP, search, text), (Cursors(b"other"), SHOP, search, token)]
    wrong += [(cursors, ProjectName("blog"), search, token), (cursors, SHOP, search, token[:-2])]
    if other != search:
        wrong.append((cursors, SHOP, other, token))
    for reader, project, asked, shown in wrong:
        with pytest.raises(Invalid) as refusal:
            reader.decode(project, asked, shown)
        assert refusal.value.code == "INVALID_CURSOR"


async def test_a_request_reads_no_more_than_it_may() -> None:
    log = ListLog()
    for number in range(500):
        decision = Decision(CommandId(f"c{number}"), "create", "Tag", 0, Actor(key="a"), Verdict.UNCHANGED)
        log.append(encode(Batch(log.digest, 0, (decision,))))
    trail = Trail(SHOP, log, POSITIONS)
    for newest_first in (True, False):
        log.read_messages = 0
        page = await AuditTrail(KEY, 100).page(trail, Asked(Search(key="b", newest_first=newest_first)))
        assert (page.records, page.more) == ([], True)
        assert log.read_messages <= 100 + 2  # where entries begin is looked at, too
        log.read_messages = 0
        page = await AuditTrail(KEY).page(trail, Asked(Search(newest_first=newest_first), 10))
        assert (len(page.records), log.read_messages <= 65) == (10, True)


async def test_a_damaged_log_is_said_to_be_so() -> None:
    log = ListLog()
    log.append(encode(Ownership(b"", "w", 0)), b"\xc1", encode(Ownership(b"", "w", 0)))
    for newest_first in (True, False):
        with pytest.raises(Unavailable) as refusal:
            await AuditTrail(KEY).page(Trail(SHOP, log, POSITIONS), Asked(Search(newest_first=newest_first)))
        assert refusal.value.code == "HISTORY_DAMAGED"


def test_a_record_names_the_first_hundred_rows_and_counts_them_all() -> None:
    events = tuple(Event(Fact.UPDATED, "Tag", EntityId(f"t{n}"), 2, b'{"secret":"no"}') for n in range(250))
    decision = Decision(CommandId("c"), "updateMany", "Tag", 0, Actor(), Verdict.APPLIED, events)
    told = record(decision, Position(7, 249), POSITIONS)
    assert (len(told.ids), len(told.facts), told.changes) == (100, 100, 250)
    assert b"no" not in msgspec.json.encode(told.facts)
    assert POSITIONS.decode(told.position) == Position(7, 249)


def test_a_decision_of_an_earlier_build_names_no_row() -> None:
    decision = Decision(CommandId("c"), "update", "Tag", 5, Actor(), Verdict.UNCHANGED, target=EntityId("x"))
    raw: list[Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(decision))
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(raw[:-1]), type=Decision)
    assert older == msgspec.structs.replace(decision, target=None)
