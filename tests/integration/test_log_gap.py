"""A log that has lost a message is not read past the place, and not called whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jetstream.api import call
from jetstream.connection import Connection, connect
from jetstream.log import JetStreamLog
from jetstream.server import EmbeddedServer
from jetstream.topology import ensure
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.log import LogGap


@pytest.fixture
async def client(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    """Beside a log of three messages that lets them be deleted, as ours never does."""
    found = await connect(nats.endpoint)
    await ensure(found, {"name": "OCTO_LOG_default", "subjects": ["octo.log.default"], "storage": "file"})
    log = JetStreamLog(found, DEFAULT_PROJECT)
    assert await log.last() == 0
    for number in range(3):
        await log.append(b"body", number)
    assert await log.last() == 3
    yield found
    await found.close()


@pytest.mark.parametrize("missing", [1, 2, 3])
async def test_a_missing_message_is_counted_and_named(client: Connection, missing: int) -> None:
    await call(client, "STREAM.MSG.DELETE.OCTO_LOG_default", {"seq": missing})
    log = JetStreamLog(client, DEFAULT_PROJECT)
    with pytest.raises(LogGap, match="OCTO_LOG_default holds 2 messages of 3"):
        await log.last()
    read: list[int] = []
    with pytest.raises(LogGap, match=rf"message {missing} of stream OCTO_LOG_default is missing"):
        await _read(log, read)
    assert read == list(range(1, missing))


async def _read(log: JetStreamLog, read: list[int]) -> None:
    async for messages in log.read(0, 3):
        read += [message.sequence for message in messages]
