"""What a page of ours may do in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping


def headers(text: str) -> Mapping[str, str]:
    """For a page with one script and one style: only what stands in it may run or style it, and it may talk to this
    server alone."""
    policy = {
        "default-src": "'none'",
        "script-src": _hash(text, "script"),
        "style-src": _hash(text, "style"),
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _hash(text: str, tag: str) -> str:
    """As a browser makes it."""
    [inline] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
