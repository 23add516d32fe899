"""Finds the plug-ins of a package by their presence, so that a new file is a new feature."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def names(path: Iterable[str]) -> list[str]:
    """Names of the plug-in modules in a package's path, sorted; packages (`engine`) are machinery, not plug-ins."""
    return sorted(m.name for m in pkgutil.iter_modules(path) if not m.ispkg and not m.name.startswith("_"))


def operations(*packages: str) -> list[str]:
    """What the operations of these packages are called on the wire, without importing any: ``add_to_set.py`` holds
    ``addToSet``."""
    found = [importlib.util.find_spec(package) for package in packages]
    paths = [spec.submodule_search_locations or () for spec in found if spec is not None]
    return [_camel(name) for path in paths for name in names(path)]


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(part.capitalize() for part in more)


def modules(package: str, path: Iterable[str]) -> list[ModuleType]:
    """The plug-in modules of a package, imported."""
    return [importlib.import_module(f"{package}.{name}") for name in names(path)]


def subclasses(base: type[T], found: Iterable[ModuleType]) -> tuple[type[T], ...]:
    """The classes that these modules define below `base`."""
    return tuple(
        value
        for module in found
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    )
