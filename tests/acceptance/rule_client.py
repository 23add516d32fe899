"""A program that adds replication rules between projects, writes on both sides, and waits until they are alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.acceptance.replica_client import Client

ITEM: dict[str, Any] = {
    "name": "Item",
    "collection": "items",
    "timestamps": True,
    "softDelete": False,
    "fields": {
        "text": {"type": "text"},
        "count": {"type": "number", "default": 0},
        "secret": {"type": "string"},
        "labels": {"type": "array", "arrayOf": "string"},
    },
    "relations": {
        "shelf": {"target": "Shelf", "type": "many-to-one", "nullable": True, "onDelete": "set-null"},
        "tags": {"target": "Tag", "type": "many-to-many", "through": "item_tags"},
    },
}
SHELF: dict[str, Any] = {
    "name": "Shelf",
    "collection": "shelves",
    "fields": {"name": {"type": "string", "required": True}},
}
TAG: dict[str, Any] = {
    "name": "Tag",
    "collection": "tags",
    "softDelete": True,
    "fields": {"label": {"type": "string", "required": True, "unique": True}},
}
SCHEMAS = [SHELF, TAG, ITEM]
WITHIN = 60.0


class RuleClient(Client):
    async def place(self, name: str, schemas: Any = None, **more: Any) -> None:
        await self.done("POST", "/api/projects", {"name": name, "schemas": schemas or SCHEMAS, **more})

    async def rule(self, name: str, source: str, target: str, mode: str = "cdc", **more: Any) -> Any:
        wish = {"name": name, "source": source, "target": target, "mode": mode, **more}
        told = await self.done("POST", "/api/replicas/rules", wish)
        return next(rule for rule in told["rules"] if rule["name"] == name)

    async def refused(self, **wish: Any) -> tuple[int, str, str]:
        status, told = await self.ask("POST", "/api/replicas/rules", wish)
        assert status >= 400, told
        return status, told["error"]["code"], told["error"]["message"]

    async def stats(self, name: str) -> Any:
        return (await self.done("GET", f"/api/replicas/rules/{name}/stats"))["stats"]

    async def counted(self, name: str, wanted: Callable[[Any], object]) -> Any:
        """The figures of a rule, once they are as they are wanted: they come a little later than the rows."""
        stats = None
        try:
            async with asyncio.timeout(WITHIN):
                while not wanted(stats := await self.stats(name)):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"the figures stay {stats}") from None
        return stats

    async def sync(self, name: str) -> Any:
        told = await self.done("POST", f"/api/replicas/rules/{name}/sync", {})
        assert told["ok"] is True
        return told["stats"]

    async def put(self, project: str, what: str, **row: Any) -> str:
        return str((await self.done("POST", f"/{project}/api/v1/{what}", row))["data"]["id"])

    async def change(self, project: str, what: str, id: str, **row: Any) -> None:
        await self.done("PUT", f"/{project}/api/v1/{what}/{id}", row)

    async def drop(self, project: str, what: str, id: str) -> None:
        await self.done("DELETE", f"/{project}/api/v1/{what}/{id}")

    async def rows(self, project: str, what: str) -> list[Any]:
        told = await self.done("GET", f'/{project}/api/v1/{what}?sort={{"id":1}}&limit=1000')
        return list(told["data"])

    async def alike(self, one: str, other: str, *what: str, within: float = WITHIN) -> list[Any]:
        """Wait until both have the same rows, and give them."""
        names = what or ("items", "shelves", "tags")
        found: list[Any] = []
        try:
            async with asyncio.timeout(within):
                while True:
                    found = [await self.rows(one, name) for name in names]
                    if found == [await self.rows(other, name) for name in names]:
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            there = [await self.rows(other, name) for name in names]
            raise AssertionError(f"{one} and {other} differ:\n{found}\n{there}") from None
