"""What each server of a cluster holds: the copies of our streams, by its own account, and as they can be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import msgspec
from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.api import ApiError, Config, call
from jetstream.connection import Connection, command
from jetstream.reader import Group, NoCopy, Passed, Silent, State, Tail
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

log = logging.getLogger("octonet.nats")

_LISTED_WITHIN = 10.0
_SILENCE = 5.0
"""Seconds without a message after which a copy is left and tried again later."""


class _Settings(msgspec.Struct, frozen=True):
    name: str = ""


class Stream(msgspec.Struct, frozen=True):
    """A stream as its leader tells of it."""

    config: _Settings = _Settings()
    state: State = State(messages=0, first=0, last=0)
    cluster: Group = Group()

    @property
    def name(self) -> str:
        """The stream's."""
        return self.config.name

    @property
    def project(self) -> ProjectName:
        """Whose it is."""
        return ProjectName(subjects.kept_whole(self.name) or "")

    @property
    def servers(self) -> list[str]:
        """Those that hold a copy and are there."""
        away = {peer.name for peer in self.cluster.replicas if peer.offline}
        return [name for name in self.cluster.servers if name not in away]


class Unreadable(Exception):
    """A copy lacks a message, or cannot read it: `place` is its sequence, the text a sentence."""

    def __init__(self, place: int, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class _Page(msgspec.Struct, frozen=True):
    total: int = 0
    streams: tuple[Stream, ...] | None = None
    missing: tuple[str, ...] | None = None


_page = msgspec.json.Decoder(_Page)
_stream = msgspec.json.Decoder(Stream)


class _User(msgspec.Struct, frozen=True):
    account: str


class _WhoAmI(msgspec.Struct, frozen=True):
    data: _User | None = None


_who = msgspec.json.Decoder(_WhoAmI)


async def account(client: Connection) -> str:
    """The account of the servers that we are in; empty when it is not told."""
    try:
        told = await client.acknowledged(
            lambda reply: command("$SYS.REQ.USER.INFO", reply, b""), _SILENCE, stores=False
        )
    except (NatsError, TimeoutError) as problem:
        log.info("our account is not told: %s", problem or "no answer")
        return ""
    found = _who.decode(told).data
    return found.account if found else ""


async def streams(client: Connection) -> list[Stream]:
    """Those that are to be whole: logs, feeds and commands, as far as their leaders answer. Raises `Unavailable`."""
    found: list[Stream] = []
    offset = 0
    while True:
        page = _page.decode(await _listed(client, "LIST", {"offset": offset}))
        seen, missing = page.streams or (), page.missing or ()
        found += seen
        # A cluster that misses one of its servers may lack the answers of leaders that are there, again and again.
        told = await asyncio.gather(*(_alone(client, name) for name in missing if subjects.kept_whole(name)))
        found += [stream for stream in told if stream is not None]
        offset += len(seen) + len(missing)
        if not (seen or missing) or offset >= page.total:
            return [one for one in found if subjects.kept_whole(one.name)]


async def _alone(client: Connection, name: str) -> Stream | None:
    try:
        told = _stream.decode(await _listed(client, f"INFO.{name}", {}))
    except Unavailable as problem:
        log.info("%s: %s", name, problem)
        return None
    return told if told.config.name else None


async def _listed(client: Connection, what: str, body: Config) -> bytes:
    try:
        # Not by `call`: that leaves a server that is silent for some seconds, and a cluster that misses one of its
        # servers takes four before it tells of the others.
        return (await client.request(f"$JS.API.STREAM.{what}", msgspec.json.encode(body), _LISTED_WITHIN)).data
    except (NatsError, TimeoutError) as problem:
        raise Unavailable(f"the streams are not told: {problem or 'no answer'}") from problem


def miscounted(stream: str, state: State) -> str:
    """What is wrong with a copy by its own count, in a sentence; empty when nothing is. A stream of a log begins with
    its first message for ever; of the others the oldest go in order."""
    if not state.last:
        return ""
    if subjects.is_log(stream) and state.first != subjects.log_begins(stream):
        return f"it begins with message {state.first}"
    if state.deleted or state.messages != state.last - state.first + 1:
        return f"it holds {state.messages} messages of {state.last - state.first + 1}"
    return ""


async def read_copy(
    client: Connection, stream: str, wanted: Callable[[str], bool], after: int, until: int
) -> AsyncIterator[tuple[str, int]]:
    """Have a server read its own copy, message by message, against their checksums: the one that is `wanted`, by name,
    whose answers are heads alone. Yields its name (a lone server says none) and how far the copy is whole, again and
    again; first `after`. Raises `Unreadable` at the first message that does not come twice, `Unavailable` when no
    wanted server reads."""
    position, looked_for = after, 0
    while True:
        tail = Tail(client, stream, position, until, wanted, bodiless=True)
        try:
            await tail.open()
            server = tail.host
            yield server, position
            while position < until:
                async with asyncio.timeout(_SILENCE):
                    position = (await tail.take())[-1].sequence
                yield server, position
            return
        except Passed as passed:
            if passed.expected == looked_for:
                raise Unreadable(passed.expected, passed.sentence(stream)) from None
            looked_for, wanted = passed.expected, _only(tail.host)
        except (NoCopy, Silent, TimeoutError, NatsError) as problem:
            raise Unavailable(f"a copy of {stream} is not read: {problem or 'it is silent'}") from problem
        finally:
            await tail.close()


def _only(server: str) -> Callable[[str], bool]:
    return lambda host: host == server


async def step_down(client: Connection, stream: str, heir: str) -> None:
    """Let a server whose copy is whole lead a stream, instead of one whose copy is not. Raises `Unavailable`."""
    try:
        await call(client, f"STREAM.LEADER.STEPDOWN.{stream}", {"placement": {"preferred": heir}})
    except ApiError as problem:
        raise Unavailable(f"the leader of {stream} stays: {problem}") from problem
