"""What stood where, and since when: DNS records, the policy and certificates over time. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

import msgspec

from tlsrpt_mailer.domains import record, sts
from tlsrpt_mailer.domains.seen import Answer, HostSeen, Seen
from tlsrpt_mailer.report.times import Time, iso

POLICY_BYTES = 8 * 1024
"""So much of a policy's file is remembered."""
CHARS = 8 * 1024
"""So much of the records at one name."""
_BETWEEN = "\n"


class Known(msgspec.Struct, frozen=True):
    """One value that stood somewhere, from the first look that found it to the last."""

    kind: str
    """``mx``, ``ns``, ``tlsrpt``, ``sts`` (the TXT record), ``policy`` (its file), ``tlsa`` or
    ``certificate``."""
    about: str
    """The MX host of ``tlsa`` and of its own ``tlsrpt``, host and address of ``certificate``
    (``mx1.example.com 192.0.2.1``), else ""."""
    value: str
    """As `notes` writes it; "" for nothing there."""
    first_at: Time
    last_at: Time


class Change(msgspec.Struct, frozen=True):
    """Something that stood in DNS, in the policy or on an MX host, and was replaced."""

    kind: str
    about: str
    """As in `Known`."""
    old: str
    new: str
    after: Time
    """The last look that found the old value; the change came between the two."""
    before: Time
    """The first look that found the new one."""


def notes(seen: Seen) -> dict[tuple[str, str], str]:
    """
    What to remember of a look, by `Known.kind` and `Known.about`.

    Several values stand on a line each, in order. Nothing is there for what nobody could find
    out; of a TXT name only the records that were meant for it count, so a record of another
    kind beside them is no change.
    """
    found = {
        ("mx", ""): _text(seen.mx),
        ("ns", ""): _text(seen.ns),
        ("tlsrpt", ""): _text(seen.record, record.is_meant),
        ("sts", ""): _text(seen.sts, sts.is_meant),
        ("policy", ""): policy_note(seen),
    }
    for host in seen.hosts:
        found |= _of_host(host)
    return {key: value for key, value in found.items() if value is not None}


def _of_host(host: HostSeen) -> dict[tuple[str, str], str | None]:
    found = {("tlsa", host.host): _text(host.tlsa)}
    if host.record is not None:
        found["tlsrpt", host.host] = _text(host.record, record.is_meant)
    for one in host.shown:
        if one.chain:
            own = one.chain[0]
            value = f"{own.key_sha256} until {iso(own.not_after)}"
            found["certificate", f"{host.host} {one.ip}"] = value
    return found


def _text(answer: Answer, counts: Callable[[str], bool] | None = None) -> str | None:
    """The values of *answer*, a line each; None where nobody knows them."""
    if answer.kind == "trouble":
        return None
    kept = [value for value in answer.values if counts is None or counts(value)]
    # A value that holds the mark between two would be read as two.
    return _BETWEEN.join(value.replace(_BETWEEN, "\ufffd") for value in kept)[:CHARS]


def values(known: Known) -> tuple[str, ...]:
    """The single values of a row; not of a policy, which has lines of its own."""
    return tuple(known.value.split(_BETWEEN)) if known.value else ()


def policy_note(seen: Seen) -> str | None:
    """The policy as it is remembered; None where there was none to be had."""
    if seen.page is None or seen.page.kind != "found":
        return None
    raw = seen.page.text.encode("utf-8", "replace")[:POLICY_BYTES]
    return raw.decode("utf-8", "ignore")


def merge(known: Iterable[Known], seen: Seen) -> list[Known]:
    """
    The rows to write after a look: an old one that holds still, a new one for what is new.

    A look that is older than what is known changes nothing.
    """
    newest = _newest(known)
    rows = []
    for (kind, about), value in notes(seen).items():
        last = newest.get((kind, about))
        if last is None:
            rows.append(Known(kind, about, value, seen.at, seen.at))
        elif last.last_at < seen.at:
            rows.append(
                msgspec.structs.replace(last, last_at=seen.at)
                if last.value == value
                else Known(kind, about, value, seen.at, seen.at)
            )
    return rows


def _newest(known: Iterable[Known]) -> dict[tuple[str, str], Known]:
    return {(row.kind, row.about): row for row in sorted(known, key=attrgetter("last_at"))}


def history(known: Iterable[Known], kind: str, about: str = "") -> list[Known]:
    """The rows about one thing, the newest first."""
    rows = [row for row in known if row.kind == kind and row.about == about]
    return sorted(rows, key=attrgetter("last_at"), reverse=True)


def changes(known: Iterable[Known], since: Time, until: Time) -> list[Change]:
    """
    What changed between *since* and *until*, or may have: the oldest first.

    That something was found for the first time is no change.
    """
    return [one for one in _in_order(known) if one.before >= since and one.after <= until]


def changes_after(known: Iterable[Known], moment: Time) -> list[Change]:
    """What changed after *moment* for sure: the oldest first."""
    return [one for one in _in_order(known) if one.after > moment]


def _in_order(known: Iterable[Known]) -> list[Change]:
    found = _all_changes(sorted(known, key=attrgetter("first_at")))
    return sorted(found, key=attrgetter("before", "kind", "about"))


def _all_changes(rows: Sequence[Known]) -> Iterator[Change]:
    last: dict[tuple[str, str], Known] = {}
    for row in rows:
        before = last.get((row.kind, row.about))
        if before is not None and before.value != row.value:
            yield Change(row.kind, row.about, before.value, row.value, before.last_at, row.first_at)
        last[row.kind, row.about] = row
