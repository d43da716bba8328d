"""
Time as every layer of this program carries it.

A `Time` is whole seconds since 1970-01-01T00:00:00Z, so it compares, sorts,
hashes and stores without a thought about zones. People and JSON get ISO 8601
with a Z. A `Span` is a length in whole seconds; the mark on it lets the
configuration know that "5m" may stand for it.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

Time: TypeAlias = int
Span: TypeAlias = Annotated[int, msgspec.Meta(extra={"unit": "span"})]

MINUTE: Span = 60
HOUR: Span = 3_600
DAY: Span = 86_400


@lru_cache(maxsize=4_096)
def iso(time: Time) -> str:
    """*time* as ISO 8601 in UTC: ``2026-10-14T11:42:00Z``."""
    return datetime.fromtimestamp(time, UTC).isoformat().removesuffix("+00:00") + "Z"


def iso_or_none(time: Time | None) -> str | None:
    """*time* as ISO 8601, or None where there is none."""
    return None if time is None else iso(time)
