"""The package `octonet.v1`: a service for each entity of a project, with a method for each operation."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Final

from octonet.kernel.operation import Command, Operation, Result
from octonet.kernel.schema import ID
from transports.engine.grpc import core_file
from transports.engine.grpc.fields import RELATED, VERSION, Kind, Shape, snake
from transports.engine.grpc.files import MASK, STRUCT, TIMESTAMP, File, camel

PACKAGE: Final = "octonet.v1"
NAME: Final = "octonet/v1/entities.proto"
IMPORTS: Final = (
    "google/protobuf/field_mask.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    core_file.NAME,
)
AGGREGATE: Final = "aggregate"
WATCH, IMPORT, BATCH = "Watch", "Import", "Batch"
OTHER: Final = "other"

_Field = tuple[str, int, str, str]
MEMBERS: Final[Mapping[str, tuple[_Field, ...]]] = {
    "id": (("id", 1, "string?", ""),),
    "data": (
        ("data", 2, "row", "What is written. A field that is absent is not written, unless the mask names it."),
        ("mask", 3, MASK, "The fields that are written; one that is absent becomes null. Without: those present."),
    ),
    "filter": (("filter", 4, "string?", 'JSON, such as {"age":{"$gte":18}}.'),),
    "options": (
        ("sort", 5, "string?", 'Columns and directions as JSON, such as {"age":-1}.'),
        ("limit", 6, "int64?", "Rows wanted at most."),
        ("skip", 7, "int64?", "Rows to leave out first."),
        ("read_mask", 8, MASK, "The fields wanted; the id always comes."),
        ("exclude_mask", 9, MASK, "The fields not wanted."),
        ("include_deleted", 10, "bool?", "Whether soft-deleted rows are seen."),
        ("versions", 11, "bool?", "Whether rows carry their versions."),
        ("cursor", 12, "string?", "Where the page before ended: the cursor of its answer."),
        ("all", 13, "bool?", "Says that the operation may touch every row."),
    ),
    "relations": (("relations", 14, "string*", "The relations to tell, by their names in the schema."),),
    "query": (("query", 15, "string?", "The text to look for."),),
    "searchFields": (("search_fields", 16, "string*", "The fields to search, by their names in the schema."),),
    "stages": (("stages", 17, "string?", 'JSON, such as [{"$group":{"_by":"city","n":{"$count":true}}}].'),),
    "field": (("field", 18, "string?", "A field, by its name in the schema."),),
    "value": (("value", 19, "string?", "JSON."),),
    "amount": (("amount", 20, "double?", "What is added."),),
    "idempotencyKey": (
        ("idempotency_key", 21, "string?", "The same key with the same content has one effect, and the first outcome."),
    ),
    "expectedVersion": (("expected_version", 22, "int64?", "The version that the row must have."),),
    "minPosition": (
        ("min_position", 23, "string?", "The position of a write that the answer must not be older than."),
    ),
    "asOf": (("as_of", 24, "string?", "A position, or an ISO-8601 time: the answer is as it was right after it."),),
    "dryRun": (("dry_run", 25, "bool?", "Whether it is only told what would be done."),),
}
"""Member of a request → its fields in a message: name, number, type, meaning. Numbers are never given anew."""
COMMAND_NUMBERS: Final[Mapping[str, int]] = {
    "create": 1, "update": 2, "upsert": 3, "delete": 4, "updateMany": 5, "deleteMany": 6, "increment": 7,
    "addToSet": 8, "pull": 9,
}  # fmt: skip
"""The number of each command in a batch."""
OTHER_NUMBER: Final = 100


def method_of(op: str) -> str:
    """An operation's name as a method."""
    return op[0].upper() + op[1:]


def mask_of(operation: type[Operation]) -> str:
    """The name of the mask of what an operation writes."""
    return "update_mask" if operation.op().startswith("update") else "data_mask"


class Names:
    """What the messages of a file are called."""

    def __init__(self, shapes: Mapping[str, Shape], operations: Mapping[str, type[Operation]]) -> None:
        file = File("", "", ())
        methods = [*map(method_of, operations), WATCH, IMPORT, BATCH]
        self.rows = {name: file.name(name) for name in shapes}
        self.sent = {
            (name, method): (file.name(f"{name}Service{method}Request"), file.name(f"{name}Service{method}Response"))
            for name in shapes
            for method in methods
        }


def entities(shapes: Mapping[str, Shape], operations: Mapping[str, type[Operation]]) -> tuple[File, Names]:
    """The file, and the names in it."""
    file, names = File(NAME, PACKAGE, IMPORTS), Names(shapes, operations)
    file.notes[""] = (
        "A field of a row that is absent is null. In what is written, an absent field is left as it is, unless the "
        "mask names it: then it becomes null. Whoever writes is told the position of the write, also in the trailing "
        "metadata octonet-position."
    )
    for shape in shapes.values():
        _Writer(file, names, shape, operations).write()
    return file, names


class _Writer:
    def __init__(self, file: File, names: Names, shape: Shape, operations: Mapping[str, type[Operation]]) -> None:
        self._file = file
        self._names = names
        self._shape = shape
        self._operations = operations
        self._name = shape.schema.name
        self._row = file.full(names.rows[self._name])

    def write(self) -> None:
        self._write_row()
        service = self._file.service(f"{self._name}Service", f"The rows of {self._name}.")
        for op, operation in self._operations.items():
            method = method_of(op)
            takes, gives = self._names.sent[self._name, method]
            self._request(takes, operation)
            self._response(gives, operation)
            note = (operation.__doc__ or "").split("\n", 1)[0]
            service.method(method, self._file.full(takes), self._file.full(gives), note)
        self._write_watch()
        self._write_import()
        self._write_batch()
        for method, note, sends, streams in (
            (WATCH, "The facts about these rows as they come, and those behind a position.", False, True),
            (IMPORT, "Many rows. Each is written or refused on its own.", True, False),
            (BATCH, "Commands as one change set: all have their effect, in their order, or none has.", False, False),
        ):
            takes, gives = (self._file.full(name) for name in self._names.sent[self._name, method])
            service.method(method, takes, gives, note, sends=sends, streams=streams)

    def _write_row(self) -> None:
        shape = self._shape
        row = self._file.message(self._names.rows[self._name], f"A row of {self._name}.")
        row.field(shape.system[ID], 1, "string?")
        if shape.relatives:
            row.field(shape.system[RELATED], 2, f"{row.full}.Related", "The rows it is related to, where asked for.")
        row.field(shape.system[VERSION], 3, "int64?", "Its version, where asked for.")
        spelled = {part.name for part in shape.parts} | {*shape.system.values()}
        for part in shape.parts:
            json = _json(part.name, part.column, spelled)
            row.field(part.name, part.number, _type(part.kind), part.note, json)
        row.reserve(shape.numbers, map(snake, shape.numbers.left))
        row.close()
        if shape.relatives or shape.related_numbers.gone:
            related = row.nested("Related")
            for relative in shape.relatives:
                target = self._file.full(self._names.rows[relative.target])
                related.field(relative.name, relative.number, f"{target}*" if relative.many else target)
            related.reserve(shape.related_numbers, map(snake, shape.related_numbers.left))

    def _request(self, name: str, operation: type[Operation]) -> None:
        message = self._file.message(name)
        accepted = operation.accepts()
        for member, fields in MEMBERS.items():
            if member in accepted:
                for field, number, type_, note in fields:
                    spelled = mask_of(operation) if field == "mask" else field
                    message.field(spelled, number, self._row if type_ == "row" else type_, note)
        message.close()

    def _response(self, name: str, operation: type[Operation]) -> None:
        message = self._file.message(name)
        match operation.result:
            case Result.ROW:
                message.field("row", 1, self._row, "Absent where there is none.")
                message.field("version", 2, "int64", "Of the row that was named by its id; 0 where none is told.")
            case Result.ROWS:
                aggregated = operation.op() == AGGREGATE
                message.field("rows", 1, f"{STRUCT if aggregated else self._row}*")
                message.field("cursor", 2, "string?", "Where the next page begins; absent on the last one.")
            case Result.DELETED:
                message.field("deleted", 1, "bool", "Whether there was such a row.")
            case Result.COUNT:
                message.field("count", 1, "int64")
        if issubclass(operation, Command):
            message.field("position", 10, "string", "The place of the write in history.")
            message.field("dry_run", 11, "string?", "What would be done, as JSON, where it was only tried out.")
        message.close()

    def _write_watch(self) -> None:
        takes, gives = self._names.sent[self._name, WATCH]
        asked = self._file.message(takes)
        asked.field("filter", 1, "string?", "JSON; it looks at rows after their change, and lets removals pass.")
        asked.field("after", 2, "string?", "The position of the last fact that was received: goes on behind it.")
        asked.close()
        told = self._file.message(gives)
        for name, number, type_, note in (
            ("event", 1, "string", "entity.created, entity.updated, entity.upserted or entity.deleted."),
            ("id", 2, "string", ""),
            ("version", 3, "int64", ""),
            ("row", 4, self._row, "As it is from here on; absent where it was removed."),
            ("position", 5, "string", "To go on from."),
            ("at", 6, TIMESTAMP, ""),
        ):
            told.field(name, number, type_, note)

    def _write_import(self) -> None:
        takes, gives = self._names.sent[self._name, IMPORT]
        asked = self._file.message(takes)
        asked.choice("command")
        for op in ("create", "upsert"):
            asked.field(op, COMMAND_NUMBERS[op], f"{self._command(op)}|")
        told = self._file.message(gives)
        told.field("received", 1, "int64")
        told.field("written", 2, "int64")
        told.field("rejected", 3, "int64")
        told.field("position", 4, "string", "Of the last of them in history.")
        rejection = told.nested("Rejection")
        rejection.field("index", 1, "int64", "Which of what was sent, from 0.")
        rejection.field("code", 2, "string")
        rejection.field("message", 3, "string")
        rejection.field("paths", 4, "string*")
        told.field("rejections", 5, f"{rejection.full}*", "The first thousand of what was refused.")

    def _write_batch(self) -> None:
        takes, gives = self._names.sent[self._name, BATCH]
        asked = self._file.message(takes)
        command = asked.nested("Command")
        command.choice("command")
        for op, field in self._commands():
            command.field(field, COMMAND_NUMBERS[op], f"{self._command(op)}|")
        command.field(OTHER, OTHER_NUMBER, "string|", "A command on any entity of the project, as JSON.")
        asked.field("commands", 1, f"{command.full}*", "1 to 100.")
        told = self._file.message(gives)
        result = told.nested("Result")
        result.choice("result")
        for op, field in self._commands():
            _, answer = self._names.sent[self._name, method_of(op)]
            result.field(field, COMMAND_NUMBERS[op], f"{self._file.full(answer)}|")
        result.field(OTHER, OTHER_NUMBER, "string|", "JSON.")
        told.field("results", 1, f"{result.full}*")
        told.field("position", 2, "string", "The place of the change set in history.")

    def _commands(self) -> Iterator[tuple[str, str]]:
        for op, operation in self._operations.items():
            if issubclass(operation, Command):
                yield op, command_field(op)

    def _command(self, op: str) -> str:
        return self._file.full(self._names.sent[self._name, method_of(op)][0])


def command_field(op: str) -> str:
    """A command's name as a field."""
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in op)


def _type(kind: Kind) -> str:
    match kind:
        case Kind.IDS:
            return "string*"
        case Kind.JSON:
            return "string?"
        case Kind.TEXT | Kind.NUMBER | Kind.BOOLEAN:
            return f"{kind.value}?"
        case _:
            return kind.value


def _json(name: str, column: str, names: Container[str]) -> str:
    """The name in JSON: that in the schema, where it is not so anyway and no other field is called so."""
    return "" if column == camel(name) or (column != name and column in names) else column
