"""
Single members of a report, whatever type they came in.

Every method takes the object that holds the member, its name, and the place of
the object. Where the member is in the report is put into words only when there
is something to note.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from tlsrpt_mailer.report.decode import json_type
from tlsrpt_mailer.report.hosts import domain_text
from tlsrpt_mailer.report.notes import Notes
from tlsrpt_mailer.report.text import storable

COUNT_MOST = 2**63 - 1
"""What SQLite can hold."""

LIST_MOST = 1_000
"""Lines of a policy, or MX hosts, that are kept."""

Object: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str | int, ...]
"""The names and array positions that lead to an object."""


class Reader:
    """Reads members of JSON objects, noting what departs from RFC 8460, section 4.4."""

    def __init__(self, notes: Notes, string_chars: int) -> None:
        self._notes = notes
        self._chars = string_chars

    def text(self, holder: Object, name: str, at: Place, *, optional: bool = False) -> str | None:
        """A text; None where it is missing, null or empty."""
        value = holder.get(name)
        if isinstance(value, str):
            kept = value.strip()
            # Nearly every text of every report passes here.
            if kept and len(value) <= self._chars and kept.isprintable():
                return kept
            kept = storable(value, self._chars).strip()
            if len(value) > self._chars:
                self.note(at, name, f"longer than {self._chars} characters, cut")
            if not kept and not optional:
                self.note(at, name, "empty")
            return kept or None
        if value is None:
            if not optional:
                self.note(at, name, "null" if name in holder else "missing")
            return None
        self.note(at, name, f"{json_type(value)}, not a string")
        return self._as_text(value)

    def domain(self, holder: Object, name: str, at: Place) -> str | None:
        """A domain or host name as near to normal form as it comes."""
        came = self.text(holder, name, at)
        if came is None:
            return None
        domain = domain_text(came)
        if domain != came:
            self.note(at, name, "not in lower case, as A-labels, without a dot at the end")
        return domain or None

    def word(self, holder: Object, name: str, at: Place, known: frozenset[str]) -> str:
        """A word of a registry in lower case, or what else came, as it came; "" for nothing."""
        value = holder.get(name)
        if isinstance(value, str) and value in known:
            return value
        came = self.text(holder, name, at) or ""
        if (lower := came.lower()) in known:
            self.note(at, name, "not written as it is registered")
            return lower
        if came:
            self.note(at, name, "a value that is not registered")
        return came

    def count(self, holder: Object, name: str, at: Place, missing: int) -> int:
        """A number of sessions, 0 to `COUNT_MOST`."""
        value = holder.get(name)
        if type(value) is int:
            if 0 <= value <= COUNT_MOST:
                return value
            self.note(at, name, "negative" if value < 0 else "larger than 2**63-1")
            return _bounded(value)
        if isinstance(value, float):
            self.note(at, name, "not a whole number")
            return _bounded(int(value))
        if isinstance(value, str) and (number := _number(value)) is not None:
            self.note(at, name, "a string, not a number")
            return number
        absent = value is None or value == ""
        self.note(at, name, "missing" if absent else f"{json_type(value)}, not a number")
        return missing

    def member(self, holder: Object, name: str, at: Place) -> Object:
        """An object; an empty one where there is none."""
        value = holder.get(name)
        if isinstance(value, dict):
            return value
        self.note(at, name, "missing" if value is None else f"{json_type(value)}, not an object")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return value[0]
        return {}

    def elements(self, holder: Object, name: str, at: Place) -> list[Any]:
        """An array of objects (its elements are not looked at); a lone object is one."""
        value = holder.get(name)
        if isinstance(value, list):
            return value
        self.note(at, name, f"{json_type(value)}, not an array")
        return [value] if isinstance(value, dict) else []

    def is_plain(self, values: list[Any]) -> bool:
        """Whether these are texts that can be kept just as they are: a quick look, often right."""
        try:
            joined = " ".join(values)
        except TypeError:
            return False
        # An empty text, or a blank at the edge of one, makes two blanks in a row.
        return (
            len(joined) <= self._chars
            and joined.isprintable()
            and "  " not in joined
            and joined == joined.strip()
            and bool(joined)
        )

    def texts(self, values: Iterable[object], name: str, at: Place) -> tuple[str, ...]:
        """The texts of an array without the empty ones, at most `LIST_MOST`."""
        kept: list[str] = []
        for value in values:
            if isinstance(value, str):
                text = storable(value, self._chars).strip()
            else:
                self.note(at, name, f"holds {json_type(value)}, not a string")
                text = "" if value is None else self._as_text(value)
            if text:
                kept.append(text)
            if len(kept) > LIST_MOST:
                self.note(at, name, f"only the first {LIST_MOST} are kept")
                return tuple(kept[:LIST_MOST])
        return tuple(kept)

    def note(self, at: Place, name: str | int, what: str) -> None:
        """Note *what* about the member or element *name* of the object at *at*."""
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*at, name))
        self._notes.add(path.removeprefix("."), what)

    def _as_text(self, value: object) -> str:
        return storable(msgspec.json.encode(value).decode(), self._chars)


def _number(text: str) -> int | None:
    """The number that *text* writes in ASCII digits, bounded; None where it writes none."""
    digits = text.strip()
    negative = digits.startswith("-")
    digits = digits.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    # Twenty digits are past the most in any case; int() refuses 4,301.
    return 0 if negative else _bounded(int(digits[:20]))


def _bounded(value: int) -> int:
    return max(0, min(value, COUNT_MOST))
