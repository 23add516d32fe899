"""Where a Spanner database is, and whose credentials open it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from octonet.kernel.errors import Invalid

WRITTEN: Final = "spanner://project/instance/database"
_SCHEMES: Final = ("spanner", "spanner+spanner")
_LONG: Final = re.compile(r"/projects/([^/]+)/instances/([^/]+)/databases/([^/]+)")
_SHORT: Final = re.compile(r"/([^/]+)/([^/]+)")
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")


class Address(msgspec.Struct, frozen=True):
    """A database. `credentials`: a file with the key of a service account; empty where what Google's libraries
    find by themselves is meant."""

    project: str
    instance: str
    database: str
    credentials: str = ""

    @property
    def shown(self) -> str:
        """As it is told."""
        return f"spanner://{self.project}/{self.instance}/{self.database}"

    @property
    def path(self) -> str:
        """What Spanner calls it."""
        return f"projects/{self.project}/instances/{self.instance}/databases/{self.database}"


def parsed(uri: str) -> Address:
    """Raises `Invalid`."""
    try:
        parts = urlsplit(uri)
        project = unquote(parts.netloc)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as problem:
        raise Invalid(f"{uri!r} cannot be read: {problem}") from problem
    path = unquote(parts.path).rstrip("/")
    found = (_SHORT if project else _LONG).fullmatch(path)
    *of, instance, database = (project, *(found.groups() if found else ("", "")))
    if parts.scheme not in _SCHEMES or not all(map(_PART.fullmatch, (of[-1], instance, database))):
        raise Invalid(f"{uri!r} is no address of a Spanner database: write {WRITTEN}")
    if unknown := sorted(set(options) - {"credentials"}):
        raise Invalid(f"{uri!r}: {unknown[0]!r} is no parameter of its address; there is credentials")
    return Address(of[-1], instance, database, options.get("credentials", ""))
