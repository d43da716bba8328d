"""One limit of time over a whole conversation."""

import socket
import time
from pathlib import Path

import pytest

from tlsrpt_mailer.net.deadline import Deadline


def test_what_comes_too_late_is_cut_at_once():
    """A connection that is made in the moment when the time is over is not waited on."""
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(0.05) as deadline:
        assert b"" == _until_cut(ours, deadline)
        late, other = socket.socketpair()
        with late, other:
            late.settimeout(10)
            deadline.watch(late)

            assert b"" == late.recv(1)
            with pytest.raises(TimeoutError):
                deadline.left()
            with pytest.raises(TimeoutError):
                deadline.connect("127.0.0.1", 1)


def _until_cut(connection: socket.socket, deadline: Deadline) -> bytes:
    connection.settimeout(10)
    deadline.watch(connection)
    return connection.recv(1)


def test_nothing_is_left_open_or_running():
    """Ten thousand conversations leave neither descriptors nor threads behind."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before = _open_files()
        for _ in range(50):
            with Deadline(60) as deadline:
                deadline.watch(ours)
        began = time.monotonic()

        assert before == _open_files()
        assert not deadline.is_over
        assert 0 < deadline.left() <= 60
        assert time.monotonic() - began < 1


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
