"""The streams that a project's log is kept in, one after the other: all but the newest are closed for good.

nats-server never lets a stream be purged that once forbade it, and what one stream holds can only grow. So a log goes
on in a new stream, with the next sequence: the last message of the old one says so (`Continued`), then that stream
gives up its subject and is marked as closed, then the new one is made, with a subject of its own. Each step can be done
again by whoever comes next.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from jetstream import subjects
from jetstream.api import NO_SUCH_MESSAGE, NO_SUCH_STREAM, ApiError, Config, call
from jetstream.connection import Connection
from jetstream.reader import Info
from octonet.kernel.chain import is_continued
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

log = logging.getLogger("octonet.nats")


_CLOSED: Final = "octonet-closed"
"""Stands in the metadata of a closed stream, with its last sequence. nats-server's own `sealed` is not used: a server
that was away when a stream was sealed did not always become healthy again (2.15.1)."""
_OWN: Final = "_nats."
"""How the names of metadata begin that the server writes itself."""


class _Settings(msgspec.Struct, frozen=True):
    name: str = ""
    metadata: Mapping[str, str] = {}


class Newest(Info, frozen=True):
    """The stream that a log goes on in, as its leader tells of it."""

    config: _Settings = _Settings()

    @property
    def name(self) -> str:
        """The stream's."""
        return self.config.name


class _Whole(msgspec.Struct, frozen=True):
    config: Config


class _Message(msgspec.Struct, frozen=True):
    data: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Message


_found = msgspec.json.Decoder(Newest)
_whole = msgspec.json.Decoder(_Whole)
_got = msgspec.json.Decoder(_Got)


class Closed(msgspec.Struct, frozen=True):
    """A stream that holds a part of the log for ever: its name, its first and last sequence, and its bytes."""

    name: str
    first: int
    last: int
    size: int


class LogStreams:
    """Those of one project's log, as far as they were looked at."""

    def __init__(self, client: Connection, project: ProjectName) -> None:
        self._client = client
        self._project = project
        self.closed: list[Closed] = []
        """The oldest first."""

    @property
    def begins(self) -> int:
        """The first sequence of the newest stream."""
        return self.closed[-1].last + 1 if self.closed else 1

    @property
    def name(self) -> str:
        """The newest stream's."""
        return subjects.log_stream(self._project, self.begins)

    @property
    def subject(self) -> str:
        """Where it is appended to."""
        return subjects.log(self._project, self.begins)

    def room(self, quota: int) -> int:
        """Bytes that the newest stream may hold, of so many for the whole log (0 or less: any number); -1 for any."""
        return -1 if quota <= 0 else max(1, quota - sum(one.size for one in self.closed))

    async def look(self) -> Newest | None:
        """The newest stream; None while there is none. Raises `Unavailable`."""
        while True:
            name = self.name
            try:
                info = _found.decode(await call(self._client, f"STREAM.INFO.{name}"))
            except ApiError as problem:
                if problem.code == NO_SUCH_STREAM:
                    return None
                raise Unavailable(f"the stream {name} cannot be looked at: {problem}") from problem
            if _CLOSED not in info.config.metadata:
                return info
            # Several may look at once: the first who is told notes it.
            if name == self.name:
                last = int(info.config.metadata[_CLOSED])
                self.closed.append(Closed(name, self.begins, last, info.state.bytes))

    async def newest(self) -> Newest:
        """The same. Raises `Unavailable` too while the log is about to go on in a stream that is not there yet."""
        info = await self.look()
        if info is None:
            raise Unavailable(f"there is no stream {self.name}")
        return info

    def holding(self, sequence: int) -> str:
        """The stream in which a message stands, or will."""
        return next((one.name for one in self.closed if one.first <= sequence <= one.last), self.name)

    async def ends(self, info: Newest) -> bool:
        """Whether the newest stream's last message says that the log goes on elsewhere. Raises `Unavailable`."""
        if not info.state.messages:
            return False
        try:
            body = await call(self._client, f"STREAM.MSG.GET.{info.name}", {"seq": info.state.last})
        except ApiError as problem:
            if problem.code == NO_SUCH_MESSAGE:
                # It is damaged: whoever reads the log finds that out, and says so.
                return False
            raise Unavailable(f"the end of {info.name} cannot be read: {problem}") from problem
        return is_continued(base64.b64decode(_got.decode(body).message.data))

    async def settle(self) -> bool:
        """See `octonet.kernel.log.Rotation`."""
        info = await self.look()
        if info is None and not self.closed:
            raise Unavailable(f"there is no stream {self.name}")
        if info is not None and not await self.ends(info):
            return False
        await self.rotate()
        return True

    async def rotate(self) -> None:
        """See `octonet.kernel.log.Rotation`."""
        info = await self.look()
        if info is not None:
            await self._close(info.state.last)
        await self._go_on()

    async def _close(self, last: int) -> None:
        name = self.name
        try:
            config, metadata = await self._config(name)
            closed: Config = {
                **config,
                "subjects": [subjects.closed_log(self._project, self.begins)],
                "metadata": {**metadata, _CLOSED: str(last)},
            }
            await call(self._client, f"STREAM.UPDATE.{name}", closed)
        except ApiError as problem:
            raise Unavailable(f"the stream {name} cannot be closed: {problem}") from problem
        await self.look()
        log.info("the log of project %s: %s is closed", self._project, name)

    async def _go_on(self) -> None:
        before = self.closed[-1]
        try:
            config, metadata = await self._config(before.name)
            room = config.get("max_bytes", -1)
            begun: Config = {
                **config,
                "name": self.name,
                "subjects": [self.subject],
                "metadata": {name: text for name, text in metadata.items() if name != _CLOSED},
                "first_seq": self.begins,
                # What the one before has left of a quota.
                "max_bytes": max(1, room - before.size) if isinstance(room, int) and room > 0 else -1,
            }
            await call(self._client, f"STREAM.CREATE.{self.name}", begun)
        except ApiError as problem:
            raise Unavailable(f"the stream {self.name} cannot be made: {problem}") from problem
        log.info("the log of project %s goes on in %s", self._project, self.name)

    async def _config(self, name: str) -> tuple[Config, dict[str, str]]:
        """A stream's settings, and what we wrote into their metadata."""
        body = await call(self._client, f"STREAM.INFO.{name}")
        metadata = _found.decode(body).config.metadata
        return _whole.decode(body).config, {key: text for key, text in metadata.items() if not key.startswith(_OWN)}
