"""What each dialect was proved by is told without its driver, and is so."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from octonet import dialects
from octonet.dialects.engine.evidence import Tier
from octonet.dialects.engine.grammar import Grammar
from octonet.kernel.errors import Invalid
from tests.conformance.tally import Tally
from tests.running import ROOT

_OFFERED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
_GRAMMARS = {"postgres": "engine.postgres_grammar", "mariadb": "engine.mariadb_grammar"}


def octonet(*arguments: str) -> str:
    command = [sys.executable, "-m", "octonet", "dialects", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", dialects.known())
def test_what_is_told_of_a_dialect_is_so(name: str) -> None:
    told = dialects.evidence(name)
    assert told.extra in ("", name)
    if told.extra:
        # A package that shares the name of another one's folder is called by it, too.
        package = told.driver.removesuffix("_v1").replace(".", "-")
        assert any(line.lower().startswith(package) for line in _OFFERED[name])
    assert told.uri.partition(":")[0] in (name, f"{name}ql")
    grammar = getattr(importlib.import_module(f"octonet.dialects.{_GRAMMARS.get(name, name)}"), "GRAMMAR", None)
    if isinstance(grammar, Grammar):
        assert (told.most_ids, told.longest_name) == (grammar.most_ids, grammar.longest_name)


@pytest.mark.parametrize("name", [name for name in dialects.known() if dialects.evidence(name).tier is Tier.STAND_IN])
def test_a_dialect_with_a_stand_in_says_that_its_own_server_was_never_asked(name: str) -> None:
    assert "was ever asked" in dialects.evidence(name).proof


def test_nothing_is_told_of_a_dialect_that_is_not_there() -> None:
    with pytest.raises(Invalid) as refused:
        dialects.evidence("nosuch")
    assert refused.value.code == "UNKNOWN_DIALECT"


def test_what_is_known_of_dialects_is_told_without_any_driver() -> None:
    drivers = "{'sqlalchemy', 'asyncpg', 'asyncmy', 'aiosqlite', 'pymongo', 'jpype', 'google'}"
    program = (
        f"import sys, octonet.dialects as d; [d.evidence(n) for n in d.known()]; print({drivers} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_the_command_lists_every_dialect_with_its_tier_and_its_proof() -> None:
    listed = octonet()
    whole = " ".join(listed.split())
    for name in dialects.known():
        told = dialects.evidence(name)
        assert any(line.startswith(name) and told.tier in line for line in listed.splitlines())
        assert told.proof in whole
        assert told.uri in whole


def test_the_command_gives_one_dialect_as_json() -> None:
    ((name, told),) = json.loads(octonet("mysql", "--json")).items()
    assert (name, told["tier"], told["driver"], told["installed"]) == ("mysql", "stand-in", "asyncmy", True)


def test_every_dialect_was_counted() -> None:
    """`make conformance` counts; whoever adds a dialect, or takes one away, runs it."""
    counted = json.loads((ROOT / "docs" / "conformance.json").read_text())
    assert set(counted) == set(dialects.known())
    assert all(told["passed"] > 100 and told["failed"] == 0 for told in counted.values())


def test_a_dialect_that_could_not_be_asked_keeps_what_was_counted_of_it(tmp_path: Path) -> None:
    file, before = tmp_path / "counted.json", {"passed": 200, "failed": 0, "skipped": 1}
    file.write_text(json.dumps({"spanner": before, "sqlite": before}))
    tally = Tally(file)
    for dialect, outcome in (("spanner", "skipped"), ("sqlite", "skipped"), ("sqlite", "passed"), ("mysql", "skipped")):
        place = f"tests/conformance/test_dialects.py::test_it[{dialect}]"
        tally.pytest_runtest_logreport(
            pytest.TestReport(place, ("", None, ""), {}, outcome, None, "call")  # type: ignore[arg-type]
        )
    tally.pytest_sessionfinish()
    one = {"passed": 0, "failed": 0, "skipped": 1}
    assert json.loads(file.read_text()) == {"mysql": one, "spanner": before, "sqlite": {**one, "passed": 1}}
