"""The one door: every transport executes and watches here, and nowhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import msgspec

from octonet.kernel.envelope import Actor, Envelope
from octonet.kernel.errors import Invalid, Kind, NotFound, OctonetError, OutcomeUnknown
from octonet.kernel.ids import CommandId, EntityId, ProjectName, uuid7
from octonet.kernel.instant import iso
from octonet.kernel.log import Outcome, Rejection, Verdict
from octonet.kernel.operation import Answer, Command, Operation, Query, Request, Result
from octonet.kernel.position import encode as encode_position
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.sealing import seal_row
from octonet.project import Project, Projects
from projections.engine.hub import Hub

_row = msgspec.json.Decoder(dict)
_DIGITS = 19
_DRAW = _DIGITS * 256 // 2


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


class Entropy:
    """Random bits from the operating system, drawn for many ids at once: a system call each would be felt."""

    def __init__(self) -> None:
        self._drawn = ""
        self._used = 0

    def draw(self) -> str:
        """Nineteen hexadecimal digits that were never drawn before."""
        if self._used >= len(self._drawn):
            self._drawn, self._used = os.urandom(_DRAW).hex(), 0
        start, self._used = self._used, self._used + _DIGITS
        return self._drawn[start : self._used]


class Moment(msgspec.Struct, frozen=True):
    """Implements `kernel.operation.Door`: the time of one command, and fresh ids."""

    schemas: Schemas
    at: str
    milliseconds: int
    entropy: Entropy

    def new_id(self) -> EntityId:
        """A fresh UUIDv7."""
        return EntityId(uuid7(self.milliseconds, self.entropy.draw()))


class Gateway:
    """Validates and hands on: commands to the lane, queries to the database, tails to the hub."""

    def __init__(
        self, projects: Projects, commands: Mapping[str, type[Command]], queries: Mapping[str, type[Query]],
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
        schema = home.schemas.find(request.entity)
        if schema is None:
            raise NotFound(f"there is no entity {request.entity!r}", code="ENTITY_NOT_FOUND")
        command = self._commands.get(request.op)
        if command is not None:
            return await self._write(home, command, schema, request, actor)
        query = self._queries.get(request.op)
        if query is None:
            raise Invalid(f"there is no operation {request.op!r}", code="UNKNOWN_OP")
        parsed = query.parse(request, schema, home.schemas, home.limits)
        return Read(query, schema, await parsed.answer(home.database, schema, home.schemas))

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
        now = time.time_ns() // 1_000_000
        door = Moment(home.schemas, iso(now), now, self._entropy)
        parsed = command.parse(request, schema, door)
        if schema.secrets:
            parsed = parsed.sealed(lambda row: seal_row(home.sealer, schema, "", row))
        id = CommandId(door.new_id())
        outcome = await self._outcome(home, Envelope(id, now, actor, parsed))
        if outcome.verdict is Verdict.REJECTED:
            assert outcome.rejection is not None
            raise _refusal(outcome.rejection)
        data = outcome.data
        if data is not None and command.result is Result.ROW:
            data = await self._public(home, schema, request, data)
        return Written(command, schema, outcome, data, encode_position(home.name, outcome.position))

    async def _outcome(self, home: Project, envelope: Envelope[Command]) -> Outcome:
        try:
            return await home.intake.submit(envelope, self._patience)
        except TimeoutError:
            told = await self.outcome(home.name, envelope.id)
            if told is not None:
                return told
            raise OutcomeUnknown(f"the outcome of command {envelope.id} is not known yet") from None

    async def _public(self, home: Project, schema: EntitySchema, request: Request, data: bytes) -> bytes:
        """The row for the caller: secrets removed, relations populated where asked for."""
        if request.relations is not msgspec.UNSET and request.relations:
            again = Request(op="findById", entity=schema.name, id=_row.decode(data)["id"], relations=request.relations)
            query = self._queries["findById"].parse(again, schema, home.schemas, home.limits)
            answer = await query.answer(home.database, schema, home.schemas)
            return msgspec.json.encode(answer.row)
        if not schema.secrets:
            return data
        row = _row.decode(data)
        return msgspec.json.encode({name: value for name, value in row.items() if name not in schema.secrets})


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
