"""Some authors and their books, as a server has them and as plain rows."""

from __future__ import annotations

from typing import Any

import aiohttp
from yarl import URL

Row = dict[str, Any]

_AUTHORS: list[Row] = [
    {"id": "a0", "name": "Ada", "score": 1, "rating": 3, "born": "1815-12-10", "active": True, "level": "known"},
    {"id": "a1", "name": "bob", "score": 2.5, "rating": 1, "born": "1990-01-01", "active": False, "mentor": "a0"},
    {"id": "a2", "name": "Cyd", "rating": 3, "active": True, "mentor": "a1", "bio": "writes\nlong"},
    {"id": "a3", "name": None, "score": -3, "born": "2001-09-09T01:46:40Z", "active": None, "level": "gone"},
    {"id": "a4", "name": "ada", "score": 2.5, "born": "1990-01-01T00:00:00.001Z", "active": True, "mentor": "a0"},
    {"id": "a5", "name": "O'Hara", "score": 0, "born": "1990-12-31T23:59:59.999Z", "active": False, "mentor": "a3"},
    {"id": "a6", "name": "", "score": 100, "rating": None, "bio": "a%b_c*d?e", "active": True, "mentor": "a2"},
    {"id": "a7", "name": "Zoë (née) \\", "score": 1e-3, "born": "2024-02-29", "level": "known", "mentor": "a4"},
    {"id": "a8", "name": "Ada Lovelace", "score": None, "rating": 5, "born": "1991-01-01", "active": None},
]
_BOOKS: list[Row] = [
    {"id": "b0", "title": "Notes", "pages": 42, "author": "a0"},
    {"id": "b1", "title": "More notes", "pages": 7, "author": "a0"},
    {"id": "b2", "title": "Untitled", "pages": None, "author": "a1"},
    {"id": "b3", "title": "Big", "pages": 900, "author": "a2"},
    {"id": "b4", "title": "Bigger", "pages": 901, "author": "a2"},
    {"id": "b5", "title": "notes", "pages": 42, "author": "a8"},
]
_TAGS: list[Row] = [{"id": "t0", "label": "red"}, {"id": "t1", "label": "green"}, {"id": "t2", "label": "blue"}]
_TAGGED = {"a0": ["t0", "t1"], "a2": ["t2"], "a3": ["t1", "t2"]}


async def filled(session: aiohttp.ClientSession) -> tuple[list[Row], list[Row]]:
    """The authors and the books, each with what it leads to: `mentor`, `books`, `tags`, `author`."""
    for path, rows in (("Tag", _TAGS), ("Author", _AUTHORS), ("Book", _BOOKS)):
        for row in rows:
            data = {"email": f"{row['id']}@x.org", "tags": _TAGGED.get(row["id"], []), **row}
            body = data if path == "Author" else row
            async with session.post(f"/api/v1/{path}", json=body) as reply:
                assert reply.status == 201, await reply.text()
    found: dict[str, list[Row]] = {}
    for path in ("Author", "Book"):
        async with session.get(f'/api/v1/{path}?sort={{"id":1}}') as reply:
            found[path] = (await reply.json())["data"]
    authors = {row["id"]: row for row in found["Author"]}
    for row in authors.values():
        row["mentor_id"] = row["mentor"]
        row["mentor"] = authors.get(row["mentor"])
        row["books"] = [book for book in found["Book"] if book["author"] == row["id"]]
        row["tags"] = [tag for tag in _TAGS if tag["id"] in _TAGGED.get(row["id"], [])]
    for book in found["Book"]:
        book["author_id"], book["author"] = book["author"], authors[book["author"]]
    return list(authors.values()), found["Book"]


class Asked:
    """A session with the server, and what stands there."""

    def __init__(self, session: aiohttp.ClientSession, authors: list[Row], books: list[Row]) -> None:
        self.session = session
        self.authors = authors
        self.books = books

    async def get(self, path: str, **options: str) -> tuple[int, Any]:
        """Status and body."""
        address = URL(f"/odata/{path}").with_query({f"${name}": value for name, value in options.items()})
        async with self.session.get(address) as reply:
            return reply.status, await reply.json(content_type=None)

    async def ids(self, path: str, **options: str) -> list[str]:
        """Of the rows, in the order in which they came."""
        status, told = await self.get(path, **options)
        assert status == 200, (options, told)
        return [row["id"] for row in told["value"]]
