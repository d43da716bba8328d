"""Mails to the operator about a source that does not work, and works again."""

import msgspec

from tlsrpt_mailer.alerts import envelope, words
from tlsrpt_mailer.alerts.document import Document, code, para, section, steps
from tlsrpt_mailer.alerts.footer import version
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.times import Time

PULLED = ("imap:", "maildir:")
"""Sources whose mails lie somewhere until we come for them."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A source as the health of the program has it."""

    source: str
    since: Time
    error: str
    """What the other side said, in lines."""
    tries: int
    next_try: Time | None
    is_only: bool
    """Whether there is no other source that works."""


def trouble(found: Trouble, context: Context, *, again: bool = False) -> Rendered:
    """It has not worked for a while; *again*: a day later, still."""
    now, name = context.now, words.safe(found.source, 60)
    still = "still " if again else ""
    first, *rest = words.error_lines(found.error)
    document = Document(
        label="OPERATOR",
        head=(
            f"tlsrpt-mailer {still}cannot take reports from {name}.",
            _meanwhile(found.source),
            _since(found, now),
        ),
        sections=(
            section("WHAT IT SAYS", code([first, *rest])),
            section(
                "WHAT TO DO",
                steps(
                    (
                        "See how it is now: tlsrpt-mailer status",
                        (
                            "Mend what is named above; if a password or a host has changed, change"
                            " it in the configuration too."
                        ),
                        (
                            "After a change of the configuration: tlsrpt-mailer config check, then"
                            " systemctl reload tlsrpt-mailer"
                        ),
                    )
                ),
                para(_blind(is_only=found.is_only)),
            ),
            section(
                "WHAT COMES NEXT",
                para("You hear of this again when it works, or in a day."),
            ),
        ),
        footer=_footer(context),
    )
    return _mail(
        document,
        context,
        found,
        f"OPERATOR {name} {still}does not work since {words.moment(found.since, now)} [tlsrpt]",
        {"state": "trouble"},
    )


def works_again(source: str, since: Time, context: Context) -> Rendered:
    """It works again."""
    now, name = context.now, words.safe(source, 60)
    document = Document(
        label="OPERATOR",
        head=(
            f"{name} works again.",
            f"It did not since {words.moment(since, now)} ({words.length(now - since)}).",
            "Mails that waited are read now."
            if source.startswith(PULLED)
            else "Senders that were turned away try again by themselves.",
        ),
        sections=(),
        footer=_footer(context),
    )
    found = Trouble(source=source, since=since, error="", tries=0, next_try=None, is_only=False)
    return _mail(document, context, found, f"OPERATOR {name} works again [tlsrpt]", {"state": "ok"})


def _mail(
    document: Document, context: Context, found: Trouble, subject: str, facts: dict[str, str]
) -> Rendered:
    about = [context.recipient, found.source, str(context.now), *facts.values()]
    return envelope.mail(
        document,
        context,
        message_id=envelope.message_name("source", about, context),
        subject=subject,
        facts=[
            envelope.fact({"event": "silent", "cause": "intake", "source": found.source, **facts})
        ],
    )


def _footer(context: Context) -> tuple[str, ...]:
    return words.to_operator(context.recipient), version(context)


def _meanwhile(source: str) -> str:
    if source.startswith(PULLED):
        return "Nothing is lost: the mails wait there, and are read when it works."
    return "Senders are turned away; they try again, commonly for one to five days."


def _since(found: Trouble, now: Time) -> str:
    parts = [f"Since {words.moment(found.since, now)} ({words.length(now - found.since)})"]
    if found.tries:
        parts.append(words.plural(found.tries, "try", "tries"))
    if found.next_try is not None and found.next_try > now:
        parts.append(f"the next in {words.length(found.next_try - now)}")
    return ", ".join(parts) + "."


def _blind(*, is_only: bool) -> str:
    if is_only:
        return "Until then no failure of any domain can be seen."
    return "Until then nothing is seen of what is reported this way; other sources work."
