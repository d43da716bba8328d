"""
Listening sockets: TCP, unix sockets with owner and mode, and those that systemd hands over.

Bound before the daemon says READY, so that no mail is turned away while it starts.
"""

import contextlib
import errno
import grp
import ipaddress
import os
import pwd
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from tlsrpt_mailer.errors import CannotWrite, ConfigError

log = structlog.get_logger()

BACKLOG = 128
FIRST_PASSED_FD = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""

UNIX_PATH_BYTES = 107
"""What fits into sockaddr_un on Linux, less the closing zero."""


class Tcp(msgspec.Struct, frozen=True):
    """An address and a port; ``::`` takes IPv4 as well."""

    host: str
    port: int


class Unix(msgspec.Struct, frozen=True):
    """A socket in the file system."""

    path: str


class Passed(msgspec.Struct, frozen=True):
    """Sockets from a systemd socket unit; None for all of them, else its FileDescriptorName."""

    name: str | None


Where: TypeAlias = Tcp | Unix | Passed


class Access(msgspec.Struct, frozen=True):
    """Who may connect to a unix socket: connecting needs the right to write to it."""

    owner: str | None = None
    group: str | None = None
    mode: int = 0o660


def parse_listen(text: str) -> Where:
    """
    Read a `listen` setting.

    Raises:
        ValueError: It is none of the forms; the text says which there are.
    """
    if text == "systemd" or text.startswith("systemd:"):
        return Passed(text.partition(":")[2] or None)
    if text.startswith("/"):
        if len(os.fsencode(text)) > UNIX_PATH_BYTES:
            raise ValueError(f"a unix socket's path has at most {UNIX_PATH_BYTES} bytes")
        return Unix(text)
    found = re.fullmatch(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<four>[^:\[\]]+)):(?P<port>\d{1,5})", text)
    if found is None:
        raise ValueError(
            f'"{text}" must be "127.0.0.1:8825", "[::1]:8825", "/path/of/socket" or "systemd"'
        )
    host = "127.0.0.1" if found["four"] == "localhost" else found["six"] or found["four"]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f'"{host}" must be an IP address') from None
    if int(found["port"]) > 0xFFFF:
        raise ValueError(f"port {found['port']} is greater than 65535")
    return Tcp(host, int(found["port"]))


class Bound(msgspec.Struct, frozen=True):
    """Sockets that listen; connections wait in their backlog until they are served."""

    sockets: tuple[socket.socket, ...]
    path: Path | None = None
    inode: int = 0

    def close(self) -> None:
        """Shut them; a unix socket leaves the file system, unless another has taken its place."""
        for sock in self.sockets:
            sock.close()
        if self.path is None:
            return
        try:
            if self.path.lstat().st_ino == self.inode:
                self.path.unlink()
        except OSError:
            log.warning("socket.left", path=str(self.path))


def bind(where: Where, access: Access, environ: Mapping[str, str] = os.environ) -> Bound:
    """
    Listen there.

    Raises:
        ConfigError: systemd handed over no such socket, or owner or group do not exist.
        CannotWrite: The address cannot be had, or the unix socket cannot be made.
    """
    match where:
        case Tcp():
            return Bound((_bind_tcp(where),))
        case Unix():
            return _bind_unix(Path(where.path), access)
        case Passed():
            return Bound(tuple(_take_passed(where, environ)))


def _bind_tcp(where: Tcp) -> socket.socket:
    is_six = ":" in where.host
    family = socket.AF_INET6 if is_six else socket.AF_INET
    # With the protocol named asyncio sets TCP_NODELAY. Without it each mail waits 40 ms
    # for an acknowledgement: 20 a second over one connection.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, where.host != "::")
        sock.bind((where.host, where.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        hint = (
            "; ports below 1024 need a systemd socket unit or CAP_NET_BIND_SERVICE"
            if error.errno == errno.EACCES
            else ""
        )
        # No fault of the configuration for good: the port may be free at the next start.
        raise CannotWrite(
            f"cannot listen on {where.host} port {where.port}: {error.strerror}{hint}"
        ) from error
    return sock


def _bind_unix(path: Path, access: Access) -> Bound:
    uid, gid = _ids(access)
    _clear_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # On Linux the file is born with the mode of the socket, so that nobody
        # can connect between bind and chmod.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        os.chown(path, uid, gid)
        path.chmod(access.mode)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        _discard(path)
        hint = (
            "; only root may give a socket to another user or to a group that the daemon is not in"
            " (a systemd socket unit can)"
            if isinstance(error, PermissionError)
            else ""
        )
        raise CannotWrite(f"{path}: {error.strerror or error}{hint}") from error
    return Bound((sock,), path, path.lstat().st_ino)


def _ids(access: Access) -> tuple[int, int]:
    """User and group for chown; -1 leaves one as it is."""
    try:
        uid = -1 if access.owner is None else pwd.getpwnam(access.owner).pw_uid
    except KeyError:
        raise ConfigError(f'owner: there is no user "{access.owner}"') from None
    try:
        gid = -1 if access.group is None else grp.getgrnam(access.group).gr_gid
    except KeyError:
        raise ConfigError(f'group: there is no group "{access.group}"') from None
    return uid, gid


def _clear_stale(path: Path) -> None:
    """Remove the socket of a process that was killed; keep whatever else is there."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror}") from error
    if not is_socket:
        raise CannotWrite(f"{path} is there already and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(str(path))
    if answer != errno.ECONNREFUSED:
        raise CannotWrite(f"{path}: another process listens there")
    _discard(path)


def _discard(path: Path) -> None:
    # Where it cannot be removed, binding says why.
    with contextlib.suppress(OSError):
        path.unlink()


def _take_passed(where: Passed, environ: Mapping[str, str]) -> list[socket.socket]:
    """The sockets of sd_listen_fds_with_names(3), as copies: the originals stay for a reload."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        raise ConfigError('listen = "systemd", but no systemd socket unit started this process')
    count = int(environ.get("LISTEN_FDS", "0"))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    names += ["unknown"] * (count - len(names))
    wanted = [
        FIRST_PASSED_FD + index
        for index in range(count)
        if where.name is None or names[index] == where.name
    ]
    if not wanted:
        raise ConfigError(
            f'systemd handed over no socket named "{where.name}", but: '
            + (", ".join(names[:count]) or "none")
        )
    sockets = []
    for fd in wanted:
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=os.dup(fd))
        if sock.type != socket.SOCK_STREAM:
            sock.close()
            raise ConfigError("systemd handed over a socket that is not ListenStream=")
        sock.listen(BACKLOG)
        sockets.append(sock)
    return sockets
