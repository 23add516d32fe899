"""What the ring keeps, what it drops, and what it never believes."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import bcrypt
import pytest

from octonet.access import keys
from octonet.access.key_ring import PUBLIC_LABEL, KeyRing, Overwhelmed
from octonet.access.keys import Environment, Scheme
from octonet.access.tickets import LIFE, Tickets
from octonet.kernel.errors import StorageUnavailable, Unauthenticated
from octonet.kernel.filter import And, Options
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.schema import EntitySchema
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import Page, Stored

SCHEMAS = parse((Path(__file__).parents[3] / "octonet" / "access" / "system.json").read_bytes())
PEPPER = b"pepper"


class Table:
    """As much of a source as the ring asks for; counts how often."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Stored] = {}
        self.asked = 0
        self.selected = 0
        self.away = False
        self.during: asyncio.Event | None = None

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        self.asked += 1
        if self.away:
            raise StorageUnavailable
        found = self.rows.get((schema.name, id))
        if self.during is not None:
            await self.during.wait()
        return found

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        self.selected += 1
        kept = {id: row.state for (entity, id), row in sorted(self.rows.items()) if entity == "ApiKey"}
        if isinstance(page.where, And):
            return [{"id": id} for id, state in kept.items() if state.get("label") == PUBLIC_LABEL]
        return [{"id": id} for id, state in kept.items() if state.get("imported")]

    def put(self, entity: str, id: str, version: int, **state: object) -> None:
        row: Row = dict(state)  # type: ignore[arg-type]
        self.rows[entity, id] = Stored(EntityId(id), version, row)


class World:
    def __init__(self) -> None:
        self.table = Table()
        self.now = 1_000
        self.tickets = Tickets(b"tickets")
        self.ring = KeyRing(lambda: self.table, SCHEMAS, PEPPER, self.tickets, lambda: self.now)  # type: ignore[arg-type,return-value]
        self.ring.trust()

    def key(self, scheme: Scheme = Scheme.HMAC, version: int = 1, **more: object) -> str:
        made = keys.make(Environment.LIVE)
        state = {"enabled": True, "expiresAt": None, "account": None, "permissions": {"projects": ["shop"]}, **more}
        stored = keys.verifier(made.text, PEPPER, scheme)
        self.table.put("ApiKey", made.prefix, version, verifier=stored, **state)
        return made.text

    def change(self, text: str, version: int, **more: object) -> None:
        self.change_id(text[:20], version, **more)

    def change_id(self, id: str, version: int, **more: object) -> None:
        before = self.table.rows["ApiKey", id]
        self.table.put("ApiKey", id, version, **{**before.state, **more})


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_key_is_looked_up_once(world: World) -> None:
    text = world.key()
    assert world.ring.find(text) is None
    found = await world.ring.verify(text)
    assert world.ring.find(text) is found
    assert (found.key, found.permissions.grants("projects", "shop"), world.table.asked) == (text[:20], True, 1)


async def test_many_who_come_at_once_cost_one_look(world: World) -> None:
    text = world.key()
    found = await asyncio.gather(*(world.ring.verify(text) for _ in range(50)))
    assert (len(set(found)), world.table.asked) == (1, 1)


async def test_a_wrong_key_is_remembered_as_wrong(world: World) -> None:
    text = keys.make(Environment.LIVE).text
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            world.ring.find(text) or await world.ring.verify(text)
    assert world.table.asked == 1


async def test_a_mistyped_key_costs_no_look(world: World) -> None:
    text = world.key()
    for wrong in (text[:-1] + ("a" if text[-1] != "a" else "b"), "sk_live_short", "", "ü" * 64):
        with pytest.raises(Unauthenticated):
            await world.ring.verify(wrong)
    assert world.table.asked == 0


@pytest.mark.parametrize("wrong", [{"enabled": False}, {"expiresAt": "1970-01-01T00:00:00.500Z"}, {"account": "gone"}])
async def test_a_key_that_does_not_count_is_refused(world: World, wrong: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        await world.ring.verify(world.key(Scheme.HMAC, 1, **wrong))


@pytest.mark.parametrize("status", ["suspended", "deleted"])
async def test_a_key_counts_while_its_account_does(world: World, status: str) -> None:
    world.table.put("Account", "tenant", 1, status="active")
    text = world.key(account="tenant")
    found = await world.ring.verify(text)
    world.table.put("Account", "tenant", 2, status=status)
    world.ring.hear("Account", "tenant", 2)
    assert found.revoked
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text)


async def test_a_key_expires_while_it_is_known(world: World) -> None:
    text = world.key(expiresAt="1970-01-01T00:00:02.000Z")
    assert await world.ring.verify(text) is world.ring.find(text)
    world.now = 2_000
    with pytest.raises(Unauthenticated):
        world.ring.find(text)


async def test_a_fact_drops_the_key_and_tells_whoever_uses_it(world: World) -> None:
    text = world.key()
    found, ended = await world.ring.verify(text), asyncio.Event()
    found.watch(ended.set)
    world.change(text, 2, enabled=False)
    world.ring.hear("ApiKey", text[:20], 2)
    assert (found.revoked, ended.is_set(), world.ring.find(text)) == (True, True, None)
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text)


async def test_who_was_let_in_just_before_a_revocation_is_told_of_it(world: World) -> None:
    text = world.key()
    found, ended = await world.ring.verify(text), asyncio.Event()
    world.ring.hear("ApiKey", text[:20], 2)
    found.watch(ended.set)
    assert not ended.is_set()
    await asyncio.sleep(0)
    assert ended.is_set()


async def test_a_fact_that_comes_after_its_row_was_read_ends_nothing(world: World) -> None:
    world.table.put("Account", "tenant", 3, status="active")
    text = world.key(account="tenant")
    found = await world.ring.verify(text)
    world.ring.hear("ApiKey", text[:20], 1)
    world.ring.hear("Account", "tenant", 3)
    assert (found.revoked, world.ring.find(text)) == (False, found)
    world.ring.hear("ApiKey", text[:20], 0)
    assert found.revoked


async def test_a_row_that_is_older_than_the_fact_about_it_is_not_believed(world: World) -> None:
    text = world.key()
    world.ring.hear("ApiKey", text[:20], 2)
    verifying = asyncio.create_task(world.ring.verify(text))
    await asyncio.sleep(0.05)
    assert not verifying.done()
    world.change(text, 2, enabled=False)
    with pytest.raises(Unauthenticated):
        await verifying


async def test_a_fact_during_the_look_up_makes_it_begin_anew(world: World) -> None:
    text = world.key()
    world.table.during = asyncio.Event()
    verifying = asyncio.create_task(world.ring.verify(text))
    await asyncio.sleep(0.01)
    world.change(text, 2, enabled=False)
    world.ring.hear("ApiKey", text[:20], 2)
    world.table.during.set()
    with pytest.raises(Unauthenticated):
        await verifying


async def test_while_no_facts_are_heard_nothing_is_relied_upon(world: World) -> None:
    text = world.key()
    await world.ring.verify(text)
    world.ring.distrust()
    assert world.ring.find(text) is None
    await world.ring.verify(text)
    assert world.ring.find(text) is None


async def test_while_the_system_project_is_away_nobody_new_comes_in(world: World) -> None:
    known, other = world.key(), world.key()
    await world.ring.verify(known)
    world.table.away = True
    assert world.ring.find(known) is not None
    with pytest.raises(StorageUnavailable):
        await world.ring.verify(other)
    world.table.away = False
    await world.ring.verify(other)


async def test_a_flood_of_slow_keys_is_bounded(world: World) -> None:
    slow = world.key(Scheme.BCRYPT)
    assert (await world.ring.verify(slow)).key == slow[:20]
    stored = world.table.rows["ApiKey", slow[:20]].state["verifier"]
    texts = [world.key() for _ in range(40)]
    for text in texts:
        world.change(text, 1, verifier=stored)
    found = await asyncio.gather(*(world.ring.verify(text) for text in texts), return_exceptions=True)
    kinds = {type(one) for one in found}
    assert kinds == {Unauthenticated, Overwhelmed}


async def test_a_flood_of_wrong_keys_forgets_no_right_one(world: World) -> None:
    text = world.key()
    found = await world.ring.verify(text)
    for _ in range(20_100):
        # As many as are ever kept, without the time it takes to make them.
        world.ring._wrong.add(secrets.token_bytes(16))
    assert world.ring.find(text) is found


async def test_strangers_wait_their_turn_and_who_was_right_before_does_not(world: World) -> None:
    text = world.key()
    await world.ring.verify(text)
    world.change(text, 2, label="renamed")
    world.ring.hear("ApiKey", text[:20], 2)
    world.table.during = asyncio.Event()
    strangers = [asyncio.create_task(world.ring.verify(keys.make(Environment.LIVE).text)) for _ in range(100)]
    await asyncio.sleep(0)
    known = asyncio.create_task(world.ring.verify(text))
    await asyncio.sleep(0)
    world.table.during.set()
    told = [type(problem) for problem in await asyncio.gather(*strangers, return_exceptions=True)]
    assert {told.count(Unauthenticated), told.count(Overwhelmed)} == {64, 36}
    assert (await known).key == text[:20]
    # The crowd is gone: a new key comes in.
    assert (await world.ring.verify(world.key())).revoked is False


async def test_a_wrong_key_that_becomes_right_comes_in(world: World) -> None:
    text = world.key(enabled=False)
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text)
    world.change(text, 2, enabled=True)
    world.ring.hear("ApiKey", text[:20], 2)
    assert world.ring.find(text) is None
    assert (await world.ring.verify(text)).key == text[:20]


async def test_whose_look_up_failed_holds_up_nobody_who_shows_the_same_key(world: World) -> None:
    text = world.key()
    world.table.away = True
    world.table.during = asyncio.Event()
    verifying = [asyncio.create_task(world.ring.verify(text)) for _ in range(3)]
    await asyncio.sleep(0)
    verifying[0].cancel()
    await asyncio.sleep(0)
    world.table.during.set()
    found = await asyncio.gather(*verifying, return_exceptions=True)
    assert [type(one) for one in found[1:]] == [StorageUnavailable] * 2


def _bring(world: World, text: str, length: int, version: int = 1, **more: object) -> None:
    state = {"enabled": True, "expiresAt": None, "account": None, "permissions": {"projects": ["shop"]}, **more}
    hashed = bcrypt.hashpw(text.encode(), bcrypt.gensalt(4)).decode()
    world.table.put("ApiKey", text[:length], version, verifier=hashed, imported=True, **state)


@pytest.mark.parametrize("length", [12, 13, 16])
@pytest.mark.parametrize("text", ["sk_live_" + "a1B2" * 6, "sk_test_" + "x" * 56, "msk_live_Zm9v-YmFy_" + "q" * 14])
async def test_a_key_that_was_brought_along_comes_in(world: World, text: str, length: int) -> None:
    _bring(world, text, length)
    found = await world.ring.verify(text)
    assert (found.key, world.ring.find(text)) == (text[:length], found)
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text[:-1] + "!")
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text + "1")


async def test_a_foreign_shape_costs_no_look_unless_a_key_begins_like_it(world: World) -> None:
    for number in range(50):
        with pytest.raises(Unauthenticated):
            await world.ring.verify(f"sk_live_{number:032}")
    assert (world.table.asked, world.table.selected) == (0, 1)
    text = "sk_live_" + "b" * 32
    _bring(world, text, 16)
    world.ring.hear("ApiKey", text[:16], 1)
    await world.ring.verify(text)
    assert (world.table.asked, world.table.selected) == (1, 1)


async def test_what_was_imported_while_no_facts_were_heard_is_found_afterwards(world: World) -> None:
    text = "sk_live_" + "c" * 32
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text)
    world.ring.distrust()
    _bring(world, text, 12)
    world.ring.trust()
    assert (await world.ring.verify(text)).key == text[:12]


async def test_a_slow_hash_is_computed_once_while_it_stands_in_its_row(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, computed = "sk_live_" + "d" * 32, 0
    _bring(world, text, 16)

    def counting(*given: object) -> bool:
        nonlocal computed
        computed += 1
        return verify(*given)  # type: ignore[arg-type]

    verify = keys.verify
    monkeypatch.setattr(keys, "verify", counting)
    await world.ring.verify(text)
    world.change_id(text[:16], 2, label="renamed")
    world.ring.hear("ApiKey", text[:16], 2)
    assert world.ring.find(text) is None
    await world.ring.verify(text)
    assert computed == 1
    world.change_id(text[:16], 3, verifier=bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode())
    world.ring.hear("ApiKey", text[:16], 3)
    with pytest.raises(Unauthenticated):
        await world.ring.verify(text)
    assert computed == 2


async def test_a_ticket_stands_for_its_key_for_a_while(world: World) -> None:
    text = world.key()
    ticket = world.tickets.give(text[:20], world.now)
    assert (await world.ring.verify_ticket(ticket)).key == text[:20]
    assert world.ring.find(ticket) is None
    world.now += LIFE
    with pytest.raises(Unauthenticated):
        await world.ring.verify_ticket(ticket)


async def test_what_is_open_under_a_ticket_ends_with_its_key(world: World) -> None:
    text = world.key()
    found = await world.ring.verify_ticket(world.tickets.give(text[:20], world.now))
    world.change(text, 2, enabled=False)
    world.ring.hear("ApiKey", text[:20], 2)
    assert found.revoked
    with pytest.raises(Unauthenticated):
        await world.ring.verify_ticket(world.tickets.give(text[:20], world.now))


async def test_a_forged_ticket_opens_nothing(world: World) -> None:
    text = world.key()
    ticket = world.tickets.give(text[:20], world.now)
    foreign = Tickets(b"another").give(text[:20], world.now)
    for wrong in (foreign, ticket[:-2], ticket + "A", "ticket_", "ticket_ü", ticket.replace("t", "T", 3)):
        with pytest.raises(Unauthenticated):
            await world.ring.verify_ticket(wrong)
