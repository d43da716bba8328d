"""
The errors of this program, by what the caller does next.

The text of each says what a human does next. ``__main__`` maps the classes to
exit codes (docs/reference/exit-codes.md).
"""

import sys


class TlsrptError(Exception):
    """Any error that this program raises on purpose."""


class BadReport(TlsrptError):
    """The sender's bytes are at fault, so a retry would fail alike."""


class TooLarge(BadReport):
    """Something passes a limit; the bytes may be fine but are not read further."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what} is larger than {limit} bytes")


class Temporary(TlsrptError):
    """
    It did not work now (disk, database, memory, another server), and may work later. Exit code 75.

    *retry_in* is for how many seconds the other side asked to be left alone, if it did;
    *is_cut_off* means that there was no other side: no connection, no name, no trust.
    """

    def __init__(
        self, *said: object, retry_in: int | None = None, is_cut_off: bool = False
    ) -> None:
        super().__init__(*said)
        self.retry_in = retry_in
        self.is_cut_off = is_cut_off


class Rejected(Temporary):
    """The database refuses what it is given, not the disk: one of a batch is to blame."""


class Corrupt(Temporary):
    """
    The database is damaged, which showed while it was used. Exit code 1.

    A kind of Temporary, since no mail is to blame: sources offer theirs again.
    """


class ConfigError(TlsrptError):
    """The configuration cannot be used. Exit code 78."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Unreachable(TlsrptError):
    """A server cannot be reached or refuses us. Exit code 69."""


class Refused(TlsrptError):
    """A server refused one mail for good: another try of the same bytes would fail alike."""


class NoSuch(TlsrptError):
    """What was asked for does not exist or may not be read. Exit code 1."""


class CannotWrite(TlsrptError):
    """A file or folder cannot be written. Exit code 73."""


def installs(extra: str) -> str:
    """The command that installs an extra of this program where it runs now."""
    pip = "pip" if sys.prefix == sys.base_prefix else f"{sys.prefix}/bin/pip"
    return f"{pip} install 'tlsrpt-mailer[{extra}]'"
