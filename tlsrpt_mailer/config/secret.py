"""
Secrets: read when they are needed, from where the configuration points to.

A `Secret` holds the place, never the value, so neither a log line nor a
traceback can print it. A value that changes (a rotated password) is seen at
the next call.
"""

import os
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tlsrpt_mailer.errors import ConfigError, Temporary
from tlsrpt_mailer.report.times import Span

MAX_BYTES = 64 * 1024
OF_LINES = frozenset({"key_file"})
"""What holds a private key, which is several lines; all others are one."""
COMMAND_TIMEOUT: Span = 30


class Secret:
    """Call it to read the secret."""

    def __init__(
        self, way: str, place: str | tuple[str, ...], beside: Path, environ: Mapping[str, str]
    ) -> None:
        self._way = way
        self._place = place
        self._beside = beside
        self._environ = environ

    def __repr__(self) -> str:
        return f"Secret({self._way})"

    @property
    def origin(self) -> str:
        """Where it comes from, for people: ``the file imap-password``."""
        match self._place:
            case str(place):
                kind = "file" if self._way.endswith("_file") else "environment variable"
                return f"the {kind} {place}"
            case arguments:
                return f"the command {arguments[0]}"

    @property
    def is_command(self) -> bool:
        """Whether a program prints it."""
        return isinstance(self._place, tuple)

    def __call__(self, timeout: Span = COMMAND_TIMEOUT) -> str:
        """
        The secret, without the line end behind it.

        Raises:
            ConfigError: The file or variable is not there, unreadable or empty.
            Temporary: The command failed or took longer than *timeout*.
        """
        if isinstance(self._place, tuple):
            raw = self._from_command(self._place, timeout)
        elif self._way.endswith("_file"):
            raw = self._from_file(self._place)
        else:
            raw = self._environ.get(self._place, "")
        found = raw.rstrip("\r\n")
        lines = found.splitlines() if self._way in OF_LINES else [found]
        is_text = all(line.isprintable() for line in lines)
        if not found or not is_text or len(found) > MAX_BYTES:
            wrong = "is no text" if len(lines) > 1 else "is more than one line of text"
            what = wrong if found else "is empty or not there"
            raise ConfigError(f"{self._way}: {self.origin} {what}")
        return found

    def _from_file(self, name: str) -> str:
        path = self.path_of(name)
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 2).decode()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise ConfigError(f"{self._way}: {path}: {why}") from None

    def path_of(self, name: str) -> Path:
        """A relative *name* is looked for among systemd's credentials, then beside the config."""
        credentials = self._environ.get("CREDENTIALS_DIRECTORY")
        if credentials:
            credential = Path(credentials) / name
            try:
                if credential.is_file():
                    return credential
            except PermissionError:  # of another unit, or of a reload's command
                return credential
        return self._beside / name

    def _from_command(self, arguments: tuple[str, ...], timeout: Span) -> str:
        try:
            done = subprocess.run(  # noqa: S603  the operator's own program, without a shell
                arguments,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Temporary(f"{self._way}: {arguments[0]} took over {timeout} s") from None
        except OSError as error:
            raise ConfigError(f"{self._way}: {arguments[0]}: {error.strerror}") from None
        if done.returncode:
            # Its standard error stays out: such helpers print tokens when they fail.
            raise Temporary(f"{self._way}: {arguments[0]} exited with {done.returncode}")
        return done.stdout.decode(errors="replace")


def without(said: str, word: str) -> str:
    """
    What a server said to a login with *word*, or that it repeats the word.

    Some servers quote the line that they refuse, and what they say is logged and mailed.
    """
    coded = (b64encode(b"\0" * offset + word.encode()).decode() for offset in range(3))
    # What comes before and behind the word decides over the characters at its edges.
    forms = [word, *(form[4 if offset else 0 : -4] for offset, form in enumerate(coded))]
    # Behind a backslash, as quoted strings have it.
    texts = (said, said.replace("\\", ""))
    if any(form and form in text for form in forms for text in texts):
        return "(its answer repeats the secret, and is left out)"
    return said


def secret(
    settings: msgspec.Struct,
    word: str = "password",
    *,
    beside: Path | None,
    environ: Mapping[str, str] = os.environ,
) -> Secret | None:
    """
    What reads the *word* ("password", "token") of *settings*; None where none is configured.

    Args:
        settings: Has any of the fields WORD_file, WORD_env, WORD_command.
        beside: The configuration file; relative names are looked for in its folder.
    """
    for way in (f"{word}_file", f"{word}_env", f"{word}_command"):
        place = getattr(settings, way, None)
        if place:
            folder = beside.parent if beside else Path()
            return Secret(way, place, folder, environ)
    return None
