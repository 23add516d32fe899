"""Every dialect keeps what the write side relies on: transactions, versions, constraints, links, the checkpoint."""

from __future__ import annotations

import pytest

from octonet.kernel.errors import ConstraintViolation, Internal
from octonet.kernel.filter import EVERYTHING, Compare, Comparison
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Checkpoint, Database, Remembered, Stored
from tests.conformance.dialect_cases import (
    ACCOUNT,
    AT,
    ORDER,
    PERSON,
    USER,
    of_values,
    page,
    public,
    row_of,
    state,
    stored,
    write,
)


def full_person(id: str) -> Stored:
    return stored(
        PERSON,
        id,
        name="Ada",
        bio="🧮 “quoted” \\ ' \" % _",
        age=30.5,
        active=True,
        born="1815-12-10T00:00:00.000Z",
        settings={"deep": [1, 2.5, None, True, "ü"]},
        labels=["x", "y"],
        password="sealed",
        bossId=None,
        createdAt=AT,
        updatedAt=AT,
        groups=["g1", "g2"],
    )


async def fetched(database: Database, schema: EntitySchema, *ids: str) -> dict[str, Stored]:
    transaction = await database.begin()
    rows = await transaction.fetch(schema, [EntityId(id) for id in ids])
    await transaction.rollback()
    return {str(id): row for id, row in rows.items()}


async def test_a_row_is_fetched_exactly_as_it_was_inserted(database: Database) -> None:
    person = full_person("p1")
    await write(database, PERSON, person)
    assert await fetched(database, PERSON, "p1", "absent") == {"p1": person}


async def test_numbers_keep_their_wire_form(database: Database) -> None:
    ages = {"a": 30, "b": 30.5, "c": 0, "d": -(2**53), "e": 2**53, "f": 0.1 + 0.2, "g": 1e-300}
    await write(database, PERSON, *(stored(PERSON, id, age=age) for id, age in ages.items()))
    rows = await fetched(database, PERSON, *ages)
    assert {id: repr(row.state["age"]) for id, row in rows.items()} == {id: repr(age) for id, age in ages.items()}


async def test_a_column_the_state_does_not_know_is_null_and_one_the_table_does_not_know_is_left_out(
    database: Database,
) -> None:
    await write(database, PERSON, Stored(EntityId("p"), 1, {"id": "p", "name": "Old", "dropped": 1}))
    assert (await fetched(database, PERSON, "p"))["p"].state == state(PERSON, "p", name="Old")


async def test_many_rows_are_inserted_fetched_and_deleted_at_once(database: Database) -> None:
    people = [stored(PERSON, f"p{number:05}", age=number, groups=[f"g{number % 7}"]) for number in range(10_500)]
    names = [person.id for person in people]
    transaction = await database.begin()
    await transaction.insert(PERSON, people)
    assert await transaction.fetch(PERSON, names) == {person.id: person for person in people}
    assert await transaction.present(PERSON, [*names, EntityId("absent")]) == frozenset(names)
    await transaction.delete(PERSON, names)
    assert await transaction.match(PERSON, EVERYTHING) == []
    assert await transaction.linked(PERSON, PERSON.relations["groups"], [EntityId("g1")]) == []
    await transaction.commit()


async def test_an_update_replaces_the_row_its_version_and_its_links(database: Database) -> None:
    await write(database, PERSON, full_person("p1"), full_person("p2"))
    after = stored(PERSON, "p1", 2, name="Grace", groups=["g2", "g3"])
    transaction = await database.begin()
    await transaction.update(PERSON, [(1, after)])
    await transaction.commit()
    assert await fetched(database, PERSON, "p1", "p2") == {"p1": after, "p2": full_person("p2")}


@pytest.mark.parametrize(("id", "version"), [("u1", 2), ("u1", 0), ("absent", 1)])
async def test_an_update_of_an_absent_row_or_another_version_is_refused(
    database: Database, id: str, version: int
) -> None:
    await write(database, USER, stored(USER, "u1", email="a"), stored(USER, "u2", email="b"))
    transaction = await database.begin()
    changes = [(1, stored(USER, "u2", 2, email="c")), (version, stored(USER, id, 3, email="d"))]
    with pytest.raises(Internal):
        await transaction.update(USER, changes)
    await transaction.rollback()
    assert (await fetched(database, USER, "u2"))["u2"].version == 1


async def test_rows_may_exchange_their_unique_values_in_one_update(database: Database) -> None:
    await write(database, USER, *(stored(USER, id, email=id) for id in ("a", "b", "c")))
    transaction = await database.begin()
    turned = [(1, stored(USER, id, 2, email=email)) for id, email in (("a", "b"), ("b", "c"), ("c", "a"))]
    await transaction.update(USER, turned)
    await transaction.commit()
    assert await fetched(database, USER, "a", "b", "c") == {row.id: row for _, row in turned}


async def test_an_exchange_with_a_wrong_version_is_refused(database: Database) -> None:
    await write(database, USER, stored(USER, "a", email="a"), stored(USER, "b", email="b"))
    transaction = await database.begin()
    with pytest.raises(Internal):
        await transaction.update(USER, [(1, stored(USER, "a", 2, email="b")), (7, stored(USER, "b", 8, email="a"))])
    await transaction.rollback()
    assert {row.state["email"] for row in (await fetched(database, USER, "a", "b")).values()} == {"a", "b"}


async def test_a_delete_of_an_absent_row_is_refused(database: Database) -> None:
    await write(database, USER, stored(USER, "u1", email="a"))
    transaction = await database.begin()
    with pytest.raises(Internal):
        await transaction.delete(USER, [EntityId("u1"), EntityId("absent")])
    await transaction.rollback()
    assert list(await fetched(database, USER, "u1")) == ["u1"]


async def test_a_rollback_leaves_nothing_and_may_come_twice(database: Database) -> None:
    transaction = await database.begin()
    await transaction.insert(PERSON, [full_person("p1")])
    await transaction.move_checkpoint(Checkpoint(9, 9, b"d", "s"))
    await transaction.rollback()
    await transaction.rollback()
    assert await row_of(database, PERSON, "p1") is None
    assert await database.pairs(PERSON, PERSON.relations["groups"], [EntityId("p1")]) == []
    assert await database.checkpoint() == Checkpoint()


async def test_a_transaction_that_is_over_can_do_nothing_more(database: Database) -> None:
    transaction = await database.begin()
    await transaction.commit()
    with pytest.raises(Internal):
        await transaction.insert(USER, [stored(USER, "u1", email="a")])
    with pytest.raises(Internal):
        await transaction.commit()
    await transaction.rollback()


async def test_there_is_never_a_second_transaction(database: Database) -> None:
    transaction = await database.begin()
    with pytest.raises(Internal):
        await database.begin()
    await transaction.rollback()
    await (await database.begin()).rollback()


async def test_nested_savepoints_undo_only_what_came_after_them(database: Database) -> None:
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "kept", email="kept")])
    await transaction.savepoint()
    await transaction.insert(USER, [stored(USER, "outer", email="outer")])
    await transaction.savepoint()
    await transaction.insert(USER, [stored(USER, "inner", email="inner")])
    await transaction.rollback_to()
    assert await transaction.match(USER, EVERYTHING) == ["kept", "outer"]
    await transaction.savepoint()
    await transaction.insert(USER, [stored(USER, "released", email="released")])
    await transaction.release()
    await transaction.rollback_to()
    with pytest.raises(Internal):
        await transaction.release()
    await transaction.commit()
    assert list(await fetched(database, USER, "kept", "outer", "inner", "released")) == ["kept"]


async def test_a_violation_leaves_the_transaction_usable_behind_its_savepoint(database: Database) -> None:
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "u1", email="a")])
    await transaction.savepoint()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(USER, [stored(USER, "u2", email="b"), stored(USER, "u3", email="a")])
    await transaction.rollback_to()
    await transaction.insert(USER, [stored(USER, "u4", email="c")])
    await transaction.commit()
    assert sorted(await fetched(database, USER, "u1", "u2", "u3", "u4")) == ["u1", "u4"]


@pytest.mark.parametrize(
    ("taken", "code", "paths"),
    [
        (stored(USER, "new", email="a", tenant="other", number=1), "UNIQUE_VIOLATION", ["$.data.email"]),
        (stored(USER, "u1", email="new"), "UNIQUE_VIOLATION", ["$.data.id"]),
        (stored(USER, "new", email="z", tenant="t", number=1), "UNIQUE_VIOLATION", ["$.data.tenant", "$.data.number"]),
        (stored(USER, "new", email=None), "REQUIRED", ["$.data.email"]),
    ],
)
async def test_a_violated_constraint_names_the_columns(
    database: Database, taken: Stored, code: str, paths: list[str]
) -> None:
    await write(database, USER, stored(USER, "u1", email="a", tenant="t", number=1))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(USER, [taken])
    await transaction.rollback()
    assert refused.value.code == code
    assert [fault.path for fault in refused.value.faults] == paths
    assert "User" in refused.value.message


async def test_an_update_that_takes_anothers_unique_value_is_refused_by_name(database: Database) -> None:
    await write(database, USER, *(stored(USER, id, email=id) for id in ("a", "b", "c")))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.update(USER, [(1, stored(USER, "a", 2, email="c")), (1, stored(USER, "b", 2, email="x"))])
    await transaction.rollback()
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]


async def test_null_is_never_a_duplicate(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "a"), stored(ACCOUNT, "b"))
    await write(database, USER, stored(USER, "a", email="a", tenant="t"), stored(USER, "b", email="b", tenant="t"))
    assert await database.count(ACCOUNT, EVERYTHING) == 2


async def test_a_soft_deleted_row_frees_its_unique_value(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "gone", email="a", deletedAt=AT))
    await write(database, ACCOUNT, stored(ACCOUNT, "live", email="a"))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(ACCOUNT, [stored(ACCOUNT, "third", email="a")])
    await transaction.rollback()
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]


async def test_soft_deleted_rows_are_fetched_but_not_present_and_matched_only_when_asked(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "gone", deletedAt=AT), stored(ACCOUNT, "live"))
    transaction = await database.begin()
    both = [EntityId("gone"), EntityId("live")]
    assert sorted(await transaction.fetch(ACCOUNT, both)) == both
    assert await transaction.present(ACCOUNT, both) == {"live"}
    assert await transaction.match(ACCOUNT, EVERYTHING) == ["live"]
    assert await transaction.match(ACCOUNT, EVERYTHING, include_deleted=True) == both
    await transaction.rollback()


async def test_match_gives_ids_in_order_up_to_its_limit(database: Database) -> None:
    await write(database, PERSON, *(stored(PERSON, id, age=7) for id in ("c", "a", "B", "é", "b")))
    transaction = await database.begin()
    where = Compare("age", Comparison.EQ, 7)
    assert await transaction.match(PERSON, where) == ["B", "a", "b", "c", "é"]
    assert await transaction.match(PERSON, where, limit=2) == ["B", "a"]
    assert await transaction.match(PERSON, where, limit=0) == []
    await transaction.rollback()


async def test_linked_finds_the_owners_of_any_target(database: Database) -> None:
    links = {"p3": ["g1", "g2"], "p1": ["g2"], "p2": ["g3"]}
    await write(database, PERSON, *(stored(PERSON, id, groups=[*groups]) for id, groups in links.items()))
    transaction = await database.begin()
    relation = PERSON.relations["groups"]
    assert await transaction.linked(PERSON, relation, [EntityId("g1"), EntityId("g2")]) == ["p1", "p3"]
    assert await transaction.linked(PERSON, relation, []) == []
    await transaction.rollback()


async def test_empty_writes_do_nothing(database: Database) -> None:
    transaction = await database.begin()
    await transaction.insert(PERSON, [])
    await transaction.update(PERSON, [])
    await transaction.delete(PERSON, [])
    await transaction.remember([])
    assert await transaction.fetch(PERSON, []) == {}
    assert await transaction.present(PERSON, []) == frozenset()
    assert await transaction.recall([]) == {}
    await transaction.commit()


async def test_the_checkpoint_moves_with_the_transaction(database: Database) -> None:
    first, second = Checkpoint(1, 2, b"\x00\xff" * 16, "schema"), Checkpoint(2**53, 2**53, b"", "other")
    assert await database.checkpoint() == Checkpoint()
    for to in (first, second):
        transaction = await database.begin()
        await transaction.move_checkpoint(to)
        assert await transaction.checkpoint() == to
        await transaction.commit()
        assert await database.checkpoint() == to


async def test_the_newest_of_the_commands_made_of_time_is_known(database: Database) -> None:
    transaction = await database.begin()
    assert await transaction.newest() == ""
    ids = ["019a-7000", "019a-7fff", "019b-0000", "key-ffff", "0000-ffff", "zzzz"]
    await transaction.remember([Remembered(CommandId(id), 1) for id in ids])
    assert await transaction.newest() == "019b-0000"
    await transaction.commit()


async def test_decided_commands_are_recalled(database: Database) -> None:
    commands = [CommandId(f"c{number}") for number in range(10_100)]
    transaction = await database.begin()
    await transaction.remember([Remembered(command, number) for number, command in enumerate(commands)])
    recalled = await transaction.recall([*commands, CommandId("unknown")])
    assert recalled == {command: number for number, command in enumerate(commands)}
    await transaction.commit()
    assert await database.recall(CommandId("c42")) == 42
    assert await database.recall(CommandId("unknown")) is None


async def test_a_command_cannot_be_decided_twice(database: Database) -> None:
    transaction = await database.begin()
    await transaction.remember([Remembered(CommandId("c"), 1)])
    with pytest.raises(Internal):
        await transaction.remember([Remembered(CommandId("c"), 2)])
    await transaction.rollback()


async def test_readers_see_the_old_rows_until_the_commit_and_the_new_ones_after(database: Database) -> None:
    await write(database, PERSON, stored(PERSON, "p1", name="old", groups=["g1"]))
    transaction = await database.begin()
    await transaction.update(PERSON, [(1, stored(PERSON, "p1", 2, name="new", groups=["g2"]))])
    before = state(PERSON, "p1", name="old", groups=["g1"])
    long = page(Compare("bio", Comparison.NE, "x"))
    assert await row_of(database, PERSON, "p1") == public(before)
    assert await database.count(PERSON, Compare("name", Comparison.EQ, "new")) == 0
    assert await database.select(PERSON, long) == []
    await transaction.commit()
    after = state(PERSON, "p1", name="new", groups=["g2"])
    assert await row_of(database, PERSON, "p1") == public(after)
    assert await database.count(PERSON, Compare("name", Comparison.EQ, "new")) == 1


async def test_reserved_words_may_name_everything(database: Database) -> None:
    words = {name: name.upper() for name in ORDER.fields}
    order = of_values(ORDER, "o1", {**words, "order": "u1"})
    await write(database, USER, stored(USER, "u1", email="a"))
    await write(database, ORDER, order)
    transaction = await database.begin()
    await transaction.update(ORDER, [(1, of_values(ORDER, "o1", {**words}, 2))])
    await transaction.commit()
    for name in words:
        where = Compare(name, Comparison.EQ, name.upper())
        assert await database.count(ORDER, where) == 1
    assert await database.select(ORDER, page(Compare("select", Comparison.GT, "A"))) == [
        of_values(ORDER, "o1", {**words}).state
    ]
