"""
Reports that are held, in words: why, whose word one is, and the mails to the operator.

Everything here may hold names out of the mails of strangers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts import envelope, words
from tlsrpt_mailer.alerts.document import Block, Document, code, grid, para, section
from tlsrpt_mailer.alerts.footer import version
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import DAY, Time

NO_ID = "-"
"""In ``authserv_ids``: the topmost field without a name."""
LISTED = 20
RELEASE = "tlsrpt-mailer reports release --all"

HeldCause: TypeAlias = Literal["gateway", "resolver", "reporter", "forwarder", "unsigned", "mixed"]
"""
Why reports are held: mails are changed on their way, keys cannot be had, one reporter's signature
is bad, somebody else signed, nobody did, or this and that.
"""

_FOR = {
    "foreign": "about domains that are not yours",
    "proposed": "about domains that nobody has said are yours",
}
_TRUST = {
    "unchecked": "signatures were not checked (trust.dkim was off)",
    "operator": "taken on the word of an operator, as imported mail is",
    "history": "too old to be verified: its key has left DNS",
    "unsigned": "not signed",
    "third-party": "not signed by the reporter",
    "fail": "its signature did not verify",
    "pending": "not verified yet",
}


class HeldOf(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one reporter."""

    name: str
    """The name that people know."""
    held: int
    reason: str
    """The one that most of them have."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Reports whose signatures do not verify."""

    cause: HeldCause
    held: int
    total: int
    """Of the same reporters, those that verify among them."""
    since: Time
    """When the first of them was taken."""
    reporters: tuple[HeldOf, ...]
    """Most first."""
    only_body: bool = False
    """The hash of the body is what differs, always."""
    vouched_by: str | None = None
    """The topmost Authentication-Results of all is by this id, and says that the reporter signed;
    `NO_ID` where it has none."""
    is_vouched: bool = False
    """There is such an id, if perhaps none that can be named: any sender may have written it."""


def why(held_for: str | None, reason: str | None) -> str:
    """Why a report is held; *reason* is that of its signature, and may hold anything."""
    said = _FOR.get(held_for or "") or reason or "its signature was not verified"
    return words.safe(said, 160)


def whose_word(trust: str, reason: str | None) -> str:
    """Whose word a report is: by its signature, or why not."""
    return words.safe(reason or _TRUST.get(trust, trust), 160)


# -------------------------------------------------------------- no valid signature


def held(found: Held, context: Context) -> Rendered:
    """Reports are held for want of a valid signature; for the operator, once."""
    now = context.now
    count = _count(found)
    one = found.held == 1
    verb = "is" if one else "are"
    rows = [
        (words.safe(one.name, 30), words.number(one.held), words.safe(one.reason, 200))
        for one in found.reporters[:LISTED]
    ]
    document = Document(
        label="OPERATOR",
        head=(
            f"{count} since {words.moment(found.since, now)} {verb} held: {_what(found)}.",
            not_counted(found.held),
            _because(found),
        ),
        sections=(
            section("BY REPORTER", grid([("reporter", "held", "why"), *rows], (24, 6, 42), (1,))),
            section("CHOOSE ONE" if found.cause != "resolver" else "WHAT TO DO", *_ways(found)),
            section(
                "WHAT COMES NEXT",
                code([RELEASE]),
                para(
                    f"checks {'it' if one else f'the {words.number(found.held)}'}"
                    " again, once something has changed.",
                    "You hear of this once.",
                ),
            ),
        ),
        footer=footer(context),
    )
    since = _since(found.since, now)
    whole = "all " if found.held == found.total > 1 else ""
    fails = "have no key in DNS" if found.cause == "resolver" else "fail DKIM"
    if one:
        fails = "has no key in DNS" if found.cause == "resolver" else "fails DKIM"
    subject = f"OPERATOR {whole}{_number(found)} {since} {fails}{_guess(found)} [tlsrpt]"
    return operators_mail(document, context, subject, "held", (str(found.since), str(found.held)))


def not_counted(reports: int) -> str:
    """What it means that reports are held."""
    if reports == 1:
        return "It is stored in full, but not counted, and it raises no alerts."
    return "They are stored in full, but not counted, and they raise no alerts."


def _what(found: Held) -> str:
    if found.cause == "resolver":
        return "its signature cannot be checked" if found.held == 1 else "no key for them is found"
    return "its signature does not verify" if found.held == 1 else "their signatures do not verify"


def _count(found: Held) -> str:
    if found.held == found.total == 1:
        return "The only report"
    return f"{words.number(found.held)} of {words.plural(found.total, 'report')}"


def _number(found: Held) -> str:
    if found.held == found.total:
        return words.plural(found.held, "report")
    return f"{words.number(found.held)} of {words.plural(found.total, 'report')}"


def _since(since: Time, now: Time) -> str:
    days = now // DAY - since // DAY
    named = {0: "of today", 1: "since yesterday"}
    return named.get(days, f"since {words.day(since, now)}")


def _guess(found: Held) -> str:
    guesses = {
        "gateway": ": a gateway?",
        "resolver": ": the resolver?",
        "forwarder": ": a forwarder?",
        "unsigned": ": not signed",
        "reporter": f": {words.safe(found.reporters[0].name, 30)}",
    }
    return guesses.get(found.cause, "")


def _because(found: Held) -> str:
    """What they have in common, and what that means."""
    many = len(found.reporters) > 1
    everybody = "All reporters at once, and always" if many else "Always"
    only = words.safe(found.reporters[0].name, 40)
    return {
        "gateway": (
            f'{everybody} "body hash": something changes mails on the way into this mailbox,'
            " after your MX has taken them."
            if found.only_body
            else "Something changes mails on the way into this mailbox, after your MX has taken"
            " them."
        ),
        "resolver": (
            "No key could be had from DNS for any of them: most likely the resolver that is"
            " asked here does not work."
        ),
        "reporter": (
            f"Only those of {only}; others verify. So your side works: its signature is broken,"
            " or somebody writes in its name."
        ),
        "forwarder": (
            "Signed by somebody else than the reporter: a list or a forwarder on the way has"
            " changed mails, and put its own signature on."
        ),
        "unsigned": (
            "There is no signature of the reporter: something on the way has taken it off, or"
            " somebody invents reports."
        ),
        "mixed": "The reasons differ: see below.",
    }[found.cause]


def _ways(found: Held) -> Iterator[Block]:
    if found.cause == "resolver":
        yield para(
            "1. Ask as the program does. The name of a key stands behind each report:",
        )
        yield code(["tlsrpt-mailer reports --held", "dig +short TXT NAME_OF_THE_KEY"])
        yield para("2. If the system's resolver cannot be mended, name another one:")
        yield code(["[dns]", 'nameservers = ["ADDRESS"]'])
        return
    number = 1
    for text, lines in _choices(found):
        yield para(f"{number}. {text}")
        if lines:
            yield code(lines)
        number += 1


def _choices(found: Held) -> Iterator[tuple[str, Sequence[str]]]:
    """What may be done, and the lines that do it."""
    if found.cause == "reporter":
        name = words.safe(found.reporters[0].name, 40)
        yield f"Leave it so: until {name} signs again, its reports count for nothing.", ()
        yield (
            "If you know that they are genuine, take them as they are:",
            ["tlsrpt-mailer reports --held", "tlsrpt-mailer reports release ID --as-is"],
        )
    elif found.cause == "forwarder":
        yield (
            (
                "Let senders write to this mailbox directly, or let the forwarder attach the whole"
                " mail: a signature within an attached mail is verified."
            ),
            (),
        )
    elif found.cause == "unsigned":
        yield (
            (
                "Find what takes the signature off, and let it leave mail to this mailbox alone. If"
                " nobody has reports sent that way, they are invented: leave them held."
            ),
            (),
        )
    else:
        yield (
            (
                "Let the thing that adds banners or rewrites links leave mail to this mailbox"
                " alone. Best: the signatures then verify here."
            ),
            (),
        )
    if found.vouched_by is not None:
        yield _believe(found.vouched_by, found.held)
    elif found.is_vouched:
        yield _FIND_OUT
    yield (
        (
            "Take them as they are, marked as not authenticated: they count, but what they alone"
            " say is in the digest only, and raises no alert."
        ),
        ["[trust]", 'dkim = "mark"'],
    )


_FIND_OUT = (
    (
        "Believe your own MX, if it checked before. These mails say that somebody did, but not that"
        " it was yours. Send a mail to this mailbox from outside, and read its topmost"
        " Authentication-Results: your MX stands before the first semicolon (without a name there:"
        ' "-"). Only if every mail to this mailbox comes through it:'
    ),
    ["[trust]", 'authserv_ids = ["NAME_OF_YOUR_MX"]'],
)


def _believe(server: str, count: int) -> tuple[str, Sequence[str]]:
    all_ = "all of them" if count > 1 else "it"
    if server == NO_ID:
        return (
            (
                f"Believe your own MX, which checked before. The topmost Authentication-Results of"
                f" {all_} bears no name, as Microsoft 365 writes it, and says dkim=pass with the"
                " reporter's domain. Only if every mail to this mailbox comes through your MX:"
            ),
            ["[trust]", 'authserv_ids = ["-"]'],
        )
    return (
        (
            "Believe your own MX, which checked before. The topmost Authentication-Results of"
            f' {all_} is by "{server}" and says dkim=pass with the reporter\'s domain. Only if'
            " that is your MX, and every mail to this mailbox comes through it:"
        ),
        ["[trust]", f'authserv_ids = ["{server}"]'],
    )


def is_proposable(server: str | None) -> bool:
    """Whether an id out of a mail may stand in a line to be pasted."""
    return server == NO_ID or (server is not None and is_strict_host(server))


# ----------------------------------------------------------------------- both


def operators_mail(
    document: Document, context: Context, subject: str, what: str, about: Iterable[str]
) -> Rendered:
    """A mail that is about no failure; *what* and *about* make its name."""
    parts = [context.recipient, what, str(context.now), *about]
    return envelope.mail(
        document,
        context,
        message_id=envelope.message_name(what, parts, context),
        subject=subject,
        facts=[envelope.fact({"event": "operator", "cause": what})],
    )


def footer(context: Context) -> tuple[str, ...]:
    """Why the operator gets it."""
    said = "You get this because you run tlsrpt-mailer (alerts.operator, else alerts.to)."
    if "@" not in context.recipient:
        said = "This is shown here because alerts.to names nobody."
    return said, version(context)
