"""A server that looks at keys, and who issues them there."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.running import Server


def issued(server: Server, *arguments: str) -> str:
    """A key by the command line."""
    made = server.launch("keys", "issue", "office", *arguments)
    line = made.output.until(lambda line: line.startswith("sk_"), 60)
    assert made.reap() == 0
    assert line is not None
    return line.strip()


def office_key(server: Server) -> str:
    """One that may issue others."""
    return issued(server, "--projects", "*", "--operations", "read,write,admin")


class KeyOffice:
    """With a key that may issue others."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.office = office_key(server)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """As the office."""
        headers = {"X-API-Key": self.office, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["data"]

    def key(self, projects: Any = "*", operations: Any = "*", transports: Any = "*", **more: Any) -> str:
        """A new key with these scopes."""
        scopes = {"projects": projects, "operations": operations, "transports": transports}
        wish = {"label": "t", "permissions": {"scopes": scopes}, **more}
        return str(self.ask("POST", "/api/api-keys", wish)["apiKey"])
