"""`projects-tree.json`: the projects of an installation, read whole, with every fault told at its path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

import msgspec

from octonet.kernel.errors import OctonetError, validation
from octonet.kernel.faults import Faults, did_you_mean, kind, quote, step
from octonet.kernel.ids import ProjectName, is_slug
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse as parse_schema
from octonet.kernel.storage import Strategy

_CODE: Final = "INVALID_PROJECTS_TREE"
_MEMBERS: Final = frozenset(
    {"dialect", "uri", "schemas", "schemaStrategy", "pool", "tablePrefix", "showSql", "description"}
)
_PASSED_OVER: Final = frozenset({"formatSql", "highlightSql", "ownerId", "visibility"})
"""Members of the reference that say nothing about how a project is served."""
RESERVED: Final = frozenset(
    {
        "admin",
        "api",
        "arrow",
        "events",
        "favicon.ico",
        "graphql",
        "health",
        "logo.png",
        "mcp",
        "metrics",
        "mostajs",
        "nats",
        "odata",
        "openapi.json",
        "rpc",
        "trpc",
        "try",
        "ws",
    }
)
"""Names that stand for doors at the start of a path."""
_PREFIX: Final = re.compile(r"[A-Za-z0-9_]{0,32}")
_MOST_CONNECTIONS: Final = 1000

ReadSchemas: TypeAlias = Callable[[str], Schemas]
"""The entities of a file or directory. Raises `OctonetError`."""


class ProjectSettings(msgspec.Struct, frozen=True):
    """How one project is served."""

    name: ProjectName
    schemas: Schemas
    dialect: str
    uri: str
    """Empty: a file of the project's name in the data directory (SQLite)."""
    strategy: Strategy = Strategy.UPDATE
    pool_size: int = 4
    table_prefix: str = ""
    show_sql: bool = False
    pool_min: int = 0
    description: str = ""
    paused: bool = False
    hold: str = ""
    """Why it is not served at the moment; empty when it is."""


def parse(text: str | bytes, dialects: Collection[str], read: ReadSchemas) -> list[ProjectSettings]:
    """The projects in the order of the file. Raises `ValidationError`, code INVALID_PROJECTS_TREE, with all faults at
    their paths, such as ``$.shop.pool.max`` or ``$.shop.schemas[0].fields.email.type``."""
    faults = Faults()
    tree = _decode(text, faults)
    found = [
        _Reader(name, step("$", name), content, faults, dialects, read).project() for name, content in tree.items()
    ]
    projects = [project for project in found if project is not None]
    _unique_databases(projects, faults)
    faults.check(_CODE)
    return projects


def read_one(name: str, content: object, dialects: Collection[str]) -> ProjectSettings:
    """One project that comes without a tree, its entities with it. Raises `ValidationError` as `parse` does, its
    paths beginning at the project, such as ``$.pool.max``."""
    faults = Faults()

    def read(paths: str) -> Schemas:
        raise validation("$", "expected a list of entities: files are read at a start only")

    found = _Reader(name, "$", content, faults, dialects, read).project()
    faults.check(_CODE)
    assert found is not None
    return found


def write_one(project: ProjectSettings) -> dict[str, object]:
    """What `read_one` reads, and what a tree says of the project."""
    return {
        "dialect": project.dialect,
        "uri": project.uri,
        "schemas": msgspec.json.decode(project.schemas.source),
        "schemaStrategy": project.strategy.value,
        "pool": {"min": project.pool_min, "max": project.pool_size},
        "tablePrefix": project.table_prefix,
        "showSql": project.show_sql,
        "description": project.description,
    }


def _decode(text: str | bytes, faults: Faults) -> dict[str, object]:
    def whole(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            for name in dict.fromkeys(name for name in names if names.count(name) > 1):
                faults.add(step("$", name), "stands there more than once")
        return members

    try:
        found = json.loads(text, object_pairs_hook=whole)
    except (ValueError, RecursionError) as problem:
        raise validation("$", f"is not JSON: {problem}", code=_CODE) from None
    if not isinstance(found, dict):
        raise validation("$", f"expected an object of projects by name, not {kind(found)}", code=_CODE)
    return found


class _Reader:
    """Reads one project."""

    def __init__(
        self,
        name: str,
        path: str,
        content: object,
        faults: Faults,
        dialects: Collection[str],
        read: ReadSchemas,
    ) -> None:
        self._name = name
        self._path = path
        self._content = content
        self._faults = faults
        self._dialects = dialects
        self._read = read

    def project(self) -> ProjectSettings | None:
        """None when so much is wrong that there is nothing to hold against the others."""
        self._check_name()
        if not isinstance(self._content, dict):
            self._faults.add(self._path, f"expected an object, not {kind(self._content)}")
            return None
        for member in self._content:
            if member not in _MEMBERS | _PASSED_OVER:
                near = did_you_mean(member, _MEMBERS)
                self._faults.add(step(self._path, member), f"is not a member of a project{near}")
        dialect = self._dialect()
        uri = self._text("uri", "")
        if not uri and dialect != "sqlite":
            self._faults.add(f"{self._path}.uri", "is required: only SQLite has a place of its own")
        return ProjectSettings(
            ProjectName(self._name),
            self._schemas(),
            dialect,
            uri,
            self._strategy(),
            self._pool("max", 4),
            self._prefix(),
            self._flag("showSql"),
            self._pool("min", 0),
            self._text("description", ""),
        )

    def _check_name(self) -> None:
        if not is_slug(self._name):
            self._faults.add(
                self._path, "a project's name has 1 to 63 lower-case letters, digits and hyphens, no hyphen first"
            )
        elif self._name in RESERVED:
            self._faults.add(self._path, "is the name of a door, and cannot be one of a project")

    def _dialect(self) -> str:
        dialect = self._text("dialect", "sqlite")
        if dialect not in self._dialects:
            known = ", ".join(sorted(self._dialects))
            self._faults.add(f"{self._path}.dialect", f"there is no dialect {quote(dialect)}; the known ones: {known}")
        return dialect

    def _strategy(self) -> Strategy:
        text = self._text("schemaStrategy", Strategy.UPDATE)
        try:
            return Strategy(text)
        except ValueError:
            self._faults.add(f"{self._path}.schemaStrategy", f"{quote(text)} is none of {', '.join(Strategy)}")
            return Strategy.NONE

    def _pool(self, end: str, default: int) -> int:
        pool, path = self._member("pool", {}), f"{self._path}.pool"
        if not isinstance(pool, dict):
            self._faults.add(path, f"expected an object with min and max, not {kind(pool)}")
            return default
        for member in pool:
            if member not in ("min", "max"):
                self._faults.add(step(path, member), "is not a member of a pool: min and max are")
        size = pool.get(end, default)
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MOST_CONNECTIONS:
            self._faults.add(f"{path}.{end}", f"expected a whole number from 0 to {_MOST_CONNECTIONS}")
            return default
        if end == "max" and size == 0:
            self._faults.add(f"{path}.max", "at least one connection is needed")
        return size

    def _schemas(self) -> Schemas:
        given, path = self._member("schemas", f"schemas/{self._name}.json"), f"{self._path}.schemas"
        if isinstance(given, str):
            return self._entities(path, lambda: self._read(given))
        if not isinstance(given, list) or not given:
            self._faults.add(path, "expected a file, a list of files, or a list of entities")
        elif all(isinstance(part, str) for part in given):
            return self._entities(path, lambda: self._read(",".join(given)))
        elif all(isinstance(part, dict) for part in given):
            return self._entities(path, lambda: parse_schema(msgspec.json.encode(given)))
        else:
            self._faults.add(path, "expected either files or entities, not both")
        return Schemas({})

    def _entities(self, path: str, read: Callable[[], Schemas]) -> Schemas:
        try:
            return read()
        except OctonetError as problem:
            for fault in problem.faults:
                self._faults.add(path + fault.path.removeprefix("$"), fault.message)
            if not problem.faults:
                self._faults.add(path, problem.message)
            return Schemas({})

    def _prefix(self) -> str:
        text = self._text("tablePrefix", "")
        if not _PREFIX.fullmatch(text):
            self._faults.add(f"{self._path}.tablePrefix", "has 32 letters, digits and underscores at most")
        return text

    def _text(self, member: str, default: str) -> str:
        value = self._member(member, default)
        if not isinstance(value, str):
            self._faults.add(f"{self._path}.{member}", f"expected text, not {kind(value)}")
            return default
        return value

    def _flag(self, member: str) -> bool:
        value = self._member(member, False)
        if not isinstance(value, bool):
            self._faults.add(f"{self._path}.{member}", f"expected true or false, not {kind(value)}")
        return value is True

    def _member(self, member: str, default: object) -> object:
        assert isinstance(self._content, dict)
        value = self._content.get(member)
        return default if value is None else value


def _unique_databases(projects: list[ProjectSettings], faults: Faults) -> None:
    """Two projects in the same tables would each find the other's rows beside its own, without a fact."""
    seen: dict[tuple[str, str, str], ProjectName] = {}
    for project in projects:
        if not project.uri:
            continue
        other = seen.setdefault((project.dialect, project.uri, project.table_prefix), project.name)
        if other != project.name:
            faults.add(
                f"{step('$', project.name)}.uri",
                f"is the database of project {quote(other)} too: one of them needs another, or a tablePrefix",
            )
