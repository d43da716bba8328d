"""The mail that says that reports have begun to come in."""

import msgspec

from tlsrpt_mailer.alerts import envelope, words
from tlsrpt_mailer.alerts.document import Block, Document, para, section, table
from tlsrpt_mailer.alerts.footer import version
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.times import Time

LISTED = 20


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """The first windows about one domain, added up."""

    domain: str
    reporters: tuple[str, ...]
    """By the names that people know."""
    start: Time
    end: Time
    sessions: int
    failed: int


def first(begun: tuple[Beginning, ...], context: Context) -> Rendered:
    """
    The first reports on the reader's domains have arrived.

    Args:
        begun: The busiest first; never empty.
    """
    now = context.now
    names = [words.name(one.domain) for one in begun]
    reporters = dict.fromkeys(name for one in begun for name in one.reporters)
    who = words.listed([words.safe(name, 40) for name in reporters])
    where = names[0] if len(names) == 1 else words.plural(len(names), "domain")
    many = len(reporters) > 1
    document = Document(
        label="NOTICE",
        head=(
            f"It works: the first reports on {where} have arrived, from {who}."
            if many
            else f"It works: the first report of {who} on {where} has arrived.",
            _figures(begun),
            (
                f"{'The reports are' if many else 'The report is'} about {_about(begun, now)}."
                " Reports speak of a day that is over."
            ),
        ),
        sections=(
            section("THE DOMAINS", *_domains(begun, now)),
            section(
                "WHAT COMES NEXT",
                para(
                    "A mail when senders report that TLS to one of your domains fails in a new"
                    " way, and one when that is over. While all is well you hear nothing but the"
                    " digest.",
                    "Domains that begin later are not announced; the digest lists them.",
                ),
            ),
        ),
        footer=(_why(context), version(context)),
    )
    about = [context.recipient, *(one.domain for one in begun)]
    more = f" and {words.number(len(names) - 1)} more are live" if len(names) > 1 else " is live"
    return envelope.mail(
        document,
        context,
        message_id=envelope.message_name("first", about, context),
        subject=f"First TLS report: {names[0]}{more} [tlsrpt]",
        facts=[envelope.fact({"event": "first", "domains": str(len(names))})],
    )


def _figures(begun: tuple[Beginning, ...]) -> str:
    sessions = sum(one.sessions for one in begun)
    failed = sum(one.failed for one in begun)
    if not failed:
        return f"{words.plural(sessions, 'session')}, none failed."
    share = words.share(failed, sessions)
    return (
        f"{words.of(failed, sessions)} sessions failed ({share}): a mail of its own follows if"
        " that holds up mail or protection."
    )


def _about(begun: tuple[Beginning, ...], now: Time) -> str:
    start, end = min(one.start for one in begun), max(one.end for one in begun)
    return words.window(start, end, now)


def _domains(begun: tuple[Beginning, ...], now: Time) -> list[Block | None]:
    rows = [("domain", "sessions", "failed", "about", "reporters")]
    rows += [
        (
            words.name(one.domain),
            words.number(one.sessions),
            words.number(one.failed),
            words.window(one.start, one.end, now),
            words.listed([words.safe(name, 24) for name in one.reporters], 2),
        )
        for one in begun[:LISTED]
    ]
    lines = words.table(rows, (0, 12, 10, 16, 26), right=(1, 2))
    more = len(begun) - LISTED
    return [table(lines), para(f"and {words.number(more)} more") if more > 0 else None]


def _why(context: Context) -> str:
    if "@" not in context.recipient:
        return "This is shown here because alerts.to names nobody."
    return "You get this once, as who is told of failures of these domains."
