"""Runs a statement in a DuckDB of its own, over the rows that the gateway lets its caller read and nothing else."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from itertools import chain
from typing import Final

import duckdb
import msgspec
import pyarrow as pa

from octonet.kernel.errors import Exhausted, Invalid, OctonetError, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Raw, Request
from transports.engine.arrow.call import Call
from transports.engine.arrow.columns import Columns
from transports.engine.arrow.problems import ClientGone
from transports.engine.arrow.scan import Scan
from transports.engine.arrow.statement import Needed, Statement
from transports.engine.arrow.terms import Bounds

_CLOSED: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "threads": "1",
}
_BATCH: Final = 4096
_BUFFER: Final = "1MiB"
"""Of an answer that waits for its client."""
_LOOK: Final = 0.1
_NEVER: Final = math.inf


class Execution:
    """One statement on its way. `room` is what it takes a place of for as long as it lasts."""

    def __init__(
        self,
        call: Call,
        project: ProjectName,
        statement: Statement,
        parameters: list[Raw],
        bounds: Bounds,
        room: threading.Semaphore,
    ) -> None:
        self._call = call
        self._project = project
        self._statement = statement
        self._parameters = parameters
        self._bounds = bounds
        self._room = room
        self._problem: OctonetError | ClientGone | None = None
        self._over = False
        self._looking = threading.Lock()
        self._left = bounds.timeout
        self._deadline = _NEVER
        self._scans = [self._scan(needed) for needed in statement.needed]
        self._enter()
        self._connection = _opened(bounds)

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The answer's columns, and its rows. Raises as the gateway does for the rows that it needs; `Invalid` with
        code SQL_FAILED for a statement that cannot be run; `Unavailable` with code QUERY_TIMEOUT; `Exhausted` with code
        TOO_MANY_ROWS, QUERY_TOO_LARGE or TOO_MANY_STATEMENTS."""
        threading.Thread(target=self._watch, name="octonet-sql", daemon=True).start()
        try:
            with self._timed():
                for needed, scan in zip(self._statement.needed, self._scans, strict=True):
                    self._register(needed.table, scan)
                relation = self._connection.sql(self._statement.text, params=self._parameters or None)
                if relation is None:
                    raise Invalid("the statement has no rows for an answer", code="SQL_REFUSED")
                reader = relation.to_arrow_reader(_BATCH)
                schema = _plain(reader.schema)
        except BaseException:
            self._close()
            raise
        batches = self._batches(reader, schema)
        # Begun, it ends with the call, whatever becomes of that: what never began would have no end either.
        first = next(batches, None)
        return schema, iter(()) if first is None else chain((first,), batches)

    def _batches(self, reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        told = 0
        try:
            while True:
                with self._timed():
                    try:
                        batch = reader.read_next_batch()
                    except StopIteration:
                        return
                told += batch.num_rows
                if told > self._bounds.rows:
                    sentence = f"the answer has more than {self._bounds.rows} rows: ask for fewer with LIMIT"
                    raise Exhausted(sentence, code="TOO_MANY_ROWS")
                yield batch if batch.schema == schema else batch.cast(schema)
        finally:
            self._close()

    def _enter(self) -> None:
        """Take a place. Raises `Exhausted` when none becomes free in time."""
        deadline = time.monotonic() + self._bounds.timeout
        while not self._room.acquire(timeout=_LOOK):
            if self._call.gone():
                raise ClientGone
            if time.monotonic() > deadline:
                raise Exhausted("too many statements are being run: try again later", code="TOO_MANY_STATEMENTS")

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Some work of the statement. What its client takes its time for is not counted."""
        began = time.monotonic()
        self._deadline = began + self._left
        try:
            with _Meaning(self):
                yield
        finally:
            self._deadline = _NEVER
            self._left -= time.monotonic() - began

    @property
    def problem(self) -> OctonetError | ClientGone | None:
        """Why the statement came to its end before its time."""
        return self._problem

    def _scan(self, needed: Needed) -> Scan:
        options: dict[str, Raw] = {"select": list(needed.columns)} if needed.columns else {}
        plain = Request("findAll", needed.entity.name, options=options)
        found = needed.filter(self._parameters)
        if found:
            try:
                return Scan(self._call, self._project, msgspec.structs.replace(plain, filter=found))
            except Invalid:
                # What no filter can say, the statement says by itself.
                pass
        return Scan(self._call, self._project, plain)

    def _register(self, table: str, scan: Scan) -> None:
        rows = pa.RecordBatchReader.from_batches(scan.columns.schema, self._noted(scan.batches()))
        if self._statement.once:
            self._connection.register(table, rows)
            return
        self._connection.register(f"rows_of_{table}", rows)
        self._connection.execute(f"CREATE TABLE {table} AS SELECT * FROM rows_of_{table}")
        self._connection.unregister(f"rows_of_{table}")

    def _noted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches. What goes wrong with them is kept: DuckDB tells of it in words only."""
        try:
            yield from batches
        except (OctonetError, ClientGone) as problem:
            self._problem = problem
            raise

    def _watch(self) -> None:
        """In a thread: the statement ends when its client goes away or its time is over."""
        while True:
            time.sleep(_LOOK)
            # The call is not to be asked when it has ended.
            with self._looking:
                if self._over:
                    return
                if self._call.gone():
                    self._problem = self._problem or ClientGone()
                elif self._call.bridge.ending:
                    self._problem = self._problem or Unavailable("the server is shutting down")
                elif time.monotonic() > self._deadline:
                    sentence = f"the statement took more than {self._bounds.timeout:g} s"
                    self._problem = self._problem or Unavailable(sentence, code="QUERY_TIMEOUT")
                else:
                    continue
                self._connection.interrupt()

    def _close(self) -> None:
        with self._looking:
            if self._over:
                return
            self._over = True
        self._connection.close()
        self._room.release()


class _Meaning:
    """What DuckDB raises, as errors of ours."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> None:
        if problem is None or isinstance(problem, OctonetError | ClientGone | GeneratorExit):
            return
        if self._execution.problem is not None:
            raise self._execution.problem from None
        if isinstance(problem, duckdb.OutOfMemoryException) or "Out of Memory" in str(problem):
            sentence = "the statement needs more memory than it may have: let it read fewer rows"
            raise Exhausted(sentence, code="QUERY_TOO_LARGE") from None
        if isinstance(problem, duckdb.Error | pa.ArrowException | OSError):
            raise Invalid(_sentence(problem), code="SQL_FAILED") from None


def schema_of(statement: Statement, bounds: Bounds, parameters: list[Raw]) -> pa.Schema:
    """The columns of a statement's answer, found out without any rows."""
    connection = _opened(bounds)
    try:
        for needed in statement.needed:
            empty = pa.Table.from_batches([], schema=Columns(needed.entity).schema)
            connection.register(needed.table, empty)
        relation = connection.sql(statement.text, params=parameters or None)
        if relation is None:
            raise Invalid("the statement has no rows for an answer", code="SQL_REFUSED")
        # Limited to nothing, it is not run; but then no name may come twice.
        types = relation.limit(0).to_arrow_reader(_BATCH).schema.types
        return pa.schema([pa.field(name, type_) for name, type_ in zip(relation.columns, types, strict=True)])
    except duckdb.Error as problem:
        raise Invalid(_sentence(problem), code="SQL_FAILED") from None
    finally:
        connection.close()


def _opened(bounds: Bounds) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={**_CLOSED, "memory_limit": f"{bounds.memory // 2**20}MiB"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET streaming_buffer_size = '{_BUFFER}'")
    connection.execute("SET lock_configuration = true")
    return connection


def _plain(schema: pa.Schema) -> pa.Schema:
    """Without what DuckDB notes in it."""
    return pa.schema([pa.field(field.name, field.type, field.nullable) for field in schema])


def _sentence(problem: BaseException) -> str:
    """Its first line: those that follow quote the statement as it was written anew."""
    return f"the statement cannot be run: {str(problem).split(chr(10), 1)[0]}"[:500]
