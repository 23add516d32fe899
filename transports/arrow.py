"""Apache Arrow: Flight and Flight SQL on a port of their own, and a view of the same in JSON on the HTTP port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from octonet.gateway import Gateway
from octonet.transport import HttpDoor, HttpSettings, ListenSettings
from transports.engine.arrow.view import View

if TYPE_CHECKING:
    from transports.engine.arrow.listening import Listening

_NAME = "arrow"


class Arrow:
    """The Arrow door."""

    name = _NAME
    default_path = "/arrow"
    default_port = 50052
    needs = "pyarrow"

    def __init__(self) -> None:
        self._listening: list[Listening] = []

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        return {settings.path or self.default_path: View(gateway).serve}

    async def listen(self, gateway: Gateway, settings: ListenSettings) -> str:
        """See `ListeningTransport`."""
        # Heavy, and only for those who open this door.
        from transports.engine.arrow.listening import Listening  # noqa: PLC0415

        listening = Listening(gateway, settings)
        self._listening.append(listening)
        return listening.address

    async def close(self) -> None:
        """End every call with a reason."""
        for listening in self._listening:
            await listening.close()


TRANSPORT = Arrow()
