"""The file that does not depend on any schema: shared messages, and operations as JSON for whoever has no schema."""

from __future__ import annotations

from typing import Final

from transports.engine.grpc.files import File

NAME: Final = "octonet/core/v1/core.proto"
SERVICE: Final = "octonet.core.v1.OperationService"


def core() -> File:
    """The file."""
    file = File(NAME, "octonet.core.v1", ())
    service = file.service(
        "OperationService",
        "Every operation on every entity of a project, as JSON: for programs that do not know its schema.",
    )
    for method, note in (
        ("Execute", "Runs one operation."),
        ("Batch", "Runs commands as one change set: all of them have their effect, in their order, or none has."),
    ):
        service.method(method, file.full(f"{method}Request"), file.full(f"{method}Response"), note)
    one = file.message("ExecuteRequest")
    one.field("request", 1, "string", 'An operation as JSON, such as {"op":"findAll","entity":"Author","filter":{}}.')
    file.message("ExecuteResponse").field("response", 1, "string", "Its answer as JSON: status, data, metadata.")
    many = file.message("BatchRequest")
    many.field("requests", 1, "string*", "1 to 100 commands, each as in ExecuteRequest.")
    told = file.message("BatchResponse")
    told.field("responses", 1, "string*", "An answer for each of them, in their order.")
    told.field("position", 2, "string", "The place in history of the whole change set.")
    for name, type_ in (("TextList", "string"), ("NumberList", "double"), ("BooleanList", "bool")):
        file.message(name, "A list, so that one without elements is told from none.").field("values", 1, f"{type_}*")
    return file
