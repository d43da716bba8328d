"""The answer to an answer: what a reply to an alert has done, or why it has done nothing."""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts import envelope, words
from tlsrpt_mailer.alerts.document import Block, Document, Section, pairs, para, section
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.times import DAY, Time

What: TypeAlias = Literal["noted", "not-understood", "expired", "not-yours", "nothing-open"]
"""``not-yours``: no number in it belongs to the reader, or it came from somebody else than the
alert went to; ``nothing-open``: all that it could be about has ended."""

SHOWN = 10
SUBJECT_CHARS = 200
FOR_EVER = 3650 * DAY
"""A mute for longer than this has no end that anybody waits for."""


class AnswerOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one reply. Its strings are a stranger's; they are made safe here."""

    what: What
    who: str
    """The address in its From."""
    at: Time
    """When it was read."""
    verb: str = ""
    """ack, fixed, mute, assign or reopen."""
    failures: tuple[tuple[int, str], ...] = ()
    """(number, domain) of each failure that the act holds for now, the reader's alone."""
    left_out: tuple[int, ...] = ()
    """Numbers that it named and that were not acted upon."""
    until: Time | None = None
    """When an ack or a mute lapses."""
    note: str | None = None
    assignee: str | None = None
    first_line: str = ""
    """What was read as the command."""
    reason: str = ""
    """One more sentence of ours, such as why an assignee was not taken."""
    in_reply_to: str | None = None
    """Message-ID of the reply."""
    references: tuple[str, ...] = ()
    """The thread, oldest first; the reply itself is added."""
    original_subject: str = ""
    """Subject of the reply, or of the alert."""
    also: tuple["AnswerOutcome", ...] = ()
    """What became of further commands in the same reply; only what and about what is read."""


def render_answer(outcome: AnswerOutcome, context: Context) -> Rendered:
    """
    The mail that answers a reply, to ``context.recipient``.

    Always ``Auto-Submitted: auto-replied`` (RFC 3834). The same reply gets the same Message-ID.
    """
    every = (outcome, *outcome.also)
    document = Document(
        label=_LABELS[outcome.what],
        head=tuple(line for one in every for line in _HEADS[one.what](one, context) if line),
        sections=tuple(part for one in every for part in _sections(one)),
        footer=_footer(outcome, context),
    )
    answered = envelope.reference(outcome.in_reply_to or "")
    said = [f"{one.what} {one.verb} {one.failures} {one.first_line}" for one in every]
    parts = [context.recipient, answered or "", str(outcome.at), *said]
    thread = [name for one in outcome.references if (name := envelope.reference(one))]
    return envelope.mail(
        document,
        context,
        message_id=envelope.message_name("answer", parts, context),
        subject=_subject(outcome.original_subject),
        facts=[_fact(one) for one in every],
        references=[*thread[-10:], *([answered] if answered else [])],
        auto="auto-replied",
        in_reply_to=answered,
    )


def _fact(outcome: AnswerOutcome) -> str:
    return envelope.fact({"event": "answer", "result": outcome.what, "act": outcome.verb})


def _subject(original: str) -> str:
    text = words.safe(original, SUBJECT_CHARS)
    while text[:3].lower() == "re:":
        text = text[3:].strip()
    return f"Re: {text or 'your answer to tlsrpt-mailer'}"


# ------------------------------------------------------------------ first lines

_LABELS: dict[What, str] = {
    "noted": "NOTED",
    "not-understood": "NOT UNDERSTOOD",
    "expired": "NOT DONE",
    "not-yours": "NOT DONE",
    "nothing-open": "NOTHING TO DO",
}


def _noted(outcome: AnswerOutcome, context: Context) -> list[str]:
    what = {
        "ack": "acknowledged",
        "fixed": "said that this is mended:",
        "mute": "muted",
        "assign": "assigned",
        "reopen": "opened again",
    }.get(outcome.verb, words.safe(outcome.verb, 20))
    to = f" to {words.safe(outcome.assignee, 80)}" if outcome.assignee else ""
    day = (
        "" if outcome.at // DAY == context.now // DAY else f"{words.day(outcome.at, context.now)} "
    )
    at = f"at {day}{words.clock(outcome.at)}"
    who = words.safe(outcome.who, 80)
    note = f'Note kept: "{words.safe(outcome.note, 160)}". ' if outcome.note else ""
    return [
        f"Noted: {who} {what} {_numbers(outcome)}{to} {at}.",
        note + _holds(outcome, context),
        _left_out(outcome),
    ]


def _numbers(outcome: AnswerOutcome) -> str:
    """``17 (example.com)``, ``17, 18 and 19 (3 domains)``."""
    found = [str(number) for number, _ in outcome.failures]
    domains = list(dict.fromkeys(domain for _, domain in outcome.failures))
    where = words.name(domains[0]) if len(domains) == 1 else words.plural(len(domains), "domain")
    return f"{words.listed(found)} ({where})"


def _holds(outcome: AnswerOutcome, context: Context) -> str:
    """How long it is quiet now, and what ends the quiet."""
    until = _until(outcome, context)
    gets_worse = f", gets worse, or {until}" if until else " or gets worse"
    how_long = f"until {until}" if until else "until you say otherwise"
    return {
        "ack": f"Quiet until it is over{gets_worse}.",
        "fixed": "Quiet unless a report about a later time has it still.",
        "mute": f"Quiet {how_long}, whatever happens.",
        "assign": "From now on the reminders go there.",
        "reopen": "You hear of it again.",
    }.get(outcome.verb, "")


def _until(outcome: AnswerOutcome, context: Context) -> str:
    """The day on which the quiet ends; empty where none is near enough to matter."""
    if outcome.until is None or outcome.until > context.now + FOR_EVER:
        return ""
    return words.day(outcome.until, context.now)


def _left_out(outcome: AnswerOutcome) -> str:
    numbers = words.listed([str(number) for number in outcome.left_out], SHOWN)
    return f"Not done for {numbers}: over, or not yours." if numbers else ""


def _not_understood(outcome: AnswerOutcome, _context: Context) -> list[str]:
    line = words.safe(outcome.first_line, 100)
    return [
        "Not understood, nothing was changed.",
        f'Your first line was: "{line}"' if line else "There was no line of yours in it.",
        words.safe(outcome.reason, 200),
    ]


def _expired(outcome: AnswerOutcome, _context: Context) -> list[str]:
    return [
        "Too late, nothing was changed.",
        "What that mail was about has been over for two weeks, so answers to it no longer count.",
        words.safe(outcome.reason, 200),
    ]


def _not_yours(outcome: AnswerOutcome, context: Context) -> list[str]:
    who = words.safe(outcome.who, 80)
    if outcome.who.lower() != context.recipient.lower():
        return [
            f"Nothing was changed: {who} answered a mail that went to you.",
            "Only you may answer it, or who answer_from in the configuration names.",
            words.safe(outcome.reason, 200),
        ]
    numbers = words.listed([str(number) for number in outcome.left_out], SHOWN)
    return [
        "Nothing was changed.",
        f"You were told of no failure with the number {numbers}." if numbers else "",
        words.safe(outcome.reason, 200),
    ]


def _nothing_open(outcome: AnswerOutcome, _context: Context) -> list[str]:
    about = _numbers(outcome) if outcome.failures else "What that mail was about"
    return [
        f"Nothing was changed: {about} is over already.",
        "If it comes back, you get a mail, and that one can be answered.",
        words.safe(outcome.reason, 200),
    ]


_HEADS = {
    "noted": _noted,
    "not-understood": _not_understood,
    "expired": _expired,
    "not-yours": _not_yours,
    "nothing-open": _nothing_open,
}

# ---------------------------------------------------------------------- the rest


def _sections(outcome: AnswerOutcome) -> tuple[Section, ...]:
    if outcome.what == "noted":
        more = len(outcome.failures) - 1
        return (section("IT HOLDS FOR", _each(outcome)),) if more else ()
    if outcome.what == "not-understood":
        return (section("WRITE ONE OF THESE, as the first line", _grammar(), para(_ONE_DOMAIN)),)
    return ()


def _each(outcome: AnswerOutcome) -> Block:
    rows = [(f"{number:>4}", words.name(domain)) for number, domain in outcome.failures[:SHOWN]]
    more = len(outcome.failures) - SHOWN
    return pairs([*rows, *([("", f"and {words.number(more)} more")] if more > 0 else [])])


_ONE_DOMAIN = (
    "A number stands for its whole cause, as far as it is yours. For one domain of it alone:"
    " failures ack with --only DOMAIN, on the server."
)


def _grammar() -> Block:
    return pairs(
        [
            ("ack", "I have it"),
            ("fixed", "it is mended"),
            ("mute 7d", "quiet for a week"),
            ("assign ADDRESS", "somebody else has it"),
            ("ack 17, 21", "only these causes; text after them is the note"),
        ]
    )


def _footer(outcome: AnswerOutcome, context: Context) -> tuple[str, ...]:
    numbers = [str(number) for number, _ in outcome.failures[:1]]
    show = [f"All about it: tlsrpt-mailer failures show {one}" for one in numbers]
    return (
        "You get this because you, or somebody for you, answered an alert.",
        *show,
        f"tlsrpt-mailer {words.safe(context.version)} on {words.safe(context.host)}",
    )
