"""A plain program that asks over NATS, and a server that it may ask for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_numbers = iter(range(10**6))


def fresh() -> str:
    """An address that no other case uses."""
    return f"n{next(_numbers)}@nats.org"


@contextmanager
def open_server(directory: Path) -> Iterator[Server]:
    """One with three projects, of which one is called as an entity of the default one is."""
    tree = directory / "tree.json"
    shop = json.loads(SHOP.read_text())
    tree.write_text(json.dumps({"crm": {"schemas": shop}, "note": {"schemas": shop}}))
    with Server(directory / "data", SHOP, MOSTA_PROJECTS=str(tree), OCTONET_MAX_BODY=str(2**20)) as server:
        yield server
    assert "Traceback" not in server.log()


class Asker:
    """A plain client of NATS."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def raw(self, subject: str, body: bytes = b"", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()} or None
        return await self.client.request(subject, body, timeout=60, headers=sent)

    async def ask(self, subject: str, content: Any = None, **headers: str) -> Any:
        """The answer's body."""
        body = b"" if content is None else json.dumps(content).encode()
        return json.loads((await self.raw(subject, body, **headers)).data)

    async def refused(self, subject: str, body: bytes, **headers: str) -> str:
        """The code of a refusal, which body and headers tell alike."""
        message = await self.raw(subject, body, **headers)
        error = json.loads(message.data)["error"]
        assert message.headers["Nats-Service-Error"].startswith(f"{error['code']}: ")
        assert 400 <= int(message.headers["Nats-Service-Error-Code"]) < 500
        return str(error["code"])

    async def customer(self, project: str = "", **data: Any) -> Any:
        """A new one."""
        subject = ".".join(part for part in ("mostajs", project, "Customer", "create") if part)
        told = await self.ask(subject, {"data": {"email": fresh(), **data}})
        assert told["status"] == "ok", told
        return told["data"]

    async def stats(self, op: str) -> Any:
        """What the service counts of an operation."""
        told = await self.ask("$SRV.STATS.octonet")
        return next(one for one in told["endpoints"] if one["name"] == op)
