"""The one door: every transport executes and watches here, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

import msgspec

from octonet.draft import CommandDraft, Entropy
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Invalid, Kind, NotFound, OctonetError, OutcomeUnknown, invalid
from octonet.kernel.ids import CommandId, ProjectName
from octonet.kernel.log import Outcome, Rejection, Verdict
from octonet.kernel.operation import Answer, Command, Operation, Query, Request, Result
from octonet.kernel.position import encode as encode_position
from octonet.kernel.schema import EntitySchema
from octonet.project import Project, Projects
from projections.engine.hub import Hub

log = logging.getLogger("octonet.gateway")

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


class Read(msgspec.Struct, frozen=True):
    """What a query's caller is told."""

    operation: type[Query]
    schema: EntitySchema
    answer: Answer


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
    ) -> None:
        self._projects = projects
        self._commands = commands
        self._queries = queries
        self._patience = patience
        self._entropy = Entropy()
        self.operations: dict[str, type[Operation]] = {**queries, **commands}
        """Every operation by its name on the wire: the catalog that transports list from."""

    def project(self, name: ProjectName) -> Project:
        """The project of this name. Raises `NotFound` with code UNKNOWN_PROJECT."""
        return self._projects.get(name)

    def projects(self) -> Projects:
        """All projects."""
        return self._projects

    def hub(self, project: ProjectName) -> Hub:
        """The live facts of a project, for transports that push."""
        return self._projects.get(project).hub

    async def execute(self, project: ProjectName, request: Request, actor: Actor) -> Written | Read:
        """Run any operation, as its name says. Raises `OctonetError`s only: UNKNOWN_OP, ENTITY_NOT_FOUND,
        MISSING_*, validation errors, and, for commands, the rejection of its decision."""
        home = self._projects.get(project)
        schema = _entity(home, request)
        operation = self.operations.get(request.op)
        if operation is None:
            raise Invalid(f"there is no operation {request.op!r}", code="UNKNOWN_OP")
        _refuse_more(operation, request)
        command = self._commands.get(request.op)
        if command is not None:
            return await self._write(home, command, schema, request, actor)
        return await self.ask(self._prepare(home, schema, request))

    def prepare(self, project: ProjectName, request: Request) -> Prepared | None:
        """A query, checked and ready to be asked any number of times; None when the operation is no query. Raises as
        `execute` does."""
        home = self._projects.get(project)
        return self._prepare(home, _entity(home, request), request) if request.op in self._queries else None

    async def ask(self, prepared: Prepared) -> Read:
        """Answer a prepared query."""
        home, schema = prepared.home, prepared.schema
        return Read(type(prepared.query), schema, await prepared.query.answer(home.database, schema, home.schemas))

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
        if outcome.verdict is Verdict.REJECTED:
            assert outcome.rejection is not None
            raise _refusal(outcome.rejection)
        data = outcome.data
        if data is not None and command.result is Result.ROW and (draft.shown or schema.secrets):
            data = await self._public(home, schema, draft.shown, data)
        return Written(command, schema, outcome, data, encode_position(home.name, outcome.position))

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
                return _json.encode((await self.ask(self._prepare(home, schema, wish))).answer.row)
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


@cache
def _not_taken(operation: type[Operation]) -> tuple[tuple[str, str], ...]:
    """The members of a request that this operation has no use for: attribute, name on the wire."""
    taken = {"op", "entity", *operation.needs, *operation.takes}
    fields = msgspec.structs.fields(Request)
    return tuple((field.name, field.encode_name) for field in fields if field.encode_name not in taken)


def _refuse_more(operation: type[Operation], request: Request) -> None:
    """What would be ignored is refused: the caller meant something by it."""
    for name, member in _not_taken(operation):
        if getattr(request, name) is not msgspec.UNSET:
            raise invalid(f"$.{member}", f"is not taken by {operation.op()}", code="UNKNOWN_MEMBER")


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
