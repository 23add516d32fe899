"""Two spellings of one database are one place, and a file that is nobody's database is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from octonet.admin.places import Places, address, place
from octonet.kernel.errors import ValidationError


@pytest.mark.parametrize(
    ("dialect", "one", "other"),
    [
        ("postgres", "postgresql://me:pw@db.example/shop", "postgresql://you@DB.example:5432/shop/"),
        ("mariadb", "mariadb://me:pw@db.example/shop", "mariadb+asyncmy://you@db.example:3306/shop"),
        ("mysql", "mysql://me:pw@db.example/shop", "mysql+asyncmy://you@db.example:3306/shop"),
        ("cockroachdb", "cockroachdb://me@db.example/shop", "cockroachdb+asyncpg://you@db.example:26257/shop"),
        ("mongodb", "mongodb://me:pw@db.example/shop", "mongodb://you@DB.example:27017/shop?tls=true"),
        ("postgres", "postgresql+asyncpg://db.example/shop?ssl=1", "postgresql://db.example/shop"),
        ("spanner", "spanner://p/i/shop", "spanner:///projects/p/instances/i/databases/shop?credentials=/k.json"),
        ("sqlite", "sqlite:////data/a/../shop.db", "sqlite:/data/shop.db"),
    ],
)
def test_two_spellings_are_one_place(dialect: str, one: str, other: str) -> None:
    assert place(dialect, one) == place(dialect, other)


@pytest.mark.parametrize(
    ("dialect", "port"), [("cockroachdb", 26257), ("mariadb", 3306), ("mysql", 3306), ("postgres", 5432)]
)
def test_a_port_that_is_not_named_is_where_such_servers_listen(dialect: str, port: int) -> None:
    assert address(dialect, f"{dialect}://db.example/shop") == address(dialect, f"{dialect}://db.example:{port}/shop")


def test_another_database_is_another_place() -> None:
    assert place("postgres", "postgresql://db/shop") != place("postgres", "postgresql://db/crm")
    assert place("sqlite", "sqlite:////data/shop.db") != place("sqlite", "sqlite:////data/crm.db")


def test_a_link_that_leads_to_the_same_file_is_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "shop.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "shop.db")
    assert place("sqlite", f"sqlite:///{tmp_path}/link.db") == place("sqlite", f"sqlite:///{tmp_path}/shop.db")


@pytest.mark.parametrize("name", ["shop.db-wal", "shop.db-shm", "x-journal", "keys/shop.db", "trials/a.sqlite", "lock"])
async def test_files_that_are_something_else_are_no_place(tmp_path: Path, name: str) -> None:
    places = Places(tmp_path, tmp_path / "trials", [])
    with pytest.raises(ValidationError) as refused:
        await places.settle("shop", "sqlite", f"sqlite:///{name}")
    assert refused.value.code == "PLACE_NOT_ALLOWED"


async def test_a_server_that_names_others_is_a_place_only_where_it_is_allowed(tmp_path: Path) -> None:
    for uri in ("mongodb://1.1.1.1/shop", "mongodb+srv://db.example/shop"):
        with pytest.raises(ValidationError) as refused:
            await Places(tmp_path, tmp_path / "trials", []).settle("shop", "mongodb", uri)
        assert refused.value.code == "PLACE_NOT_ALLOWED"
        assert await Places(tmp_path, tmp_path / "trials", ["*"]).settle("shop", "mongodb", uri) == uri


async def test_what_this_machine_itself_opens_is_a_place_only_where_it_is_allowed(tmp_path: Path) -> None:
    uri = "spanner://project/instance/shop"
    for hosts, asked in (([], uri), (["other"], uri), (["*"], f"{uri}?credentials=/etc/key.json")):
        with pytest.raises(ValidationError) as refused:
            await Places(tmp_path, tmp_path / "trials", hosts).settle("shop", "spanner", asked)
        assert refused.value.code == "PLACE_NOT_ALLOWED"
    assert await Places(tmp_path, tmp_path / "trials", ["pro*"]).settle("shop", "spanner", uri) == uri


async def test_a_link_out_of_the_directory_is_no_place(tmp_path: Path) -> None:
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    with pytest.raises(ValidationError):
        await Places(inside, inside / "trials", []).settle("shop", "sqlite", "sqlite:///out/shop.db")


async def test_a_server_that_is_named_may_have_any_address(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "trials", ["*.internal.example", "127.0.0.1"])
    uri = "postgresql://db.internal.example/shop"
    assert await places.settle("shop", "postgres", uri) == uri
    assert await places.settle("shop", "postgres", "postgresql://127.0.0.1/shop") == "postgresql://127.0.0.1/shop"
    with pytest.raises(ValidationError):
        await places.settle("shop", "postgres", "postgresql://127.0.0.2/shop")
