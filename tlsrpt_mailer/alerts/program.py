"""Mails to the operator about a part of the program that is in trouble, and works again."""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts import envelope, words
from tlsrpt_mailer.alerts.document import Document, code, para, section, steps
from tlsrpt_mailer.alerts.footer import version
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.times import Time

PartKind: TypeAlias = Literal["database", "job", "channel", "dns", "clock", "given-up", "canary"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is in trouble."""

    kind: PartKind
    name: str = ""
    """Of a job or channel: which."""
    since: Time
    error: str
    """What is known of it, in lines; may hold what another side said."""
    waiting: int = 0
    """Reports, notices or mails that wait for it, or were given up."""


class _Words(msgspec.Struct, frozen=True):
    subject: str
    """What of the part comes before *since*."""
    over: str
    meanwhile: str
    todo: tuple[str, ...]


_STATUS = "See how it is now: tlsrpt-mailer status"
_WORDS: dict[PartKind, _Words] = {
    "database": _Words(
        "the database cannot be used",
        "the database can be used again",
        "Senders are asked to wait, and mailboxes are left as they are: nothing is lost.",
        ("Look at the disk and at the file: df, dmesg, tlsrpt-mailer status",),
    ),
    "job": _Words(
        "job {name} fails",
        "job {name} works again",
        "It is tried again each time it is due. What else the program does is not touched.",
        (_STATUS, "Read the log around the first of these errors: journalctl -u tlsrpt-mailer"),
    ),
    "channel": _Words(
        "channel {name} takes no notices",
        "channel {name} takes notices again",
        "Notices wait for it, for five days; mail and other channels are not touched.",
        ("Try it: tlsrpt-mailer alerts test", _STATUS),
    ),
    "dns": _Words(
        "DNS does not answer, so reports wait",
        "DNS answers again",
        "They are kept, and verified as soon as DNS answers; until then they do not count.",
        (
            "Look up any name at the server in [dns] nameservers, else in /etc/resolv.conf",
            "What waits: tlsrpt-mailer reports --held",
        ),
    ),
    "clock": _Words(
        "the clock of this machine has jumped",
        "the clock of this machine is believed again",
        "Nothing is deleted or given up for its age until it agrees again, or for a day.",
        ("Look at the time and who sets it: timedatectl",),
    ),
    "canary": _Words(
        "no test report comes back from {name}",
        "test reports come back from {name} again",
        "Real reports to that address may be lost in the same way, unseen.",
        (
            "Above is what the MX of the address said. If it took the mail, look into its log.",
            "Then try again, and wait for it: tlsrpt-mailer canary send --wait 5m",
            "Does a source read what is delivered there? tlsrpt-mailer status",
        ),
    ),
    "given-up": _Words(
        "mails were given up",
        "",
        "What they say, nobody has read. They are kept, and can be sent again.",
        (
            "Which, and why: tlsrpt-mailer alerts --state failed",
            "If an address has changed, change it in the configuration.",
            "Once it is mended: tlsrpt-mailer alerts resend NUMBER",
        ),
    ),
}


def trouble(part: Part, context: Context, *, again: bool = False) -> Rendered:
    """It has not worked for a while; *again*: a day later, still."""
    now, said = context.now, _WORDS[part.kind]
    what = said.subject.format(name=words.safe(part.name, 60))
    still = "still: " if again else ""
    since = f"Since {words.moment(part.since, now)} ({words.length(now - part.since)})"
    first, *rest = words.error_lines(part.error)
    document = Document(
        label="OPERATOR",
        head=(_sentence(still + what), said.meanwhile, f"{since}{_count(part)}."),
        sections=(
            section("WHAT IT SAYS", code([first, *rest])),
            section("WHAT TO DO", steps(said.todo)),
            section("WHAT COMES NEXT", para(_next(part))),
        ),
        footer=_footer(context),
    )
    subject = f"OPERATOR {still}{what} since {words.moment(part.since, now)} [tlsrpt]"
    return _mail(document, context, part, subject, "trouble")


def over(part: Part, context: Context) -> Rendered:
    """It works again; of *part* only kind, name and since are looked at."""
    now = context.now
    what = _WORDS[part.kind].over.format(name=words.safe(part.name, 60))
    since = f"{words.moment(part.since, now)} ({words.length(now - part.since)})"
    document = Document(
        label="OPERATOR",
        head=(_sentence(what), f"It was in trouble since {since}."),
        sections=(),
        footer=_footer(context),
    )
    return _mail(document, context, part, f"OPERATOR {what} [tlsrpt]", "ok")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _count(part: Part) -> str:
    if not part.waiting:
        return ""
    one = {"dns": "report", "channel": "notice"}.get(part.kind, "mail")
    verb = "given up" if part.kind == "given-up" else "waiting"
    return f"; {words.plural(part.waiting, one)} {verb}"


def _next(part: Part) -> str:
    if part.kind == "given-up":
        return "You hear of this again if more are given up, once a day at most."
    return "You hear of this again when it works, or in a day."


def _footer(context: Context) -> tuple[str, ...]:
    return words.to_operator(context.recipient), version(context)


def _mail(document: Document, context: Context, part: Part, subject: str, state: str) -> Rendered:
    about = [context.recipient, part.kind, part.name, str(context.now), state]
    facts = {"event": "operator", "part": part.kind, "state": state}
    if part.name:
        facts["name"] = part.name
    return envelope.mail(
        document,
        context,
        message_id=envelope.message_name("program", about, context),
        subject=subject,
        facts=[envelope.fact(facts)],
    )
