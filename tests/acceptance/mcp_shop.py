"""One call of each tool of a shop's customers, and what the reference's clients read of it."""

from __future__ import annotations

from typing import Any

JOHN = {"id": "c1", "email": "john@x.org", "visits": 1, "hobbies": ["chess"]}
CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("create", {"data": JOHN}, '"email": "john@x.org"'),
    ("findById", {"id": "c1"}, '"visits": 1'),
    ("findOne", {"filter": {"email": "john@x.org"}}, '"id": "c1"'),
    ("findAll", {"filter": {"visits": {"$gte": 1}}, "sort": {"visits": -1}, "limit": 5}, '"id": "c1"'),
    ("count", {}, "1"),
    ("search", {"query": "JOHN", "fields": "email"}, '"id": "c1"'),
    ("aggregate", {"stages": [{"$group": {"_by": None, "n": {"$count": True}}}]}, '"n": 1'),
    ("update", {"id": "c1", "data": {"visits": 2}}, '"visits": 2'),
    ("upsert", {"filter": {"email": "john@x.org"}, "data": {"visits": 3}}, '"visits": 3'),
    ("increment", {"id": "c1", "field": "visits", "amount": 4}, '"visits": 7'),
    ("addToSet", {"id": "c1", "field": "hobbies", "value": "go"}, '"go"'),
    ("pull", {"id": "c1", "field": "hobbies", "value": "chess"}, '"hobbies"'),
    ("updateMany", {"filter": {"id": "c1"}, "data": {"visits": 0}}, "Updated: 1"),
    ("deleteMany", {"filter": {"email": "nobody@x.org"}}, "Deleted: 0"),
    ("delete", {"id": "c1"}, "Deleted"),
]
"""(operation, arguments, a piece of the text that it answers with)."""
