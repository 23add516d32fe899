"""Lets tenants enter nats-server by their API keys: nats-server asks who may enter, we answer by what the key opens.

A connection may ask for the operations that its key opens and hear the facts of the projects that it may read, no more.
When the key is revoked its connections are cut off. Any process that serves answers, and every process watches over
every key that is connected, whoever let it in: whoever let it in may be gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable, Coroutine
from typing import Final

import msgspec
from nats.errors import Error as NatsError

from jetstream import subjects, vouching
from jetstream.connection import Connection, command
from jetstream.endpoint import Endpoint
from jetstream.overseer import Overseer
from jetstream.vouching import Issuer, Permissions
from octonet.kernel.bus import DISCOVER, EVERY, SERVICE, Access, Doorman
from octonet.kernel.errors import OctonetError, Unauthenticated
from octonet.kernel.ids import DEFAULT_PROJECT, is_slug

log = logging.getLogger("octonet.nats")

_ACCOUNT: Final = "$G"
"""What a server without operators calls the account of everybody."""
_ANYBODY: Final = "anybody"
_MOST: Final = 256
"""Who may be looked at at the same time."""
_LOOK: Final = 5.0
"""Seconds between two looks at who is connected."""
_PAUSE: Final = 1.0
_LIFE: Final = 300
"""Seconds after which a connection must be made anew, where none can be cut off."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")


class _Server(msgspec.Struct, frozen=True):
    id: str


class _Client(msgspec.Struct, frozen=True):
    host: str = ""


class _Shown(msgspec.Struct, frozen=True):
    auth_token: str = ""
    password: str = msgspec.field(default="", name="pass")


class _Asked(msgspec.Struct, frozen=True):
    server_id: _Server
    user_nkey: str
    client_info: _Client = _Client()
    connect_opts: _Shown = _Shown()


class _Claims(msgspec.Struct, frozen=True):
    nats: _Asked


_claims = msgspec.json.Decoder(_Claims)


class Callout:
    """The answers of one process."""

    def __init__(self, client: Connection, endpoint: Endpoint, doorman: Doorman) -> None:
        """Raises `Invalid` for an issuer that is none."""
        self._client = client
        self._issuer = Issuer(endpoint.issuer)
        self._overseer = Overseer(endpoint)
        self._doorman = doorman
        self._watched: dict[str, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Answer from now on."""
        await self._client.serve(subjects.ENTERING, self._receive, subjects.REQUESTS)
        if self._overseer.able:
            self._begin(self._look())

    async def close(self) -> None:
        """Answer and watch no more."""
        for unwatch in self._watched.values():
            unwatch()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._overseer.close()

    def _receive(self, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        if reply and len(self._tasks) < _MOST:
            self._begin(self._answer(reply, body))

    async def _answer(self, reply: bytes, body: bytes) -> None:
        try:
            asked = _claims.decode(vouching.claims_of(body)).nats
        except (ValueError, msgspec.MsgspecError) as problem:
            log.warning("NATS: who wants to enter cannot be read: %s", problem)
            return
        shown = asked.connect_opts.auth_token or asked.connect_opts.password
        try:
            access = await self._doorman.admit(shown, asked.client_info.host)
            told: dict[str, object] = {"jwt": self._vouched(asked.user_nkey, access).decode()}
        except OctonetError as problem:
            log.debug("NATS: %s may not enter: %s", asked.client_info.host or "somebody", problem.message)
            told = {"error": problem.code}
        else:
            self._watch(access)
        said = self._issuer.signed(asked.user_nkey, asked.server_id.id, {"type": "authorization_response", **told})
        try:
            self._client.send(command(reply.decode(), b"", said))
        except NatsError as problem:
            log.info("NATS: who wanted to enter was not answered: %s", problem or type(problem).__name__)

    def _vouched(self, nkey: str, access: Access) -> bytes:
        claims = vouching.user(access.key or _ANYBODY, permissions(access))
        expires = 0 if self._overseer.able or not access.key else int(time.time()) + _LIFE
        return self._issuer.signed(nkey, _ACCOUNT, claims, expires)

    def _watch(self, access: Access) -> None:
        key = access.key
        if key and key not in self._watched and access.watch is not None and self._overseer.able:
            self._watched[key] = access.watch(lambda: self._revoked(key))

    def _revoked(self, key: str) -> None:
        self._watched.pop(key, None)
        self._begin(self._cut_off(key))

    async def _cut_off(self, key: str) -> None:
        log.info("NATS: the connections of %s are ended: what it opens has changed", key)
        try:
            await self._overseer.cut_off(key)
            await asyncio.sleep(_PAUSE)
            await self._doorman.still(key)
        except Unauthenticated:
            await self._cut_off_again(key)
        except OctonetError as problem:
            log.warning("NATS: connections of %s could not be ended: %s", key, problem.message)

    async def _cut_off_again(self, key: str) -> None:
        """Whoever was entering when the key was revoked has entered."""
        try:
            await self._overseer.cut_off(key)
        except OctonetError as problem:
            log.warning("NATS: connections of %s could not be ended: %s", key, problem.message)

    async def _look(self) -> None:
        """See to it that whoever is connected is watched, and nobody else, for ever."""
        absent: set[str] = set()
        while True:
            try:
                watched = set(self._watched)
                users = await self._overseer.users() - {_ANYBODY}
                # Whoever was just let in is not connected yet.
                for key in absent & (gone := watched - users):
                    self._watched.pop(key, _nothing)()
                absent = gone
                for key in users - self._watched.keys():
                    await self._adopt(key)
            except OctonetError as problem:
                log.info("NATS: who is connected is looked at later: %s", problem.message)
            await asyncio.sleep(_LOOK)

    async def _adopt(self, key: str) -> None:
        try:
            self._watch(await self._doorman.still(key))
        except Unauthenticated:
            await self._cut_off(key)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nothing() -> None:
    """In place of an end of watching that came already."""


def permissions(access: Access) -> Permissions:
    """What a connection may do on which subjects."""
    publish = [subjects.request("", "", DISCOVER)]
    for verb in ("PING", "INFO", "STATS"):
        publish += [subjects.service(verb, *of) for of in ((), (SERVICE,), (SERVICE, "*"))]
    for project, operations in access.operations.items():
        publish += [subject for name in _named(project) for op in sorted(operations) for subject in _asking(name, op)]
    heard = [subject for project in sorted(access.facts) for name in _named(project) for subject in _hearing(name)]
    subscribe = [*heard, f"{inbox(access.key)}.>"]
    if not access.key:
        # Who may ask for anything is told by NATS at once that nobody serves it, where it is nothing that there is.
        return Permissions([*publish, subjects.FACTS], subscribe, heard)
    return Permissions(list(dict.fromkeys(publish)), subscribe)


def _named(project: str) -> list[str]:
    """The project as a subject names it, the default one by none too. What a scope holds is text of any kind: only what
    can be a project's name ever becomes a part of a subject."""
    if project == EVERY:
        return ["", EVERY]
    if not is_slug(project):
        return []
    return ["", project] if project == DEFAULT_PROJECT else [project]


def _asking(project: str, op: str) -> list[str]:
    return [subjects.request(project, "*", op), *([subjects.request(project, "", DISCOVER)] if project else [])]


def _hearing(project: str) -> list[str]:
    # The facts of the default project are told without its name.
    return [] if project == DEFAULT_PROJECT else subjects.facts_of(project or DEFAULT_PROJECT)


def inbox(key: str) -> str:
    """What the subjects begin with that whoever shows this key is answered on: nobody else hears them."""
    if not key:
        return "_INBOX"
    return f"_INBOX_{key if _TOKEN.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:20]}"
