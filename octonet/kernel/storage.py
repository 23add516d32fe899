"""The narrow waist: all that a database must be able to do, so that operations and dialects never multiply."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

import msgspec

from octonet.kernel.aggregate import Stage
from octonet.kernel.filter import Filter, Options
from octonet.kernel.ids import CommandId, EntityId, JsonValue, Row
from octonet.kernel.schema import EntitySchema, Relation, Schemas


class Stored(msgspec.Struct, frozen=True):
    """One row with its version. `state` holds every column and every many-to-many link (sorted ids), in wire form."""

    id: EntityId
    version: int
    state: Row


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a database has folded the log: kept in the same transaction as the rows it describes.

    `entry` is the last log sequence folded, `frame` the last command-stream sequence decided by it, `digest` the
    SHA-256 of that entry's bytes (empty before the first), `schema` the digest of the schema the tables follow.
    """

    entry: int = 0
    frame: int = 0
    digest: bytes = b""
    schema: str = ""


class Remembered(msgspec.Struct, frozen=True):
    """One row of the inbox: the command was decided by this log entry."""

    command_id: CommandId
    entry: int


class Followed(msgspec.Struct, frozen=True):
    """The schema that the tables of a database follow: its digest, and the schema file's JSON."""

    digest: str
    source: str
    aside: tuple[str, ...] = ()
    """Tables, and columns as ``table.column``, that stand there with values and that this schema has given up."""


class Contents(msgspec.Struct, frozen=True):
    """What stands in a database as it was found: the names of all its tables, other programs' too, and how far it has
    folded a log; None where it has folded none."""

    tables: tuple[str, ...]
    checkpoint: Checkpoint | None


class Strategy(StrEnum):
    """What happens to the tables at start (`DB_SCHEMA_STRATEGY`)."""

    NONE = "none"
    VALIDATE = "validate"
    UPDATE = "update"
    CREATE = "create"
    CREATE_DROP = "create-drop"


class Transaction(Protocol):
    """One open write transaction. Only the owner of a project's lane has one; there is never a second.

    A violated constraint raises `ConstraintViolation` naming the entity's columns in its faults, and leaves the
    transaction usable after `rollback_to`. A lost database raises `StorageUnavailable`; nothing is then committed.
    """

    async def checkpoint(self) -> Checkpoint:
        """The checkpoint as this transaction sees it."""
        ...

    async def move_checkpoint(self, to: Checkpoint) -> None:
        """Replace the checkpoint."""
        ...

    async def recall(self, ids: Collection[CommandId]) -> Mapping[CommandId, int]:
        """For those of the commands that were decided before, the log entry that did it."""
        ...

    async def newest(self) -> CommandId:
        """The last, in code-point order, of all remembered commands whose id is a UUIDv7; empty where there is none."""
        ...

    async def remember(self, decided: Sequence[Remembered]) -> None:
        """Add to the inbox."""
        ...

    async def fetch(self, schema: EntitySchema, ids: Collection[EntityId]) -> Mapping[EntityId, Stored]:
        """Those of the rows that exist, soft-deleted ones included, links included."""
        ...

    async def present(self, schema: EntitySchema, ids: Collection[EntityId]) -> frozenset[EntityId]:
        """Those of the ids that exist and are not soft-deleted."""
        ...

    async def match(
        self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False, limit: int | None = None
    ) -> list[EntityId]:
        """Ids of the matching rows, in ascending order of id."""
        ...

    async def linked(self, schema: EntitySchema, relation: Relation, targets: Collection[EntityId]) -> list[EntityId]:
        """Ids of the owners whose many-to-many `relation` holds any of the targets, ascending."""
        ...

    async def insert(self, schema: EntitySchema, rows: Sequence[Stored]) -> None:
        """Insert rows with their links, multi-row."""
        ...

    async def update(self, schema: EntitySchema, rows: Sequence[tuple[int, Stored]]) -> None:
        """Replace rows (given with the version they must have now) and their links. Raises `Internal` when a row is
        absent or has another version: the fold would no longer be exact."""
        ...

    async def delete(self, schema: EntitySchema, ids: Sequence[EntityId]) -> None:
        """Remove rows and their links. Raises `Internal` when one of them is absent."""
        ...

    async def savepoint(self) -> None:
        """Open a nested savepoint."""
        ...

    async def release(self) -> None:
        """Keep what was done since the innermost savepoint, and close it."""
        ...

    async def rollback_to(self) -> None:
        """Undo what was done since the innermost savepoint, and close it."""
        ...

    async def commit(self) -> None:
        """Make everything visible and durable; the transaction is over."""
        ...

    async def rollback(self) -> None:
        """Forget everything; the transaction is over. Never raises for a transaction that is already over."""
        ...


class Page(msgspec.Struct, frozen=True):
    """What a select asks for: ids only matter where `options.select` says so; secrets are never selected."""

    where: Filter
    options: Options
    limit: int
    """Rows wanted at most, defaults and maxima already applied."""


class Source(Protocol):
    """Somewhere queries are answered from. Rows come in wire form without secret columns; soft-deleted rows and
    rows of another discriminator are left out unless the options say otherwise. A query past its deadline raises
    `Unavailable` with code QUERY_TIMEOUT."""

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        """One live row by id, with its links and its version; `state` holds what the options show of it."""
        ...

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        """The row's version, for conditional requests."""
        ...

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        """Matching rows in the order asked for, then by id, each with its links."""
        ...

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        """How many rows match."""
        ...

    async def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> list[Row]:
        """The pipeline's rows, at most `limit`."""
        ...

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        """The (owner, target) links of a many-to-many relation, ordered by owner, target: one query."""
        ...

    async def checkpoint(self) -> Checkpoint:
        """How far this source has folded the log."""
        ...

    async def recall(self, id: CommandId) -> int | None:
        """The log entry that decided the command, if it was decided."""
        ...


class Snapshot(Protocol):
    """All of a database as it was at one moment, whatever is written meanwhile. A lost database raises
    `StorageUnavailable`."""

    async def checkpoint(self) -> Checkpoint:
        """How far the log was folded at that moment."""
        ...

    async def rows(self, schema: EntitySchema, after: str, limit: int) -> list[Stored]:
        """Rows in ascending order of id, those behind `after` (empty: from the first), at most `limit`; soft-deleted
        ones, secrets and links included, rows of another discriminator not."""
        ...

    async def remembered(self, after: str, limit: int) -> list[Remembered]:
        """The inbox in ascending order of command id, likewise."""
        ...


class Database(Source, Protocol):
    """One open database of one project: a source, and, for the lane's owner, a writer."""

    async def whole(self, schema: EntitySchema, id: EntityId) -> Stored | None:
        """One live row by id, secrets included, for those who verify them. Queries are given a `Source`, which has no
        way to a secret."""
        ...

    async def migrate(
        self, schemas: Schemas, strategy: Strategy, *, drop: bool = False, mark: Checkpoint | None = None
    ) -> None:
        """Bring the tables in line with the schema, and read and write by it from then on.

        `validate` raises `Conflict`, code SCHEMA_MISMATCH, listing every difference. `update` takes the rows along:
        new columns get their defaults, values are turned into the types of today, and what the schema has given up
        stays in the database, unused, to come back when it is named again; with `drop` it is removed for good. It
        raises `Conflict`, code SCHEMA_CONFLICT, naming the places that rows stand against; then nothing is changed.
        `mark` moves the checkpoint in the same transaction."""
        ...

    async def follows(self) -> Followed | None:
        """The schema that the tables follow; None where it is not known, or every strategy so far left the tables
        to somebody else (`none`, `validate`)."""
        ...

    async def identity(self) -> str:
        """What is the same for two addresses of one database, and for no two databases, for as long as its server
        runs."""
        ...

    async def contents(self) -> Contents:
        """What stands there, whether or not it was migrated yet."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """A look at everything as it is now, for as long as it takes: no deadline ends it."""
        ...

    async def begin(self) -> Transaction:
        """Open the write transaction."""
        ...

    async def close(self, *, kept: bool = False) -> None:
        """Release every connection. `kept`: the tables stay, whatever the strategy says, for somebody goes on with
        them."""
        ...


class Dialect(Protocol):
    """One kind of database; a module of `octonet.dialects` exports one as `DIALECT`."""

    name: str

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at `uri`. Raises `StorageUnavailable` or `Invalid` with a sentence that says what to do."""
        ...


class DatabaseOptions(msgspec.Struct, frozen=True):
    """What every dialect can be told."""

    pool_size: int = 4
    """Connections for long reads."""
    query_timeout: float = 10.0
    """Seconds a read may take."""
    table_prefix: str = ""
    show_sql: bool = False
    synced: bool = False
    """Whether a commit is on the disk when it is told. Whoever owns a lane needs it not, for what a power cut
    takes is folded again; what is known of a replica is used without another look."""


Scalar = str | int | float | bool | None
"""A value as it is bound to a statement's parameter."""

__all__ = [
    "Checkpoint",
    "Contents",
    "Database",
    "DatabaseOptions",
    "Dialect",
    "Followed",
    "JsonValue",
    "Page",
    "Remembered",
    "Scalar",
    "Snapshot",
    "Source",
    "Stored",
    "Strategy",
    "Transaction",
]
