"""Durations and sizes as people write them: "5m", "400d", "16MB"."""

import re
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import Span, Time

Size: TypeAlias = Annotated[int, msgspec.Meta(extra={"unit": "size"})]
"""A number of bytes, for which "16MB" may stand in the configuration."""

NO_MOMENT = 'trust_before: must be a day such as "2026-11-20", or a time in ISO 8601'

_SPANS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# Both patterns bound the digits: int() of a longer text is slow, and no setting needs it.
_SPAN = re.compile(r"([0-9]{1,9})\s?([smhdw])", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})\s?([kmg]?)(?:i?b)?", re.ASCII | re.IGNORECASE)


def span_of(text: str) -> Span | None:
    """The seconds that "90s", "5m", "12h", "400d" or "2w" stand for, or None."""
    match = _SPAN.fullmatch(text.strip())
    return int(match[1]) * _SPANS[match[2]] if match else None


def span_text(span: Span) -> str:
    """*span* as the configuration writes it, in the largest unit that is exact."""
    for unit in ("d", "h", "m"):
        if span and span % _SPANS[unit] == 0:
            return f"{span // _SPANS[unit]}{unit}"
    return f"{span}s"


def size_of(text: str) -> int | None:
    """The bytes that "500", "64kB", "16MB" or "1GiB" stand for (steps of 1024), or None."""
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) * _SIZES[match[2].lower()] if match else None


def size_text(size: int) -> str:
    """*size* as the configuration writes it, in the largest unit that is exact."""
    for unit in ("g", "m", "k"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit.upper() if unit != 'k' else unit}B"
    return str(size)


def moment_of(text: str) -> Time | None:
    """The moment that "2026-11-20" (its first second, UTC) or an ISO 8601 time stands for."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
