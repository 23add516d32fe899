"""Reading the settings: defaults, then `.env`, then the environment (by profile), then flags. The only reader of the
environment.

With `MOSTA_ENV=DEV` a variable `DEV_SGBD_URI` wins over `SGBD_URI`; an empty variable counts as not set.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, get_type_hints

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from octonet.config import Settings
from octonet.kernel.errors import Fault, ValidationError

PROFILE: Final = "MOSTA_ENV"
_OURS: Final = ("OCTONET_", "MOSTA_")
_TRANSPORTS: Final = ("rest", "graphql", "ws", "sse", "jsonrpc", "mcp", "trpc", "odata", "grpc", "nats", "arrow")


class Variable(msgspec.Struct, frozen=True):
    """One environment variable, for the documentation."""

    name: str
    field: str
    default: str
    description: str


def variables(transports: Mapping[str, str], ports: Mapping[str, int]) -> Iterator[Variable]:
    """Every variable there is; `transports` maps the doors that exist to their default paths, `ports` those with a port
    of their own to it."""
    for field, meta, default in _fields():
        yield Variable(_env(meta), field, _spell(default), meta.description or "")
    for name, path in transports.items():
        upper = name.upper()
        port = ports.get(name, 0)
        yield Variable(f"MOSTA_NET_{upper}_ENABLED", "transports", _spell(not port), f"Open the {name} door")
        yield Variable(f"MOSTA_NET_{upper}_PATH", "paths", path, f"Where the {name} door is mounted")
        if port:
            text = f"Where the {name} door listens; 0 takes a free port"
            yield Variable(f"MOSTA_NET_{upper}_PORT", "ports", str(port), text)
    yield Variable(PROFILE, "", "", "Profile: `<PROFILE>_<NAME>` wins over `<NAME>`")


def load(
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> tuple[Settings, list[str]]:
    """The settings, and a warning for each variable nobody knows. Raises `ValidationError` with every fault."""
    found = _read(environment if environment is not None else os.environ, directory or Path())
    profile = found.get(PROFILE, "").strip()
    values: dict[str, object] = {}
    faults: list[Fault] = []
    hints = get_type_hints(Settings)
    for field, meta, _ in _fields():
        text = _look_up(found, profile, _env(meta))
        if text is not None:
            try:
                values[field] = _parse(text, hints[field])
            except ValueError as problem:
                faults.append(Fault(_env(meta), str(problem)))
    values["transports"], values["paths"], values["ports"] = _doors(found, profile, faults)
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    if faults:
        raise ValidationError("; ".join(f"{f.path}: {f.message}" for f in faults), faults=tuple(faults))
    return msgspec.convert(values, Settings), list(_unknown(found, profile))


def _read(environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    for name in (".env", ".env.local"):
        files |= {key: value for key, value in dotenv_values(directory / name).items() if value is not None}
    given = {key: value for key, value in environment.items() if value != ""}
    return {key: value for key, value in (files | given).items() if value != ""}


def _look_up(found: Mapping[str, str], profile: str, name: str) -> str | None:
    return (found.get(f"{profile}_{name}") if profile else None) or found.get(name)


def _doors(
    found: Mapping[str, str], profile: str, faults: list[Fault]
) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """Which doors are open, their paths, their ports."""

    def told(what: str, hint: object) -> dict[str, object]:
        values: dict[str, object] = {}
        for name in _TRANSPORTS:
            variable = f"MOSTA_NET_{name.upper()}_{what}"
            text = _look_up(found, profile, variable)
            try:
                values |= {} if text is None else {name: _parse(text, hint)}
            except ValueError as problem:
                faults.append(Fault(variable, str(problem)))
        return values

    return told("ENABLED", bool), told("PATH", str), told("PORT", int)


def _parse(text: str, hint: object) -> object:
    if hint is bool:
        return _boolean(text)
    if hint is int or hint is float:
        try:
            return int(text) if hint is int else float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "1", "yes")


def _unknown(found: Mapping[str, str], profile: str) -> Iterator[str]:
    known = {_env(meta) for _, meta, _ in _fields()} | {PROFILE}
    known |= {f"MOSTA_NET_{name.upper()}_{what}" for name in _TRANSPORTS for what in ("ENABLED", "PATH", "PORT")}
    for variable in sorted(found):
        bare = variable.removeprefix(f"{profile}_") if profile else variable
        if bare.startswith(_OURS) and bare not in known:
            near = difflib.get_close_matches(bare, known, 1, 0.6)
            yield f"{variable} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _fields() -> Iterator[tuple[str, Meta, object]]:
    hints = get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        metadata = getattr(hints[field.name], "__metadata__", ())
        for meta in metadata:
            if isinstance(meta, Meta):
                yield field.name, meta, field.default


def _env(meta: Meta) -> str:
    assert meta.extra is not None
    return str(meta.extra["env"])


def _spell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
