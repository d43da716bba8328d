"""
What a report quotes of a policy: its lines, its MX hosts, its mode.

RFC 8460, 4.4 wants arrays of strings. Seen: one string with the whole file,
lines that keep the CR of the file, for TLSA one string that is a JSON array
itself (Microsoft) or a list with semicolons (RFC 8460, section 4, says so too).
"""

from typing import Any

import msgspec

from tlsrpt_mailer.report.decode import json_type
from tlsrpt_mailer.report.hosts import domain_text
from tlsrpt_mailer.report.model import Mode
from tlsrpt_mailer.report.values import Object, Place, Reader

_STRING = "policy-string"
_MX_HOST = "mx-host"

_MODES: dict[str, Mode] = {"enforce": "enforce", "testing": "testing", "none": "none"}

_SHORT = 50
"""Lists of so many texts, and so nearly all, are looked at as a whole."""

_LONGEST_FILE = 64 * 1024
"""RFC 8461, 3.2 suggests this limit for a policy file."""


def policy_lines(reader: Reader, about: Object, at: Place, kind: str) -> tuple[str, ...]:
    """The lines of the policy, or one TLSA record each; () where nothing is quoted."""
    value = about.get(_STRING)
    if value is None:
        # Nothing was found or fetched, so there is nothing to quote.
        return ()
    values: list[Any] = value if isinstance(value, list) else [value]
    if values is not value:
        reader.note(at, _STRING, f"{json_type(value)}, not an array")
    if not any(isinstance(one, str) and _is_packed(one, kind) for one in values):
        return tuple(values) if _is_short(reader, values) else reader.texts(values, _STRING, at)
    reader.note(at, _STRING, "several lines in one string")
    lines: list[Any] = []
    for one in values:
        lines += _unpacked(one, kind) if isinstance(one, str) else [one]
    return reader.texts(lines, _STRING, at)


def mx_hosts(reader: Reader, about: Object, at: Place, kind: str) -> tuple[str, ...]:
    """The MX hosts or patterns, in lower case, as A-labels, without a dot at the end."""
    value = about.get(_MX_HOST)
    if value is None and (value := about.get("mx-host-pattern")) is not None:
        reader.note(at, "mx-host-pattern", f"should be called {_MX_HOST}")
    if isinstance(value, list):
        names = tuple(value) if _is_short(reader, value) else reader.texts(value, _MX_HOST, at)
        return tuple([_mx_host(reader, name, at) for name in names])
    if value is None:
        if kind == "sts":
            reader.note(at, _MX_HOST, "null" if _MX_HOST in about else "missing")
        return ()
    reader.note(at, _MX_HOST, f"{json_type(value)}, not an array")
    values = value.replace(",", " ").split() if isinstance(value, str) else [value]
    return tuple(_mx_host(reader, name, at) for name in reader.texts(values, _MX_HOST, at))


def mode_of(kind: str, lines: tuple[str, ...]) -> Mode | None:
    """The mode that the lines of an MTA-STS policy state (RFC 8461, 3.2); None for none."""
    if kind in {"tlsa", "no-policy-found"}:
        return None
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() == "mode":
            return _MODES.get(value.strip().lower())
    return None


def _mx_host(reader: Reader, text: str, at: Place) -> str:
    name = text
    if name[:3].lower() == "mx:":
        reader.note(at, _MX_HOST, 'begins with "mx:"')
        name = name[3:]
    return domain_text(name)


def _is_short(reader: Reader, values: list[Any]) -> bool:
    return len(values) <= _SHORT and reader.is_plain(values)


def _is_packed(text: str, kind: str) -> bool:
    if text.isprintable() and not text.startswith((" ", "[")):
        return kind == "tlsa" and ";" in text
    bare = text.strip()
    return "\n" in bare or "\r" in bare or bare.startswith("[") or (kind == "tlsa" and ";" in bare)


def _unpacked(text: str, kind: str) -> list[Any]:
    text = text[:_LONGEST_FILE].strip()
    if text.startswith("["):
        try:
            inner = msgspec.json.decode(text, type=list[str])
        except (msgspec.DecodeError, UnicodeEncodeError):
            return [text]
        return list(inner)
    lines = text.splitlines()
    if kind == "tlsa":
        return [record for line in lines for record in line.split(";")]
    return list(lines)
