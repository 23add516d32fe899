"""The page on which a browser tries the door: one file that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from octonet.transport import Reply

_HTML: Final = "text/html; charset=utf-8"


@cache
def reply() -> Reply:
    """The page. It shows nothing that a key is needed for: what it asks shows the key that is typed into it."""
    page = (Path(__file__).parent / "page.html").read_bytes()
    policy = {
        "default-src": "'none'",
        "script-src": _hash(page, b"script"),
        "style-src": _hash(page, b"style"),
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Vary": "Accept",
    }
    return Reply(page, 200, headers, _HTML)


def _hash(page: bytes, element: bytes) -> str:
    """What the policy calls the only script, or style, there is."""
    (content,) = re.findall(b"<%b>(.*?)</%b>" % (element, element), page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"
