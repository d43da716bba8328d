"""The global options, as data: known before any heavy module is imported."""

import time
from datetime import UTC, datetime

import click
import msgspec

from tlsrpt_mailer.report.times import Time


class Options(msgspec.Struct, frozen=True):
    """What stands in front of the command."""

    config: str | None = None
    now: Time | None = None
    force: bool = False
    """Whether *now* may lie before what the database has seen."""
    words: tuple[str, ...] = ()
    """The whole command line, for texts that repeat it behind ``sudo``."""


def current() -> Options:
    """Those of the running command."""
    found = click.get_current_context().find_object(Options)
    return found or Options()


def now() -> Time:
    """The moment that the running command speaks of: ``--now``, else the clock."""
    chosen = current().now
    return int(time.time()) if chosen is None else chosen


class Moment(click.ParamType[Time]):
    """ISO 8601: a date, or a date and time; UTC where no offset is given."""

    name = "ISO8601"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Time:
        """Seconds since 1970 UTC."""
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-10-14T12:00:00Z", param, ctx)
        if not 1990 <= moment.year <= 2200:
            self.fail(f"{value!r} is not a time between 1990 and 2200", param, ctx)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
