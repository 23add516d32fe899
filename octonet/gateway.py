"""The one door: every transport executes and watches here, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter

import msgspec

from octonet.access.allowance import Allowance
from octonet.access.gate import OPEN, Gate
from octonet.access.principal import Caller, Visitor
from octonet.draft import CommandDraft, Entropy
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Conflict, Invalid, Kind, NotFound, OctonetError, OutcomeUnknown, Unavailable, invalid
from octonet.kernel.ids import CommandId, ProjectName, is_private
from octonet.kernel.log import Outcome, Rejection, Verdict
from octonet.kernel.operation import Answer, Command, Family, Operation, Query, Raw, Request, Result
from octonet.kernel.schema import EntitySchema
from octonet.project import Project, Projects

log = logging.getLogger("octonet.gateway")

_LOOK = 0.01
"""Seconds between two looks at how far the database has come."""

_row = msgspec.json.Decoder(dict)
_json = msgspec.json.Encoder()


class Written(msgspec.Struct, frozen=True):
    """What a command's caller is told. `data` is the row as JSON text, secrets removed, None where there is none; a
    rejected command raises instead."""

    operation: type[Command]
    schema: EntitySchema
    outcome: Outcome
    data: bytes | None
    position: str
    """The token of the outcome's place in history."""

    @property
    def version(self) -> int:
        """Of the row in `data`; 0 where there is none."""
        return self.outcome.version if self.operation.result is Result.ROW else 0


class Read(msgspec.Struct, frozen=True):
    """What a query's caller is told."""

    operation: type[Query]
    schema: EntitySchema
    answer: Answer

    @property
    def version(self) -> int:
        """Of the row that was asked for by its id, else 0."""
        return self.answer.version


class Prepared(msgspec.Struct, frozen=True):
    """A query that was parsed and checked against the project as it is now."""

    home: Project
    schema: EntitySchema
    query: Query


class Gateway:
    """Validates and hands on: commands to the lane, queries to the database, tails to the hub."""

    def __init__(
        self,
        projects: Projects,
        commands: Mapping[str, type[Command]],
        queries: Mapping[str, type[Query]],
        patience: float = 30.0,
        longest_wait: float = 2.0,
        gate: Gate = OPEN,
    ) -> None:
        self._gate = gate
        self._longest_wait = longest_wait
        self._projects = projects
        self._commands = commands
        self._queries = queries
        self._patience = patience
        self._entropy = Entropy()
        self.operations: dict[str, type[Operation]] = {**queries, **commands}
        """Every operation by its name on the wire: the catalog that transports list from."""

    def serves(self, name: str) -> bool:
        """Whether a path may name this project."""
        return not is_private(name) and name in self._projects

    def has_entity(self, project: ProjectName, name: str) -> bool:
        """Whether a path means an entity of this project by such a name."""
        return self._projects.get(project).schemas.find(name) is not None

    def entities(self, project: ProjectName) -> list[str]:
        """The names of a project's entities: told to everybody, as `/health` does."""
        return list(self._projects.get(project).schemas.entities)

    def known(self, credential: str, transport: str, address: str) -> Visitor | None:
        """Whoever showed the same key at the same door from the same place a moment ago; None for everybody else, whom
        `recognise` must look at."""
        return self._gate.known(credential, transport, address)

    def recognise(self, caller: Caller) -> Visitor | None:
        """Let in whoever is known by heart; None when `admit` must look closer. Raises `Unauthenticated`."""
        return self._gate.recognise(caller)

    async def admit(self, caller: Caller) -> Visitor:
        """Let somebody in. Raises `Unauthenticated`, `Unavailable`, `Exhausted`."""
        return await self._gate.admit(caller)

    def allowances(self, visitor: Visitor) -> list[Allowance]:
        """What the limits of a visitor's key leave to them; none where it has none."""
        return self._gate.allowances(visitor.principal)

    async def enter(self, name: ProjectName, visitor: Visitor) -> Project:
        """The project of this name, for whoever may read there: its entities, its live facts. Raises `Denied`,
        `TooOften`, `TooFast`, `NotFound` with code UNKNOWN_PROJECT."""
        home = self._enter(name, visitor, Family.READ)
        if not self._gate.count(visitor):
            await self._gate.take(visitor)
        return home

    def _enter(self, name: ProjectName, visitor: Visitor, family: Family) -> Project:
        visitor.principal.check(name, family, visitor.actor.transport)
        return self._projects.get(name)

    async def execute(self, project: ProjectName, request: Request, visitor: Visitor) -> Written | Read:
        """Run any operation, as its name says. Raises `OctonetError`s only: `Denied`, UNKNOWN_OP, ENTITY_NOT_FOUND,
        MISSING_*, validation errors, and, for commands, the rejection of its decision."""
        operation = self.operations.get(request.op)
        home = self._enter(project, visitor, Family.ADMIN if operation is None else operation.family)
        if not self._gate.count(visitor):
            await self._gate.take(visitor)
        schema = _entity(home, request)
        if operation is None:
            raise Invalid(f"there is no operation {request.op!r}", code="UNKNOWN_OP")
        _refuse_more(operation, request)
        if request.min_position is not msgspec.UNSET:
            await self.reach(home, request.min_position)
        command = self._commands.get(request.op)
        if command is not None:
            return await self._write(home, command, schema, request, visitor.actor)
        return await self._ask(self._prepare(home, schema, request))

    def prepare(self, project: ProjectName, request: Request, visitor: Visitor) -> Prepared | None:
        """A query, checked and ready to be asked any number of times; None when the operation is no query. Raises as
        `execute` does."""
        query = self._queries.get(request.op)
        if query is None:
            return None
        home = self._enter(project, visitor, query.family)
        return self._prepare(home, _entity(home, request), request)

    def is_current(self, prepared: Prepared) -> bool:
        """Whether the project is still the one that the query was checked against."""
        return self._projects.get(prepared.home.name) is prepared.home

    async def ask(self, prepared: Prepared, visitor: Visitor) -> Read:
        """Answer a prepared query. Raises `Denied`."""
        visitor.principal.check(prepared.home.name, type(prepared.query).family, visitor.actor.transport)
        if not self._gate.count(visitor):
            await self._gate.take(visitor)
        return await self._ask(prepared)

    async def _ask(self, prepared: Prepared) -> Read:
        home, schema = prepared.home, prepared.schema
        return Read(type(prepared.query), schema, await prepared.query.answer(home.database, schema, home.schemas))

    async def reach(self, home: Project, token: Raw) -> None:
        """Wait until reads of the project see everything up to a position that some write was answered with. Raises
        `Invalid` with code INVALID_POSITION, `Unavailable` with code POSITION_NOT_REACHED when it takes too long."""
        if not isinstance(token, str):
            raise invalid("$.minPosition", "must be a position", code="INVALID_POSITION")
        entry = home.positions.decode(token, "$.minPosition").entry
        deadline = time.monotonic() + self._longest_wait
        while (await home.database.checkpoint()).entry < entry:
            if time.monotonic() > deadline:
                sentence = "what was written up to this position cannot be read here yet"
                raise Unavailable(sentence, code="POSITION_NOT_REACHED")
            await asyncio.sleep(_LOOK)

    def _prepare(self, home: Project, schema: EntitySchema, request: Request) -> Prepared:
        query = self._queries[request.op]
        return Prepared(home, schema, query.parse(request, schema, home.schemas, home.limits))

    async def outcome(self, project: ProjectName, command: CommandId) -> Outcome | None:
        """What became of a command, None while it is not decided."""
        home = self._projects.get(project)
        entry = await home.database.recall(command)
        if entry is None:
            return None
        return next((o for o in await home.history.outcomes(entry) if o.command_id == command), None)

    async def _write(
        self, home: Project, command: type[Command], schema: EntitySchema, request: Request, actor: Actor
    ) -> Written:
        draft = CommandDraft(home, command, schema, request, actor, self._entropy)
        outcome = await self._outcome(home, draft)
        if draft.once is not None and outcome.fingerprint != draft.once.fingerprint:
            sentence = "this idempotency key was used before, for another request"
            raise Conflict(sentence, code="IDEMPOTENCY_KEY_REUSED")
        if outcome.verdict is Verdict.REJECTED:
            assert outcome.rejection is not None
            raise _refusal(outcome.rejection)
        data = outcome.data
        if data is not None and command.result is Result.ROW and (draft.shown or schema.secrets):
            data = await self._public(home, schema, draft.shown, data)
        return Written(command, schema, outcome, data, home.positions.encode(outcome.position))

    async def _outcome(self, home: Project, draft: CommandDraft) -> Outcome:
        try:
            return await home.intake.submit(draft, self._patience)
        except TimeoutError:
            told = await self.outcome(home.name, draft.id)
            if told is not None:
                return told
            raise OutcomeUnknown(f"the outcome of command {draft.id} is not known yet") from None

    async def _public(self, home: Project, schema: EntitySchema, shown: tuple[str, ...], data: bytes) -> bytes:
        """The row for the caller: secrets removed, relations populated where asked for."""
        if shown:
            wish = Request(op="findById", entity=schema.name, id=_row.decode(data)["id"], relations=list(shown))
            try:
                return _json.encode((await self._ask(self._prepare(home, schema, wish))).answer.row)
            except Invalid as problem:
                # The write is done: what cannot be shown beside it is no reason to call it refused.
                log.info("a %s is answered without its relations: %s", schema.name, problem)
        row = _row.decode(data)
        return _json.encode({name: value for name, value in row.items() if name not in schema.secrets})


def _entity(home: Project, request: Request) -> EntitySchema:
    schema = home.schemas.find(request.entity)
    if schema is None:
        raise NotFound(f"there is no entity {request.entity!r}", code="ENTITY_NOT_FOUND")
    return schema


class _NotTaken(msgspec.Struct, frozen=True):
    """The members of a request that an operation has no use for."""

    names: tuple[str, ...]
    """On the wire."""
    read: Callable[[Request], tuple[object, ...]]
    absent: tuple[object, ...]
    """What `read` finds where none of them was given."""


@cache
def _not_taken(operation: type[Operation]) -> _NotTaken:
    fields = [field for field in msgspec.structs.fields(Request) if field.encode_name not in operation.accepts()]
    names = tuple(field.encode_name for field in fields)
    # The entity is read too: with two names or more, what is read is a tuple.
    read = attrgetter("entity", *(field.name for field in fields))
    return _NotTaken(names, lambda request: read(request)[1:], (msgspec.UNSET,) * len(names))


def _refuse_more(operation: type[Operation], request: Request) -> None:
    """What would be ignored is refused: the caller meant something by it."""
    more = _not_taken(operation)
    found = more.read(request)
    if found != more.absent:
        name = next(name for name, value in zip(more.names, found, strict=True) if value is not msgspec.UNSET)
        raise invalid(f"$.{name}", f"is not taken by {operation.op()}", code="UNKNOWN_MEMBER")


def _refusal(rejection: Rejection) -> OctonetError:
    """The error that a rejection stands for: its kind, code and faults as they were recorded."""
    error = _BY_KIND.get(rejection.kind, OctonetError)
    return error(rejection.message, code=rejection.code, faults=rejection.faults)


def _kinds() -> dict[Kind, type[OctonetError]]:
    found: dict[Kind, type[OctonetError]] = {}
    for error in OctonetError.__subclasses__():
        found.setdefault(error.kind, error)
    return found


_BY_KIND = _kinds()
