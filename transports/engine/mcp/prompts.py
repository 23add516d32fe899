"""The four prompts: each one message that a user would otherwise have to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.faults import did_you_mean, step
from octonet.kernel.operation import Raw
from octonet.project import Project
from transports.engine.mcp import resources
from transports.engine.shapes import Json


class Prompt(msgspec.Struct, frozen=True):
    """A prompt and the arguments it needs, each with what it means."""

    name: str
    description: str
    arguments: Mapping[str, str] = {}


_ENTITY: Final = "The entity's name."
PROMPTS: Final[Mapping[str, Prompt]] = {
    prompt.name: prompt
    for prompt in (
        Prompt("describe-schema", "Describe the data model: entities, fields, relations."),
        Prompt(
            "suggest-query",
            "Suggest a query that reaches a goal.",
            {"entity": _ENTITY, "goal": "What is to be found out."},
        ),
        Prompt(
            "explain-data", "Explain some rows of an entity.", {"entity": _ENTITY, "data": "The rows, as JSON text."}
        ),
        Prompt("list-entities", "List the entities there are, and what each is for."),
    )
}


def listed() -> list[Json]:
    """All prompts in the protocol's words."""
    return [_described(prompt) for prompt in PROMPTS.values()]


def find(name: str) -> Prompt:
    """A prompt by its name. Raises `NotFound` with code UNKNOWN_PROMPT."""
    found = PROMPTS.get(name)
    if found is None:
        raise NotFound(f"there is no prompt {name[:64]!r}{did_you_mean(name, PROMPTS)}", code="UNKNOWN_PROMPT")
    return found


def text(home: Project, name: str, given: Mapping[str, Raw]) -> str:
    """What a prompt says about a project. Raises `NotFound`, and `Invalid` for an argument that is missing or not
    known."""
    prompt = find(name)
    for argument in given:
        if argument not in prompt.arguments:
            raise invalid(step("$", argument), f"is not an argument of {name}", code="UNKNOWN_MEMBER")
    for argument in prompt.arguments:
        if not isinstance(given.get(argument), str) or not given[argument]:
            raise invalid(f"$.{argument}", "is missing", code="MISSING_PARAMS")
    match name:
        case "describe-schema":
            return (
                f"Describe this data model: what each entity stands for, its fields, and how entities relate.\n\n"
                f"{_json([resources.source(home, entity) for entity in home.schemas.entities])}"
            )
        case "suggest-query":
            return (
                f"Suggest a query on {given['entity']} that reaches this goal: {given['goal']}\n\n"
                "Say which tool to call and with which arguments. A filter maps columns to values or operators ($eq "
                "$ne $gt $gte $lt $lte $in $nin $regex $exists), joined by $and and $or.\n\n"
                f"The entity:\n{_json(resources.source(home, str(given['entity'])))}"
            )
        case "explain-data":
            return (
                f"Explain these rows of {given['entity']} in plain words, and what stands out in them.\n\n"
                f"The rows:\n{given['data']}\n\nThe entity:\n{_json(resources.source(home, str(given['entity'])))}"
            )
        case _:
            lines = [f"- {entity.name} ({len(entity.fields)} fields)" for entity in home.schemas.entities.values()]
            return "List the entities of this data model, and say what each is for.\n\n" + "\n".join(lines)


def _described(prompt: Prompt) -> Json:
    told: Json = {"name": prompt.name, "description": prompt.description}
    if prompt.arguments:
        told["arguments"] = [
            {"name": name, "description": meaning, "required": True} for name, meaning in prompt.arguments.items()
        ]
    return told


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
