"""A server with an OData door, and somebody who asks it by hand: what no client library would send, too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from tests.running import Server

LIBRARY = Path(__file__).parents[1] / "conformance" / "library.json"
_numbers = count(1)


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> tuple[int, str]:
        """Status and code of an error."""
        return self.status, self.json["error"]["code"]


class Site:
    """A server, asked below /odata unless the path says otherwise."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, str | bytes):
            body, named = json.dumps(body), {"Content-Type": "application/json", **named}
        address = URL(path if path.startswith("/") else f"/odata/{path}")
        async with self.session.request(method, address, data=body, headers=named) as reply:
            return Answer(reply.status, reply.headers, await reply.text())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def author(self, **data: Any) -> Any:
        """A new author."""
        made = await self.ask("POST", "authors", {"email": f"e{next(_numbers)}@x", **data})
        assert made.status == 201, made.text
        return made.json


@contextmanager
def served(directory: Path) -> Iterator[Server]:
    """A server of two projects over the library."""
    tree = directory / "tree.json"
    tree.write_text(json.dumps({"other": {"schemas": json.loads(LIBRARY.read_text())}}))
    with Server(directory / "data", LIBRARY, MOSTA_PROJECTS=str(tree)) as found:
        yield found
    assert "Traceback" not in found.log()


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Site]:
    """Somebody who asks it."""
    async with aiohttp.ClientSession(server.url) as session:
        yield Site(session)


def part(request: str, id: str = "", body: Any = None) -> str:
    head = f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n"
    if body is None:
        return f"{head}{request} HTTP/1.1\r\n\r\n\r\n"
    text = json.dumps(body)
    return (
        f"{head}{request} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n"
    )


def multipart(*parts: str, boundary: str = "b") -> str:
    return "".join(f"--{boundary}\r\n{part}" for part in parts) + f"--{boundary}--\r\n"


def change_set(*parts: str) -> str:
    return f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{multipart(*parts, boundary='c')}"


async def batch(site: Site, body: str, **headers: str) -> tuple[Answer, list[int]]:
    told = await site.ask("POST", "$batch", body, Content_Type="multipart/mixed; boundary=b", **headers)
    return told, [int(line.split()[1]) for line in told.text.splitlines() if line.startswith("HTTP/1.1 ")]
