"""What a server says when it is ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from octonet import __version__
from octonet.cli.engine.credentials import masked
from octonet.config import Settings
from octonet.kernel.ids import DEFAULT_PROJECT, is_private
from octonet.projects_tree import ProjectSettings

_RED, _PLAIN = "\033[1;31m", "\033[0m"


def banner(
    settings: Settings,
    projects: Sequence[ProjectSettings],
    doors: Sequence[str],
    port: int,
    role: str,
    away: Mapping[str, str],
    elsewhere: Sequence[str] = (),
) -> None:
    """Print where everything is. `away`: project → why its database cannot be reached; `elsewhere`: where doors are
    besides the port."""
    default = next((project for project in projects if project.name == DEFAULT_PROJECT), projects[0])
    entities = list(default.schemas.entities)
    shown = f"{', '.join(entities[:6])}{' …' if len(entities) > 6 else ''}"
    others = [p.name for p in projects if p is not default and not is_private(p.name)]
    total = sum(len(project.schemas.entities) for project in projects if not is_private(project.name))
    if settings.open_mode:
        red, plain = (_RED, _PLAIN) if sys.stdout.isatty() else ("", "")
        print(f"{red}OPEN MODE: everyone who reaches the port may read and write everything{plain}")
    lines = [
        "",
        f"  octonet  v{__version__}",
        "  ─────────────────────────────────────────────────",
        f"  Dialect:    {default.dialect} ({masked(default.uri)})",
        f"  Log:        {masked(settings.nats_url) or 'embedded nats-server'}",
        f"  Role:       {role}",
        f"  Entities:   {shown}  ({len(entities)})",
        f"  Port:       {port}  on {settings.host}",
        f"  Strategy:   {default.strategy}",
        f"  Transports: {', '.join(doors)}  ({len(doors)})",
    ]
    lines += [f"  Listens:    {address}" for address in elsewhere]
    if others:
        lines.append(f"  Projects:   {', '.join(others[:6])}{' …' if len(others) > 6 else ''}  ({len(others)} more)")
    lines += [f"  Waiting:    {name}: {reason}" for name, reason in away.items()]
    lines += [f"  Ready.  {total} entities × {len(doors)} transports = {total * len(doors)} endpoints", ""]
    print("\n".join(lines), flush=True)


def curls(settings: Settings, projects: Sequence[ProjectSettings], port: int) -> None:
    """Print lines to try."""
    base = f"{'https' if settings.tls_cert else 'http'}://{settings.host}:{port}"
    default = next((project for project in projects if project.name == DEFAULT_PROJECT), projects[0])
    entities = list(default.schemas.entities)
    if not entities:
        return
    first, last = entities[0], entities[-1]
    print(
        f"""  Try:
    curl '{base}/api/v1/{last}?limit=3'
    curl '{base}/api/v1/{first}/count'
    curl -X POST '{base}/api/v1/{last}/aggregate' -H 'content-type: application/json' \\
         -d '{{"stages":[{{"$group":{{"n":{{"$count":true}}}}}}]}}'
    curl -N '{base}/events?entity={last}'
    curl '{base}/openapi.json'
""",
        flush=True,
    )
