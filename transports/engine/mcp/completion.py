"""What could stand in an argument that somebody has begun to type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from octonet.kernel import columns
from octonet.kernel.errors import NotFound
from octonet.project import Project
from transports.engine.mcp import prompts, resources
from transports.engine.mcp.view import View

MOST: Final = 100
"""Values told at most, by the protocol."""
_MOST_IDS: Final = 20


async def of_prompt(view: View, name: str, argument: str, begun: str, known: Mapping[str, str]) -> list[str]:
    """Values of a prompt's argument: names of entities, and in a goal or data the fields of the entity that was
    chosen. Raises `NotFound`."""
    prompt = prompts.find(name)
    home = await view.home()
    if argument not in prompt.arguments:
        raise NotFound(f"the prompt {name} has no argument {argument[:64]!r}", code="UNKNOWN_MEMBER")
    if argument == "entity":
        return _beginning(home.schemas.entities, begun)
    said, _, word = begun.rpartition(" ")
    lead = f"{said} " if said else ""
    return [lead + field for field in _beginning(_fields(home, known.get("entity", "")), word)]


async def of_resource(view: View, uri: str, argument: str, begun: str, known: Mapping[str, str]) -> list[str]:
    """Values of a part of a resource's address. Raises `NotFound`."""
    if uri != resources.TEMPLATE or argument not in ("entity", "id"):
        raise NotFound(f"there is no part {argument[:64]!r} of {uri[:200]!r}")
    if argument == "entity":
        return _beginning((await view.home()).schemas.entities, begun)
    return await resources.ids(view, known.get("entity", ""), begun, _MOST_IDS)


def _fields(home: Project, entity: str) -> Iterable[str]:
    schema = home.schemas.entities.get(entity)
    return () if schema is None else columns.of(schema).columns


def _beginning(words: Iterable[str], begun: str) -> list[str]:
    return [word for word in words if word.lower().startswith(begun.lower())]
