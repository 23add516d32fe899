"""The protocol's own conformance suite, for both revisions, on the door as it is and with the suite's things in it.

What cannot apply is named here, with why; everything else must pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import peers
from tests.running import Server

LIBRARY = Path(__file__).parents[1] / "conformance" / "library.json"
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
FURNISHED = ("tests/acceptance/mcp_fixtures.py",)
REVISIONS = ("2026-07-28", "2025-11-25")
ASKS = "the server never asks its client for anything"
SESSIONS = "every request stands alone: there is no session, and no stream, that could outlive one"
LOGGING = "the client is sent no log: the capability is deprecated, and the log is the operator's"
TASKS = "an extension that is not offered: every operation is over when it is answered"
NEVER: Mapping[str, str] = {
    **{
        f"input-required-result-{what}": ASKS
        for what in (
            "basic-elicitation", "basic-sampling", "basic-list-roots", "request-state", "multiple-input-requests",
            "multi-round", "missing-input-response", "non-tool-request", "result-type", "tampered-state",
            "capability-check", "ignore-extra-params",
        )
    },
    "tools-call-sampling": ASKS,
    "tools-call-elicitation": ASKS,
    "elicitation-sep1034-defaults": ASKS,
    "elicitation-sep1330-enums": ASKS,
    "resources-subscribe": SESSIONS + "; the later revision has subscriptions/listen",
    "resources-unsubscribe": SESSIONS,
    "server-sse-multiple-streams": SESSIONS,
    "server-sse-polling": SESSIONS,
    "logging-set-level": LOGGING,
    "tools-call-with-logging": LOGGING,
}  # fmt: skip
"""Scenarios that are about what is not offered."""
NEVER_CHECKS: Mapping[str, str] = {
    "sep-2575-http-server-no-independent-requests-on-stream": ASKS,
    "sep-2575-server-sends-prompts-list-changed-on-subscription": "the prompts are always the same four",
}
"""Checks of scenarios that apply otherwise."""
FIXTURES = (
    "tools-call-", "resources-read-", "resources-templates-read", "prompts-get-", "completion-complete",
    "json-schema-2020-12", "http-custom-header-server-validation",
)  # fmt: skip
"""Scenarios that need the suite's own tools, resources and prompts."""
DIAGNOSTIC = {
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    "sep-2575-server-no-log-without-loglevel",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
}
"""Checks that need the suite's own tools."""


Checks = set[tuple[str, str]]
"""By (scenario, check)."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Checks, Checks]]]:
    yield from verdicts(tmp_path_factory.mktemp("plain"), ("-m", "octonet"))


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Checks, Checks]]]:
    yield from verdicts(tmp_path_factory.mktemp("furnished"), FURNISHED)


@pytest.mark.parametrize(("revision", "least"), [("2026-07-28", 120), ("2025-11-25", 50)])
def test_with_the_suites_own_things_everything_that_applies_passes(
    furnished: dict[str, tuple[Checks, Checks]], revision: str, least: int
) -> None:
    passed, failed = furnished[revision]
    assert left_over(failed) == set()
    assert len(passed) >= least


@pytest.mark.parametrize("revision", REVISIONS)
def test_as_it_is_everything_passes_that_needs_none_of_them(
    plain: dict[str, tuple[Checks, Checks]], revision: str
) -> None:
    passed, failed = plain[revision]
    found = {one for one in left_over(failed) if not one[0].startswith(FIXTURES) and one[1] not in DIAGNOSTIC}
    assert found == set()
    assert len(passed) >= 30


def test_what_is_said_not_to_apply_does_not_pass(furnished: dict[str, tuple[Checks, Checks]]) -> None:
    failed = {one for _, refused in furnished.values() for one in refused}
    assert {scenario for scenario, _ in failed} >= NEVER.keys()
    assert {check for _, check in failed} >= NEVER_CHECKS.keys()


def verdicts(directory: Path, program: tuple[str, ...]) -> Iterator[dict[str, tuple[Checks, Checks]]]:
    """Revision → what passed, and what did not."""
    with Server(directory / "data", LIBRARY, program=program) as server:
        yield {revision: judged(server, directory / revision, revision) for revision in REVISIONS}
    assert "Traceback" not in server.log()


def judged(server: Server, into: Path, revision: str) -> tuple[Checks, Checks]:
    """All that passed, and all that did not."""
    told = peers.run(
        SUITE, "server", "--url", f"{server.url}/mcp", "--requirements", revision, "-o", str(into), within=180
    )
    found: dict[bool, Checks] = {True: set(), False: set()}
    for path in sorted(into.glob("*/checks.json")):
        # server-<scenario>-<when>
        scenario = path.parent.name.removeprefix("server-")[: -len("-2026-11-26T00-03-45-000Z")]
        for check in json.loads(path.read_text()):
            if check["status"] != "INFO":
                found[check["status"] == "SUCCESS"].add((scenario, check["id"]))
    assert found[True], told.stdout[-2000:] + told.stderr[-2000:]
    return found[True], found[False]


def left_over(failed: Checks) -> Checks:
    """Those that no reason was given for."""
    return {
        (scenario, check)
        for scenario, check in failed
        if scenario not in NEVER and check not in NEVER_CHECKS and not scenario.startswith("tasks-")
    }
