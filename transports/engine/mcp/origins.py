"""Which web pages may speak to this door. A page whose own name was bound to this machine's address (DNS rebinding) is
of the same origin as far as its browser can tell: the names that are meant must be known here."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from octonet.transport import Incoming
from transports.engine.render import Refused

_ALLOWED = "Access-Control-Allow-Origin"


def check(incoming: Incoming, public_url: str) -> None:
    """Refuse what a page of a foreign origin sends. Raises `Refused` with 403."""
    origin = incoming.headers.get("origin")
    if origin is None or _ALLOWED in incoming.shared:
        return
    if public_url and _place(origin) == _place(public_url):
        return
    host = incoming.headers.get("host", "")
    if not (origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}") and _is_certain(host)):
        raise Refused(403, "FORBIDDEN_ORIGIN", "this origin is not one of those that may call")


def _place(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.scheme.lower(), parts.netloc.lower()


def _is_certain(host: str) -> bool:
    """Whether this name cannot be bound to another address: an address itself, or this machine's own name."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() == "localhost":
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
