"""What tenants see and give, over any accounts, keys and rights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.access.permissions import EVERYTHING, OPERATIONS, PROJECTS, TRANSPORTS, UNLIMITED, Permissions
from octonet.admin.accounts import allowed
from octonet.admin.rights import BYPASS, Rights, without_account
from octonet.admin.tenancy import Standing, covers, place, seen
from octonet.kernel.errors import NotFound, ValidationError
from octonet.kernel.ids import Row
from octonet.kernel.operation import Family

CODES = ["project:read", "project:update", "apikey:list", "apikey:create", "user:list", BYPASS, "new:one"]
PROJECT_NAMES = ["shop", "blog", "default"]


def _values(names: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(names), max_size=3) | st.just(frozenset((EVERYTHING,)))


def _scopes(values: dict[str, frozenset[str]], daily: int) -> Permissions:
    return Permissions({name: found for name, found in values.items() if found}, daily)


SCOPES = st.builds(
    _scopes,
    st.fixed_dictionaries(
        {
            PROJECTS: _values(PROJECT_NAMES),
            OPERATIONS: _values([*Family]),
            TRANSPORTS: _values(["rest", "ws"]),
            "regions": _values(["eu", "us"]),
        }
    ),
    st.sampled_from([0, 0, 5, 50]),
)
RIGHTS = st.builds(Rights, st.frozensets(st.sampled_from(CODES)), SCOPES | st.just(UNLIMITED))
IDS = st.sampled_from("abcde")


def _account(id: str, type: str, owner: str | None, parent: str | None, members: list[str]) -> Row:
    return {"id": id, "type": type, "owner": owner, "parent": parent, "members": [*members]}


ROWS = st.lists(
    st.builds(
        _account,
        IDS,
        st.sampled_from(["portal", "personal"]),
        st.none() | st.sampled_from("uvw"),
        st.none() | IDS,
        st.lists(st.sampled_from("uvw"), max_size=2),
    ),
    unique_by=lambda row: str(row["id"]),
)


@given(rows=ROWS)
def test_nobody_belongs_to_no_account(rows: list[Row]) -> None:
    assert allowed("", "", rows) == frozenset()


@given(rows=ROWS, user=st.sampled_from("uvwx"))
def test_a_person_sees_what_they_own_or_share_and_the_children_of_portals(rows: list[Row], user: str) -> None:
    by_id = {row["id"]: row for row in rows}

    def own(row: Row) -> bool:
        members = row["members"]
        assert isinstance(members, list)
        return row["owner"] == user or user in members

    for row in rows:
        parent = by_id.get(row["parent"])
        child = parent is not None and own(parent) and parent["type"] == "portal"
        assert (row["id"] in allowed(user, "", rows)) is (own(row) or child)


@given(rows=ROWS, account=IDS)
def test_a_key_sees_its_account_and_no_more_than_its_children(rows: list[Row], account: str) -> None:
    found = allowed("", account, rows)
    assert all(row["id"] == account or row["parent"] == account for row in rows if row["id"] in found)
    assert (account in found) is any(row["id"] == account for row in rows)


@given(held=SCOPES, wanted=SCOPES)
def test_what_is_covered_grants_nothing_that_is_not_held(held: Permissions, wanted: Permissions) -> None:
    if not covers(held, wanted):
        return
    for scope, values in wanted.scopes.items():
        assert all(held.grants(scope, value) for value in (*values, *(PROJECT_NAMES if EVERYTHING in values else ())))
    assert not held.daily or 1 <= wanted.daily <= held.daily


@given(held=SCOPES)
def test_everybody_holds_what_they_hold(held: Permissions) -> None:
    assert covers(held, held)
    assert covers(UNLIMITED, Permissions({}))


@given(one=SCOPES, two=SCOPES, three=SCOPES)
def test_what_is_handed_on_twice_is_no_more(one: Permissions, two: Permissions, three: Permissions) -> None:
    if covers(one, two) and covers(two, three):
        assert covers(one, three)


@given(mine=RIGHTS, theirs=RIGHTS, project=st.sampled_from([*PROJECT_NAMES, "unheard-of", EVERYTHING]))
def test_rights_within_others_allow_nothing_that_those_forbid(mine: Rights, theirs: Rights, project: str) -> None:
    if not mine.within(theirs):
        return
    for code in (*CODES, "never:heard:of"):
        if mine.allow(code, project):
            assert theirs.allow(code, project)


@given(rights=RIGHTS, scopes=SCOPES)
def test_a_key_narrows_and_never_widens(rights: Rights, scopes: Permissions) -> None:
    assert rights.within(rights)
    whole = Rights(rights.codes)
    assert whole.narrowed(scopes).within(whole)
    assert Rights().within(rights)


@given(scopes=SCOPES)
def test_a_key_without_an_account_is_everything_or_about_projects(scopes: Permissions) -> None:
    rights = without_account(scopes)
    full = scopes.grants(OPERATIONS, Family.ADMIN) and scopes.grants(PROJECTS, EVERYTHING)
    assert rights.everything is full
    if not full:
        assert not any(rights.allow(code) for code in ("user:list", "apikey:list", "apikey:admin", BYPASS, "new:one"))


@given(account=st.none() | IDS, accounts=st.frozensets(IDS))
def test_what_is_not_ones_own_is_not_there(account: str | None, accounts: frozenset[str]) -> None:
    standing = Standing(Rights(), accounts)
    row: Row = {"account": account}
    if account in accounts:
        assert seen(standing, row) == row
    else:
        with pytest.raises(NotFound):
            seen(standing, row)
    assert standing.where() == {"account": {"$in": sorted(accounts)}}
    assert not standing.holds(Permissions({}))


def test_where_there_is_one_account_it_needs_no_name() -> None:
    assert place(Standing(Rights(), frozenset("a")), None) == "a"
    assert place(Standing(Rights(), None), None) is None
    assert place(Standing(Rights(), frozenset("a")), "b") == "b"
    for accounts in ("", "ab"):
        with pytest.raises(ValidationError):
            place(Standing(Rights(), frozenset(accounts)), None)
