"""A project's streams, made anew out of what was kept of its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import NO_SUCH_STREAM, WRONG_LAST_SEQUENCE, ApiError, call, decode_ack
from jetstream.connection import Connection
from jetstream.last_message import last_message
from jetstream.log_streams import LogStreams
from jetstream.process import Holder, is_dead
from jetstream.reader import State
from jetstream.topology import RESTORING, StreamLimits, project_streams
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import AppendDoubtful, WrongSequence

_TIMEOUT: Final = 30.0


class Found(msgspec.Struct, frozen=True):
    """A log as it was found: its first and last sequence, and whether a restore of it was broken off."""

    first: int
    last: int
    unfinished: bool


class _Config(msgspec.Struct, frozen=True):
    metadata: dict[str, str] = {}


class _Info(msgspec.Struct, frozen=True):
    config: _Config
    state: State


class _Names(msgspec.Struct, frozen=True):
    total: int
    streams: list[str] | None = None


class Restoration:
    """Of one project. Whoever uses it is the only writer; compare-and-set sees to that."""

    def __init__(self, client: Connection, project: ProjectName, limits: StreamLimits) -> None:
        self._client = client
        self._project = project
        limits = msgspec.structs.replace(limits, largest_message=client.max_payload)
        self._configs = {str(config["name"]): config for config in project_streams(project, limits)}
        self._streams = LogStreams(client, project)
        self._batches = 0

    async def found(self) -> Found | None:
        """The log's streams; None where there are none. Raises `Unavailable`."""
        if await self._streams.look() is None and self._streams.closed:
            await self._streams.rotate()
        info = await self._info(self._streams.name)
        if info is None:
            return None
        first = self._streams.closed[0].first if self._streams.closed else info.state.first
        return Found(first, info.state.last, RESTORING in info.config.metadata)

    async def served(self) -> bool:
        """Whether a worker owns the project's lane. Raises `Unavailable`."""
        if await self._info(subjects.LEASES) is None:
            return False
        _, body = await last_message(self._client, subjects.LEASES, subjects.lease(self._project))
        if not body:
            return False
        holder = msgspec.json.decode(body, type=Holder)
        return bool(holder.worker) and not is_dead(holder)

    async def begin(self, name: str) -> None:
        """Make the log's stream; until `finish` nobody serves the project. What stands in streams beside it told of
        the log that is gone, and goes too. `name`: of the backup."""
        await self._remove(subjects.feed_stream(self._project))
        config = self._log_config()
        await self._ask("CREATE", {**config, "allow_atomic": True, "metadata": {RESTORING: name}})

    async def go_on(self, name: str) -> None:
        """The same for a log that is there, and is to get more."""
        config = self._log_config()
        await self._ask("UPDATE", {**config, "allow_atomic": True, "metadata": {RESTORING: name}})

    async def append(self, bodies: Sequence[bytes], after: int) -> int:
        """Store the messages behind sequence `after`, all or none; returns the last sequence. Raises `WrongSequence`
        when somebody else wrote, `AppendDoubtful`."""
        try:
            body = await self._client.acknowledged(lambda inbox: self._commands(bodies, after, inbox), _TIMEOUT)
            return decode_ack(body).seq
        except ApiError as problem:
            if problem.code in WRONG_LAST_SEQUENCE:
                raise WrongSequence(str(problem)) from problem
            raise AppendDoubtful(str(problem)) from problem
        except (NatsError, TimeoutError) as problem:
            raise AppendDoubtful(f"no acknowledgement: {problem or type(problem).__name__}") from problem

    async def finish(self, frame: int) -> None:
        """The log is whole. New commands get their places behind `frame`, the last one decided. Raises
        `Unavailable`."""
        name = subjects.commands_stream(self._project)
        info = await self._info(name)
        if info is not None and not info.state.first <= frame + 1 <= info.state.last + 1:
            await self._remove(name)
            info = None
        if info is None:
            await self._ask("CREATE", {**self._configs[name], "first_seq": frame + 1})
        await self._ask("UPDATE", self._log_config())

    def _log_config(self) -> dict[str, object]:
        """Of the newest stream of the log."""
        begun = {"first_seq": self._streams.begins} if self._streams.closed else {}
        streams = self._streams
        named = {"name": streams.name, "subjects": [streams.subject]}
        return {**self._configs[subjects.log_stream(self._project)], **named, **begun}

    def _commands(self, bodies: Sequence[bytes], after: int, inbox: bytes) -> bytes:
        """The messages as protocol commands; the last one asks for the acknowledgement of all."""
        self._batches += 1
        subject, many = self._streams.subject.encode(), len(bodies) > 1
        lines: list[bytes] = []
        for number, body in enumerate(bodies, 1):
            last = number == len(bodies)
            head = "NATS/1.0\r\n"
            if number == 1:
                head += f"{headers.EXPECTED_LAST_SEQUENCE}: {after}\r\n"
            if many:
                head += f"{headers.BATCH_ID}: restore-{after}-{self._batches}\r\n{headers.BATCH_SEQUENCE}: {number}\r\n"
                head += f"{headers.BATCH_COMMIT}: 1\r\n" if last else ""
            whole = f"{head}\r\n".encode()
            size = len(whole) + len(body)
            lines.append(
                b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject, inbox if last else b"", len(whole), size, whole, body)
            )
        return b"".join(lines)

    async def _info(self, name: str) -> _Info | None:
        try:
            return msgspec.json.decode(await call(self._client, f"STREAM.INFO.{name}"), type=_Info)
        except ApiError as problem:
            if problem.code == NO_SUCH_STREAM:
                return None
            raise Unavailable(f"the stream {name} cannot be looked at: {problem}") from problem

    async def _ask(self, what: str, config: dict[str, object]) -> None:
        try:
            await call(self._client, f"STREAM.{what}.{config['name']}", config)
        except ApiError as problem:
            sentence = f"the stream {config['name']} cannot be set up: {problem}"
            raise Unavailable(sentence, code="NATS_UNSUITABLE") from problem

    async def _remove(self, name: str) -> None:
        try:
            await call(self._client, f"STREAM.DELETE.{name}")
        except ApiError as problem:
            if problem.code != NO_SUCH_STREAM:
                raise Unavailable(f"the stream {name} cannot be removed: {problem}") from problem


async def kept_projects(client: Connection) -> list[ProjectName]:
    """The projects that have a log on this server, served or not. Raises `Unavailable`."""
    found: list[str] = []
    while True:
        try:
            page = msgspec.json.decode(await call(client, "STREAM.NAMES", {"offset": len(found)}), type=_Names)
        except ApiError as problem:
            raise Unavailable(f"the streams cannot be listed: {problem}") from problem
        found += page.streams or []
        if not page.streams or len(found) >= page.total:
            break
    kept = {subjects.kept_whole(name) for name in found if subjects.is_log(name)}
    return sorted(project for project in kept if project is not None)
