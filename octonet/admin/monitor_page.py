"""The page of `/monitor`: one file that needs nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from octonet.admin import page_policy
from octonet.transport import Reply

_HTML = "text/html; charset=utf-8"


@cache
def page() -> Reply:
    """It."""
    text = (Path(__file__).parent / "pages" / "monitor.html").read_text(encoding="utf-8")
    return Reply(text.encode(), 200, page_policy.headers(text), _HTML)
