"""Which doors there are, which of them are open, and what each is told."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Awaitable, Callable

import transports
from octonet.config import Settings
from octonet.kernel.bus import Bus
from octonet.kernel.catalog import names
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName
from octonet.transport import HttpSettings, HttpTransport, ListeningTransport, ListenSettings, Turnstile, load

log = logging.getLogger("octonet")


def find_doors(settings: Settings) -> list[HttpTransport]:
    """The doors that exist and are open: all but those that are switched off, and those with a port of their own that
    are not switched on. One whose package is not installed is left out. Raises `Unavailable` with code
    DOOR_NOT_INSTALLED when it was switched on by name."""
    found = [load(name) for name in names(transports.__path__)]
    wanted = [door for door in found if settings.transports.get(door.name, not _has_port(door))]
    return [door for door in wanted if _is_installed(door, door.name in settings.transports)]


def ports(settings: Settings) -> dict[str, int]:
    """The ports of the open doors that have one of their own, by name."""
    open_doors = [door for door in find_doors(settings) if isinstance(door, ListeningTransport) and _has_port(door)]
    return {door.name: settings.ports.get(door.name, door.default_port) for door in open_doors}


def _has_port(door: HttpTransport) -> bool:
    return isinstance(door, ListeningTransport) and door.default_port != 0


def _is_installed(door: HttpTransport, wanted: bool) -> bool:
    if not door.needs or importlib.util.find_spec(door.needs) is not None:
        return True
    sentence = f"the {door.name} door needs more to be installed: pip install 'octonet[{door.name}]'"
    if wanted:
        raise Unavailable(sentence, code="DOOR_NOT_INSTALLED")
    log.info("%s", sentence)
    return False


def http_settings(settings: Settings, door: HttpTransport) -> HttpSettings:
    """What a door is told of its place on the HTTP port."""
    path = settings.paths.get(door.name, door.default_path)
    return HttpSettings(path, settings.heartbeat, settings.max_buffer, settings.public_url, _own(settings, door))


def listen_settings(
    settings: Settings,
    door: ListeningTransport,
    turnstile: Turnstile,
    ready: Callable[[ProjectName], Awaitable[bool]],
    shared: bool,
    bus: Callable[[], Bus],
) -> ListenSettings:
    """What a door is told of its place elsewhere. `ready`: whether a project can be worked with; `shared`: other
    processes listen there too; `bus` makes connections to the message bus."""
    return ListenSettings(
        turnstile,
        ready,
        settings.host,
        settings.ports.get(door.name, door.default_port),
        shared,
        settings.max_body,
        settings.tls_cert,
        settings.tls_key,
        settings.tls_client_ca,
        _own(settings, door),
        bus,
    )


def _own(settings: Settings, door: HttpTransport) -> dict[str, object]:
    prefix = f"{door.name}_"
    names = (name for name in settings.__struct_fields__ if name.startswith(prefix))
    return {name.removeprefix(prefix): getattr(settings, name) for name in names}
