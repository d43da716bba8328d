"""
What types alone cannot say: addresses, patterns, times, and names that must exist.

All of it works on the tables as they were written, so that what else is wrong
with a table hides nothing.
"""

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tlsrpt_mailer.alerts import schedule
from tlsrpt_mailer.config.decode import Problem, joined, nearest, quoted
from tlsrpt_mailer.config.names import names_in, normal_pattern, what_is_wrong
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.report.dialects import KNOWN_REPORTERS
from tlsrpt_mailer.report.hosts import is_strict_host, normalise_host

Document: TypeAlias = Mapping[str, Any]  # what tomllib made of the file
Read: TypeAlias = Callable[[str], str]
"""The text of a file that the configuration names; raises ConfigError."""

DEFAULT_OWNER = "default"
"""What the owner is called whose addresses are ``alerts.to``."""
MAX_LINES_SAID = 10
PORTS = 1 << 16
_REPORTERS = {
    word: domain
    for domain, name in KNOWN_REPORTERS.items()
    for word in (domain, domain.partition(".")[0], name.lower())
}
"""What people write who mean a reporter that ships, to its domain."""
_AT = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def check(document: Document, problem: Problem, channels: Sequence[str]) -> None:
    """Note what is wrong with *document*; *channels* are the names of its channels."""
    alerts = _one(document, "alerts")
    _addresses(alerts, "alerts", problem)
    _alerts(alerts, channels, problem)
    _schedule(_one(document, "digest").get("schedule"), problem)
    _health(_one(document, "health"), problem)
    _trust(document, problem)
    _checks(document, problem)
    names = _owner_names(document, problem)
    _blocks(document, names, problem)
    groups = {name for _, one in tables(document, "domains") for _, name in texts(one, "", "group")}
    for path, table in tables(document, "channel"):
        _owners(table, path, names, problem)
        _known(table, path, "groups", groups, "no [[domains]] is in a group", problem)


def _blocks(document: Document, names: Sequence[str], problem: Problem) -> None:
    """``[[owner]]``, ``[[domains]]`` and ``[[mx]]``."""
    for path, table in tables(document, "owner"):
        _addresses(table, path, problem)
        if table.get("addresses") == []:
            problem(joined(path, "addresses"), "must name at least one address")
    for path, table in tables(document, "domains"):
        if "match" not in table and "file" not in table:
            problem(path, "needs match or file")
        _patterns(table, path, problem)
        _owners(table, path, names, problem)
    for path, table in tables(document, "mx"):
        for key in ("match", "owners"):
            if table.get(key) == []:
                problem(joined(path, key), "must not be empty")
        _patterns(table, path, problem)
        _owners(table, path, names, problem)


def _trust(document: Document, problem: Problem) -> None:
    """``[trust]`` and ``[dns]``."""
    for where, text in texts(_one(document, "trust"), "trust", "authserv_ids"):
        if not text.strip() or set(text) & set(' ;()"'):
            problem(where, f'{quoted(text)} is no name of an MTA, nor "-"')
    for where, text in texts(_one(document, "trust"), "trust", "reporters"):
        if "." not in (normalise_host(text) or ""):
            meant = _REPORTERS.get(nearest(text, _REPORTERS) or "")
            guess = f', did you mean "{meant}"?' if meant else ', such as "google.com"'
            problem(where, f"{quoted(text)} is no domain name{guess}")
    for where, text in texts(_one(document, "dns"), "dns", "nameservers"):
        if not _is_address_of_server(text):
            problem(where, f'{quoted(text)} is no address, such as "9.9.9.9" or "127.0.0.1:5353"')


def _checks(document: Document, problem: Problem) -> None:
    """``[checks]`` and ``[canary]``."""
    for where, text in texts(_one(document, "checks"), "checks", "rua"):
        if not (text.startswith("mailto:") and is_address(text.removeprefix("mailto:"))) and not (
            text.startswith("https://") and len(text) > len("https://")
        ):
            problem(where, f'{quoted(text)} is neither "mailto:" and an address nor https://')
    for where, text in texts(_one(document, "checks"), "checks", "control"):
        if normalise_host(text) is None:
            problem(where, f"{quoted(text)} is no host name")
    canary = _one(document, "canary")
    _addresses(canary, "canary", problem)
    for where, text in texts(canary, "canary", "selector"):
        if not is_strict_host(text):
            problem(where, f"{quoted(text)} is no DKIM selector")


def _is_address_of_server(text: str) -> bool:
    address, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return port.isascii() and port.isdigit() and 0 < int(port) < PORTS


def tables(document: Document, name: str) -> Iterator[tuple[str, Document]]:
    """The tables of ``[[name]]`` with their paths; whatever else stands there is left out."""
    found = document.get(name, [])
    for number, table in enumerate(found if isinstance(found, list) else ()):
        if isinstance(table, dict):
            yield f"{name}[{number}]", table


def _one(document: Document, name: str) -> Document:
    table = document.get(name)
    return table if isinstance(table, dict) else {}


def texts(table: Document, path: str, key: str) -> Iterator[tuple[str, str]]:
    """The texts of a key, be it a list or one text, with the path of each."""
    given = table.get(key)
    where = joined(path, key)
    if isinstance(given, str):
        if given.isprintable():
            yield where, given
    elif isinstance(given, list):
        for number, one in enumerate(given):
            if isinstance(one, str) and one.isprintable():
                yield f"{where}[{number}]", one


# ------------------------------------------------------------------- addresses


def _addresses(table: Document, path: str, problem: Problem) -> None:
    keys = ("from", "to", "operator", "reply_to", "addresses", "escalate_to")
    for key in keys:
        for where, text in texts(table, path, key):
            if key == "reply_to" and not text:
                continue
            if not is_address(text):
                problem(where, f"{quoted(text)} is not a mail address")
    for where, text in texts(table, path, "answer_from"):
        if not is_address(text if text[:1] != "@" else f"x{text}"):
            problem(where, f'{quoted(text)} is neither a mail address nor "@" and a domain')


def is_address(text: str) -> bool:
    """
    Whether *text* is a mail address that an envelope and a header can hold.

    Deliberately narrow: no quoted local parts, no display name, ASCII only.
    """
    local, at, host = text.rpartition("@")
    return bool(
        at
        and local
        and host
        and len(text) <= 254
        and text.isascii()
        and text.isprintable()
        and not set(text) & set(' "(),:;<>[\\]')
        and "@" not in local
        and not host.startswith((".", "-"))
        and ".." not in host
    )


# ------------------------------------------------------------- times and places


def _alerts(table: Document, channels: Sequence[str], problem: Problem) -> None:
    for where, text in texts(table, "alerts", "at"):
        if not _AT.fullmatch(text):
            problem(where, f'must be a time of day such as "08:00", not {quoted(text)}')
    for where, text in texts(table, "alerts", "timezone"):
        if not _is_zone(text):
            # By the last part too: people write "Berlin", or "berlin".
            zones = sorted(zoneinfo.available_timezones())
            known = {name.rpartition("/")[2].lower(): name for name in zones}
            meant = nearest(text, zones) or known.get(nearest(text, known) or "")
            guess = f', did you mean "{meant}"?' if meant else ', such as "Europe/Berlin"'
            problem(where, f"{quoted(text)} is no time zone{guess}")
    _known(table, "alerts", "fallback", channels, "there is no [[channel]]", problem)


def _is_zone(text: str) -> bool:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _schedule(text: object, problem: Problem) -> None:
    if not isinstance(text, str) or not text.isprintable():
        return
    if said := schedule.problem(text):
        meant = nearest(text, (schedule.WEEKLY, schedule.DAILY, schedule.OFF))
        guess = f', did you mean "{meant}"?' if meant else ""
        problem("digest.schedule", f"{quoted(text)} {said}{guess}")


def _health(table: Document, problem: Problem) -> None:
    for where, text in texts(table, "health", "ping_url"):
        if text and not text.startswith(("https://", "http://")):
            problem(where, "must begin with https:// or http://")
    if table.get("ping_url") and table.get("ping_url_file"):
        problem("health.ping_url_file", 'say it once: "ping_url" is there already')


# ------------------------------------------------------------------ whose is what


def _owner_names(document: Document, problem: Problem) -> list[str]:
    """The names of all ``[[owner]]``; notes those that cannot be one or come twice."""
    found: dict[str, str] = {}
    for path, table in tables(document, "owner"):
        for where, name in texts(table, path, "name"):
            if not name.strip() or "@" in name:
                problem(where, f"{quoted(name)} is no name: it must hold something, and no @")
            elif name == DEFAULT_OWNER:
                problem(where, f"{quoted(name)} is the name of those in alerts.to; take another")
            elif name in found:
                problem(where, f"{quoted(name)} is already {found[name]}")
            else:
                found[name] = path
    return list(found)


def _owners(table: Document, path: str, names: Sequence[str], problem: Problem) -> None:
    for key in ("owners", "policy_host_owners"):
        for where, text in texts(table, path, key):
            if text in names or is_address(text):
                continue
            if "@" in text:
                problem(where, f"{quoted(text)} is not a mail address")
            else:
                problem(where, _no_such(text, "there is no [[owner]]", names))


def _known(
    table: Document,
    path: str,
    key: str,
    names: Sequence[str] | set[str],
    none: str,
    problem: Problem,
) -> None:
    for where, text in texts(table, path, key):
        if text not in names:
            problem(where, _no_such(text, none, sorted(names)))


def _no_such(text: str, none: str, names: Sequence[str]) -> str:
    meant = nearest(text, names)
    guess = f', did you mean "{meant}"?' if meant else ""
    return f"{none} {quoted(text)}{guess}"


def _patterns(table: Document, path: str, problem: Problem) -> None:
    for key in ("match", "mx"):
        for where, text in texts(table, path, key):
            if normal_pattern(text) is None:
                problem(where, f"{quoted(text)} {what_is_wrong(text)}")


def listed(table: Document, path: str, read: Read, problem: Problem) -> tuple[str, ...]:
    """The names in the `file` of one ``[[domains]]``, normalised; () where there is no file."""
    name, where = table.get("file"), joined(path, "file")
    if not isinstance(name, str):
        return ()
    try:
        text = read(name)
    except ConfigError as error:
        problem(where, str(error))
        return ()
    found, wrong = [], []
    for number, line in names_in(text):
        pattern = normal_pattern(line)
        if pattern is None:
            wrong.append(f"{name}:{number}: {quoted(line)} {what_is_wrong(line)}")
        else:
            found.append(pattern)
    for said in wrong[:MAX_LINES_SAID]:
        problem(where, said)
    if len(wrong) > MAX_LINES_SAID:
        problem(where, f"{name}: {len(wrong) - MAX_LINES_SAID} more lines are no domain names")
    if not found and not wrong:
        problem(where, f"{name}: holds no name")
    return tuple(dict.fromkeys(found))
