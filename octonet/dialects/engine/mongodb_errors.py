"""What the errors of MongoDB's driver mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from octonet.dialects.engine import faults
from octonet.kernel.errors import Invalid, StorageUnavailable, Unavailable

FAILURES: Final = (PyMongoError, BSONError)
"""All that a call of the driver can raise, apart from faults of ours."""

TAKEN: Final = 11000
_LATE: Final = frozenset({50, 262})
_NOT_LET_IN: Final = frozenset({18, 334})
_RIGHTS: Final = frozenset({13, 8000})
_TOO_LARGE: Final = frozenset({10334, 17280, 17419, 17420})


def raise_meaning(error: BaseException, address: str) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is."""
    code, text = code_of(error), _text(error)
    if code == TAKEN or isinstance(error, DuplicateKeyError):
        raise StorageUnavailable(f"another process wrote to {address} meanwhile: {text}") from error
    if code in _LATE:
        raise Unavailable("the query did not finish in time", code="QUERY_TIMEOUT") from error
    if isinstance(error, ConfigurationError):
        raise StorageUnavailable(f"{address} cannot be used: {text}") from error
    if code in _NOT_LET_IN:
        raise StorageUnavailable(refused(address, text)) from error
    if code in _RIGHTS:
        raise StorageUnavailable(f"the user of {address} may not do that ({text}): grant it readWrite") from error
    if code in _TOO_LARGE or isinstance(error, DocumentTooLarge):
        raise Invalid(f"the request is too large for one message: {text}", code="FILTER_TOO_LARGE") from error
    if isinstance(error, ServerSelectionTimeoutError):
        raise StorageUnavailable(away(address, text)) from error
    if isinstance(error, WaitQueueTimeoutError):
        raise StorageUnavailable(f"all connections to {address} are busy: raise DB_POOL_SIZE") from error
    if isinstance(error, ConnectionFailure | AutoReconnect):
        raise faults.Lost(f"the connection to {address} was lost: {text}") from error
    if isinstance(error, InvalidOperation):
        raise StorageUnavailable(f"the database {address} is closed") from error
    if isinstance(error, OperationFailure | BulkWriteError):
        raise StorageUnavailable(f"the database {address} is not available: {text}") from error
    raise error


@contextmanager
def told(address: str) -> Iterator[None]:
    """Whatever the driver raises within is raised as what it means."""
    try:
        yield
    except FAILURES as error:
        raise_meaning(error, address)


def refused(address: str, text: str) -> str:
    """The sentence for a user or a password that the server does not take."""
    return f"{address} refused the user or the password ({text}): check SGBD_URI, and authSource in it"


def away(address: str, text: str) -> str:
    """The sentence for a server that nobody finds."""
    return f"nobody answers at {address} ({text}): is MongoDB running there, and does it listen?"


def code_of(error: BaseException) -> int:
    """The server's number of the error, the first of many; 0 for errors of the driver itself."""
    if isinstance(error, BulkWriteError):
        errors: object = (error.details or {}).get("writeErrors")
        code: object = errors[0].get("code") if isinstance(errors, list) and errors else error.code
    else:
        code = error.code if isinstance(error, OperationFailure) else 0
    return code if isinstance(code, int) else 0


def _text(error: BaseException) -> str:
    """The first of what the driver says: a list of servers and their states follows."""
    if isinstance(error, BulkWriteError):
        errors: object = (error.details or {}).get("writeErrors")
        if isinstance(errors, list) and errors:
            return str(errors[0].get("errmsg"))
    return str(error).partition(", full error")[0].partition(", Timeout:")[0].partition(" (configured")[0]
