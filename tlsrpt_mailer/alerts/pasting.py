"""
Lines of zone files and policy files that a person is told to paste: only those that are harmless.

They are made from what stands in DNS, so each is taken apart again here, and
what is not wholly as it should be is not shown.
"""

import re
from collections.abc import Iterator

from tlsrpt_mailer.alerts.commands import ROOM
from tlsrpt_mailer.report.hosts import is_strict_host

_INDENT = " " * 4
_CHUNK = 64
"""Characters of a string, and digits of a hash, that stand on a line."""
_BREAKS = re.compile(r".*[,;] ?")

_TXT = re.compile(
    r"(?:_smtp\._tls|_mta-sts)\.([^ ]+)\. IN TXT((?: \"[\w .~%@:/?&=+;,\[\]-]*\")+)", re.A
)
_TLSA = re.compile(r"_25\._tcp\.([^ ]+)\. IN TLSA (\d{1,3} \d{1,3} \d{1,3}) ([0-9a-f]+)", re.A)
_MX = re.compile(r"mx: (?:\*\.)?([^ ]+)")
_POLICY = re.compile(r"version: STSv1|mode: (?:enforce|testing|none)|max_age: \d{1,10}", re.A)


def folded(lines: str) -> list[str] | None:
    """
    *lines* (a text of one or several), folded to a mail's width as zone files allow it.

    None where one of them is not wholly harmless, or too long for any folding.
    """
    found: list[str] = []
    for line in lines.removesuffix("\n").split("\n"):
        shown = _folded(line)
        if shown is None or max(map(len, shown)) > ROOM:
            return None
        found += shown
    return found


def _folded(line: str) -> list[str] | None:
    if _POLICY.fullmatch(line):
        return [line]
    for shape, fold in ((_TXT, _txt), (_TLSA, _tlsa), (_MX, None)):
        match = shape.fullmatch(line)
        if match is not None and is_strict_host(match[1]):
            return [line] if fold is None or len(line) <= ROOM else fold(line, match)
    return None


def _txt(line: str, match: re.Match[str]) -> list[str]:
    # Strings are put together without blanks, however many there are (RFC 1035, 3.3.14).
    whole = "".join(re.findall(r'"([^"]*)"', match[2]))
    strings = [f'{_INDENT}"{chunk}"' for chunk in _chunks(whole)]
    return [f"{line[: line.index(' IN TXT')]} IN TXT (", *strings[:-1], f"{strings[-1]} )"]


def _chunks(whole: str) -> Iterator[str]:
    """*whole* in pieces, cut behind a comma or semicolon where there is one."""
    while len(whole) > _CHUNK:
        end = _BREAKS.match(whole[:_CHUNK])
        at = end.end() if end else _CHUNK
        yield whole[:at]
        whole = whole[at:]
    yield whole


def _tlsa(line: str, match: re.Match[str]) -> list[str]:
    digits = match[3]
    rows = [f"{_INDENT}{digits[at : at + _CHUNK]}" for at in range(0, len(digits), _CHUNK)]
    name = line[: line.index(" IN TLSA")]
    return [f"{name} IN TLSA (", f"{_INDENT}{match[2]}", *rows[:-1], f"{rows[-1]} )"]
