"""The shop's clients under bad conditions: they try again under the same key until they are told, and they tail."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.acceptance.checker import Told
from tests.acceptance.writers import Writer

_UNDECIDED = frozenset({429, 500, 502, 503, 504})
_IN_FLIGHT = "IDEMPOTENCY_KEY_IN_FLIGHT"
_PATIENCE = 90.0
"""Seconds a client goes on asking; then it counts as never told."""


class StubbornWriter(Writer):
    """Sends every write under an idempotency key, and again through any server until the outcome is known."""

    def __init__(self, url: Callable[[], str], told: list[Told], seed: int) -> None:
        super().__init__(url, told, seed)
        self.attempts = 0

    async def ask(self, session: aiohttp.ClientSession, op: str, method: str, path: str, body: Any) -> Told | None:
        """See `Writer`."""
        correlation = secrets.token_hex(8)
        headers = {"X-Correlation-Id": correlation, "Idempotency-Key": correlation}
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            self.attempts += 1
            try:
                async with session.request(method, self.url() + path, json=body, headers=headers) as response:
                    reply = await response.json()
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(0.1)
                continue
            code = reply.get("error", {}).get("code", "")
            if response.status in _UNDECIDED or code == _IN_FLIGHT:
                await asyncio.sleep(0.1)
                continue
            return Told(correlation, op, response.status, reply, response.headers.get("Octonet-Position", ""))
        return None

    async def last_word(self) -> str:
        """Write once more, when nobody else does; the position of its fact, which is the last there will be."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            told = await self.ask(session, "create", "POST", "/api/v1/notes", {"slug": "the last word"})
        assert told is not None
        assert told.status == 201, told
        self._told.append(told)
        return told.position


class Tail:
    """A client of `/events` that comes back after every break, to any server, with the last position it saw."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self.at = ""
        """The server that it listens to, or did last."""
        self.tokens: list[str] = []

    async def run(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                await self._listen()
            await asyncio.sleep(random.uniform(0.05, 0.3))

    async def _listen(self) -> None:
        headers = {"Last-Event-ID": self.tokens[-1]} if self.tokens else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=20)
        self.at = self._url()
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self.at + "/events", headers=headers) as response,
        ):
            response.raise_for_status()
            async for line in response.content:
                if line.startswith(b"id: "):
                    self.tokens.append(line[4:].strip().decode())
