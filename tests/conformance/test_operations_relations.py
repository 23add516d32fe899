"""Relations, links, soft deletion and secrets, the same through every door and over every dialect."""

from __future__ import annotations

import aiohttp
import nats
import pytest

from jetstream.server import find_running
from tests.conformance.world import World, about, fresh

_SECRET = "correct horse battery"


async def _book(world: World, author: str) -> str:
    return str((await world.ask("create", "Book", data={"title": fresh(), "author": author}))["id"])


@about("create", "update", "addToSet", "pull", "findById", "findAll")
async def test_links_are_read_back_as_ids_without_being_asked_for(world: World) -> None:
    first, second = sorted([await world.tag(), await world.tag()])
    row = await world.author(tags=[second, first, second])
    assert row["tags"] == [first, second]
    assert await world.ask("findById", "Author", id=row["id"]) == row
    assert await world.ask("findAll", "Author", filter={"id": row["id"]}) == [row]
    async with world.watching() as feed:
        assert (await world.ask("pull", "Author", id=row["id"], field="tags", value=first))["tags"] == [second]
        assert (await world.ask("pull", "Author", id=row["id"], field="tags", value=first))["tags"] == [second]
        added = await world.ask("addToSet", "Author", id=row["id"], field="tags", value=first)
        assert added["tags"] == [first, second]
        assert await world.ask("addToSet", "Author", id=row["id"], field="tags", value=first) == added
        assert (await world.ask("update", "Author", id=row["id"], data={"tags": [first]}))["tags"] == [first]
        facts = await feed.facts()
    assert [fact.data["tags"] for fact in facts] == [[second], [first, second], [first]]
    assert (await world.ask("update", "Author", id=row["id"], data={"tags": []}))["tags"] == []


@about("addToSet")
async def test_a_link_to_nothing_is_refused_naming_the_value(world: World) -> None:
    row = await world.author()
    found = await world.refused("addToSet", "Author", id=row["id"], field="tags", value="nothing")
    assert (found.code, found.paths) == ("REFERENCE_NOT_FOUND", ["$.value"])
    assert await world.ask("findById", "Author", id=row["id"]) == row


@about("findById", "findAll", "findOne", "search")
async def test_relations_are_populated_on_request(world: World) -> None:
    tag = await world.tag()
    mentor = await world.author(name="M", password=_SECRET)
    row = await world.author(name=fresh(), mentor=mentor["id"], tags=[tag])
    books = sorted([await _book(world, row["id"]), await _book(world, row["id"])])
    relations = ["mentor", "tags", "books"]
    [found] = await world.ask("findAll", "Author", filter={"id": row["id"]}, relations=relations)
    assert found["mentor"] == mentor
    assert [each["id"] for each in found["tags"]] == [tag]
    assert sorted(each["id"] for each in found["books"]) == books
    assert await world.ask("findById", "Author", id=row["id"], relations=relations) == found
    assert await world.ask("findOne", "Author", filter={"id": row["id"]}, relations=relations) == found
    [searched] = await world.ask("search", "Author", query=row["name"], relations=relations)
    assert searched == found


@about("create", "update", "upsert", "increment", "addToSet", "pull")
async def test_relations_are_populated_on_the_reply_of_a_write(world: World) -> None:
    mentor = await world.author(name="M")
    row = await world.ask(
        "create", "Author", data={"email": fresh(), "mentor": mentor["id"]}, relations=["mentor", "books"]
    )
    assert (row["mentor"], row["books"]) == (mentor, [])
    id = row["id"]
    for op, members in (
        ("update", {"id": id, "data": {"name": "B"}}),
        ("upsert", {"filter": {"email": row["email"]}, "data": {"name": "C"}}),
        ("increment", {"id": id, "field": "score", "amount": 1}),
        ("addToSet", {"id": id, "field": "keywords", "value": "a"}),
        ("pull", {"id": id, "field": "keywords", "value": "a"}),
    ):
        assert (await world.ask(op, "Author", relations=["mentor"], **members))["mentor"] == mentor


@about("create", "update", "upsert", "increment", "addToSet", "pull")
async def test_an_unknown_relation_is_refused_before_anything_is_written(world: World) -> None:
    row = await world.author(keywords=["b"])
    async with world.watching() as feed:
        for op, members in (
            ("create", {"data": {"email": fresh()}}),
            ("update", {"id": row["id"], "data": {"name": "B"}}),
            ("upsert", {"filter": {"email": row["email"]}, "data": {"name": "C"}}),
            ("increment", {"id": row["id"], "field": "score", "amount": 1}),
            ("addToSet", {"id": row["id"], "field": "keywords", "value": "a"}),
            ("pull", {"id": row["id"], "field": "keywords", "value": "b"}),
        ):
            found = await world.refused(op, "Author", relations=["nope"], **members)
            assert (found.code, found.paths) == ("UNKNOWN_RELATION", ["$.relations[0]"])
        assert await feed.facts() == []
    assert await world.ask("findById", "Author", id=row["id"]) == row


@about("delete")
async def test_a_deletion_cascades_clears_and_unlinks_with_one_fact_for_each_row(world: World) -> None:
    author = (await world.author())["id"]
    pupil = (await world.author(mentor=author))["id"]
    books = [await _book(world, author), await _book(world, author)]
    async with world.watching() as feed:
        assert await world.ask("delete", "Author", id=author) is True
        told = await feed.told()
    wanted = [("deleted", "Author", author), ("updated", "Author", pupil)]
    assert sorted(told) == sorted(wanted + [("deleted", "Book", book) for book in books])
    assert (await world.ask("findById", "Author", id=pupil))["mentor"] is None
    assert await world.ask("count", "Book", filter={"id": {"$in": books}}) == 0


@about("delete", "deleteMany")
async def test_a_restriction_refuses_the_whole_deletion(world: World) -> None:
    bio = fresh()
    author = (await world.author(bio=bio))["id"]
    await world.author(bio=bio)
    book = await _book(world, author)
    loan = (await world.ask("create", "Loan", data={"book": book}))["id"]
    async with world.watching() as feed:
        for op, members in (("delete", {"id": author}), ("deleteMany", {"filter": {"bio": bio}})):
            assert (await world.refused(op, "Author", **members)).code == "STILL_REFERRED_TO"
        assert (await world.refused("delete", "Book", id=book)).code == "STILL_REFERRED_TO"
        assert await feed.facts() == []
        assert await world.ask("delete", "Loan", id=loan) is True
        assert await world.ask("deleteMany", "Author", filter={"bio": bio}) == 2
        assert len(await feed.facts()) == 4


@about("delete", "deleteMany")
async def test_the_target_of_a_link_takes_the_link_with_it(world: World) -> None:
    first, second, third = [await world.tag() for _ in range(3)]
    both = (await world.author(tags=[first, second]))["id"]
    one = (await world.author(tags=[second, third]))["id"]
    async with world.watching() as feed:
        assert await world.ask("delete", "Tag", id=first) is True
        assert await feed.told() == [("updated", "Author", both), ("deleted", "Tag", first)]
        assert await world.ask("deleteMany", "Tag", filter={"id": {"$in": [second, third]}}) == 2
        told = await feed.told()
    assert sorted(told) == sorted(
        [("updated", "Author", both), ("updated", "Author", one), ("deleted", "Tag", second), ("deleted", "Tag", third)]
    )
    assert (await world.ask("findById", "Author", id=both))["tags"] == []
    assert (await world.ask("findById", "Author", id=one))["tags"] == []


@about("delete", "update", "findAll", "findById", "findOne", "count", "search", "aggregate")
async def test_a_softly_deleted_row_is_hidden_but_kept(world: World) -> None:
    slug = fresh()
    id = (await world.ask("create", "Note", data={"slug": slug}))["id"]
    async with world.watching() as feed:
        assert await world.ask("delete", "Note", id=id) is True
        [fact] = await feed.facts()
        assert fact.what == ("deleted", "Note", id)
        assert await world.ask("delete", "Note", id=id) is False
        assert await world.ask("update", "Note", id=id, data={"body": "x"}) is None
        assert await world.ask("updateMany", "Note", filter={"slug": slug}, data={"body": "x"}) is None
        assert await world.ask("deleteMany", "Note", filter={"slug": slug}) == 0
        assert await feed.facts() == []
    assert await world.ask("findById", "Note", id=id) is None
    assert await world.ask("findAll", "Note", filter={"slug": slug}) == []
    assert await world.ask("findOne", "Note", filter={"slug": slug}) is None
    assert await world.ask("count", "Note", filter={"slug": slug}) == 0
    assert await world.ask("search", "Note", query=slug) == []
    group = {"$group": {"_by": None, "n": {"$count": True}}}
    counted = await world.ask("aggregate", "Note", stages=[{"$match": {"slug": slug}}, group])
    assert counted == [{"_group": None, "n": 0}]
    [kept] = await world.ask("findAll", "Note", filter={"slug": slug}, options={"includeDeleted": True})
    assert kept["deletedAt"] is not None
    assert await world.ask("findAll", "Note", filter={"slug": slug, "deletedAt": {"$ne": None}}) == [kept]
    assert await world.ask("count", "Note", filter={"slug": slug, "deletedAt": {"$exists": True}}) == 1


@about("addToSet", "pull", "update")
async def test_a_link_to_a_softly_deleted_row_stays_until_it_is_pulled(world: World) -> None:
    first, second, third = sorted([(await world.ask("create", "Note", data={"slug": fresh()}))["id"] for _ in range(3)])
    id = (await world.author(notes=[first]))["id"]
    assert await world.ask("delete", "Note", id=first) is True
    found = await world.ask("findById", "Author", id=id, relations=["notes"])
    assert found["notes"] == []
    assert (await world.ask("addToSet", "Author", id=id, field="notes", value=second))["notes"] == [first, second]
    assert (await world.ask("update", "Author", id=id, data={"notes": [first, third]}))["notes"] == [first, third]
    assert (await world.ask("pull", "Author", id=id, field="notes", value=first))["notes"] == [third]
    found = await world.refused("addToSet", "Author", id=id, field="notes", value=first)
    assert found.code == "REFERENCE_NOT_FOUND"


@about("create", "upsert", "delete")
async def test_a_softly_deleted_row_gives_its_unique_value_back(world: World) -> None:
    slug = fresh()
    for _ in range(2):
        row = await world.ask("create", "Note", data={"slug": slug})
        assert (await world.refused("create", "Note", data={"slug": slug})).code == "UNIQUE_VIOLATION"
        assert await world.ask("delete", "Note", id=row["id"]) is True
    assert (await world.refused("create", "Note", data={"id": row["id"], "slug": fresh()})).code == "DUPLICATE_ID"
    again = await world.ask("upsert", "Note", filter={"slug": slug}, data={"body": "b"})
    assert again["id"] != row["id"]
    assert await world.ask("count", "Note", filter={"slug": slug}, options={"includeDeleted": True}) == 3


@about("create", "update", "upsert", "updateMany", "findById", "findAll", "search")
async def test_a_secret_is_kept_and_never_told(world: World) -> None:
    word = fresh(f"{_SECRET} ")
    secrets = {"password": word, "pin": word}
    bio = fresh()
    async with aiohttp.ClientSession() as session, session.get(f"{world.site.url}/events") as events:
        async with world.watching() as feed:
            told = [await world.whole("create", "Author", data={"email": fresh(), "bio": bio, **secrets})]
            id = told[0]["data"]["id"]
            told.append(await world.whole("update", "Author", id=id, data={"password": f"{word} again"}))
            told.append(await world.whole("updateMany", "Author", filter={"bio": bio}, data={"pin": f"{word} more"}))
            told.append(await world.whole("upsert", "Author", filter={"bio": bio}, data={"pin": word}))
            told.append(await world.whole("increment", "Author", id=id, field="score", amount=1, relations=["mentor"]))
            told.append(await world.whole("findById", "Author", id=id))
            told.append(await world.whole("findAll", "Author", filter={"bio": bio}))
            told.append(await world.whole("search", "Author", query=bio))
            facts = await feed.facts()
        assert len(facts) == 5
        streamed = b""
        while streamed.count(id.encode()) < 2 * len(facts):
            streamed += await events.content.readany()
    assert word not in str(told)
    assert "password" not in str(told)
    assert word.encode() not in streamed
    assert b"password" not in streamed
    assert word not in world.site.log()
    await _assert_not_in_any_stream(world, word.encode())


async def _assert_not_in_any_stream(world: World, word: bytes) -> None:
    endpoint = find_running(world.site.directory / "nats")
    assert endpoint is not None
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    try:
        for stream in ("OCTO_CMD_default", "OCTO_LOG_default", "OCTO_FACTS_default"):
            last = (await client.jetstream().stream_info(stream)).state.last_seq
            for sequence in range(max(1, last - 20), last + 1):
                message = await client.jetstream().get_msg(stream, sequence)
                assert word not in (message.data or b"")
    finally:
        await client.close()


@about("create", "update", "delete")
@pytest.mark.parametrize("op", ["create", "update", "delete"])
async def test_a_fact_carries_the_row_as_it_is_after(world: World, op: str) -> None:
    row = await world.author(name="A")
    async with world.watching() as feed:
        if op == "create":
            after = await world.author(name="B", profile={"n": [1.5, None]})
        elif op == "update":
            after = await world.ask("update", "Author", id=row["id"], data={"name": "B"})
        else:
            after = None
            assert await world.ask("delete", "Author", id=row["id"]) is True
        [fact] = await feed.facts()
    data = fact.data and {name: value for name, value in fact.data.items() if name not in ("password", "pin")}
    assert data == after
    assert fact.op == op
    assert fact.version == (1 if op == "create" else 2)
