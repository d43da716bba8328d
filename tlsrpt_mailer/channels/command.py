"""
Notices to a program of the operator's: JSON on its standard input, no shell.

Its exit code is the answer: 0 taken, 75 (EX_TEMPFAIL of sysexits.h) not now, any other
one never. The first line that it prints is the name it gives to the cause.
"""

import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated

import msgspec

from tlsrpt_mailer.channels import payload
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.ports import Notice, Sent
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import MINUTE, Span

TEMPFAIL = 75
SHOWN_CHARS = 300
MOST_BYTES = 64 * 1024
LOOK_SECONDS = 0.2
KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
    | {"CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"}
)
"""What of our own environment the program gets; no secret of another part may be in it."""
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=,-]{0,999}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    ``[[channel]]`` of kind "command".

    Raises:
        ValueError: The program is not named by its whole path.
    """

    command: tuple[str, ...]
    """The program by its whole path, and its arguments."""
    timeout: Annotated[Span, msgspec.Meta(ge=1, le=4 * MINUTE)] = 30
    """Then it and all that it started are killed."""

    def __post_init__(self) -> None:
        """A path that depends on nothing."""
        if not self.command or not Path(self.command[0]).is_absolute():
            raise ValueError('command must begin with a whole path, such as ["/usr/local/bin/x"]')


class CommandNotifier:
    """`ports.Notifier` by a program."""

    def __init__(
        self, settings: Settings, _here: Here, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._command = settings.command
        self._timeout = settings.timeout
        self._environ = {name: value for name, value in environ.items() if name in KEPT}

    def notify(self, notice: Notice, remote_ref: str | None) -> Sent:
        """See `ports.Notifier.notify`."""
        environ = {**self._environ, **variables(notice, remote_ref)}
        try:
            # A file, not a pipe: a program that reads nothing blocks nobody.
            with tempfile.TemporaryFile() as given:
                given.write(payload.encode(notice, remote_ref))
                given.seek(0)
                running = subprocess.Popen(  # noqa: S603  the operator's own, without a shell
                    self._command,
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environ,
                    start_new_session=True,
                )
        except OSError as error:
            raise Temporary(f"{self._command[0]}: {error.strerror}") from error
        return self._answer(*self._wait(running))

    def _wait(self, running: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
        """Its exit code and what it printed; killed with all that it started when it is late."""
        with running:
            printed, complained = running.stdout, running.stderr
            assert printed is not None and complained is not None  # noqa: S101, PT018  pipes both
            try:
                said = _read(running, [printed, complained], time.monotonic() + self._timeout)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                raise Temporary(f"{self._command[0]} took over {self._timeout} s") from None
            return running.returncode, said[0], said[1]

    def _answer(self, code: int, printed: bytes, complained: bytes) -> Sent:
        first = _first_line(printed)
        if code == 0:
            return Sent(f"exit 0: {first}" if first else "exit 0", first or None)
        ended = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        said = _first_line(complained) or first
        text = f"{self._command[0]} {ended}" + (f": {said}" if said else "")
        if code == TEMPFAIL or code < 0:
            raise Temporary(text)
        raise Refused(text)


def variables(notice: Notice, remote_ref: str | None) -> dict[str, str]:
    """
    What a shell script needs most, as environment variables.

    A value from a report stands here only where it is a plain word, so that a
    script that forgets its quotes comes to no harm; the JSON has everything.
    """
    first = notice.failures[0] if notice.failures else None
    given = {
        "TLSRPT_ID": notice.id.strip("<>"),
        "TLSRPT_KEY": notice.key,
        "TLSRPT_EVENT": notice.event,
        "TLSRPT_SEVERITY": notice.severity,
        "TLSRPT_OPEN": "1" if notice.is_open else "0",
        "TLSRPT_FAILURES": ",".join(str(one.failure) for one in notice.failures[:100]),
        "TLSRPT_REMOTE_REF": remote_ref or "",
    }
    if first is not None:
        given["TLSRPT_RESULT_TYPE"] = first.result_type
        for name, host in (("DOMAIN", first.policy_domain), ("MX", first.mx or "")):
            given[f"TLSRPT_{name}"] = host if is_strict_host(host) else ""
    return {name: value if _WORD.fullmatch(value) else "" for name, value in given.items()}


def _read(
    running: subprocess.Popen[bytes], streams: list[IO[bytes]], deadline: float
) -> list[bytes]:
    """
    What comes out of *streams* until the program has ended, `MOST_BYTES` of each.

    Raises:
        subprocess.TimeoutExpired: It runs still.
    """
    said = [bytearray() for _ in streams]
    with selectors.DefaultSelector() as waiting:
        for stream, found in zip(streams, said, strict=True):
            waiting.register(stream, selectors.EVENT_READ, found)
        # Something it left behind may hold the streams open: its own end counts.
        while (ready := waiting.select(LOOK_SECONDS)) or running.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(running.args, 0)
            for key, _ in ready:
                data = os.read(key.fd, 8192)
                key.data.extend(data[: MOST_BYTES - len(key.data)])
                if not data:
                    waiting.unregister(key.fileobj)
            if not waiting.get_map():
                running.wait(max(0.0, deadline - time.monotonic()))
                break
    return [bytes(found) for found in said]


def _first_line(said: bytes) -> str:
    """The first line with anything in it, as printable ASCII."""
    lines = (" ".join(re.sub(r"[^ -~]+", " ", line).split()) for line in _text(said).splitlines())
    return next(filter(None, lines), "")[:SHOWN_CHARS]


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")
