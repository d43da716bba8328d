"""Ports for servers that the tests start."""

import os
import socket
from itertools import count, islice

FIRST = 10_000
EACH = 2_500
"""How many ports one worker of pytest-xdist has: below those that the kernel gives to clients."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_turns = count(os.getpid() * 97)
_addresses = count(os.getpid() * 89)


def free_port() -> int:
    """
    A TCP and UDP port on loopback that nobody listens on, and that no client is given meanwhile.

    Between this and the start of the server another process may take any port that the
    kernel hands out, so those are left alone.
    """
    for turn in _turns:
        port = FIRST + _worker * EACH + turn % EACH
        if _is_free(port, socket.SOCK_STREAM) and _is_free(port, socket.SOCK_DGRAM):
            return port
    raise AssertionError("the turns never end")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def own_address() -> str:
    """
    An address of loopback, ``127.x.y.z``, that no other test uses: for servers on ports that
    everybody knows (25, 53, 443), which none of them may take on all addresses.
    """
    for turn in islice(_addresses, 100):
        address = f"127.{16 + _worker}.{turn // 250 % 250 + 1}.{turn % 250 + 1}"
        if all(_is_unused(address, port) for port in (25, 53, 443)):
            return address
    raise AssertionError("some server of this machine listens on port 25, 53 or 443 everywhere")


def _is_unused(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) != 0
