"""Spanner, as its emulator is: transactions that are tried anew, savepoints that are written again, turns, what a
commit takes, names, addresses, what is missing."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet import dialects
from octonet.dialects.engine import spanner_weight, spanner_writer
from octonet.dialects.engine.faults import Contended, Lost
from octonet.dialects.engine.held_reads import HeldReads
from octonet.dialects.engine.spanner_address import parsed
from octonet.dialects.engine.spanner_held import Held
from octonet.dialects.engine.spanner_names import kept, told
from octonet.dialects.engine.spanner_patterns import pattern
from octonet.dialects.engine.spanner_server import Server
from octonet.dialects.engine.spanner_writer import SpannerWriter
from octonet.kernel import schema_parse
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Like, Literal, Wild, Wildcard
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Strategy
from tests import spanner
from tests.conformance.alteration_cases import TAG, follow, item, put, refused, rows
from tests.conformance.dialect_cases import PERSON, SCHEMAS, USER, found, opened, page, stored, uri_of, write

ONE: Final = "SELECT 42"
TURN: Final = "UPDATE octonet_turns SET turn = turn + 1 WHERE TRUE"


@pytest.fixture(autouse=True, scope="module")
def _server() -> None:
    if reason := spanner.missing():
        pytest.skip(reason)


async def opened_at(uri: str, **options: Any) -> Database:
    return await dialects.find("spanner").open(uri, SCHEMAS, DatabaseOptions(**options))


def sql(folder: Path, text: str) -> list[tuple[Any, ...]]:
    return spanner.server().rows(text, uri_of("spanner", folder).rpartition("/")[2])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("spanner", tmp_path) as database:
        yield database


# Transactions that are tried anew


async def test_a_transaction_that_another_one_was_in_the_way_of_leaves_nothing_and_goes_well_anew(
    tmp_path: Path, database: Database
) -> None:
    from google.api_core.exceptions import Aborted

    times = 0
    while not times:
        transaction = await database.begin()
        await transaction.insert(USER, [stored(USER, "u", email="e")])
        # The emulator takes one transaction at a time, and gives one of two up: by chance it is ours.
        try:
            await asyncio.to_thread(sql, tmp_path, TURN)
        except Aborted:
            await transaction.rollback()
            continue
        with pytest.raises(Contended):
            await transaction.insert(USER, [stored(USER, "v", email="f")])
        await transaction.rollback()
        times += 1
    assert await database.count(USER, EVERYTHING) == 0
    await write(database, USER, stored(USER, "u", email="e"))
    assert await database.count(USER, EVERYTHING) == 1


async def test_what_was_written_before_a_savepoint_is_written_again_behind_a_violation(database: Database) -> None:
    await write(database, USER, stored(USER, "taken", email="taken"))
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "a", email="a")])
    await transaction.update(USER, [(1, stored(USER, "taken", 2, email="other"))])
    for id in "bc":
        await transaction.savepoint()
        await transaction.insert(USER, [stored(USER, id, email=id)])
        with pytest.raises(ConstraintViolation):
            await transaction.insert(USER, [stored(USER, "x", email="a")])
        await transaction.rollback_to()
        await transaction.savepoint()
        await transaction.insert(USER, [stored(USER, f"{id}2", email=id)])
        await transaction.release()
    await transaction.commit()
    assert await found(database, USER, EVERYTHING) == ["a", "b2", "c2", "taken"]
    assert await found(database, USER, Compare("email", Comparison.EQ, "other")) == ["taken"]


async def test_a_savepoint_is_lost_where_another_process_has_written_before_it_was_reached_again(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "a", email="a")])
    await transaction.savepoint()
    undone: Callable[[SpannerWriter], Awaitable[None]] = SpannerWriter.rollback

    async def overtaken(writer: SpannerWriter) -> None:
        await undone(writer)
        await asyncio.to_thread(sql, tmp_path, TURN)

    monkeypatch.setattr(SpannerWriter, "rollback", overtaken)
    with pytest.raises(Lost):
        await transaction.rollback_to()
    monkeypatch.undo()
    await transaction.rollback()
    assert await database.count(USER, EVERYTHING) == 0


# What a commit takes


async def test_more_cells_than_a_commit_takes_are_refused_before_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spanner_weight, "MOST", 100)
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, f"u{n}", email=f"e{n}") for n in range(5)])
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(USER, [stored(USER, f"v{n}", email=f"f{n}") for n in range(9)])
    assert refused.value.code == "TOO_MANY_ROWS"
    await transaction.rollback()
    for n in range(5):
        await write(database, USER, *(stored(USER, f"w{n}{k}", email=f"w{n}{k}") for k in range(5)))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.delete(USER, await transaction.match(USER, EVERYTHING))
    await transaction.rollback()
    assert await database.count(USER, EVERYTHING) == 25


async def test_a_migration_commits_in_pieces_what_it_can_undo(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = item({"v": {"type": "number"}, "u": {"type": "number"}})
    await follow(database, before)
    for id in "abc":
        await put(database, before, id, u=7)
    monkeypatch.setattr(spanner_writer, "_PIECE", 0)
    filled: dict[str, object] = {"type": "number", "required": True, "default": 1}
    told = await refused(database, item({"v": filled, "u": {"type": "number", "unique": True}}))
    assert "must be unique" in told["$.Item.fields.u"]
    assert [(row["v"], row["u"]) for row in await rows(database, before)] == [(None, 7)] * 3
    after = item({"v": filled, "u": {"type": "string"}, "w": {"type": "string", "required": True, "default": "-"}})
    await follow(database, after)
    assert [(row["v"], row["u"], row["w"]) for row in await rows(database, after)] == [(1, "7", "-")] * 3


async def test_links_whose_entity_is_called_otherwise_are_copied_in_pieces(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = {"relations": {"tags": {"type": "many-to-many", "target": "Tag"}}}
    before = item({"v": {"type": "number"}}, **linked)
    await follow(database, before)
    for id in "abc":
        await put(database, before, id, tags=["s", "t"])
    monkeypatch.setattr(spanner_writer, "_PIECE", 0)
    renamed = {"name": "Thing", "collection": "items", "fields": {"v": {"type": "number"}}, **linked}
    after = schema_parse.parse(json.dumps([renamed, TAG]))
    await follow(database, after)
    assert [row["tags"] for row in await rows(database, after, "Thing")] == [["s", "t"]] * 3


# Turns


async def test_a_turn_that_another_process_has_is_waited_for(tmp_path: Path, database: Database) -> None:
    async with opened("spanner", tmp_path) as second:
        for number in range(1, 6):
            transaction = await database.begin()
            await transaction.move_checkpoint(Checkpoint(number, number))
            await transaction.commit()
            after = await second.begin()
            assert await after.checkpoint() == Checkpoint(number, number)
            await after.rollback()


async def test_the_turn_of_a_migration_whose_session_is_over_is_taken_over(tmp_path: Path, database: Database) -> None:
    over = "projects/octonet/instances/tests/databases/x/sessions/999"
    hold = f"UPDATE octonet_turns SET holder = '{over}', until = TIMESTAMP '2999-01-01T00:00:00Z' WHERE TRUE"
    sql(tmp_path, hold)
    await write(database, USER, stored(USER, "u", email="e"))
    assert sql(tmp_path, "SELECT holder FROM octonet_turns") == [("",)]


async def test_a_migration_that_lost_its_turn_commits_nothing_more(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, more = item({"v": {"type": "number"}}), item({"v": {"type": "number"}, "w": {"type": "number", "default": 1}})
    await follow(database, one)
    await put(database, one, "a", v=7)
    defined = SpannerWriter.define

    async def overtaken(writer: SpannerWriter, text: str) -> None:
        await defined(writer, text)
        if "ADD COLUMN" in text:
            await asyncio.to_thread(sql, tmp_path, "UPDATE octonet_turns SET holder = '' WHERE TRUE")

    monkeypatch.setattr(SpannerWriter, "define", overtaken)
    with pytest.raises(StorageUnavailable, match="lost its turn"):
        await database.migrate(more, Strategy.UPDATE)
    monkeypatch.undo()
    await follow(database, one)
    assert await rows(database, one) == [{"id": "a", "v": 7}]
    await follow(database, more)
    assert await rows(database, more) == [{"id": "a", "v": 7, "w": 1}]


async def test_several_that_migrate_at_once_all_succeed(tmp_path: Path) -> None:
    several = [await opened_at(uri_of("spanner", tmp_path)) for _ in range(3)]
    await asyncio.gather(*(database.migrate(SCHEMAS, Strategy.UPDATE) for database in several))
    await write(several[0], USER, stored(USER, "u", email="e"))
    assert await several[2].count(USER, EVERYTHING) == 1
    for database in several:
        await database.close()


# Answers


async def test_an_answer_that_comes_in_parts_is_put_together(database: Database) -> None:
    texts = {f"p{number}": f"é{number}" * 600_000 for number in range(4)}
    for id, text in texts.items():
        await write(database, PERSON, stored(PERSON, id, bio=text, labels=["x"] * 3))
    people = await database.select(PERSON, page())
    assert {str(row["id"]): row["bio"] for row in people} == texts
    assert [row["labels"] for row in people] == [["x"] * 3] * 4


async def test_a_text_that_is_too_long_is_refused_by_its_name(database: Database) -> None:
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 2_621_441)])
    await transaction.rollback()
    assert (refused.value.code, [fault.path for fault in refused.value.faults]) == ("VALUE_TOO_LONG", ["$.data.bio"])
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(USER, [stored(USER, "u", email="x" * 8200)])
    await transaction.rollback()
    assert (refused.value.code, [fault.path for fault in refused.value.faults]) == ("VALUE_TOO_LONG", ["$.data.email"])


@pytest.mark.parametrize("letter", [*"_ \\.[]()*+?|^$-{}#&~/\"'\n\t", "é", "K", "\u212a", "ß", "😀"])
async def test_every_sign_of_a_pattern_means_itself(database: Database, letter: str) -> None:
    await write(database, PERSON, stored(PERSON, "p", name=f"a{letter}b"), stored(PERSON, "q", name="axb"))
    for ignore_case in (False, True):
        asked = Like("name", (Literal(f"a{letter}"), Wild(Wildcard.ONE)), ignore_case)
        assert await found(database, PERSON, asked) == ["p"]


def test_a_pattern_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        pattern((Literal("x" * 50_001),), False)
    assert refused.value.code == "UNSUPPORTED_PATTERN"


async def test_a_server_that_stops_answering_holds_up_no_caller_beyond_the_deadline(tmp_path: Path) -> None:
    server, emulator = Server(uri_of("spanner", tmp_path), False), spanner.server()
    reads = HeldReads(lambda: Held(server, 1.0), 2, 1.0)
    assert await reads.long(lambda reader: reader.rows(ONE, ()), snapshot=False) == [(42,)]
    emulator.pause()
    try:
        asked = [reads.long(lambda reader: reader.rows(ONE, ()), snapshot=True) for _ in range(4)]
        async with asyncio.timeout(30):
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable | StorageUnavailable) for outcome in outcomes), outcomes
    finally:
        emulator.resume()
    async with asyncio.timeout(30):
        while await _refused(reads):
            await asyncio.sleep(0.05)
    await reads.close()
    await server.close()


async def _refused(reads: HeldReads) -> bool:
    try:
        return await reads.long(lambda reader: reader.rows(ONE, ()), snapshot=False) != [(42,)]
    except Unavailable:
        return True


async def test_an_emulator_that_was_started_anew_is_found_empty_and_filled_again(database: Database) -> None:
    await write(database, USER, stored(USER, "u", email="e"))
    with spanner.server().away(), pytest.raises(StorageUnavailable, match="nobody answers"):
        await (await database.begin()).rollback()
    async with asyncio.timeout(60):
        while True:
            try:
                assert await database.checkpoint() == Checkpoint()
                break
            except StorageUnavailable:
                await asyncio.sleep(0.05)
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    await write(database, USER, stored(USER, "u", email="e"))


# Names


@given(st.text(st.sampled_from("_0xoO5fa-é2d`'%?"), min_size=1, max_size=12))
def test_every_name_is_of_plain_signs_and_is_told_again_as_it_was(name: str) -> None:
    assert told(kept(name)) == name
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]*", kept(name))


def test_names_that_need_no_change_stand_as_they_are() -> None:
    assert [kept(name) for name in ("people", "bossId", "octonet_inbox", "last_updated")] == [
        *("people", "bossId", "octonet_inbox", "last_updated")
    ]
    assert [kept(name) for name in ("_version", "o_version", "a-b")] == ["o_version", "oo_version", "a_0x2d_b"]


# Addresses, and what is missing


def test_an_address_may_be_written_short_or_as_google_writes_it() -> None:
    short, long = parsed("spanner://p/i/d"), parsed("spanner:///projects/p/instances/i/databases/d?credentials=/k.json")
    assert short.path == long.path == "projects/p/instances/i/databases/d"
    assert (short.credentials, long.credentials) == ("", "/k.json")


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "",
            "sqlite:///a.db",
            "spanner://p",
            "spanner://p/i",
            "spanner://p/i/d/x",
            "spanner://p//d",
            "spanner://[p/i/d",
        ),
        *("spanner:///projects/p/instances/i", "spanner://p/i/d?key=x", "spanner://p/i/d'x", "spanner://u:pw@p/i/d"),
    ],
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(Invalid):
        parsed(uri)


async def test_errors_at_open_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = uri_of("spanner", tmp_path)
    with pytest.raises(StorageUnavailable, match="gcloud spanner databases create"):
        await opened_at(f"{good}x")
    monkeypatch.setenv("SPANNER_EMULATOR_HOST", "127.0.0.1:1")
    with pytest.raises(StorageUnavailable, match="nobody answers"):
        await opened_at(good)
    monkeypatch.delenv("SPANNER_EMULATOR_HOST")
    with pytest.raises(Invalid, match="cannot be read"):
        await opened_at(f"{good}?credentials={tmp_path}/none.json")
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(StorageUnavailable, match="GOOGLE_APPLICATION_CREDENTIALS"):
        await opened_at(f"{good}?credentials={tmp_path}/key.json")


async def test_without_its_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_of("spanner", tmp_path)
    monkeypatch.setitem(sys.modules, "google.cloud.spanner_v1.types", None)
    with pytest.raises(Invalid, match=r"install octonet\[spanner\]") as refused:
        await opened_at(uri)
    assert refused.value.code == "DRIVER_MISSING"


async def test_a_closed_database_is_unavailable_and_may_be_closed_again(database: Database) -> None:
    transaction = await database.begin()
    await database.close()
    await transaction.rollback()
    for ask in (lambda: database.count(USER, EVERYTHING), database.begin):
        with pytest.raises(StorageUnavailable, match="closed"):
            await ask()
    await database.close()


async def test_shown_sql_holds_no_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "octonet.sql")
    async with opened("spanner", tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        await write(database, PERSON, stored(PERSON, "p", name="Ada", password="a secret"))
        assert await found(database, PERSON, Compare("name", Comparison.EQ, "Ada")) == ["p"]
    assert "INSERT INTO" in caplog.text
    assert "secret" not in caplog.text
    assert "Ada" not in caplog.text
