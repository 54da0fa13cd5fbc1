"""Which errors of the database mean that it is away, or cannot now: asking again is safe."""

import asyncpg
import pytest

from harvester.errors import StoreUnavailable
from harvester.store.pool import translated


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("another operation is in progress"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.DiskFullError("could not extend file: No space left on device"),
        asyncpg.OutOfMemoryError("out of memory"),
        asyncpg.PostgresIOError("could not read block"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.SerializationError("could not serialize access"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.IdleInTransactionSessionTimeoutError("terminating connection"),
        asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
        asyncpg.InvalidPasswordError('password authentication failed for user "harvester"'),
        asyncpg.InvalidCatalogNameError('database "harvester" does not exist'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_database_is_away(error: Exception) -> None:
    with pytest.raises(StoreUnavailable, match="the database is away: ") as told, translated():
        raise error
    assert told.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.CheckViolationError("no partition of relation found for row"),
        asyncpg.DataError("invalid input for query argument $1"),
        asyncpg.CharacterNotInRepertoireError("invalid byte sequence"),
        asyncpg.InsufficientPrivilegeError("permission denied"),
        asyncpg.UndefinedTableError("relation does not exist"),
        KeyError("a mistake of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_database_is_there_and_refuses(error: Exception) -> None:
    with pytest.raises(type(error)), translated():
        raise error
