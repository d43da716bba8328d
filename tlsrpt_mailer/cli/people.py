"""Who gives a command, and for how long it is to hold."""

import os
import pwd

import click

from tlsrpt_mailer.config.units import span_of
from tlsrpt_mailer.report.times import DAY, Span, Time

WAY = "command"
"""How the audit says that something was done here."""

NOTE_CHARS = 500
LONGEST: Span = 3650 * DAY


def who() -> str:
    """The person at the terminal: behind sudo or doas the one who called it."""
    called = os.environ.get("SUDO_USER") or os.environ.get("DOAS_USER")
    if called:
        return called
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


class Length(click.ParamType[Span]):
    """A length of time such as ``7d``."""

    name = "LENGTH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Span:
        """Whole seconds."""
        span = span_of(str(value))
        if span is None or not 0 < span <= LONGEST:
            self.fail(f"{value!r} is not a length such as 12h, 7d or 2w", param, ctx)
        return span


def until_of(until: Time | None, length: Span | None, start: Time) -> Time | None:
    """
    When it ends, by ``--until`` or by ``--for``; None where neither was said.

    Raises:
        UsageError: Both were said, or the end is not after *start*.
    """
    if until is not None and length is not None:
        raise click.UsageError("say --until or --for, not both")
    end = until if length is None else start + length
    if end is not None and end <= start:
        raise click.UsageError("it would end before it begins")
    return end


def cut(note: str | None) -> str | None:
    """A note as it is kept."""
    return (note or "").strip()[:NOTE_CHARS] or None
