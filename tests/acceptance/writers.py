"""Clients that write at random, all nine commands, and remember what they were told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import count
from typing import Any

import aiohttp

from tests.acceptance.checker import Told

_numbers = count(1)


class Writer:
    """One client of the shop. `told` is shared by all of them; replies that never came are not in it."""

    def __init__(self, url: Callable[[], str], told: list[Told], seed: int) -> None:
        self.url = url
        self._told = told
        self._dice = random.Random(seed)
        self._known: dict[str, list[str]] = {"customers": [], "orders": [], "tags": [], "notes": []}

    async def run(self, until: asyncio.Event) -> None:
        """Write until told to stop, or until the server goes away."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            while not until.is_set():
                try:
                    await self.once(session)
                except (aiohttp.ClientError, TimeoutError, ConnectionError):
                    return

    async def once(self, session: aiohttp.ClientSession) -> None:
        """One write."""
        choice = self._dice.choices(
            [
                self._create,
                self._update,
                self._upsert,
                self._delete,
                self._update_many,
                self._delete_many,
                self._increment,
                self._add_to_set,
                self._pull,
            ],
            [40, 12, 8, 6, 3, 1, 14, 10, 6],
        )[0]
        op, method, path, body = choice()
        told = await self.ask(session, op, method, "/api/v1/" + path, body)
        if told is None:
            return
        self._told.append(told)
        data = told.reply.get("data")
        if op == "create" and isinstance(data, dict):
            self._known[path].append(data["id"])

    async def ask(self, session: aiohttp.ClientSession, op: str, method: str, path: str, body: Any) -> Told | None:
        """What the server says to one request; None when that will never be known."""
        correlation = f"c{next(_numbers)}"
        headers = {"X-Correlation-Id": correlation}
        async with session.request(method, self.url() + path, json=body, headers=headers) as response:
            reply = await response.json()
            return Told(correlation, op, response.status, reply, response.headers.get("Octonet-Position", ""))

    def _pick(self, collection: str) -> str:
        known = self._known[collection]
        return self._dice.choice(known[-200:]) if known and self._dice.random() < 0.95 else "nobody"

    def _create(self) -> tuple[str, str, str, Any]:
        dice = self._dice
        number = dice.randrange(4000)
        collection = dice.choices(["customers", "orders", "tags", "notes"], [5, 4, 1, 2])[0]
        body: dict[str, Any]
        if collection == "customers":
            body = {
                "email": f"U{number}@x.org",
                "hobbies": ["go"],
                "vip": dice.random() < 0.5,
                "profile": {"n": [number]},
                "password": f"correct horse battery {number}",
                "tags": self._known["tags"][-2:],
            }
            if dice.random() < 0.3:
                body["referrer"] = self._pick("customers")
        elif collection == "orders":
            body = {"total": number / 4, "customer": self._pick("customers")}
        elif collection == "tags":
            body = {"label": f" T{number % 400} "}
        else:
            body = {"slug": f"s{number}", "body": "x" * dice.randrange(300)}
        return "create", "POST", collection, body

    def _update(self) -> tuple[str, str, str, Any]:
        collection, body = self._dice.choice(
            [
                ("customers", {"status": self._dice.choice(["new", "regular", "gone"])}),
                ("customers", {"email": f"u{self._dice.randrange(4000)}@x.org"}),
                ("customers", {"tags": self._known["tags"][:3]}),
                ("orders", {"state": self._dice.choice(["open", "paid", "sent"])}),
            ]
        )
        return "update", "PUT", f"{collection}/{self._pick(collection)}", body

    def _upsert(self) -> tuple[str, str, str, Any]:
        email = f"u{self._dice.randrange(4000)}@x.org"
        return "upsert", "POST", "customers/upsert", {"filter": {"email": email}, "data": {"status": "regular"}}

    def _delete(self) -> tuple[str, str, str, Any]:
        collection = self._dice.choice(["customers", "orders", "tags", "notes"])
        return "delete", "DELETE", f"{collection}/{self._pick(collection)}", None

    def _update_many(self) -> tuple[str, str, str, Any]:
        low = self._dice.randrange(900)
        where = {"total": {"$gte": low, "$lt": low + 40}}
        return "updateMany", "PUT", "orders/bulk", {"filter": where, "data": {"note": f"n{low}"}}

    def _delete_many(self) -> tuple[str, str, str, Any]:
        low = self._dice.randrange(900)
        return "deleteMany", "DELETE", "orders/bulk", {"filter": {"total": {"$gte": low, "$lt": low + 10}}}

    def _increment(self) -> tuple[str, str, str, Any]:
        return "increment", "POST", f"customers/{self._pick('customers')}/increment", {"field": "visits", "amount": 1}

    def _add_to_set(self) -> tuple[str, str, str, Any]:
        if self._dice.random() < 0.4 and self._known["tags"]:
            value, field = self._pick("tags"), "tags"
        else:
            value, field = self._dice.choice("abcdef"), "hobbies"
        return "addToSet", "POST", f"customers/{self._pick('customers')}/addToSet", {"field": field, "value": value}

    def _pull(self) -> tuple[str, str, str, Any]:
        value = self._dice.choice("abcdef")
        return "pull", "POST", f"customers/{self._pick('customers')}/pull", {"field": "hobbies", "value": value}
