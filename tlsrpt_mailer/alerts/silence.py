"""Mails about reports that do not come: a reporter, a domain, our own intake."""

from collections.abc import Iterable, Sequence

import msgspec

from tlsrpt_mailer.alerts import envelope, words
from tlsrpt_mailer.alerts.document import (
    Block,
    Document,
    Section,
    code,
    para,
    section,
    steps,
    table,
)
from tlsrpt_mailer.alerts.footer import version
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import Span, Time

LISTED = 30
TWO = 2
DAILY = 27
"""Days of 28 from which on it is said to report daily."""
RIGHT = "right"
MADE_NAMES = "DOMAIN"
"""Stands in a command for what is no host name."""


class SilentDomain(msgspec.Struct, frozen=True, kw_only=True):
    """One domain of the reader's that a reporter no longer speaks of."""

    domain: str
    last: Time
    """End of the last window."""
    days: int
    """Days with a window, in the 28 up to then."""
    sessions: int
    """In those 28 days."""
    others: tuple[str, ...] = ()
    """Who still reports on it, by the names that people know."""


class OurSide(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of our own part: the way in, and the records."""

    last_receipt: Time | None
    """When the last report came in, whosever it was."""
    canary_at: Time | None = None
    """When the last test report to ourselves came back; None: none was sent, or came."""
    canary_took: Span = 0
    records: tuple[tuple[str, str, Time], ...] = ()
    """(domain, state of its TLSRPT record, when it was looked up), of those that were."""


class SilentReporter(msgspec.Struct, frozen=True, kw_only=True):
    """A reporter that stopped on some domains of the reader's."""

    reporter: str
    """The name that people know."""
    domains: tuple[SilentDomain, ...]
    """The busiest first."""
    elsewhere: int
    """On how many other domains of the reader's it still reports."""
    ours: OurSide


class SilentEverywhere(msgspec.Struct, frozen=True, kw_only=True):
    """A domain of which nobody speaks any more."""

    domain: str
    reporters: tuple[tuple[str, Time], ...]
    """(name that people know, end of its last window), the newest first."""
    ours: OurSide


class SilentIntake(msgspec.Struct, frozen=True, kw_only=True):
    """No report comes in at all, though no source says that it is in trouble."""

    since: Time
    """The last one was taken then."""
    reporters: int
    domains: int
    sources: tuple[tuple[str, str], ...]
    """(name, state)."""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """Reports come again, and somebody was told that they did not."""

    reporter: str | None
    """The name that people know; None where a whole domain was silent."""
    domains: tuple[str, ...]
    still: tuple[str, ...] = ()
    """What was named together and is silent still: domains, or the reporters of the domain."""
    since: Time
    """End of the last window before."""


def reporter(silent: SilentReporter, context: Context, key: str) -> Rendered:
    """
    One reporter stopped; for an owner, who learns of no domain but his own.

    Args:
        key: The reporter's domain, for the header.
    """
    name, now = words.safe(silent.reporter, 60), context.now
    named = [words.name(one.domain) for one in silent.domains]
    where = named[0] if len(named) == 1 else words.plural(len(named), "domain")
    last = max(one.last for one in silent.domains)
    days = max(one.days for one in silent.domains)
    document = Document(
        label="NOTICE",
        head=(
            "Nothing is known to be broken. But a source of knowledge has dried up.",
            (
                f"{name} has sent no report on {where} since the one about"
                f" {words.day(last - 1, now)}. Before, {_habit(days)}."
            ),
        ),
        sections=(
            section(
                "OURS OR THEIRS?",
                table(
                    _whose("the reporter", _elsewhere(silent.elsewhere), named, silent.ours, now)
                ),
                para(_conclusion(name, named, silent.elsewhere)),
            ),
            section("THE DOMAINS", *_domains(silent.domains, now)),
            _what_to_do(named[0], silent.domains[0].domain, name),
            section(
                "WHAT COMES NEXT",
                para(
                    "This is said once. You hear of it again when the reports resume.",
                    f"A failure that {name} alone has seen cannot be confirmed as over; it is"
                    " listed as stale, and closed unconfirmed 30 days later.",
                ),
            ),
        ),
        footer=_footer(_owner_of(named), context),
    )
    return _mail(
        document,
        context,
        ("reporter", key, str(last)),
        f"NOTICE {name} has stopped reporting on {where} [tlsrpt]",
        {"cause": "reporter", "reporter": key, "domains": str(len(named))},
    )


def domain(silent: SilentEverywhere, context: Context) -> Rendered:
    """Nobody reports on a domain any more; for its owner."""
    name, now = words.name(silent.domain), context.now
    count = len(silent.reporters)
    last_name, last = silent.reporters[0]
    who = (
        f"{words.safe(last_name, 60)}, the only one who did, has stopped"
        if count == 1
        else f"{'both' if count == TWO else f'all {count}'} that did have stopped"
    )
    rows = [
        (words.safe(one, 40), f"last report about {words.day(end - 1, now)}")
        for one, end in silent.reporters
    ]
    document = Document(
        label="WARNING",
        head=(
            f"Senders no longer report on {name}: {who}.",
            "Mail is not touched by this; you just do not learn of failures any more.",
            f"The last report is about {words.day(last - 1, now)}.",
        ),
        sections=(
            section(
                "OURS OR THEIRS?",
                table(_whose("the reporters", "silent, all of them", [name], silent.ours, now)),
                para(_why_domain(silent.ours)),
            ),
            section("WHO REPORTED", table(words.table(rows[:LISTED], (40, 34)))),
            _what_to_do(name, silent.domain, None),
            section(
                "WHAT COMES NEXT",
                para(
                    "This is said once. You hear of it again when reports come in.",
                    "If the domain is given up, there is nothing to do.",
                ),
            ),
        ),
        footer=_footer(_owner_of([name]), context),
    )
    return _mail(
        document,
        context,
        ("domain", silent.domain, str(last)),
        f"WARNING {name}: TLS reports have stopped [tlsrpt]",
        {"cause": "domain", "domain": silent.domain},
    )


def intake(silent: SilentIntake, context: Context) -> Rendered:
    """Nothing comes in at all; for the operator."""
    now = context.now
    length = words.length(now - silent.since)
    rows = [(words.safe(name, 60), state) for name, state in silent.sources]
    document = Document(
        label="OPERATOR",
        head=(
            f"No TLS report has come in since {words.moment(silent.since, now)} ({length}).",
            (
                f"{_all_reporters(silent.reporters)} silent at once: most likely the way to us is"
                " broken, not they."
            ),
            f"Until it is mended no failure of {_any_domain(silent.domains)} can be seen.",
        ),
        sections=(
            section("SOURCES", table(words.table(rows[:LISTED], (0, 8)))),
            section(
                "WHAT TO DO",
                steps(
                    (
                        "Ask the program how its sources are doing: tlsrpt-mailer status",
                        (
                            "Send a mail from outside to the address that your records name, and"
                            " see whether it arrives where the sources look."
                        ),
                        "Look whether the records still name that address:",
                    )
                ),
                code(["dig +short TXT _smtp._tls.DOMAIN"]),
            ),
            section(
                "WHAT COMES NEXT",
                para("This is said once. You hear of it again when a report comes in."),
            ),
        ),
        footer=_footer("You get this because you run tlsrpt-mailer (alerts.operator).", context),
    )
    return _mail(
        document,
        context,
        ("intake", str(silent.since)),
        f"OPERATOR no TLS reports come in: none since {words.day(silent.since, now)} [tlsrpt]",
        {"cause": "intake", "source": ""},
    )


def intake_again(since: Time, came: Time, context: Context) -> Rendered:
    """Reports come in again; for the operator."""
    now = context.now
    document = Document(
        label="OPERATOR",
        head=(
            f"TLS reports come in again, since {words.moment(came, now)}.",
            f"None had come since {words.moment(since, now)}.",
            (
                "What senders could not deliver meanwhile is lost: a failure of those days may show"
                " up late, or never."
            ),
        ),
        sections=(),
        footer=_footer("You get this because you were told that none came in.", context),
    )
    return _mail(
        document,
        context,
        ("intake-again", str(since)),
        "OPERATOR TLS reports come in again [tlsrpt]",
        {"cause": "intake", "state": "resumed", "source": ""},
    )


def resumed(back: Resumed, context: Context, key: str) -> Rendered:
    """Reports have resumed; for who was told that they stopped."""
    now = context.now
    named = [words.name(one) for one in back.domains]
    where = named[0] if len(named) == 1 else words.plural(len(named), "domain")
    who = words.safe(back.reporter, 60) if back.reporter else ""
    still = [words.safe(one, 80) for one in back.still]
    silent = words.plural(len(still), "domain" if who else "reporter")
    document = Document(
        label="NOTICE",
        head=(
            f"{who} reports on {where} again." if who else f"Senders report on {where} again.",
            f"The last report before was about {words.day(back.since - 1, now)}.",
            "Nothing to do." if not still else f"Still silent: {silent}.",
        ),
        sections=tuple(
            section(title, para(words.listed(names, LISTED)))
            for title, names in (
                ("AGAIN", named if len(named) > 1 else []),
                ("STILL SILENT", still),
            )
            if names
        ),
        footer=_footer("You get this because you were told that the reports stopped.", context),
    )
    subject = f"{who} reports on {where} again" if who else f"{where}: TLS reports come in again"
    facts = {"cause": "reporter", "reporter": key} if who else {"cause": "domain", "domain": key}
    return _mail(
        document,
        context,
        ("resumed", key, *sorted(back.domains), str(back.since)),
        f"NOTICE {subject} [tlsrpt]",
        {**facts, "state": "resumed", "domains": str(len(named))},
    )


# ------------------------------------------------------------------------ parts


def _mail(
    document: Document,
    context: Context,
    about: Sequence[str],
    subject: str,
    facts: dict[str, str],
) -> Rendered:
    name = envelope.message_name(f"silent.{about[0]}", [context.recipient, *about], context)
    fact = envelope.fact({"event": "silent", **facts})
    return envelope.mail(document, context, message_id=name, subject=subject, facts=[fact])


def _footer(why: str, context: Context) -> tuple[str, ...]:
    if "@" not in context.recipient:
        why = "This is shown here because alerts.to names nobody."
    return why, "Who reports at all: tlsrpt-mailer digest", version(context)


def _owner_of(named: Sequence[str]) -> str:
    return f"You get this as an owner of {words.listed(named)}."


def _whose(who: str, how: str, named: Sequence[str], ours: OurSide, now: Time) -> list[str]:
    rows = [
        ("our intake", f"works: {_came(ours, now)}"),
        ("our records", _records(named, ours, now)),
        (who, how),
    ]
    lines: list[str] = []
    for term, said in rows:
        lines += words.wrap(said, " " * 14, f"{term:<14}", words.WIDTH - 2)
    return lines


def _came(ours: OurSide, now: Time) -> str:
    last = ours.last_receipt
    came = "no report is there" if last is None else f"the last report came {words.when(last, now)}"
    if ours.canary_at is None:
        return came
    took, at = words.number(ours.canary_took), words.when(ours.canary_at, now)
    return f"the last test report took {took} s ({at}), and {came}"


def _records(named: Sequence[str], ours: OurSide, now: Time) -> str:
    """Whether the records are in place, as far as our own looks know."""
    if len(ours.records) < len(named):
        return "not looked up from here; the command below shows them"
    at = words.when(min(at for _, _, at in ours.records), now)
    wrong = [name for name, state, _ in ours.records if state != RIGHT]
    if wrong:
        shown = words.listed([words.name(name) for name in wrong], 3)
        return f"not right at {shown} (looked up {at}): tlsrpt-mailer check"
    if len(ours.records) == 1:
        return f"in place, and it names us (looked up {at})"
    return f"in place, and they name us (looked up {at})"


def _why_domain(ours: OurSide) -> str:
    if all(state == RIGHT for _, state, _ in ours.records) and ours.records:
        return (
            "So most likely the domain gets no mail any more from those that report, or they cannot"
            " deliver it."
        )
    return (
        "So most likely the record of the domain is gone or names another address, or the domain"
        " gets no mail any more."
    )


def _elsewhere(count: int) -> str:
    if not count:
        return "reports on no other domain of yours"
    return f"still reports on {words.plural(count, 'other domain')} of yours"


def _conclusion(name: str, named: Sequence[str], elsewhere: int) -> str:
    if elsewhere:
        where = named[0] if len(named) == 1 else "these domains"
        return f"So {name} probably delivers no mail to {where}, or cannot."
    return f"So {name} has stopped reporting, or delivers no mail to you any more, or cannot."


def _domains(silent: Sequence[SilentDomain], now: Time) -> tuple[Block, ...]:
    rows = [("domain", "last report about", "sessions a day", "other reporters")]
    rows += [
        (
            words.name(one.domain),
            words.day(one.last - 1, now),
            words.number(round(one.sessions / 28)),
            _others(one.others),
        )
        for one in silent[:LISTED]
    ]
    more = len(silent) - LISTED
    rest = para(f"and {words.number(more)} more: tlsrpt-mailer digest") if more > 0 else para()
    return table(words.table(rows, (0, 18, 14, 26), right=(2,))), rest


def _others(names: Sequence[str]) -> str:
    shown = [words.safe(name, 24) for name in names]
    return words.listed(shown, 1 if len(shown) > TWO else TWO) or "-"


def _habit(days: int) -> str:
    if days >= DAILY:
        return "it sent one every day"
    return f"it sent one on {days} of 28 days"


def _what_to_do(shown: str, domain: str, reporter: str | None) -> Section:
    target = domain if is_strict_host(domain) else MADE_NAMES
    where = f"for {shown}" if target == domain else "for the domain"
    whose = f"mail from {reporter}" if reporter else "mail"
    blocks = [
        steps(("Look whether the record is there and names your address:",)),
        code(
            [
                f"dig +short TXT _smtp._tls.{target}",
                "",
                'right:   "v=TLSRPTv1; rua=mailto:..." with your address',
                "broken:  no answer, another address, or two such lines",
            ]
        ),
        para(
            f"If it is right: does {whose} still arrive {where}? The log of its MX should show"
            " connections. If there are none, look at MX records, firewall and blocklists."
        ),
    ]
    return section("WHAT TO DO", *blocks)


def _all_reporters(count: int) -> str:
    return (
        "The one reporter that writes regularly is"
        if count == 1
        else f"All {count} regular reporters are"
    )


def _any_domain(count: int) -> str:
    return "your domain" if count == 1 else f"any of your {words.number(count)} domains"


def busiest(domains: Iterable[SilentDomain]) -> tuple[SilentDomain, ...]:
    """The order in which a mail names them."""
    return tuple(sorted(domains, key=_by_sessions))


def _by_sessions(one: SilentDomain) -> tuple[int, str]:
    return -one.sessions, one.domain
