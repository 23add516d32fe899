"""The write side: one module per command, found by its presence."""

from __future__ import annotations

from octonet.kernel.catalog import modules, subclasses
from octonet.kernel.operation import Command

COMMANDS: dict[str, type[Command]] = {
    command.op(): command for command in subclasses(Command, modules(__name__, __path__))
}
"""Every command by its name on the wire."""
