"""Operations: commands ask for change, queries ask for a look. One operation, one file, found by its presence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from functools import cache
from typing import ClassVar, Protocol, Self, TypeAlias

import msgspec

from octonet.kernel.filter import Filter
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Source

Raw: TypeAlias = object
"""JSON as it came, not yet looked at; UNSET when it did not come."""


class Request(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An operation as any door receives it, before it is parsed: the reference's OrmRequest.

    Every member is optional here; each operation names what it needs. Members absent are UNSET, so that a null,
    a zero or an empty string that was sent is never lost.
    """

    op: str = ""
    entity: str = ""
    id: Raw = msgspec.UNSET
    filter: Raw = msgspec.UNSET
    data: Raw = msgspec.UNSET
    options: Raw = msgspec.UNSET
    relations: Raw = msgspec.UNSET
    query: Raw = msgspec.UNSET
    search_fields: Raw = msgspec.UNSET
    stages: Raw = msgspec.UNSET
    field: Raw = msgspec.UNSET
    value: Raw = msgspec.UNSET
    amount: Raw = msgspec.UNSET
    idempotency_key: Raw = msgspec.UNSET
    expected_version: Raw = msgspec.UNSET
    min_position: Raw = msgspec.UNSET
    as_of: Raw = msgspec.UNSET
    dry_run: Raw = msgspec.UNSET


class Moment(msgspec.Struct, frozen=True):
    """Everything a decision may know of the world outside the data: it came in the envelope."""

    at: str
    """Time of the command, ISO-8601 UTC with milliseconds and Z."""


class Session(Protocol):
    """The write side's unit of work, as one command sees it. Rows are in wire form, live rows only."""

    async def load(self, schema: EntitySchema, id: EntityId) -> Row | None:
        """The row as all earlier commands left it, or None. The caller must not change it."""
        ...

    async def standing(self, schema: EntitySchema, id: EntityId) -> tuple[int, Row | None]:
        """The row's version and state, of a softly deleted row too; 0 and None where there is none."""
        ...

    async def prefetch(self, schema: EntitySchema, ids: Collection[EntityId]) -> None:
        """Load rows that are about to be changed, in one query."""
        ...

    async def match(self, schema: EntitySchema, where: Filter, limit: int | None = None) -> list[EntityId]:
        """Ids of the live rows that match, ascending, as all earlier commands left them."""
        ...

    async def create(self, schema: EntitySchema, id: EntityId, state: Row, *, settled: bool = False) -> Row:
        """Add a row. Raises `Conflict` when the id is taken, `ValidationError` when a reference has no target; one that
        is `settled` elsewhere may refer to rows that were softly deleted since."""
        ...

    async def update(self, schema: EntitySchema, id: EntityId, change: Row, *, settled: bool = False) -> Row:
        """Merge a change into a live row; returns the row. When nothing differs, nothing happened: no fact."""
        ...

    async def erase(self, schema: EntitySchema, ids: Sequence[EntityId]) -> None:
        """Delete live rows, soft where the schema says so, with everything `onDelete` asks of the rows that refer to
        them: a fact for each row touched. Raises `Conflict` where a restriction forbids it."""
        ...


class Result(StrEnum):
    """What an operation answers with, so that a transport can type it."""

    ROW = "row"
    ROWS = "rows"
    DELETED = "deleted"
    COUNT = "count"


class Family(StrEnum):
    """What a caller must be allowed to do, to ask for an operation."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Decided(msgspec.Struct, frozen=True):
    """What a command's decision says to its caller: which row it answers with, how many rows it was about."""

    id: EntityId | None = None
    count: int = 0


class Operation(msgspec.Struct, frozen=True, tag_field="op"):
    """What commands and queries share."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Names of the `Request` members it requires, in wire spelling."""
    takes: ClassVar[tuple[str, ...]] = ()
    """Names of the `Request` members it accepts beside those."""
    result: ClassVar[Result] = Result.ROW
    family: ClassVar[Family] = Family.ADMIN

    entity: str

    @classmethod
    def accepts(cls) -> frozenset[str]:
        """The members of a request that have a meaning for it, in wire spelling."""
        return frozenset(("op", "entity", "minPosition", *cls.needs, *cls.takes))

    @classmethod
    @cache
    def op(cls) -> str:
        """The name on the wire, e.g. ``updateMany``."""
        tag = cls.__struct_config__.tag
        assert isinstance(tag, str)
        return tag


class Command(Operation, frozen=True, tag_field="op"):
    """A wish to change rows of one entity. Frozen, pure: it takes time and ids from the door, never makes them."""

    family: ClassVar[Family] = Family.WRITE

    @classmethod
    def accepts(cls) -> frozenset[str]:
        """See `Operation`. A row that is named by its id may be changed on condition of its version; every command may
        be tried out."""
        conditions = ("idempotencyKey", "expectedVersion") if "id" in cls.needs else ("idempotencyKey",)
        return super().accepts().union((*conditions, "dryRun"))

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        """Check and normalise a request whole, or raise naming the place. Runs at the door."""
        raise NotImplementedError

    def sealed(self, seal: Callable[[Row], Row]) -> Self:
        """The same command with the secrets in its values sealed, for its journey."""
        return self

    def touches(self) -> tuple[EntityId, ...]:
        """Ids of the rows of its entity it will load: the lane fetches them for a whole batch at once."""
        return ()

    def makes(self) -> EntityId | None:
        """Id of the row it adds, where it adds one for certain: when that id is taken, the caller is told so before
        anything else."""
        return None

    def mentions(self) -> Row:
        """The values it will store, as far as they are known beforehand: the lane checks the references in them for
        a whole batch at once."""
        return {}

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        """Do it, in the session. Raises an `OctonetError` to reject; then nothing of it happened."""
        raise NotImplementedError


class Door(Protocol):
    """What the gateway lends to `Command.parse`: the only clock and the only source of ids."""

    @property
    def schemas(self) -> Schemas:
        """The project's entities."""
        ...

    @property
    def at(self) -> str:
        """The command's time, ISO-8601 UTC with milliseconds and Z."""
        ...

    def new_id(self) -> EntityId:
        """A fresh UUIDv7."""
        ...


class Answer(msgspec.Struct, frozen=True):
    """What a query found. `rows` None for a plain count; `total` where it was counted; `cursor` where more follow."""

    row: Row | None = None
    rows: list[Row] | None = None
    count: int | None = None
    total: int | None = None
    cursor: str | None = None
    version: int = 0
    """Of `row`, where it was asked for by its id."""


class Limits(msgspec.Struct, frozen=True):
    """Sizes of a page, by configuration."""

    default_page: int = 100
    maximum_page: int = 1000


class Query(Operation, frozen=True, tag_field="op"):
    """A wish to look at rows of one entity. Never touches JetStream."""

    family: ClassVar[Family] = Family.READ
    looks_back: ClassVar[bool] = False
    """Whether it can be answered as of a moment of the past."""

    @classmethod
    def accepts(cls) -> frozenset[str]:
        """See `Operation`."""
        return super().accepts().union(("asOf",) if cls.looks_back else ())

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        """Check a request whole, or raise naming the place. Runs at the door."""
        raise NotImplementedError

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        """Look."""
        raise NotImplementedError
