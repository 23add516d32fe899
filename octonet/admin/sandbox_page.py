"""The page of `/try`: one file that needs nothing from elsewhere, and works without JavaScript too."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Final

import msgspec

from octonet.admin import page_policy
from octonet.transport import Reply

_HTML: Final = "text/html; charset=utf-8"
_HIDDEN: Final = "hidden"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_ABOUT_THE_NAME: Final = frozenset({"BAD_ALIAS", "ALIAS_TAKEN", "PROJECT_EXISTS"})
"""Codes that say that another name would do."""
_EMPTY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "title": "Try Octonet",
        "ask_hidden": "",
        "invalid": "false",
        "alias": "",
        "error": "",
        "code": "",
        "result_hidden": _HIDDEN,
        "result_focus": "",
        **dict.fromkeys(("message", "key", "project", "expires", "until", "quota", "mcp", "curl"), ""),
    }
)
"""What stands in the slots of the page, where nothing else does."""


class _Quota(msgspec.Struct, frozen=True, rename="camel"):
    req_per_day: int


class _Sandbox(msgspec.Struct, frozen=True, rename="camel"):
    """What the page shows of a new sandbox."""

    project_slug: str
    api_key: str
    expires_at: str
    quota: _Quota
    example_curl: str
    mcp_url: str
    message: str


def page() -> Reply:
    """The form."""
    return _reply(200, {})


def result_page(data: Mapping[str, object]) -> Reply:
    """A new sandbox, for whoever sent the form without JavaScript; `data` is what JSON clients get as ``data``.
    Raises `msgspec.ValidationError` when something is missing there."""
    made = msgspec.convert(data, _Sandbox)
    slots = {
        "title": "Your sandbox: Octonet",
        "ask_hidden": _HIDDEN,
        "result_hidden": "",
        "result_focus": "autofocus",
        "message": made.message,
        "key": made.api_key,
        "project": made.project_slug,
        "expires": made.expires_at,
        "until": f"{made.expires_at[:16].replace('T', ' ')} UTC",
        "quota": str(made.quota.req_per_day),
        "mcp": made.mcp_url,
        "curl": made.example_curl,
    }
    return _reply(201, slots)


def error_page(status: int, code: str, message: str, *, alias: str = "", retry_after: int = 0) -> Reply:
    """The form again, and why there is no sandbox. `alias`: what was asked for; `retry_after`: seconds, 0 when waiting
    does not help."""
    slots = {
        "title": "Error: Try Octonet",
        "invalid": "true" if code in _ABOUT_THE_NAME else "false",
        "alias": alias,
        "error": _sentences(message, retry_after),
        "code": code,
    }
    return _reply(status, slots, {"Retry-After": str(retry_after)} if retry_after else {})


def _sentences(message: str, wait: int) -> str:
    """As the script on the page says it."""
    first = message if message.endswith(".") else f"{message}."
    minutes = -(-wait // 60)
    if minutes <= 0:
        return first
    return f"{first} Try again in a minute." if minutes == 1 else f"{first} Try again in {minutes} minutes."


def _reply(status: int, slots: Mapping[str, str], more: Mapping[str, str] = _NOTHING) -> Reply:
    escaped = {name: html.escape(value) for name, value in {**_EMPTY, **slots}.items()}
    return Reply(_template().substitute(escaped).encode(), status, {**_headers(), **more}, _HTML)


@cache
def _template() -> Template:
    return Template((Path(__file__).parent / "pages" / "try.html").read_text(encoding="utf-8"))


@cache
def _headers() -> Mapping[str, str]:
    """There are no slots in what runs or styles."""
    return page_policy.headers(_template().template)
