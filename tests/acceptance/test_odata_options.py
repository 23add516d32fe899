"""The options beside $filter: the rows, the order and the sums that an evaluation of our own gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.acceptance.odata_sense import ordered
from tests.acceptance.odata_world import Asked, Row, filled
from tests.running import Server

LIBRARY = Path(__file__).parents[1] / "conformance" / "library.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("odata") / "data", LIBRARY) as found:
        yield found


_filled: list[tuple[list[Row], list[Row]]] = []


@pytest.fixture
async def asked(server: Server) -> AsyncIterator[Asked]:
    async with aiohttp.ClientSession(server.url) as session:
        if not _filled:
            _filled.append(await filled(session))
        yield Asked(session, *_filled[0])


async def test_every_order_is_the_one_that_the_specification_gives(asked: Asked) -> None:
    names = ("name", "score", "rating", "born", "active", "level", "id", "mentor_id")
    for first in names:
        for descending in (False, True):
            direction = " desc" if descending else ""
            wanted = ordered(asked.authors, (first, descending))
            assert await asked.ids("authors", orderby=f"{first}{direction}") == wanted
            for second in ("rating", "name"):
                if second != first:
                    wanted = ordered(asked.authors, (first, descending), (second, not descending))
                    text = f"{first}{direction},{second} {'asc' if descending else 'DESC'}"
                    assert await asked.ids("authors", orderby=text) == wanted


async def test_pages_follow_each_other_over_every_row_once(asked: Asked) -> None:
    for order in ("id", "name desc", "score,name desc", "active,born desc"):
        whole = await asked.ids("authors", orderby=order)
        path, walked = f"authors?$orderby={order}&$count=true", []
        while path:
            async with asked.session.get(URL(f"/odata/{path}"), headers={"Prefer": "odata.maxpagesize=2"}) as reply:
                told = await reply.json()
            assert told["@odata.count"] == len(whole)
            walked += [row["id"] for row in told["value"]]
            path = told.get("@odata.nextLink", "").removeprefix("/odata/")
        assert walked == whole
        assert await asked.ids("authors", orderby=order, skip="2", top="3") == whole[2:5]
        assert await asked.ids("authors", orderby=order, top="0") == []


EXPANSIONS: list[tuple[str, Any]] = [
    ("books", lambda a: {"books": [b["id"] for b in a["books"]]}),
    ("mentor", lambda a: {"mentor": a["mentor"] and a["mentor"]["id"]}),
    ("tags", lambda a: {"tags": [t["id"] for t in a["tags"]]}),
    ("books,mentor,tags", lambda a: {
        "books": [b["id"] for b in a["books"]], "mentor": a["mentor"] and a["mentor"]["id"],
        "tags": [t["id"] for t in a["tags"]],
    }),
    ("books($filter=pages gt 40)", lambda a: {"books": [b["id"] for b in a["books"] if (b["pages"] or 0) > 40]}),
    ("books($orderby=title desc)", lambda a: {
        "books": [b["id"] for b in sorted(a["books"], key=lambda b: str(b["title"]), reverse=True)]
    }),
    ("books($top=1)", lambda a: {"books": [b["id"] for b in a["books"]][:1]}),
    ("books($skip=1)", lambda a: {"books": [b["id"] for b in a["books"]][1:]}),
    ("books($skip=1;$top=1;$orderby=id desc)", lambda a: {"books": [b["id"] for b in a["books"]][::-1][1:2]}),
    ("books($count=true;$top=0)", lambda a: {"books": [], "books@odata.count": len(a["books"])}),
    ("books/$count", lambda a: {"books@odata.count": len(a["books"])}),
    ("books($filter=contains(title,'ote');$count=true)", lambda a: {
        "books": [b["id"] for b in a["books"] if "ote" in b["title"]],
        "books@odata.count": sum("ote" in b["title"] for b in a["books"]),
    }),
    ("books($search=big)", lambda a: {"books": [b["id"] for b in a["books"] if "big" in b["title"].lower()]}),
    ("books($select=title)", lambda a: {"books": [b["id"] for b in a["books"]]}),
    ("tags($orderby=label)", lambda a: {
        "tags": [t["id"] for t in sorted(a["tags"], key=lambda t: str(t["label"]))]
    }),
    ("tags($filter=label ne 'red')", lambda a: {"tags": [t["id"] for t in a["tags"] if t["label"] != "red"]}),
    ("tags($top=1;$orderby=label desc)", lambda a: {
        "tags": [t["id"] for t in sorted(a["tags"], key=lambda t: str(t["label"]), reverse=True)][:1]
    }),
    ("mentor($select=name)", lambda a: {"mentor": a["mentor"] and a["mentor"]["id"]}),
    ("books($filter=author/name eq 'Ada')", lambda a: {
        "books": [b["id"] for b in a["books"] if b["author"]["name"] == "Ada"]
    }),
    ("*", lambda a: {
        "books": [b["id"] for b in a["books"]], "mentor": a["mentor"] and a["mentor"]["id"],
        "tags": [t["id"] for t in a["tags"]], "notes": [],
    }),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), EXPANSIONS, ids=[text for text, _ in EXPANSIONS])
async def test_an_expansion_brings_the_rows_it_names(asked: Asked, text: str, wanted: Any) -> None:
    status, told = await asked.get("authors", expand=text, select="id", orderby="id")
    assert status == 200, told
    for row, author in zip(told["value"], asked.authors, strict=True):
        found = {
            name: [each["id"] for each in value] if isinstance(value, list) else value and value["id"]
            for name, value in row.items()
            if name in ("books", "mentor", "tags", "notes")
        }
        counts = {name: value for name, value in row.items() if name.endswith("@odata.count")}
        assert {**found, **counts} == wanted(author)
        status, one = await asked.get(f"authors('{author['id']}')", expand=text, select="id")
        assert status == 200
        assert {name: one.get(name) for name in row if name != "@odata.etag"} == {
            name: value for name, value in row.items() if name != "@odata.etag"
        }


async def test_expansions_lie_within_each_other(asked: Asked) -> None:
    by_id = {row["id"]: row for row in asked.authors}
    _, told = await asked.get("authors", expand="mentor($expand=mentor($expand=books),tags)", orderby="id")
    for row, author in zip(told["value"], asked.authors, strict=True):
        mentor = author["mentor"]
        if mentor is None:
            assert row["mentor"] is None
            continue
        assert [tag["id"] for tag in row["mentor"]["tags"]] == [tag["id"] for tag in mentor["tags"]]
        above = row["mentor"]["mentor"]
        assert (above and above["id"]) == (mentor["mentor"] and mentor["mentor"]["id"])
        if above:
            assert [book["id"] for book in above["books"]] == [book["id"] for book in by_id[above["id"]]["books"]]
    for levels, depth in (("2", 2), ("max", 3)):
        _, told = await asked.get("authors('a6')", expand=f"mentor($levels={levels})")
        seen = []
        while told.get("mentor"):
            told = told["mentor"]
            seen.append(told["id"])
        assert seen == ["a2", "a1", "a0"][:depth]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("aggregate($count as n)", [{"n": 9}]),
        ("aggregate(score with sum as s,score with max as top)", [{"s": 103.001, "top": 100}]),
        ("filter(score gt 1)/aggregate($count as n)", [{"n": 3}]),
        ("groupby((level),aggregate($count as n))", [{"level": "gone", "n": 1}, {"level": "known", "n": 2},
                                                     {"level": "new", "n": 6}]),
        ("filter(level ne 'new')/groupby((level))", [{"level": "gone"}, {"level": "known"}]),
        ("groupby((mentor_id),aggregate(score with min as low))", None),
    ],
)  # fmt: skip
async def test_what_is_aggregated(asked: Asked, text: str, wanted: list[Row] | None) -> None:
    order = {"orderby": "level"} if "groupby((level)" in text else {}
    status, told = await asked.get("authors", apply=text, **order)
    assert status == 200, told
    rows = [{name: value for name, value in row.items() if name != "@odata.id"} for row in told["value"]]
    if wanted is None:
        groups = {author["mentor_id"] for author in asked.authors}
        assert {row["mentor_id"] for row in rows} == groups
    else:
        assert rows == [pytest.approx(row) for row in wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ada", ["a0", "a4", "a8"]), ('"Ada L"', ["a8"]), ("ada NOT lovelace", ["a0", "a4"]),
        ("ada OR bob", ["a0", "a1", "a4", "a8"]), ("ada AND lovelace", ["a8"]), ("(ada OR bob) NOT lovelace",
        ["a0", "a1", "a4"]), ("NOT (ada OR bob)", ["a2", "a3", "a5", "a6", "a7"]), ("%b_", ["a6"]),
    ],
)  # fmt: skip
async def test_what_is_searched_for(asked: Asked, text: str, wanted: list[str]) -> None:
    assert await asked.ids("authors", search=text, orderby="id", filter="email ne null") == wanted


async def test_what_sap_clients_say_of_themselves_changes_no_answer(asked: Asked) -> None:
    wanted = await asked.ids("authors", orderby="name")
    path = "/odata/authors?$orderby=name&sap-client=100&sap-language=EN&sap-statistics=true"
    async with asked.session.get(URL(path)) as reply:
        assert [row["id"] for row in (await reply.json())["value"]] == wanted
