"""What is asked of one Spanner database, through Google's own library: its asynchronous half, as it is generated from
the protocol. Sessions, transactions and deadlines are seen to here: what the library adds for programs that block is
left alone. It has no types of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec

from octonet.dialects.engine.dbapi_driver import Failure, load
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.spanner_address import Address
from octonet.dialects.engine.spanner_errors import GONE, UNAUTHENTICATED, UNKNOWN, failure_of
from octonet.dialects.engine.spanner_values import bind, readers
from octonet.kernel.errors import Invalid

T = TypeVar("T")

NEW: Final = b""
"""In place of a transaction that is open: one that writes is opened with the statement."""
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_LONGEST: Final = 3600.0
"""Seconds of a call that has no other deadline."""
_SHORT: Final = 10.0
_FIRST_LOOK, _LAST_LOOK = 0.02, 2.0
"""Seconds between two looks whether a definition is carried out."""


class Answer(msgspec.Struct, frozen=True):
    """What a statement says."""

    rows: list[Cells]
    touched: int
    transaction: bytes


class Library:
    """Google's library, as far as it is used."""

    def __init__(self) -> None:
        self.grpc: Any = load("grpc.aio", "spanner")
        self.types: Any = load("google.cloud.spanner_v1.types", "spanner")
        self.data: Any = load("google.cloud.spanner_v1.services.spanner", "spanner")
        self.data_transports: Any = load("google.cloud.spanner_v1.services.spanner.transports", "spanner")
        name = "google.cloud.spanner_admin_database_v1.services.database_admin"
        self.admin: Any = load(name, "spanner")
        self.admin_transports: Any = load(f"{name}.transports", "spanner")
        self.auth: Any = load("google.auth", "spanner")
        self.accounts: Any = load("google.oauth2.service_account", "spanner")
        self.errors: tuple[type[Exception], ...] = (
            load("google.api_core.exceptions", "spanner").GoogleAPIError,
            load("google.auth.exceptions", "spanner").GoogleAuthError,
            self.grpc.AioRpcError,
        )

    def credentials(self, at: Address) -> Any:
        """Those of the address, a key of a service account, or those of this machine."""
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        try:
            if at.credentials:
                return self.accounts.Credentials.from_service_account_file(at.credentials, scopes=scopes)
            return self.auth.default(scopes=scopes)[0]
        except OSError as problem:
            raise Invalid(f"the credentials of {at.shown} cannot be read: {problem.strerror}") from problem
        except ValueError as problem:
            raise Failure(str(problem), UNAUTHENTICATED) from problem
        except self.errors as problem:
            raise Failure(str(problem), UNAUTHENTICATED) from problem

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors of the library are `Failure`s."""
        try:
            yield
        except self.errors as error:
            state = getattr(error, "grpc_status_code", None)
            text = str(getattr(error, "message", "") or error)
            raise failure_of(text, UNKNOWN if state is None else int(state.value[0])) from None


class Calls:
    """Every call raises `Failure`. The channels are opened by the first of them."""

    def __init__(self, library: Library, at: Address, credentials: Any) -> None:
        self._library = library
        self._types = library.types
        self._database = at.path
        data, admin = library.data_transports, library.admin_transports
        self._channels: list[Any] = []
        self._data = library.data.SpannerAsyncClient(
            transport=data.SpannerGrpcAsyncIOTransport(
                channel=self._channel(data.SpannerGrpcAsyncIOTransport, credentials)
            )
        )
        self._admin = library.admin.DatabaseAdminAsyncClient(
            transport=admin.DatabaseAdminGrpcAsyncIOTransport(
                channel=self._channel(admin.DatabaseAdminGrpcAsyncIOTransport, credentials)
            )
        )

    async def open(self, seconds: float) -> str:
        """A new session's name."""
        request = self._types.CreateSessionRequest(database=self._database)
        return str((await self._done(self._data.create_session, request, seconds)).name)

    async def lives(self, session: str) -> bool:
        """Whether there is such a session."""
        request = self._types.GetSessionRequest(name=session)
        try:
            await self._done(self._data.get_session, request, _SHORT)
        except Failure as failure:
            if failure.code != GONE:
                raise
            return False
        return True

    async def leave(self, session: str) -> None:
        """End a session, and a transaction that is open in it."""
        request = self._types.DeleteSessionRequest(name=session)
        await self._done(self._data.delete_session, request, _SHORT)

    async def query(
        self, session: str, transaction: bytes | None, text: str, arguments: Sequence[Cell], seconds: float
    ) -> list[Cells]:
        """The rows of a query, in a transaction, or as everything is now."""
        request = self._statement(session, text, arguments)
        if transaction is None:
            request.transaction.single_use.read_only.strong = True
        else:
            request.transaction.id = transaction
        wrapped = self._types.ExecuteSqlRequest.wrap(request)
        with self._library.told():
            stream = await self._data.execute_streaming_sql(request=wrapped, retry=None, timeout=seconds or _LONGEST)
            return await self._collected(stream)

    async def change(
        self, session: str, transaction: bytes, text: str, arguments: Sequence[Cell], number: int
    ) -> Answer:
        """Run the `number`-th statement of a transaction that writes; `NEW` opens one."""
        request = self._statement(session, text, arguments)
        if transaction == NEW:
            request.transaction.begin.read_write.SetInParent()
        else:
            request.transaction.id = transaction
        request.seqno = number
        wrapped = self._types.ExecuteSqlRequest.wrap(request)
        answer = await self._done(self._data.execute_sql, wrapped, _LONGEST)
        result = self._types.ResultSet.pb(answer)
        found = bytes(result.metadata.transaction.id) or transaction
        read = readers([each.type_.code for each in result.metadata.row_type.fields])
        rows = [tuple([take(value) for take, value in zip(read, row.values, strict=True)]) for row in result.rows]
        return Answer(rows, int(result.stats.row_count_exact), found)

    async def look(self, session: str) -> bytes:
        """Open a transaction that looks at this moment."""
        options = self._types.TransactionOptions(read_only={"strong": True})
        request = self._types.BeginTransactionRequest(session=session, options=options)
        return bytes((await self._done(self._data.begin_transaction, request, _SHORT)).id)

    async def commit(self, session: str, transaction: bytes) -> None:
        """End a transaction that writes."""
        request = self._types.CommitRequest(session=session, transaction_id=transaction)
        await self._done(self._data.commit, request, _LONGEST)

    async def rollback(self, session: str, transaction: bytes) -> None:
        """Undo it."""
        request = self._types.RollbackRequest(session=session, transaction_id=transaction)
        await self._done(self._data.rollback, request, _SHORT)

    async def define(self, texts: Sequence[str]) -> None:
        """Carry out definitions, one after the other, however long it takes. Where one fails those before it stand."""
        request = {"database": self._database, "statements": list(texts)}
        operation = await self._done(self._admin.update_database_ddl, request, _LONGEST)
        pause = _FIRST_LOOK
        while not operation.operation.done:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK)
            with self._library.told():
                await operation.done()
        error = operation.operation.error
        if error.code:
            # It is told by a future, too, which wants to be asked.
            await operation.exception()
            raise failure_of(str(error.message), int(error.code))

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            await channel.close()

    def _channel(self, transport: Any, credentials: Any) -> Any:
        emulator = os.environ.get("SPANNER_EMULATOR_HOST")
        if emulator:
            found = self._library.grpc.insecure_channel(emulator, options=_OPTIONS)
        else:
            found = transport.create_channel(credentials=credentials, options=_OPTIONS)
        self._channels.append(found)
        return found

    def _statement(self, session: str, text: str, arguments: Sequence[Cell]) -> Any:
        request = self._types.ExecuteSqlRequest.pb(self._types.ExecuteSqlRequest())
        request.session, request.sql = session, text
        bind(request, arguments)
        return request

    async def _collected(self, stream: AsyncIterator[Any]) -> list[Cells]:
        """Values come in parts of any length; the last of a part may go on in the next one."""
        read: Sequence[Callable[[Any], Cell]] = ()
        rows: list[Cells] = []
        row: list[Cell] = []
        begun = ""
        async for each in stream:
            part = self._types.PartialResultSet.pb(each)
            if not read:
                read = readers([field.type_.code for field in part.metadata.row_type.fields])
            last = len(part.values) - 1
            for number, value in enumerate(part.values):
                if begun:
                    # Only texts are parted: lists and structures are not read.
                    value.string_value = begun + value.string_value
                    begun = ""
                if number == last and part.chunked_value:
                    begun = value.string_value
                    break
                row.append(read[len(row)](value))
                if len(row) == len(read):
                    rows.append(tuple(row))
                    row = []
        return rows

    async def _done(self, call: Callable[..., Awaitable[T]], request: object, seconds: float) -> T:
        with self._library.told():
            return await call(request=request, retry=None, timeout=seconds)


def emulated() -> bool:
    """Whether an emulator is asked, which lets in anybody."""
    return bool(os.environ.get("SPANNER_EMULATOR_HOST"))
