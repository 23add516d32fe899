"""The house keeps its own rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import PAGES

ROOT = Path(__file__).parents[2]
ROOMS = ("octonet", "commands", "projections", "transports", "jetstream")
FILES = [path for room in (*ROOMS, "tests", "benchmarks") for path in (ROOT / room).rglob("*.py")]
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
AT_THE_ROOT = {
    "octonet",
    "commands",
    "projections",
    "transports",
    "jetstream",
    "tests",
    "docs",
    "benchmarks",
    "clients",
    "examples",
    "requirements",
    "docker-compose.yml",
    "pyproject.toml",
    "Makefile",
    "Dockerfile",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
}


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    assert [str(path) for path in FILES if len(path.read_text().splitlines()) > 400] == []


def test_every_file_is_named_for_what_it_is() -> None:
    assert [str(path) for path in FILES if path.stem in FORBIDDEN] == []


def test_the_checkers_see_every_room() -> None:
    assert all(any(room in path.parts for path in FILES) for room in ROOMS)
    assert len(FILES) > 150


def test_nothing_unplanned_stands_at_the_root() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    found = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in found if not name.startswith(".")} <= AT_THE_ROOT


@pytest.mark.parametrize("page", PAGES)
def test_generated_pages_are_fresh(page: str) -> None:
    assert (ROOT / "docs" / page).read_text() == PAGES[page](), "run `make docs`"


def test_every_dependency_says_why_it_is_here() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [line.split(">")[0].split("[")[0].strip() for line in project["dependencies"]]
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    assert [name for name in names if f"| {name} |" not in reasons] == []


def test_the_command_line_starts_without_loading_anything_heavy() -> None:
    heavy = ("aiohttp", "sqlalchemy", "nats", "aiosqlite")
    check = f"import sys, octonet.cli; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_every_decision_page_is_numbered_and_has_a_status() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert all("Status: " in page.read_text() for page in pages)
