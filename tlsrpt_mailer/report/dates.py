"""
The dates of a report and of a mail, in every form that was seen.

RFC 8460, 4.4 wants RFC 3339 in UTC. Microsoft leaves the zone out at times,
others send seconds since 1970, RFC 5322 dates or offsets.
"""

from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz

from tlsrpt_mailer.report.times import DAY, Time

LAST: Time = 253_402_300_799
"""The end of the year 9999: past it there is no ISO 8601 to print."""

_NUMBERS_FROM = 631_152_000
"""1990. Smaller numbers are no seconds since 1970: rather a date in digits."""

_MILLISECONDS_FROM = 100_000_000_000
"""Seconds reach this in the year 5138, milliseconds did in 1973."""

_LONGEST = 64
_NAMED_UTC = (" UTC", " GMT")
_USUAL_LENGTH = 20


def read_date(value: object) -> tuple[Time | None, str | None]:
    """
    What *value* means (None: nothing), and in words what is wrong with its form.

    The second is None for RFC 3339 in UTC. A date without a zone is read as UTC.
    """
    if isinstance(value, str):
        # 2026-10-13T00:00:00Z, as nearly all of them are.
        if len(value) == _USUAL_LENGTH and value[4] == "-" and value[-1] == "Z":
            try:
                return _seconds(datetime.fromisoformat(value), None)
            except ValueError:
                pass
        return _from_text(value.strip())
    if value is None:
        return None, "missing"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, "not a date"
    return _from_number(value)


def read_mail_date(text: str) -> Time | None:
    """A Date header (RFC 5322, 3.3), or None where it cannot be read."""
    if len(text) > 2 * _LONGEST:
        return None
    try:
        parts = parsedate_tz(text)
        return None if parts is None else _within(mktime_tz(parts))
    # The library promises None for what it cannot read, and raises all the
    # same on numbers that no calendar has.
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _from_text(text: str) -> tuple[Time | None, str | None]:
    if not text:
        return None, "missing"
    if len(text) > _LONGEST:
        return None, "not a date"
    for read in (_rfc3339, _end_of_day, _digits, _rfc5322, _named):
        found = read(text)
        if found is not None:
            return found
    return None, "not a date"


def _rfc3339(text: str) -> tuple[Time | None, str | None] | None:
    try:
        date = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    # The compact forms of ISO 8601 have no hyphens: digits may be an epoch.
    if "-" not in text[:5]:
        return None
    if date.tzinfo is None:
        note = "no zone, read as UTC" if len(text) > 10 else "a date without a time"
        return _seconds(date.replace(tzinfo=UTC), note)
    return _seconds(date, "not in UTC" if date.utcoffset() else None)


def _seconds(date: datetime, note: str | None) -> tuple[Time | None, str | None]:
    time = _within(int(date.timestamp()))
    return time, note if time is not None else "not a date"


def _end_of_day(text: str) -> tuple[Time | None, str | None] | None:
    """24:00:00 and the leap second, which datetime does not know."""
    for odd, plain, more, note in (
        ("24:00:00", "00:00:00", DAY, "hour 24"),
        (":60", ":59", 1, None),
    ):
        if odd in text and (found := _rfc3339(text.replace(odd, plain, 1))) is not None:
            time = found[0]
            return (None if time is None else _within(time + more)), note or found[1]
    return None


def _named(text: str) -> tuple[Time | None, str | None] | None:
    """UTC by its name, alone or behind the offset, as Go prints times."""
    if not text.upper().endswith(_NAMED_UTC):
        return None
    bare = text[:-4].strip()
    found = _rfc3339(bare.replace(" +0000", "+00:00"))
    return None if found is None else (found[0], "not RFC 3339")


def _digits(text: str) -> tuple[Time | None, str | None] | None:
    if text.isascii() and text.isdigit():
        return _from_number(int(text))
    return None


def _rfc5322(text: str) -> tuple[Time | None, str | None] | None:
    time = read_mail_date(text)
    return None if time is None else (time, "not RFC 3339")


def _from_number(value: float) -> tuple[Time | None, str | None]:
    time = _within(int(value) // (1000 if value >= _MILLISECONDS_FROM else 1))
    if time is None or time < _NUMBERS_FROM:
        return None, "not a date"
    return time, "a number, not RFC 3339"


def _within(time: int) -> Time | None:
    return time if 0 <= time <= LAST else None
