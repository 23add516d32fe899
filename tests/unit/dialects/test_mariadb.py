"""MariaDB: addresses, and what goes wrong when it is opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel.errors import Invalid, StorageUnavailable
from octonet.kernel.filter import EVERYTHING
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests import mariadb
from tests.conformance.dialect_cases import (
    SCHEMAS,
    USER,
    opened,
    uri_of,
)


async def opened_at(uri: str) -> Database:
    return await dialects.find("mariadb").open(uri, SCHEMAS, DatabaseOptions())


def sql(folder: Path, text: str) -> str:
    return mariadb.server().sql(text, uri_of("mariadb", folder).rpartition("/")[2])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("mariadb", tmp_path) as database:
        yield database


@pytest.mark.parametrize("scheme", ["mariadb", "mariadb+asyncmy"])
async def test_every_spelling_of_the_scheme_is_understood(tmp_path: Path, scheme: str) -> None:
    database = await opened_at(uri_of("mariadb", tmp_path).replace("mariadb", scheme))
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    assert await database.count(USER, EVERYTHING) == 0
    await database.close()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "sqlite:///a.db",
        "mysql://u:secret@h/d",
        "mariadb://u:secret@host",
        "mariadb://u:secret@[h/d",
        "mariadb://u:secret@h:x/d",
        "mariadb://u:secret@h/d?nonsense=1",
        "mariadb://u:secret@h/d?ssl_ca=/nowhere",
    ],
)
async def test_what_is_no_address_is_refused_without_telling_the_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in refused.value.message


async def test_errors_at_open_say_what_to_do(tmp_path: Path) -> None:
    good = uri_of("mariadb", tmp_path)
    nowhere = good.replace(f":{mariadb.server().port}/", ":1/")
    for uri, advice in (
        (f"{good}x", "CREATE DATABASE"),
        (nowhere, "is MariaDB running"),
        (good.replace("127.0.0.1", "no-such-host.invalid"), "nobody answers"),
        (good.replace("octonet:", "nobody:secret"), "check SGBD_URI"),
    ):
        with pytest.raises(StorageUnavailable) as refused:
            await opened_at(uri)
        assert advice in refused.value.message
        assert "secret" not in refused.value.message


async def test_whoever_ends_every_connection_at_once_is_told_as_away() -> None:
    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    listener = await asyncio.start_server(end, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    for _ in range(50):
        with pytest.raises(StorageUnavailable):
            await opened_at(f"mariadb://u:secret@127.0.0.1:{port}/d")
    listener.close()
    await listener.wait_closed()
