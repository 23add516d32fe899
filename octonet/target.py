"""The database that a project's log is folded into beside the live one: which may be taken, and how far it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from octonet import dialects
from octonet.admin.places import address, place
from octonet.admin.replica_rows import ReplicaSettings
from octonet.kernel.chain import stands
from octonet.kernel.errors import Conflict, Invalid
from octonet.kernel.log import Stream
from octonet.kernel.storage import Checkpoint, Database
from octonet.projects_tree import ProjectSettings
from octonet.snapshots.filling import unfinished

_SHOWN: Final = 5


def dialect_of(uri: str) -> str | None:
    """The dialect that an address names by its scheme, as in ``postgresql+asyncpg://``."""
    scheme, colon, _ = uri.partition(":")
    known = (name for name in dialects.known() if scheme.partition("+")[0] in (name, f"{name}ql"))
    return next(known, None) if colon else None


def settled(project: ProjectSettings, uri: str, dialect: str = "") -> ProjectSettings:
    """The project, as it would be kept at `uri`. Without one, SQLite has the next file beside the live one. Raises
    `Invalid`, code TARGET_NEEDED, where another database has to be named."""
    dialect = dialect or dialect_of(uri) or project.dialect
    if not uri:
        if dialect != "sqlite" or project.dialect != "sqlite":
            raise Invalid(
                f"project {project.name} is kept in {project.dialect}: name an empty database with --to",
                code="TARGET_NEEDED",
            )
        uri = _next_file(project)
    if dialect == "sqlite" and "?" not in uri and ":memory:" not in uri:
        uri = f"sqlite:///{place(dialect, uri)[1]}"
    return msgspec.structs.replace(project, dialect=dialect, uri=uri)


def check_place(
    target: ProjectSettings,
    live: ProjectSettings,
    others: Iterable[ProjectSettings],
    replicas: Iterable[ReplicaSettings],
) -> None:
    """Raises `Conflict`: code TARGET_IS_LIVE for the project's own database, PLACE_TAKEN for another project's, or a
    replica's."""
    wanted = place(target.dialect, target.uri)
    if wanted == place(live.dialect, live.uri):
        raise Conflict(
            f"that is the database that project {live.name} is served from: name another one", code="TARGET_IS_LIVE"
        )
    for other in others:
        if other.name != live.name and wanted == place(other.dialect, other.uri):
            raise Conflict(f"that is the database of project {other.name}: name another one", code="PLACE_TAKEN")
    for replica in replicas:
        if address(target.dialect, target.uri) == address(replica.dialect, replica.uri):
            raise Conflict(
                f"that is the database of replica {replica.name} of project {replica.project}: promote it instead, or "
                "name another one",
                code="PLACE_TAKEN",
            )


async def check_contents(database: Database, log: Stream, last: int) -> Checkpoint:
    """How far the database has folded this log, which ends at `last`: nowhere, somewhere, or it is being filled from a
    snapshot. Raises `Conflict`: code TARGET_NOT_EMPTY for tables that are no fold of a log, TARGET_AHEAD for one that
    is ahead of it, TARGET_OF_ANOTHER_LOG."""
    found = await database.contents()
    mark = found.checkpoint
    if mark is None:
        if found.tables:
            names = ", ".join(found.tables[:_SHOWN]) + (" …" if len(found.tables) > _SHOWN else "")
            raise Conflict(
                f"that database is not empty, it holds {names}: name an empty one, or one that was filled from this "
                "project's log before",
                code="TARGET_NOT_EMPTY",
            )
        return Checkpoint()
    if unfinished(mark):
        return mark
    if mark.entry > last:
        raise Conflict(
            f"that database has folded {mark.entry} log entries, the log of this project holds {last}: it is another "
            "project's, or the log lost its end; name an empty database",
            code="TARGET_AHEAD",
        )
    if not await stands(log, mark.entry, mark.digest):
        raise Conflict(
            f"that database is a fold of another log: its entry {mark.entry} is not the one of this project; name an "
            "empty database",
            code="TARGET_OF_ANOTHER_LOG",
        )
    return mark


def _next_file(project: ProjectSettings) -> str:
    """``shop.db``, ``shop-2.db``, ``shop-3.db`` …: a rebuild that was interrupted finds the same again."""
    path = Path(place(project.dialect, project.uri)[1])
    stem, dash, number = path.stem.rpartition("-")
    if not (dash and number.isdecimal()):
        stem, number = path.stem, "1"
    return f"sqlite:///{path.with_name(f'{stem}-{int(number) + 1}{path.suffix}')}"
