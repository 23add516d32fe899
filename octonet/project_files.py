"""The projects of an installation, out of the settings and the files that these name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from octonet import dialects
from octonet.config import Settings
from octonet.kernel.errors import Fault, Invalid, NotFound, ValidationError
from octonet.kernel.ids import DEFAULT_PROJECT, SYSTEM_PROJECT, ProjectName
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse as parse_schema
from octonet.kernel.storage import Strategy
from octonet.projects_tree import ProjectSettings, parse

log = logging.getLogger("octonet")

TREE = "projects-tree.json"
EVERY = "*"


def load_projects(settings: Settings) -> list[ProjectSettings]:
    """The default project, then those of the tree, then that of keys and accounts; an entry `default` of the tree
    takes the place of what the environment says. Raises `ValidationError` with every fault of the tree."""
    tree = _tree(settings)
    named = {project.name for project in tree}
    found = tree if DEFAULT_PROJECT in named else [_default(settings, alone=not tree), *tree]
    found = [msgspec.structs.replace(p, uri=p.uri or _place(settings, p)) for p in found]
    return [*found, system_project(settings)]


def system_project(settings: Settings) -> ProjectSettings:
    """The project of keys, accounts and roles. Its tables are named apart, so that it may share another's database."""
    schemas = parse_schema((Path(__file__).parent / "access" / "system.json").read_bytes())
    found = ProjectSettings(
        SYSTEM_PROJECT, schemas, settings.system_dialect, settings.system_uri, table_prefix="octonet_"
    )
    return msgspec.structs.replace(found, uri=found.uri or _place(settings, found))


def system_of(projects: Sequence[ProjectSettings]) -> ProjectSettings:
    """The system project among those that `load_projects` found."""
    return next(project for project in projects if project.name == SYSTEM_PROJECT)


def choose(projects: Sequence[ProjectSettings], wanted: str) -> list[ProjectSettings]:
    """Those of the projects that a list such as ``a,b`` or ``*`` names. Raises `NotFound` naming the others."""
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if not names or EVERY in names:
        return list(projects)
    by_name = {project.name: project for project in projects}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise NotFound(
            f"there is no project {', '.join(map(repr, unknown))}; there are {', '.join(by_name)}",
            code="UNKNOWN_PROJECT",
        )
    return [by_name[ProjectName(name)] for name in dict.fromkeys(names)]


def load_schemas(paths: str) -> Schemas:
    """The entities of every file named (directories: their `*.json`). Raises `ValidationError` with every fault."""
    files: list[Path] = []
    for name in (part.strip() for part in paths.split(",") if part.strip()):
        path = Path(name)
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise Invalid(f"SCHEMAS_PATH {paths!r} names no schema file")
    texts: list[str] = []
    for path in files:
        try:
            texts.append(path.read_text().strip())
        except OSError as problem:
            raise Invalid(f"the schema file {path} cannot be read: {problem.strerror}") from None
    if len(texts) == 1:
        return parse_schema(texts[0])
    for path, text in zip(files, texts, strict=True):
        if not (text.startswith("[") and text.endswith("]")):
            raise ValidationError(f"{path}: a schema file is a JSON array of entities", code="INVALID_SCHEMA")
    inner = (text[1:-1].strip() for text in texts)
    return parse_schema("[" + ",".join(text for text in inner if text) + "]")


def _tree(settings: Settings) -> list[ProjectSettings]:
    path = Path(settings.projects_tree or TREE)
    if not settings.projects_tree and not path.exists():
        return []
    try:
        text = path.read_bytes()
    except OSError as problem:
        raise Invalid(f"the projects tree {path} cannot be read: {problem.strerror}") from None

    def read(paths: str) -> Schemas:
        """Files are named as seen from the tree's own directory."""
        return load_schemas(",".join(str(path.parent / part.strip()) for part in paths.split(",") if part.strip()))

    try:
        return parse(text, dialects.known(), read)
    except ValidationError as problem:
        faults = tuple(Fault(f"{path}: {fault.path}", fault.message) for fault in problem.faults)
        raise ValidationError(f"{path}: {problem.message}", code=problem.code, faults=faults) from None


def _default(settings: Settings, alone: bool) -> ProjectSettings:
    try:
        strategy = Strategy(settings.schema_strategy)
    except ValueError:
        raise Invalid(f"DB_SCHEMA_STRATEGY {settings.schema_strategy!r} is none of {', '.join(Strategy)}") from None
    return ProjectSettings(
        DEFAULT_PROJECT,
        _default_schemas(settings, alone),
        settings.dialect,
        settings.uri,
        strategy,
        settings.pool_size,
        settings.table_prefix,
        settings.show_sql,
    )


def _default_schemas(settings: Settings, alone: bool) -> Schemas:
    """Whoever has a tree need not have a default project besides: it is there, and has no entity."""
    if not alone and settings.schemas_path == Settings().schemas_path and not Path(settings.schemas_path).exists():
        log.info("there is no %s: the default project has no entity", settings.schemas_path)
        return parse_schema("[]")
    return load_schemas(settings.schemas_path)


def _place(settings: Settings, project: ProjectSettings) -> str:
    if project.name == DEFAULT_PROJECT:
        return settings.database_uri()
    return f"sqlite:///{Path(settings.data_dir).absolute() / project.name}.db"
