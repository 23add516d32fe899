"""ODBC as pyodbc has it: what is alike for all databases that are reached through it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Protocol, cast

from octonet.dialects.engine.dbapi_driver import Cursor, Failure, Raw

MODULE = "pyodbc"


class _OdbcRaw(Raw, Protocol):
    timeout: int


class _OdbcCursor(Cursor, Protocol):
    def cancel(self) -> None: ...

    def nextset(self) -> bool | None: ...


def said(values: Mapping[str, str]) -> str:
    """A connection string, in which no value ends another one."""
    return ";".join(f"{name}={{{value.replace('}', '}}')}}}" for name, value in values.items())


def connect(driver: Any, text: str, within: float) -> Raw:
    """Open a connection by a connection string. Each statement is a transaction, until one is begun."""
    return cast("Raw", driver.connect(text, autocommit=True, timeout=max(1, math.ceil(within))))


def limit(raw: Raw, seconds: float) -> None:
    """Have a connection work for so many seconds on each statement."""
    cast("_OdbcRaw", raw).timeout = max(1, math.ceil(seconds))


def cancel(raw: Raw, cursor: Cursor | None) -> None:
    """From another thread, end the statement under way."""
    if cursor is not None:
        cast("_OdbcCursor", cursor).cancel()


def told(error: Exception) -> Failure:
    """An error of the driver: the state, and a text with the server's number in it."""
    state, text = (str(part) for part in (*error.args, "", "")[:2])
    number = re.search(r"\((-?\d+)\) \(SQL", text)
    return Failure(text or state, int(number[1]) if number else 0, state)


def rest(cursor: Cursor) -> None:
    """Hear out what further statements of a text did: an error of theirs is raised."""
    while cast("_OdbcCursor", cursor).nextset():
        pass
