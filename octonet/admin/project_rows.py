"""A project as a row of the system project: its address sealed, its entities as they were given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache

import msgspec

from octonet.access.sealing import AesSealer
from octonet.kernel.ids import JsonValue, ProjectName, Row
from octonet.kernel.operation import Raw
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse as parse_schema
from octonet.kernel.sealing import SEALED
from octonet.kernel.storage import Strategy
from octonet.projects_tree import ProjectSettings

ENTITY = "Project"
_PAUSED = "it is paused"


class State(StrEnum):
    """What is to become of a project. `removed` is kept of those that a file names; `erasing`: its history, tables and
    files go, and then the row."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"
    ERASING = "erasing"


class Specified(msgspec.Struct, frozen=True):
    """A project of the system project. `specified` is the digest of what a file said of it when it was changed last
    at run time, None where no file names it: a file that says something new counts again."""

    project: ProjectSettings
    state: State
    specified: str | None
    account: str | None
    problem: str | None


class ProjectRows:
    """Reads and writes them. `sealer` is the installation's."""

    def __init__(self, sealer: AesSealer) -> None:
        self._sealer = sealer

    def read(self, row: Row) -> Specified:
        """What a row says."""
        name = ProjectName(str(row["id"]))
        state = State(str(row["state"]))
        strategy = Strategy(str(row["schemaStrategy"]))
        numbers = {field: int(str(row[field] or 0)) for field in ("poolMin", "poolMax")}
        project = ProjectSettings(
            name,
            _schemas(str(row["schemas"])),
            str(row["dialect"]),
            str(self._sealer.open({SEALED: row["sealedUri"]}, _place(name))),
            strategy,
            numbers["poolMax"],
            str(row["tablePrefix"] or ""),
            bool(row["showSql"]),
            numbers["poolMin"],
            str(row["description"] or ""),
            state is State.PAUSED,
            _PAUSED if state is State.PAUSED else "",
        )
        return Specified(project, state, _text(row["specified"]), _text(row["account"]), _text(row["problem"]))

    def write(self, project: ProjectSettings) -> dict[str, Raw]:
        """The columns that say how a project is served."""
        sealed = self._sealer.seal(project.uri, _place(project.name))
        assert isinstance(sealed, dict)
        return {
            "dialect": project.dialect,
            "sealedUri": sealed[SEALED],
            "schemas": project.schemas.source,
            "schemaStrategy": project.strategy.value,
            "poolMin": project.pool_min,
            "poolMax": project.pool_size,
            "tablePrefix": project.table_prefix,
            "showSql": project.show_sql,
            "description": project.description,
        }


def wanted(files: Iterable[ProjectSettings], rows: Mapping[ProjectName, Specified]) -> list[ProjectSettings]:
    """What is to be served: the projects of the files, as they were changed at run time since, and those that were
    added at run time."""
    found: list[ProjectSettings] = []
    named: set[ProjectName] = set()
    for project in files:
        named.add(project.name)
        row = rows.get(project.name)
        if row is None or row.specified != digest(project):
            found.append(project)
        elif row.state in (State.ACTIVE, State.PAUSED):
            found.append(row.project)
    for name, row in rows.items():
        if name not in named and row.specified is None and row.state in (State.ACTIVE, State.PAUSED):
            found.append(row.project)
    return found


def digest(project: ProjectSettings) -> str:
    """Of all that a file says of a project."""
    said = (
        project.dialect,
        project.uri,
        project.schemas.source,
        project.strategy.value,
        project.pool_size,
        project.table_prefix,
        project.show_sql,
    )
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


@lru_cache(maxsize=1024)
def _schemas(source: str) -> Schemas:
    return parse_schema(source)


def _place(name: ProjectName) -> str:
    return f"project {name}"


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)
