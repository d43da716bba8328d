"""
Figures, days and names as a person reads them; the one place that makes report text safe.

All texts are ASCII. Days are UTC; the year is named only where it is not the present one.
"""

import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from tlsrpt_mailer.report.hosts import is_ip, is_strict_host
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

WIDTH = 78
"""Columns of a text mail: two less than a terminal, for a quote mark and a blank."""
NAME_CHARS = 253


def safe(text: str, limit: int = 200) -> str:
    r"""
    *text* from a report as printable ASCII, at most *limit* characters.

    White space becomes one blank; control, bidirectional and other characters show as
    ``\u202e``. A ``://`` loses its shape, so that no mail program makes a link of it.
    """
    return _cut(_printable(text, limit).replace("://", "[:]//"), limit)


def plain(text: str, limit: int = 200) -> str:
    """*text* as `safe` has it, for a terminal: ``://`` stays as it is."""
    return _cut(_printable(text, limit), limit)


def _printable(text: str, limit: int) -> str:
    shown = text[: limit * 2]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_visible(char) for char in shown)
    return " ".join(shown.split())


def _cut(shown: str, limit: int) -> str:
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _visible(char: str) -> str:
    if " " <= char <= "~":
        return char
    return " " if char.isspace() else f"\\u{ord(char):04x}"


def error_lines(error: str) -> list[str]:
    """What another side said, in lines that can stand in a mail as they are."""
    return [line for part in error.splitlines() for line in wrap(safe(part, 400), width=74)] or [
        "(nothing)"
    ]


def to_operator(recipient: str) -> str:
    """Why the operator gets a mail."""
    if "@" not in recipient:
        return "This is shown here because alerts.to names nobody."
    return "You get this because you run tlsrpt-mailer (alerts.operator, else alerts.to)."


def name(text: str | None) -> str:
    """A host or domain as prose shows it; what is none is quoted, so that it passes for none."""
    if text is None:
        return "-"
    if is_strict_host(text) or is_ip(text):
        return text
    return f'"{safe(text, 80)}"' if text else "(no name)"


def token(text: str) -> str:
    """*text* as a value in our own header: nothing in it can end the value or begin another."""
    allowed = (
        char if char.isascii() and (char.isalnum() or char in "-._:") else "_" for char in text
    )
    return "".join(allowed)[:NAME_CHARS]


def number(count: int) -> str:
    """With thousands separators: ``1,893``."""
    return f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 domain``, ``12 domains``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def share(failed: int, sessions: int) -> str:
    """
    How much of *sessions* failed: ``36 %``, ``0.3 %``.

    Never ``0 %`` for something that happened, nor ``100 %`` while anything worked.
    """
    if sessions <= 0 or failed >= sessions:
        return "100 %" if failed else "0 %"
    percent = 100 * failed / sessions
    if percent >= 99.5:
        return "over 99 %"
    if percent >= 1:
        return f"{round(percent)} %"
    if percent >= 0.1:
        return f"{min(percent, 0.9):.1f} %"
    return "under 0.1 %" if failed else "0 %"


def of(failed: int, sessions: int) -> str:
    """``1,893 of 5,326``; where the failed outnumber the sessions, only what is certain."""
    return number(failed) if failed > sessions else f"{number(failed)} of {number(sessions)}"


# ------------------------------------------------------------------------- time


def _utc(time: Time) -> datetime:
    return datetime.fromtimestamp(time, UTC)


def day(time: Time, now: Time) -> str:
    """``13 Oct``, with the year where it is another than now's."""
    moment = _utc(time)
    year = f" {moment.year}" if moment.year != _utc(now).year else ""
    return f"{moment.day} {moment:%b}{year}"


def clock(time: Time) -> str:
    """``11:42Z``."""
    return f"{_utc(time):%H:%MZ}"


def moment(time: Time, now: Time) -> str:
    """``13 Oct 11:42Z``."""
    return f"{day(time, now)} {clock(time)}"


def end_moment(time: Time, now: Time) -> str:
    """As `moment`, where midnight belongs to the day that ends: ``13 Oct 24:00Z``."""
    return moment(time, now) if time % DAY else f"{day(time - 1, now)} 24:00Z"


def when(time: Time, now: Time) -> str:
    """``today at 11:42Z (18 min ago)``, ``yesterday at …``, ``on 9 Oct at …``."""
    days = now // DAY - time // DAY
    on = {0: "today", 1: "yesterday"}.get(days, f"on {day(time, now)}")
    return f"{on} at {clock(time)} ({age(now - time)})"


def age(span: Span) -> str:
    """``18 min ago``, ``3 h ago``, ``4 days ago``."""
    return "just now" if span < MINUTE else f"{length(span)} ago"


def length(span: Span) -> str:
    """``18 min``, ``3 h``, ``4 days``: whole units, rounded down."""
    if span < HOUR:
        return f"{max(1, span // MINUTE)} min"
    return f"{span // HOUR} h" if span < 2 * DAY else f"{span // DAY} days"


def window(start: Time, end: Time, now: Time) -> str:
    """The range of a report: ``13 Oct``, ``13-15 Oct``, or with hours where it is no whole day."""
    if end - start <= DAY and start // DAY == (end - 1) // DAY:
        whole = end - start >= DAY - MINUTE
        return day(start, now) if whole else f"{day(start, now)} {_hours(start, end)}"
    if start % DAY == 0 and end % DAY == 0:
        return days(start, end, now)
    return f"{moment(start, now)} - {moment(end, now)}"


def _hours(start: Time, end: Time) -> str:
    until = "24:00Z" if end % DAY == 0 else clock(end)
    return f"{_utc(start):%H:%M}-{until}"


def days(start: Time, end: Time, now: Time) -> str:
    """The days that the half-open range touches: ``13 Oct``, ``13-15 Oct``, ``30 Sep - 2 Oct``."""
    first, last = _utc(start), _utc(max(start, end - 1))
    if first.date() == last.date():
        return day(start, now)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}-{day(max(start, end - 1), now)}"
    return f"{day(start, now)} - {day(max(start, end - 1), now)}"


# ---------------------------------------------------------------------- layout


def wrap(
    text: str,
    indent: str = "",
    first: str | None = None,
    width: int = WIDTH,
    *,
    break_long_words: bool = True,
) -> list[str]:
    """Lines of at most *width* columns; a name is broken only where it alone is wider."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=break_long_words,
    )


def listed(words: Iterable[str], limit: int = 3) -> str:
    """``a``, ``a and b``, ``a, b, c and 9 more``."""
    all_words = list(words)
    shown = all_words[:limit]
    if len(all_words) > limit:
        return f"{', '.join(shown)} and {number(len(all_words) - limit)} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def table(
    rows: Sequence[Sequence[str]], caps: Sequence[int], right: Collection[int] = ()
) -> list[str]:
    """
    *rows* as aligned columns, two blanks apart; those numbered in *right* are flushed right.

    *caps* are the widest that each column may become; a 0 takes what the others leave. A cell
    that is wider stands on lines of its own above its row, so no name is ever cut.
    """
    widths = [
        max((len(row[at]) for row in rows if len(row[at]) <= cap), default=0)
        for at, cap in enumerate(caps)
    ]
    room = WIDTH - 2 - 2 * (len(caps) - 1)
    for at, cap in enumerate(caps):
        if not cap:
            left = room - sum(widths)
            widths[at] = max((len(row[at]) for row in rows if len(row[at]) <= left), default=0)
    lines = []
    for row in rows:
        lines += [
            line
            for cell, width in zip(row, widths, strict=True)
            if len(cell) > width
            for line in wrap(cell, width=WIDTH - 2)
        ]
        lines.append("  ".join(_cells(row, widths, right)).rstrip())
    return lines


def _cells(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> Iterator[str]:
    for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
        shown = cell if len(cell) <= width else ""
        yield shown.rjust(width) if at in right else shown.ljust(width)
