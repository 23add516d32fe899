"""The obvious design: aiohttp, and SQLAlchemy's ORM in a session per request, on SQLite."""

from __future__ import annotations

import sys
from uuid import uuid4

import msgspec
import uvloop
from aiohttp import web
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.servers.bare import Item as Body


class Base(DeclarativeBase):
    """The models' base."""


class Item(Base):
    """One row."""

    __tablename__ = "items"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[float]
    category: Mapped[str | None]
    stock: Mapped[float]
    active: Mapped[bool]
    made: Mapped[str | None]


_decoder = msgspec.json.Decoder(Body)
SESSIONS: web.AppKey[async_sessionmaker[AsyncSession]] = web.AppKey("sessions")


def _row(item: Item) -> dict[str, object]:
    return {column: getattr(item, column) for column in ("id", "name", "price", "category", "stock", "active", "made")}


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode({"status": "ok", "data": value}), status=status)


async def create(request: web.Request) -> web.Response:
    """POST."""
    body = _decoder.decode(await request.read())
    item = Item(id=str(uuid4()), **msgspec.structs.asdict(body))
    async with request.app[SESSIONS]() as session, session.begin():
        session.add(item)
    return _json(_row(item), 201)


async def update(request: web.Request) -> web.Response:
    """PUT."""
    change = msgspec.json.decode(await request.read())
    async with request.app[SESSIONS]() as session, session.begin():
        item = await session.get(Item, request.match_info["id"])
        if item is not None:
            for name, value in change.items():
                setattr(item, name, value)
    return _json(_row(item) if item else None)


async def get(request: web.Request) -> web.Response:
    """GET one."""
    async with request.app[SESSIONS]() as session:
        item = await session.get(Item, request.match_info["id"])
    return _json(_row(item) if item else None)


async def get_list(request: web.Request) -> web.Response:
    """GET twenty."""
    async with request.app[SESSIONS]() as session:
        found = (await session.scalars(select(Item).order_by(Item.id).limit(int(request.query["limit"])))).all()
    return _json([_row(item) for item in found])


def main(port: int, path: str) -> None:
    """Serve until killed."""
    uvloop.install()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @event.listens_for(engine.sync_engine, "connect")
    def _pragmas(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # a DBAPI connection
        for pragma in ("journal_mode=wal", "synchronous=full", "busy_timeout=20000"):
            cursor.execute(f"pragma {pragma}")

    async def start(app: web.Application) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        app[SESSIONS] = async_sessionmaker(engine, expire_on_commit=False)

    app = web.Application()
    app.on_startup.append(start)
    app.router.add_post("/api/v1/Item", create)
    app.router.add_put("/api/v1/Item/{id}", update)
    app.router.add_get("/api/v1/Item", get_list)
    app.router.add_get("/api/v1/Item/{id}", get)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
