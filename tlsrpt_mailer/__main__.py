"""
The program as a process: whatever happens becomes an exit code and a sentence.

The codes stand in docs/reference/exit-codes.md. Nothing but a bug shows a
traceback.
"""

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import click

from tlsrpt_mailer import log
from tlsrpt_mailer.errors import (
    BadReport,
    CannotWrite,
    ConfigError,
    Corrupt,
    NoSuch,
    Refused,
    Temporary,
    TlsrptError,
    Unreachable,
)

PROGRAM = "tlsrpt-mailer"

DONE, NO, USAGE, NOT_A_REPORT, UNREACHABLE, BUG, CANNOT_WRITE, LATER, CONFIG = (
    0,
    1,
    64,
    65,
    69,
    70,
    73,
    75,
    78,
)
INTERRUPTED = 130
NOBODY_READS = 141  # what a shell shows for a process that SIGPIPE ended

CODES: tuple[tuple[type[TlsrptError], int], ...] = (
    (ConfigError, CONFIG),
    (BadReport, NOT_A_REPORT),
    (Corrupt, NO),
    (Temporary, LATER),
    (Unreachable, UNREACHABLE),
    (Refused, UNREACHABLE),
    (CannotWrite, CANNOT_WRITE),
    (NoSuch, NO),
    (TlsrptError, NO),
)


def main() -> None:
    """Run the command that the process was called with, and leave."""
    _open_what_is_closed()
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        _let_go_of(stream)
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Programs may be started without standard streams: nothing else must get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  for good


def _let_go_of(stream: TextIO) -> None:
    """What cannot be written is dropped: Python would try again at its end, and exit with 120."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code and raises nothing."""
    try:
        code = _run(arguments)
    except OSError:  # not even what went wrong can be said: standard error is full or gone
        code = CANNOT_WRITE
    # Postfix's pipe(8) bounces a mail on every code but 0 and 75.
    return LATER if code and is_pipe(arguments) else code


def is_pipe(arguments: Sequence[str]) -> bool:
    """Whether this is ``import -``, wherever options stand, wrong ones included."""
    return "import" in arguments and "-" in arguments[list(arguments).index("import") :]


def _run(arguments: Sequence[str]) -> int:
    try:
        log.configure("warning", "console")
        # Imported here, so that a broken installation is answered with a code as well.
        from tlsrpt_mailer.cli.main import main as commands  # noqa: PLC0415

        result = commands.main(
            list(arguments), PROGRAM, standalone_mode=False, obj=tuple(arguments)
        )
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return USAGE if isinstance(error, click.UsageError) else NO
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit:  # how click itself leaves when it meets EPIPE, its only such exit
        return NOBODY_READS
    except Exception as error:  # noqa: BLE001  the last edge: everything is said, not thrown
        return _answer(error)
    return result if isinstance(result, int) else DONE


def _answer(error: Exception) -> int:
    """Say what happened; returns the exit code for it."""
    if isinstance(error, TlsrptError):
        return _say(str(error), next(code for kind, code in CODES if isinstance(error, kind)))
    if isinstance(error, MemoryError):
        return _say("out of memory; try again", LATER)
    if isinstance(error, OSError):
        return _system_error(error)
    return _bug(error)


def _say(text: str, code: int) -> int:
    """Say on standard error what is wrong, in plain lines."""
    first, *rest = text.splitlines() or [""]
    click.echo("\n".join([f"{PROGRAM}: {log.safe(first)}", *map(log.safe, rest)]), err=True)
    return code


def _system_error(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
        return _say(f"{error.filename or 'output'}: {error.strerror}", LATER)
    return _bug(error)


def _bug(error: Exception) -> int:
    import structlog  # noqa: PLC0415 - not before log, which loads it without rich

    structlog.get_logger().critical("program.failed", exc_info=error)
    text = (
        f"a bug in this program: {type(error).__name__}: {error}\n"
        "Please report it with the lines above: CONTRIBUTING.md says where."
    )
    return _say(text, BUG)


if __name__ == "__main__":
    main()
