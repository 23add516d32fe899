"""What each query answers, the same through every door and over every dialect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.world import World, about, fresh

_LOOKS = ("findAll", "findOne", "count")


async def _five(world: World) -> tuple[str, list[Any]]:
    """Five authors that share a bio, and the bio."""
    bio = fresh("bio")
    values: list[dict[str, Any]] = [
        {"name": "Ada", "score": 1, "born": "1815-12-10", "active": True, "level": "known"},
        {"name": "bob", "score": 2.5, "born": "1990-01-01", "active": False},
        {"name": "Cyd", "score": None, "born": None, "active": True},
        {"name": None, "score": -3, "born": "2001-09-09T01:46:40Z", "active": None, "level": "gone"},
        {"name": "ada", "score": 2.5, "born": "1990-01-01T00:00:00.001Z", "active": True},
    ]
    return bio, [await world.author(bio=bio, **each) for each in values]


@about("findById")
async def test_find_by_id_answers_the_row_or_null(world: World) -> None:
    row = await world.author(name="A")
    assert await world.ask("findById", "Author", id=row["id"]) == row
    assert await world.ask("findById", "authors", id=row["id"]) == row
    assert await world.ask("findById", "Author", id="nobody") is None
    assert await world.ask("findById", "Author", id="' OR 1=1 --") is None


@about("findById", "findAll", "findOne")
async def test_select_and_exclude_narrow_what_is_shown(world: World) -> None:
    row = await world.author(name="A", rating=4)
    named = {"filter": {"id": row["id"]}}
    for op, members in (("findById", {"id": row["id"]}), ("findOne", named), ("findAll", named)):
        found = await world.ask(op, "Author", options={"select": ["name", "tags"]}, **members)
        found = found[0] if op == "findAll" else found
        assert found == {"id": row["id"], "name": "A", "tags": []}
        found = await world.ask(op, "Author", options={"exclude": ["name", "id"]}, **members)
        found = found[0] if op == "findAll" else found
        assert found == {name: value for name, value in row.items() if name != "name"}


@about("findAll", "count", "findOne")
@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"name": "Ada"}, [0]),
        ({"name": None}, [3]),
        ({"name": {"$ne": None}}, [0, 1, 2, 4]),
        ({"name": {"$ne": "Ada"}}, [1, 2, 4]),
        ({"name": {"$exists": False}}, [3]),
        ({"score": {"$gt": 1, "$lte": 2.5}}, [1, 4]),
        ({"score": {"$gte": 1}, "active": True}, [0, 4]),
        ({"score": {"$lt": 0}}, [3]),
        ({"name": {"$in": ["Ada", "bob", "nobody"]}}, [0, 1]),
        ({"name": {"$in": []}}, []),
        ({"name": {"$in": ["Ada", None]}}, [0, 3]),
        ({"name": {"$nin": ["Ada"]}}, [1, 2, 4]),
        ({"name": {"$nin": []}}, [0, 1, 2, 3, 4]),
        ({"name": {"$regex": "^A"}}, [0]),
        ({"name": {"$regex": "da$", "$regexFlags": "i"}}, [0, 4]),
        ({"name": {"$regex": "."}}, [0, 1, 2, 4]),
        ({"name": {"$not": {"$regex": "^a", "$regexFlags": "i"}}}, [1, 2]),
        ({"born": {"$lt": "1990-01-01T00:00:00.001Z"}}, [0, 1]),
        ({"born": "1990-01-01T01:00:00+01:00"}, [1]),
        ({"active": False}, [1]),
        ({"$or": [{"name": "Ada"}, {"score": {"$gt": 2}}]}, [0, 1, 4]),
        ({"$and": [{"$or": [{"name": "bob"}, {"name": "Cyd"}]}, {"active": True}]}, [2]),
        ({"$or": [{"$and": [{"score": 2.5}, {"active": True}]}, {"level": "gone"}]}, [3, 4]),
    ],
)
async def test_a_filter_means_the_same_everywhere(world: World, where: dict[str, Any], wanted: list[int]) -> None:
    bio, rows = await _five(world)
    within = {"bio": bio, **where}
    found = await world.whole("findAll", "Author", filter=within, options={"sort": {"id": 1}})
    assert found["data"] == [rows[i] for i in wanted]
    assert found["metadata"]["count"] == len(wanted)
    assert await world.ask("count", "Author", filter=within) == len(wanted)
    one = await world.ask("findOne", "Author", filter=within, options={"sort": {"id": -1}})
    assert one == (rows[wanted[-1]] if wanted else None)


@about("findAll", "findOne", "count")
@pytest.mark.parametrize(
    ("where", "code", "path"),
    [
        ({"rating": {"$foo": 1}}, "UNKNOWN_OPERATOR", "$.filter.rating.$foo"),
        ({"$nor": []}, "UNKNOWN_OPERATOR", "$.filter.$nor"),
        ({"nmae": "x"}, "UNKNOWN_FIELD", "$.filter.nmae"),
        ({"profile.n": 1}, "UNKNOWN_FIELD", '$.filter["profile.n"]'),
        ({"rating": "5"}, "VALIDATION_ERROR", "$.filter.rating"),
        ({"rating": {}}, "INVALID_FILTER", "$.filter.rating"),
        ({"rating": {"$in": 5}}, "VALIDATION_ERROR", "$.filter.rating.$in"),
        ({"keywords": ["a"]}, "FIELD_NOT_ALLOWED", "$.filter.keywords"),
        ({"password": "x"}, "FIELD_NOT_ALLOWED", "$.filter.password"),
        ({"pin": {"$exists": True}}, "FIELD_NOT_ALLOWED", "$.filter.pin"),
        ({"$or": {"name": "x"}}, "INVALID_FILTER", "$.filter.$or"),
        ([], "INVALID_REQUEST", "$.filter"),
    ],
)
async def test_a_filter_that_is_not_understood_is_refused(world: World, where: Any, code: str, path: str) -> None:
    for op in _LOOKS:
        found = await world.refused(op, "Author", filter=where)
        assert (found.code, found.paths) == (code, [path])


@about("findAll")
async def test_rows_are_sorted_with_nulls_first_ascending_then_by_id(world: World) -> None:
    bio, rows = await _five(world)

    async def order(sort: dict[str, Any]) -> list[int]:
        found = await world.ask("findAll", "Author", filter={"bio": bio}, options={"sort": sort})
        return [rows.index(row) for row in found]

    assert await order({"score": 1}) == [2, 3, 0, 1, 4]
    assert await order({"score": -1}) == [1, 4, 0, 3, 2]
    assert await order({"score": "desc", "name": "desc"}) == [1, 4, 0, 3, 2]
    assert await order({"active": 1, "score": -1}) == [3, 1, 4, 0, 2]
    assert await order({"born": -1}) == [3, 4, 1, 0, 2]


@about("findAll")
async def test_pages_are_cut_by_skip_and_limit(world: World) -> None:
    bio, rows = await _five(world)
    for skip, limit, wanted in ((0, 2, rows[:2]), (1, 2, rows[1:3]), (4, 2, rows[4:]), (9, 2, []), (3, 0, rows[3:])):
        options = {"sort": {"id": 1}, "skip": skip, "limit": limit}
        assert await world.ask("findAll", "Author", filter={"bio": bio}, options=options) == wanted


@about("findAll", "search")
@pytest.mark.parametrize("sort", [{}, {"score": 1}, {"score": -1}, {"active": -1, "score": 1}, {"name": 1, "id": -1}])
async def test_a_cursor_walks_over_every_row_once(world: World, sort: dict[str, int]) -> None:
    bio, _ = await _five(world)
    options: dict[str, Any] = {"sort": sort} if sort else {}
    whole = await world.ask("findAll", "Author", filter={"bio": bio}, options=options)
    for op, members in (("findAll", {"filter": {"bio": bio}}), ("search", {"query": bio, "searchFields": ["bio"]})):
        walked: list[Any] = []
        cursor: dict[str, str] = {}
        for _ in range(5):
            page = await world.whole(op, "Author", options={**options, "limit": 2, **cursor}, **members)
            walked += page["data"]
            if "cursor" not in page["metadata"]:
                break
            cursor = {"after": page["metadata"]["cursor"]}
        assert walked == whole


@about("findAll")
async def test_options_that_are_not_understood_are_refused(world: World) -> None:
    for options, code in (
        ({"sort": {"nope": 1}}, "UNKNOWN_FIELD"),
        ({"sort": {"name": 2}}, "INVALID_SORT"),
        ({"sort": {"profile": 1}}, "FIELD_NOT_ALLOWED"),
        ({"select": ["nope"]}, "UNKNOWN_FIELD"),
        ({"select": ["password"]}, "FIELD_NOT_ALLOWED"),
        ({"exclude": ["nope"]}, "UNKNOWN_FIELD"),
        ({"after": "nonsense"}, "INVALID_CURSOR"),
        ({"limit": 1001}, "LIMIT_TOO_LARGE"),
    ):
        assert (await world.refused("findAll", "Author", options=options)).code == code
    assert (await world.refused("findAll", "Author", relations=["nope"])).code == "UNKNOWN_RELATION"
    assert (await world.refused("findAll", "Nobody")).code == "ENTITY_NOT_FOUND"


@about("findAll", "findOne", "search", "update")
async def test_the_rows_of_a_list_carry_their_versions_when_asked_for_them(world: World) -> None:
    bio, rows = await _five(world)
    await world.ask("update", "Author", id=rows[1]["id"], data={"rating": 8})
    options: dict[str, Any] = {"versions": True, "select": ["name"], "sort": {"id": 1}}
    wanted = [{"id": row["id"], "name": row["name"], "_version": 1 + (i == 1)} for i, row in enumerate(rows)]
    assert await world.ask("findAll", "Author", filter={"bio": bio}, options=options) == wanted
    assert await world.ask("findOne", "Author", filter={"bio": bio}, options=options) == wanted[0]
    assert await world.ask("search", "Author", query=bio, options=options) == wanted
    [whole] = await world.ask("findAll", "Author", filter={"id": rows[0]["id"]}, options={"versions": True})
    assert whole == rows[0] | {"_version": 1}


@about("count")
async def test_count_tells_the_total(world: World) -> None:
    bio, _ = await _five(world)
    told = await world.whole("count", "Author", filter={"bio": bio})
    assert (told["data"], told["metadata"]) == (5, {"total": 5})


@about("search")
async def test_search_finds_a_text_anywhere_whatever_its_case(world: World) -> None:
    word = fresh("Needle")
    in_name = await world.author(name=f"a {word.upper()} b")
    in_bio = await world.author(bio=f"x{word.lower()}")
    await world.author(password=word, profile={"n": word}, keywords=[word])
    found = await world.whole("search", "Author", query=word, options={"sort": {"id": 1}})
    assert found["data"] == [in_name, in_bio]
    assert found["metadata"]["count"] == 2
    assert await world.ask("search", "Author", query=word, searchFields=["bio"]) == [in_bio]
    assert await world.ask("search", "Author", query=word, options={"limit": 1, "sort": {"id": -1}}) == [in_bio]


@about("search")
async def test_search_takes_its_text_literally(world: World) -> None:
    word = fresh()
    row = await world.author(name=f"50%_{word}\\.*")
    for text in (f"%_{word}", f"{word}\\", f"{word}\\.*"):
        assert await world.ask("search", "Author", query=text) == [row]
    assert await world.ask("search", "Author", query=f"5_%_{word}") == []
    for field, code in (("nope", "UNKNOWN_FIELD"), ("password", "FIELD_NOT_ALLOWED"), ("rating", "FIELD_NOT_ALLOWED")):
        assert (await world.refused("search", "Author", query="x", searchFields=[field])).code == code
    assert (await world.refused("search", "Author", query="")).code == "MISSING_QUERY"


@about("aggregate")
async def test_aggregate_keeps_the_order_of_its_stages(world: World) -> None:
    bio, _ = await _five(world)
    match = {"$match": {"bio": bio}}
    group = {"$group": {"_by": "active", "n": {"$count": True}, "sum": {"$sum": "$score"}, "top": {"$max": "score"},
                        "low": {"$min": "score"}, "mean": {"$avg": "score"}, "twos": {"$sum": 2}}}  # fmt: skip
    assert await world.ask("aggregate", "Author", stages=[match, group, {"$sort": {"active": 1}}]) == [
        {"active": None, "n": 1, "sum": -3, "top": -3, "low": -3, "mean": -3, "twos": 2},
        {"active": False, "n": 1, "sum": 2.5, "top": 2.5, "low": 2.5, "mean": 2.5, "twos": 2},
        {"active": True, "n": 3, "sum": 3.5, "top": 2.5, "low": 1, "mean": 1.75, "twos": 6},
    ]
    sum_of = {"$group": {"_by": None, "sum": {"$sum": "score"}}}
    stages = [match, {"$sort": {"score": -1, "id": 1}}, {"$limit": 2}, sum_of]
    assert await world.ask("aggregate", "Author", stages=stages) == [{"_group": None, "sum": 5}]
    stages = [match, group, {"$match": {"n": {"$gt": 1}}}, {"$group": {"_by": None, "groups": {"$count": True}}}]
    assert await world.ask("aggregate", "Author", stages=stages) == [{"_group": None, "groups": 1}]


@about("aggregate")
async def test_a_stage_that_is_not_understood_is_refused(world: World) -> None:
    for stages, code in (
        ([], "MISSING_STAGES"),
        ([{"$lookup": {}}], "UNKNOWN_STAGE"),
        ([{"$match": {"name": {"$where": "1"}}}], "UNKNOWN_OPERATOR"),
        ([{"$group": {"_by": "password", "n": {"$count": True}}}], "FIELD_NOT_ALLOWED"),
        ([{"$group": {"_by": "name", "n": {"$sum": "$nope"}}}], "UNKNOWN_FIELD"),
        ([{"$group": {"_by": "name", "n": {"$first": "$name"}}}], "UNKNOWN_ACCUMULATOR"),
        ([{"$limit": "1; DROP TABLE authors"}], "INVALID_STAGE"),
    ):
        assert (await world.refused("aggregate", "Author", stages=stages)).code == code
