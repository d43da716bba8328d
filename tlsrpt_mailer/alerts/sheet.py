"""Tables for a spreadsheet: what is attached to a mail that cannot list it all."""

import csv
import io
from collections.abc import Iterable

from tlsrpt_mailer.alerts import words

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins so is a formula to a spreadsheet, and would run when a mail is opened."""


def sheet(rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """*rows* as CSV in ASCII, titles first; no cell is a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_cell(one) for one in row] for row in rows)
    return out.getvalue().encode("ascii")


def _cell(value: str | int | None) -> str:
    text = words.safe(str(value), words.NAME_CHARS) if value is not None else ""
    return f"'{text}" if text.startswith(FORMULA) else text
