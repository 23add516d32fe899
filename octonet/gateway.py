"""The one door: every transport executes and watches here, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

import msgspec

from octonet import chronicle, trying
from octonet.access.allowance import Allowance
from octonet.access.gate import OPEN, Gate
from octonet.access.permissions import PROJECTS, TRANSPORTS
from octonet.access.principal import Caller, Visitor
from octonet.change_set import Refusal, all_or_none, check_keys
from octonet.chronicle import Chronicle
from octonet.draft import CommandDraft, Entropy
from octonet.kernel import rejected
from octonet.kernel.envelope import Actor, Together
from octonet.kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
    OctonetError,
    OutcomeUnknown,
    invalid,
)
from octonet.kernel.ids import DEFAULT_PROJECT, CommandId, EntityId, ProjectName, is_private
from octonet.kernel.log import Outcome, Verdict
from octonet.kernel.not_taken import refuse_more
from octonet.kernel.operation import Command, Family, Operation, Query, Raw, Request, Result
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Checkpoint
from octonet.project import Project, Projects
from octonet.reader import Prepared, Read, Reader
from octonet.trying import Consequences

log = logging.getLogger("octonet.gateway")

MOST_TOGETHER: Final = 100
"""Requests in a change set."""

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
    """The token of the outcome's place in history; empty for a trial."""
    trial: Consequences | None = None
    """What it would do, where it was only tried out: nothing of it was done."""

    @property
    def version(self) -> int:
        """Of the row in `data`; 0 where there is none."""
        return self.outcome.version if self.operation.result is Result.ROW else 0


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
        self._reader = Reader(queries, longest_wait)
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

    def entity(self, project: ProjectName, name: str) -> EntitySchema | None:
        """The entity of this name, or of this collection."""
        return self._projects.get(project).schemas.find(name)

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

    async def admit_shown(self, key: str, actor: Actor) -> Visitor:
        """Whoever is connected under the key with this public part, which another process looked at. Raises as `admit`
        does."""
        return await self._gate.admit_shown(key, actor)

    async def admit_public(self, actor: Actor) -> Visitor:
        """Let in somebody who shows nothing, at a door that has something for everybody. Raises as `admit` does."""
        return await self._gate.admit_public(actor)

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

    def visible(self, visitor: Visitor) -> list[tuple[Project, frozenset[Family]]]:
        """The projects in which a visitor may do anything, and what, by name in order, the default project first."""
        homes = sorted((home for home in self._projects if not is_private(home.name)), key=_in_order)
        found = ((home, self.families(home.name, visitor)) for home in homes)
        return [(home, families) for home, families in found if families]

    def families(self, name: ProjectName, visitor: Visitor) -> frozenset[Family]:
        """What a visitor may ask of a project of this name."""
        return visitor.principal.families(name, visitor.actor.transport)

    def look(self, name: ProjectName, visitor: Visitor, family: Family | None = None) -> Project:
        """The project of this name, for whoever may do anything there, or what is of this family: what a door must know
        to understand a request. It is no use of a key; what the request then asks for is. Raises `Denied`, `NotFound`
        with code UNKNOWN_PROJECT."""
        if family is not None:
            return self._enter(name, visitor, family)
        transport = visitor.actor.transport
        if not visitor.principal.families(name, transport):
            visitor.principal.check_scopes({PROJECTS: name, TRANSPORTS: transport})
        return self._projects.get(name)

    async def count(self, visitor: Visitor) -> None:
        """One more use of a key, for what no operation is behind. Raises `TooOften`, `TooFast`."""
        if not self._gate.count(visitor):
            await self._gate.take(visitor)

    async def visit(self, name: ProjectName, visitor: Visitor) -> Project:
        """The same as a use of the key: what there is to ask for. Raises `TooOften`, `TooFast` too."""
        home = self.look(name, visitor)
        await self.count(visitor)
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
        refuse_more(operation, request)
        if request.min_position is not msgspec.UNSET and request.as_of is msgspec.UNSET:
            await self._reader.reach(home, request.min_position)
        command = self._commands.get(request.op)
        if command is not None and request.dry_run is not msgspec.UNSET and trying.is_wanted(request):
            return await self._try(home, command, schema, request, visitor.actor)
        if command is not None:
            return await self._write(home, command, schema, request, visitor.actor)
        return await self._reader.ask(self._reader.prepare(home, schema, request))

    async def execute_together(
        self, project: ProjectName, requests: Sequence[Request], visitor: Visitor
    ) -> list[Written] | Refusal:
        """Run commands as one change set: all of them have their effect, in their order, or none has. Later ones see
        what earlier ones did. What is wrong with one of them is told, and not raised. Raises `OctonetError` as
        `execute` does for what concerns none alone, `Invalid` when there are no commands or more than `MOST_TOGETHER`.
        """
        if not 1 <= len(requests) <= MOST_TOGETHER:
            raise Invalid(f"a change set has 1 to {MOST_TOGETHER} requests", code="CHANGE_SET_SIZE")
        together = Together(os.urandom(8).hex(), len(requests))
        drafts: list[CommandDraft] = []
        for index, request in enumerate(requests):
            try:
                drafts.append(await self._member(project, request, visitor, together))
            except OctonetError as problem:
                return Refusal(index, problem)
        check_keys(drafts)
        waiting = drafts[0].home.intake.submit_together(drafts, self._patience)
        told = (self._told(draft, outcome) for draft, outcome in zip(drafts, waiting, strict=True))
        found = all_or_none(await asyncio.gather(*told, return_exceptions=True))
        if not isinstance(found, Refusal):
            # Each was told in a task of its own.
            self._reader.saw(drafts[0].home, max(written.outcome.position for written in found))
        return found

    async def execute_each(
        self, project: ProjectName, requests: Sequence[Request], visitor: Visitor
    ) -> list[Written | OctonetError]:
        """Run commands that have nothing to do with each other, begun at once, in their order: of each, what `execute`
        gives or raises. They cost less so."""
        begun: list[tuple[CommandDraft, Awaitable[Outcome]] | OctonetError] = []
        for request in requests:
            try:
                draft = await self._member(project, request, visitor, None)
            except OctonetError as problem:
                begun.append(problem)
            else:
                begun.append((draft, draft.home.intake.submit(draft, self._patience)))
        return [each if isinstance(each, OctonetError) else await self._settled(*each) for each in begun]

    async def _settled(self, draft: CommandDraft, waiting: Awaitable[Outcome]) -> Written | OctonetError:
        try:
            return await self._told(draft, waiting)
        except OctonetError as problem:
            return problem

    async def _member(
        self, project: ProjectName, request: Request, visitor: Visitor, together: Together | None
    ) -> CommandDraft:
        """A request among several, ready to go."""
        operation = self.operations.get(request.op)
        home = self._enter(project, visitor, Family.ADMIN if operation is None else operation.family)
        if not self._gate.count(visitor):
            await self._gate.take(visitor)
        schema = _entity(home, request)
        command = self._commands.get(request.op)
        if command is None:
            raise Invalid(f"{request.op!r} changes nothing: only commands can go together", code="UNKNOWN_OP")
        refuse_more(command, request)
        if request.dry_run is not msgspec.UNSET and trying.is_wanted(request):
            raise invalid("$.dryRun", "is not for change sets: try its commands one by one", code="INVALID_DRY_RUN")
        return CommandDraft(home, command, schema, request, visitor.actor, self._entropy, together)

    def prepare(self, project: ProjectName, request: Request, visitor: Visitor) -> Prepared | None:
        """A query, checked and ready to be asked any number of times; None when the operation is no query. Raises as
        `execute` does."""
        query = self._queries.get(request.op)
        if query is None:
            return None
        home = self._enter(project, visitor, query.family)
        return self._reader.prepare(home, _entity(home, request), request)

    def is_current(self, prepared: Prepared) -> bool:
        """Whether the project is still the one that the query was checked against."""
        return self._projects.get(prepared.home.name) is prepared.home

    async def ask(self, prepared: Prepared, visitor: Visitor) -> Read:
        """Answer a prepared query. Raises `Denied`."""
        visitor.principal.check(prepared.home.name, type(prepared.query).family, visitor.actor.transport)
        if not self._gate.count(visitor):
            await self._gate.take(visitor)
        return await self._reader.ask(prepared)

    async def reach(self, home: Project, token: Raw) -> None:
        """See `Reader.reach`."""
        await self._reader.reach(home, token)

    async def history(
        self, project: ProjectName, entity: str, id: EntityId, visitor: Visitor, limit: int | None, cursor: str | None
    ) -> Chronicle:
        """A page of the history of a row, for whoever may read it. Raises as `execute` does."""
        home = self._enter(project, visitor, Family.READ)
        await self.count(visitor)
        return await chronicle.tell(home, _entity(home, Request(entity=entity)), id, limit, cursor)

    async def mark(self, home: Project) -> Checkpoint:
        """See `Reader.mark`."""
        return await self._reader.mark(home)

    def stay(self, home: Project) -> None:
        """See `Reader.stay`."""
        self._reader.stay(home)

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
        return await self._told(draft, home.intake.submit(draft, self._patience))

    async def _try(
        self, home: Project, command: type[Command], schema: EntitySchema, request: Request, actor: Actor
    ) -> Written:
        """What would become of a command. What it would be related to is not shown: it is not there."""
        draft = CommandDraft(home, command, schema, trying.bare(request), actor, self._entropy)
        outcome, consequences = await trying.attempt(draft)
        if outcome.rejection is not None:
            raise rejected.error(outcome.rejection)
        data = outcome.data
        if data is not None and command.result is Result.ROW and schema.secrets:
            data = await self._public(home, schema, (), data)
        return Written(command, schema, outcome, data, "", consequences)

    async def _told(self, draft: CommandDraft, waiting: Awaitable[Outcome]) -> Written:
        """What the caller of a command is told. Raises its rejection."""
        home, command, schema = draft.home, draft.command, draft.schema
        try:
            outcome = await waiting
        except TimeoutError:
            outcome = await self._late(draft)
        if draft.once is not None and outcome.fingerprint != draft.once.fingerprint:
            sentence = "this idempotency key was used before, for another request"
            raise Conflict(sentence, code="IDEMPOTENCY_KEY_REUSED")
        self._reader.saw(home, outcome.position)
        if outcome.verdict is Verdict.REJECTED:
            assert outcome.rejection is not None
            raise rejected.error(outcome.rejection)
        data = outcome.data
        if data is not None and command.result is Result.ROW and (draft.shown or schema.secrets):
            data = await self._public(home, schema, draft.shown, data)
        return Written(command, schema, outcome, data, home.positions.encode(outcome.position))

    async def _late(self, draft: CommandDraft) -> Outcome:
        told = await self.outcome(draft.home.name, draft.id)
        if told is None:
            raise OutcomeUnknown(f"the outcome of command {draft.id} is not known yet")
        return told

    async def _public(self, home: Project, schema: EntitySchema, shown: tuple[str, ...], data: bytes) -> bytes:
        """The row for the caller: secrets removed, relations populated where asked for."""
        if shown:
            wish = Request(op="findById", entity=schema.name, id=_row.decode(data)["id"], relations=list(shown))
            try:
                found = await self._reader.ask_at_home(self._reader.prepare(home, schema, wish))
                return _json.encode(found.answer.row)
            except Invalid as problem:
                # The write is done: what cannot be shown beside it is no reason to call it refused.
                log.info("a %s is answered without its relations: %s", schema.name, problem)
        row = _row.decode(data)
        return _json.encode({name: value for name, value in row.items() if name not in schema.secrets})


def _in_order(home: Project) -> tuple[bool, ProjectName]:
    return home.name != DEFAULT_PROJECT, home.name


def _entity(home: Project, request: Request) -> EntitySchema:
    schema = home.schemas.find(request.entity)
    if schema is None:
        raise NotFound(f"there is no entity {request.entity!r}", code="ENTITY_NOT_FOUND")
    return schema
