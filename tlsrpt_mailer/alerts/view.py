"""What our own looks at a domain add to a mail about one of its failures."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from tlsrpt_mailer.alerts import commands, effects, words
from tlsrpt_mailer.alerts.document import Block, Section, grid, pairs, para, section
from tlsrpt_mailer.alerts.model import Context, Drift, Evidence, Item, Served, ShownAddress, View
from tlsrpt_mailer.report.times import Span, Time

SHOWN = 10
CHANGES = 6
VALUE_CHARS = 60

NAMES = {
    "mx": "MX",
    "ns": "name servers",
    "tlsrpt": "TLSRPT record",
    "sts": "MTA-STS record",
    "policy": "MTA-STS policy",
    "tlsa": "TLSA",
    "certificate": "certificate",
}
UNSEEN = "Not looked at from here: [checks] schedule is off, or the domain is new."


def sections(item: Item, context: Context) -> Iterator[Section]:
    """What is seen from here, what changed before it began, and which policy the sender holds."""
    view = item.view
    if view is None:
        yield section("SEEN FROM HERE", para(UNSEEN))
        return
    yield _seen(item, view, context)
    if (policies := _policies(item, view, context)) is not None:
        yield policies
    yield section("CHANGED SHORTLY BEFORE", *changed(item, view, context))


# ------------------------------------------------------------------------- probe


def _seen(item: Item, view: View, context: Context) -> Section:
    unseen = para(_unseen(view, context.now)) if view.unseen is not None else None
    if not view.shown:
        return section("SEEN FROM HERE", unseen)
    # What is wrong comes first, so that no limit hides it.
    rows = sorted(view.shown, key=lambda one: not one.trouble)[:SHOWN]
    more = len(view.shown) - len(rows)
    table = [("host", "address", "", ""), *(_row(one, context) for one in rows)]
    at = words.when(min(one.at for one in view.shown), context.now)
    is_other = any(one.trouble and not one.is_same for one in view.shown)
    return section(
        "SEEN FROM HERE",
        grid(table, (0, 24, 24, 16)),
        para(f"and {words.number(more)} more addresses") if more > 0 else None,
        para(f"Senders report: {effects.phrase(item)}.") if is_other else None,
        unseen or _passed_over(item, view),
        aside=f"({words.safe(context.host, 60)}, {at.replace(' (', ', ').rstrip(')')})",
    )


def _passed_over(item: Item, view: View) -> Block | None:
    """That the table holds other MX hosts, and not the one that the senders name."""
    if item.mx is None or any(one.host == item.mx for one in view.shown):
        return None
    if "mx" not in view.dark and item.mx not in view.mx:
        return para(f"{words.name(item.mx)} is no MX of {words.name(item.domain)} today.")
    return para(f"{words.name(item.mx)} itself was not connected to by that look.")


def _unseen(view: View, now: Time) -> str:
    """Why the last look connected to no MX host, and what it is then that stands above."""
    at = words.moment(view.at, now)
    why = {
        "dark": f"At the look of {at} DNS did not answer, so no MX host was connected to.",
        "off": f"The look of {at} connected to no MX host: [checks] probe was off, or the"
        " configuration does not name the domain.",
        "no-address": f"The look of {at} found no address of an MX host to connect to.",
        "blocked": f"The look of {at} could connect to no MX host: port 25 cannot be reached from"
        " here (tlsrpt-mailer explain probe-blocked).",
        "unknown": f"The look of {at} connected to no MX host.",
    }[view.unseen or "unknown"]
    return f"{why} This is what was seen before that." if view.shown else why


def _row(one: ShownAddress, context: Context) -> tuple[str, ...]:
    verdict = "fine"
    if one.trouble:
        verdict = "the same trouble" if one.is_same else "not as reported"
    return words.name(one.host), words.name(one.ip), _state(one, context.now), verdict


def _state(one: ShownAddress, now: Time) -> str:
    if one.trouble == "expired" and one.not_after is not None:
        return f"expired {words.moment(one.not_after, now)}"
    if one.trouble:
        return words.safe(one.trouble, 40)
    return f"valid until {words.day(one.not_after, now)}" if one.not_after is not None else "-"


def mended(item: Item, context: Context) -> str:
    """The first line of a mail on what is mended by now; "" where nothing says so."""
    if item.mended_at is None:
        return ""
    seen = words.days(item.first_seen, item.last_seen, context.now)
    where = words.name(item.mx) if item.mx else words.name(item.domain)
    refused = f"Senders refused {where} on {seen}"
    if item.view is None or item.view.unseen is None:
        return f"{refused}; from here it looks mended now."
    at = words.moment(item.mended_at, context.now)
    return f"{refused}; from here it looked mended at {at}, and has not been seen since."


def valid_until(item: Item, context: Context) -> str:
    """Until when the certificate is good that the MX shows now; "" where nobody looked."""
    if item.view is None or not item.result_type.startswith("certificate-"):
        return ""
    ends = [
        one.not_after
        for one in item.view.shown
        if one.host == item.mx and not one.trouble and one.not_after is not None
    ]
    if not ends:
        return ""
    end = words.day(min(ends), context.now)
    return f"The certificate that {words.name(item.mx or '')} shows now is good until {end}."


# ------------------------------------------------------------------------- drift


def changed(item: Item, view: View, context: Context) -> Iterator[Block]:
    """What was replaced shortly before, or since when nothing was; and what was after that."""
    if view.drift:
        yield from _changes(item.domain, view.drift, context.now)
    else:
        yield para(_unchanged(item, view, context.now))
    if view.drift_after:
        yield para("After it began:")
        yield from _changes(item.domain, view.drift_after, context.now)
    if any(one.kind == "ns" for one in (*view.drift, *view.drift_after)):
        yield para(
            "The zone has moved to other name servers. Look there for what else did not come"
            " along: MX, _mta-sts, _25._tcp (TLSA)."
        )


def _changes(domain: str, drift: Sequence[Drift], now: Time) -> Iterator[Block]:
    shown = drift[:CHANGES]
    yield pairs([row for one in shown for row in change(one, now)])
    more = len(drift) - len(shown)
    if more:
        name = commands.names(domain, None, None).domain
        yield para(f"and {words.number(more)} more: tlsrpt-mailer domains show {name}")


def _unchanged(item: Item, view: View, now: Time) -> str:
    """That nothing did, as far as looks reach back; what was before the first nobody knows."""
    first = view.looked_since
    if first is None:
        return "Not known: DNS has answered no look yet."
    if first >= item.first_failing_end:
        there = "when it was there already" if item.is_finding else "after it began"
        return f"Not known: first looked at {words.moment(first, now)}, {there}."
    if first > item.first_seen:
        return f"Not known: first looked at {words.moment(first, now)}, when it may have begun."
    since = words.day(view.still_since or first, now)
    return f"Nothing in MX, name servers, MTA-STS or TLSA since {since}."


def change(one: Drift, now: Time) -> Iterator[tuple[str, str]]:
    """One change as (between which two looks, what)."""
    about = f" of {words.safe(one.about, 80)}" if one.about else ""
    when = words.days(one.after, one.before + 1, now)
    if one.kind == "policy":
        yield when, f"{NAMES[one.kind]}: {_policy_change(one)}"
    elif one.kind == "certificate":
        yield when, f"{NAMES[one.kind]}{about}: another one is shown"
    else:
        yield (
            when,
            f"{NAMES.get(one.kind, one.kind)}{about}: {_value(one.old)} -> {_value(one.new)}",
        )


def _value(text: str) -> str:
    """The values of one row, in one line."""
    values = [words.safe(one, VALUE_CHARS) for one in text.split("\n")] if text else []
    return words.listed(values, 3) or "(nothing)"


def _policy_change(one: Drift) -> str:
    """The lines that came and went; a policy is short, but not that short."""
    old, new = one.old.split(), one.new.split()
    if sorted(old) == sorted(new):
        return "the same lines in another order"
    before, after = _lines(one.old), _lines(one.new)
    gone = [line for line in before if line not in after]
    come = [line for line in after if line not in before]
    return f"{_listed(gone)} -> {_listed(come)}"


def _lines(text: str) -> list[str]:
    return [words.safe(line, VALUE_CHARS) for line in text.splitlines() if line.strip()]


def _listed(lines: list[str]) -> str:
    return "; ".join(lines[:4]) + (" ..." if len(lines) > 4 else "") or "(nothing)"


# ------------------------------------------------------------------------ policy


def _policies(item: Item, view: View, context: Context) -> Section | None:
    """The policy that the sender holds beside the one that is served; None where they agree."""
    row = next((one for one in item.evidence if one.failed and one.policy_string), None)
    if item.policy_type != "sts" or row is None:
        return None
    quoted = _quoted(row)
    now = view.policy
    if now is not None and (set(quoted.mx), quoted.mode) == (set(now.mx), now.mode):
        return None
    age = f"   (max_age {quoted.max_age})" if quoted.max_age is not None else ""
    rows = [
        ("MX today", _known(view, "mx", words.listed(map(words.name, view.mx)) or "-", context)),
        ("policy quoted", f"{_short(quoted)}{age}"),
        ("policy now", _known(view, "policy", _now(view), context)),
    ]
    return section(
        "THE POLICY THAT THE SENDER HOLDS",
        pairs(rows),
        para(*_held(row, quoted, view, context)),
    )


def _now(view: View) -> str:
    """The policy that is served."""
    now = view.policy
    if now is not None:
        return f"{_short(now)}   id {words.safe(now.id, 32)}" if now.id else _short(now)
    why = f" ({words.safe(view.policy_error, 80)})" if view.policy_error else ""
    return f"none can be had{why}"


def _known(view: View, what: Literal["mx", "policy"], text: str, context: Context) -> str:
    """*text*, with the look that it is from where the last one got no answer."""
    if what not in view.dark:
        return text
    unknown = f"not known: DNS did not answer at the look of {words.moment(view.at, context.now)}"
    before = view.mx_at if what == "mx" else view.policy_at
    if before is None:
        return unknown
    return f"{unknown}; at that of {words.moment(before, context.now)}: {text}"


def _quoted(row: Evidence) -> Served:
    found = [line.partition(":") for line in row.policy_string]
    pairs_ = [(key.strip().lower(), value.strip()) for key, _, value in found]
    values = dict(reversed(pairs_))
    age = values.get("max_age", "")
    hosts = row.mx_host or tuple(value for key, value in pairs_ if key == "mx")
    return Served(
        lines=row.policy_string,
        mode=values.get("mode", "").lower() or None,
        max_age=int(age) if age.isascii() and age.isdigit() and len(age) < 10 else None,
        mx=tuple(host.lower().rstrip(".") for host in hosts),
    )


def _short(policy: Served) -> str:
    """Mode and MX lines in one line."""
    hosts = words.listed([_pattern(one) for one in policy.mx], 3) or "none"
    return f"{words.safe(policy.mode or '?', 10)}, mx: {hosts}"


def _pattern(text: str) -> str:
    star = "*." if text.startswith("*.") else ""
    return star + words.name(text.removeprefix("*."))


def _held(row: Evidence, quoted: Served, view: View, context: Context) -> Iterator[str]:
    """Since when it is another one, and until when the sender may hold the old one."""
    reporter, now = words.safe(row.reporter, 30), context.now
    until = _until(row.end, quoted.max_age, view.old_until)
    is_told = until is not None and view.policy is not None
    if until is not None and is_told:
        word = "may still hold" if until > now else "may have held"
        yield f"So {reporter} {word} the old policy, until {words.day(until, now)} at the latest."
    if view.policy is not None and view.policy.since is not None:
        since = words.day(view.policy.since, now)
        first = view.policy.since == view.looked_since
        yield f"The new id has stood in DNS since {since}{', or longer' if first else ''}."
    gone = _missing(quoted.mx, view.mx)
    if view.mx and gone:
        long = "Until then" if is_told else "As long as senders hold the quoted policy,"
        yield (
            f"{long} keep {words.listed(map(words.name, gone))} answering. Next time list both MX"
            " for one max_age before you move."
        )


def _until(end: Time, max_age: Span | None, last_served: Time | None) -> Time | None:
    """When a sender that fetched the quoted policy last forgets it (RFC 8461, 3.3)."""
    if max_age is None:
        return None
    return (end if last_served is None else last_served) + max_age


def _missing(patterns: Iterable[str], hosts: Iterable[str]) -> list[str]:
    """The MX hosts that the quoted policy names in full and that are no MX today."""
    there = set(hosts)
    return [one for one in patterns if "*" not in one and one not in there][:3]
