"""What commands open: the configuration, the database to read, the whole program to write."""

import os
import pwd
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlsrpt_mailer import config, wiring
from tlsrpt_mailer.cli import options
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.locate import NONE_FOUND
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.store.lock import become_owner
from tlsrpt_mailer.store.queries import Reader, open_queries
from tlsrpt_mailer.store.trouble import NoDatabase, NotAllowed
from tlsrpt_mailer.wiring import App


def load() -> Config:
    """
    Read the configuration that the running command is to use.

    Raises:
        ConfigError: It has problems, or is missing though asked for.
        NoSuch: We may not read it.
    """
    return config.load(options.current().config, wiring.KINDS)


@contextmanager
def reading(configuration: Config | None = None) -> Iterator[Reader]:
    """
    The database, to read from; never made where it is missing.

    Raises:
        NoSuch: It is missing or may not be read; the text says where was looked.
    """
    configuration = configuration or load()
    path = config.database(configuration)
    with plain_words(configuration):
        become_owner(path)
        reader = open_queries(path)
    with reader:
        yield reader


@contextmanager
def writing(configuration: Config | None = None, *, make: bool = False) -> Iterator[App]:
    """
    The program around the database, beside a daemon or without one.

    Args:
        configuration: Read anew where it is not given.
        make: Make the database where there is none.

    Raises:
        NoSuch: As `reading`.
        Temporary: The database is locked, or the disk is full.
    """
    configuration = configuration or load()
    chosen = options.current()
    with plain_words(configuration):
        app = wiring.open_app(
            configuration, holder=False, now=chosen.now, make=make, force=chosen.force
        )
    try:
        yield app
    finally:
        app.close()


@contextmanager
def plain_words(configuration: Config) -> Iterator[None]:
    """Say what to try, in words that only the command line knows, where the database is shut."""
    try:
        yield
    except NotAllowed as error:
        raise NoSuch(f"you may not read {error.path}\n{_remedy(error.path)}") from None
    except NoDatabase as error:
        raise NoSuch(
            f"no database at {error.path}\n"
            f"Configuration: {configuration.file or NONE_FOUND}\n"
            "The daemon makes the database: systemctl status tlsrpt-mailer"
        ) from None


def _remedy(path: Path) -> str:
    """What helps who may not read *path*: sudo, or its own file back where it lies at home."""
    me = os.geteuid()
    with suppress(OSError):
        if path.parent.stat().st_uid == me != path.stat().st_uid:
            # A command of root's, or a backup put back, left it in the daemon's folder.
            return f"Try: sudo chown -R {_user(me)} {shlex.quote(str(path.parent))}"
    return f"Try: sudo tlsrpt-mailer {shlex.join(options.current().words)}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
