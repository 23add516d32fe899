"""Every dialect answers queries alike: rows in wire form, what is selected, what is left out, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from octonet.kernel.errors import Unavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, In, Options, Order
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.storage import Database, DatabaseOptions
from tests.conformance.dialect_cases import (
    ACCOUNT,
    AT,
    DOG,
    GROUP,
    KNOWN,
    PERSON,
    found,
    ids,
    of_values,
    opened,
    page,
    public,
    row_of,
    state,
    stored,
    write,
)


async def test_get_gives_the_row_with_links_and_without_secrets(database: Database) -> None:
    values: dict[str, JsonValue] = {
        "active": False,
        "labels": [],
        "settings": {"a": None},
        "groups": ["g1", "g2"],
        "password": "s",
    }
    await write(database, PERSON, of_values(PERSON, "p1", values), stored(PERSON, "p2", active=True))
    assert await row_of(database, PERSON, "p1") == public(of_values(PERSON, "p1", values).state)
    assert await row_of(database, PERSON, "p2") == public(state(PERSON, "p2", active=True))
    assert await row_of(database, PERSON, "absent") is None


async def test_the_whole_row_holds_its_secrets_too_as_long_as_it_is_live(database: Database) -> None:
    person = of_values(PERSON, "p1", {"password": "s", "groups": ["g1"], "active": True})
    gone = stored(ACCOUNT, "a1", email="e", deletedAt=AT)
    await write(database, PERSON, person)
    await write(database, ACCOUNT, gone)
    found = await database.whole(PERSON, EntityId("p1"))
    assert found is not None
    assert (found.version, found.state) == (person.version, person.state)
    assert await database.whole(PERSON, EntityId("absent")) is None
    assert await database.whole(ACCOUNT, EntityId("a1")) is None


@pytest.mark.parametrize(
    ("options", "members"),
    [
        (Options(select=("name", "groups")), ["id", "name", "groups"]),
        (Options(select=("name",)), ["id", "name"]),
        (Options(select=("password",)), ["id"]),
        (Options(select=("name", "age"), exclude=("age",)), ["id", "name"]),
        (Options(exclude=tuple(set(PERSON.columns) - {"age"})), ["id", "age", "groups"]),
        (Options(exclude=(*PERSON.columns, "groups")), ["id"]),
    ],
)
async def test_select_and_exclude_choose_the_members(database: Database, options: Options, members: list[str]) -> None:
    await write(database, PERSON, stored(PERSON, "p1", name="a", age=1, password="s", groups=["g"]))
    row = await row_of(database, PERSON, "p1", options)
    assert row is not None
    assert list(row) == members
    assert await database.select(PERSON, page(select=options.select, exclude=options.exclude)) == [row]


async def test_the_version_of_a_live_row_is_told(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "live", 7), stored(ACCOUNT, "gone", 3, deletedAt=AT))
    assert [await database.version(ACCOUNT, EntityId(id)) for id in ("live", "gone", "absent")] == [7, None, None]


async def test_soft_deleted_rows_are_left_out_unless_asked_for(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "gone", deletedAt=AT), stored(ACCOUNT, "live"))
    assert await row_of(database, ACCOUNT, "gone") is None
    assert await row_of(database, ACCOUNT, "gone", Options(include_deleted=True)) is not None
    assert ids(await database.select(ACCOUNT, page())) == ["live"]
    assert ids(await database.select(ACCOUNT, page(include_deleted=True))) == ["gone", "live"]
    assert await database.count(ACCOUNT, EVERYTHING) == 1
    assert await database.count(ACCOUNT, EVERYTHING, include_deleted=True) == 2
    assert ids(await database.aggregate(ACCOUNT, [], 10)) == ["live"]


async def test_rows_of_another_discriminator_are_always_left_out(database: Database) -> None:
    await write(database, DOG, stored(DOG, "cat", kind="cat"), stored(DOG, "rex"), stored(DOG, "fox", kind="fox"))
    where = In("id", ("cat", "rex"))
    assert await row_of(database, DOG, "cat") is None
    assert ids(await database.select(DOG, page(where, include_deleted=True, limit=5, skip=0))) == ["rex"]
    assert await database.count(DOG, where) == 1
    assert ids(await database.aggregate(DOG, [], 10)) == ["rex"]
    transaction = await database.begin()
    assert await transaction.present(DOG, [EntityId("cat"), EntityId("rex")]) == {"rex"}
    assert await transaction.match(DOG, EVERYTHING) == ["rex"]
    assert len(await transaction.fetch(DOG, [EntityId("cat"), EntityId("rex")])) == 2
    await transaction.rollback()


async def test_nulls_come_first_ascending_and_last_descending_and_ids_break_ties(database: Database) -> None:
    ages = {"d": 1, "a": None, "c": 2, "b": 1, "e": None}
    await write(database, PERSON, *(stored(PERSON, id, age=age) for id, age in ages.items()))
    assert await found(database, PERSON, EVERYTHING, Order("age")) == ["a", "e", "b", "d", "c"]
    assert await found(database, PERSON, EVERYTHING, Order("age", descending=True)) == ["c", "b", "d", "a", "e"]
    assert await found(database, PERSON, EVERYTHING, Order("id", descending=True)) == ["e", "d", "c", "b", "a"]


async def test_text_is_ordered_by_code_point(database: Database) -> None:
    names = ["Z", "a", "Á", "á", "ß", "\uffee", "😀", "", " ", "aa", "a b"]
    await write(database, PERSON, *(stored(PERSON, f"p{n}", name=name) for n, name in enumerate(names)))
    rows = await database.select(PERSON, page(EVERYTHING, Order("name"), select=("name",)))
    assert [row["name"] for row in rows] == sorted(names)


async def test_pages_are_cut_by_skip_and_limit(database: Database) -> None:
    await write(database, PERSON, *(stored(PERSON, f"p{number:03}", age=-number) for number in range(250)))
    for skip, limit in ((0, 0), (0, 3), (2, 3), (248, 10), (300, 10), (0, 200)):
        rows = await database.select(PERSON, page(EVERYTHING, limit=limit, skip=skip))
        assert ids(rows) == [f"p{number:03}" for number in range(250)][skip : skip + limit]
        rows = await database.select(PERSON, page(EVERYTHING, Order("age"), limit=limit, skip=skip))
        assert ids(rows) == [f"p{number:03}" for number in reversed(range(250))][skip : skip + limit]


async def test_each_row_of_a_page_carries_its_own_links(database: Database) -> None:
    links = {"p1": ["g2", "g3"], "p2": [], "p3": ["g1", "g3"]}
    await write(database, GROUP, *(stored(GROUP, f"g{number}") for number in (1, 2, 3)))
    await write(database, PERSON, *(stored(PERSON, id, name="x", groups=[*groups]) for id, groups in links.items()))
    for where in (EVERYTHING, Compare("name", Comparison.EQ, "x")):
        rows = await database.select(PERSON, page(where))
        assert {row["id"]: row["groups"] for row in rows} == links
    assert await database.pairs(PERSON, PERSON.relations["groups"], [EntityId("p3"), EntityId("p1")]) == [
        ("p1", "g2"), ("p1", "g3"), ("p3", "g1"), ("p3", "g3"),
    ]  # fmt: skip
    assert await database.pairs(PERSON, PERSON.relations["groups"], []) == []


@pytest.mark.parametrize("dialect", KNOWN)
async def test_a_query_past_its_deadline_is_refused_as_unavailable(dialect: str, tmp_path: Path) -> None:
    async with opened(dialect, tmp_path, options=DatabaseOptions(query_timeout=0.0)) as hurried:
        with pytest.raises(Unavailable) as refused:
            await hurried.count(PERSON, EVERYTHING)
        assert refused.value.code == "QUERY_TIMEOUT"
