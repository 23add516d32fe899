"""Both shapes in which permissions were ever issued, and nothing that is neither."""

from __future__ import annotations

import pytest

from octonet.access.permissions import Permissions, parse
from octonet.kernel.errors import ValidationError


def test_the_older_flat_form_means_the_same() -> None:
    values = {"projects": ["shop"], "operations": ["read", "write"], "transports": "*"}
    assert parse(values) == parse({"scopes": values})


def test_a_star_grants_every_value_of_its_scope_only() -> None:
    found = parse({"scopes": {"projects": "*", "operations": ["read"]}})
    assert found.grants("projects", "anything")
    assert found.grants("operations", "read")
    assert not found.grants("operations", "write")
    assert not found.grants("transports", "rest")


def test_any_scope_may_be_granted() -> None:
    assert parse({"scopes": {"regions": ["eu"]}}).grants("regions", "eu")


def test_a_rate_limit_beside_the_scopes_is_no_scope() -> None:
    assert parse({"scopes": {"projects": ["a"]}, "rateLimit": 500}) == Permissions({"projects": frozenset(["a"])}, 500)
    assert parse({"projects": ["a"], "rateLimitPerSecond": 9}) == Permissions({"projects": frozenset(["a"])}, 0, 9)
    assert parse({"projects": ["a"]}).daily == parse({"projects": ["a"]}).per_second == 0


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (None, "$.permissions"),
        (["read"], "$.permissions"),
        ({"scopes": ["read"]}, "$.permissions.scopes"),
        ({"scopes": {"projects": "shop"}}, "$.permissions.scopes.projects"),
        ({"scopes": {"projects": [1]}}, "$.permissions.scopes.projects"),
        ({"operations": {"read": True}}, "$.permissions.scopes.operations"),
        ({"operations": ["read"], "rateLimit": 0}, "$.permissions.rateLimit"),
        ({"operations": ["read"], "rateLimit": "many"}, "$.permissions.rateLimit"),
        ({"operations": ["read"], "rateLimitPerSecond": 0.5}, "$.permissions.rateLimitPerSecond"),
    ],
)
def test_what_is_neither_is_refused_by_path(given: object, path: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse(given)
    assert refused.value.faults[0].path == path
