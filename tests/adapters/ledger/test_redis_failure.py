import socket

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, RedisError, ResponseError

from service.adapters.ledger.redis_failure import redis_failure


def caused(cause: BaseException) -> RedisError:
    error = RedisConnectionError("the library's own words")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (caused(socket.gaierror(-2, "Name or service not known")), "cannot be looked up (Name or service not known)"),
        (caused(ConnectionRefusedError(111, "refused")), "no Redis listens there"),
        (caused(OSError("Multiple exceptions: [Errno 111] Connect call failed")), "no Redis listens there"),
        (caused(ConnectionResetError(104, "reset")), "Redis closed the connection"),
        (RedisConnectionError("Connection closed by server."), "the connection to Redis was lost"),
        (MovedError("3999 127.0.0.1:6381"), "is part of a cluster"),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "cannot save to its disk"),
        (ResponseError("WRONGTYPE Operation against a key"), "refused a command (WRONGTYPE): check its log"),
    ],
)
def test_each_failure_says_what_to_check(error: BaseException, said: str) -> None:
    assert said in redis_failure(error)


def test_a_command_that_the_server_repeats_is_not_shown() -> None:
    error = ResponseError("unknown command 'AUTH', with args beginning with: 'user' 'secret'")
    assert "secret" not in redis_failure(error)
