"""What systemd is told (sd_notify(3))."""

import os
import socket
from functools import cache

import structlog

log = structlog.get_logger()


def notify(message: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where it did not start us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(1)
            sock.connect(name)
            sock.sendall(message.encode())
    except OSError as error:
        _unreachable(str(error))


@cache
def _unreachable(error: str) -> None:
    """Said once in a process: it is tried every few seconds."""
    log.warning("systemd.unreachable", error=error)
