"""What people said of one failure, what they were told, and which others share its cause."""

from collections.abc import Iterator, Sequence

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.failures.model import FOREVER, Answer, Verdict
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.ports import FailureRecord, Told
from tlsrpt_mailer.report.times import Time

MAILS = 20
"""So many mails stand with a failure."""
OTHERS = 10
"""How many other failures of its cause are named with one."""


def others(record: FailureRecord, rest: Sequence[FailureRecord], total: int) -> list[str]:
    """The other failures of the cause: number, domain, and whether it is over."""
    named = [
        f"{one.id} {words.name(one.verdict.identity.domain)}"
        f"{'' if one.verdict.is_open else ' (over)'}"
        for one in rest[:OTHERS]
    ]
    more = total - 1 - len(named)
    text = ", ".join(named) + (f" and {words.number(more)} more" if more > 0 else "")
    intro = f"one of {total} failures of cause {record.cause}; the others: "
    return words.wrap(intro + text, "      ", "    ")


def said(verdict: Verdict, now: Time) -> Iterator[str]:
    """Who answered and who has it, with the notes, and until when it is muted."""
    if verdict.answer is not None:
        yield from _said("answered", _answer(verdict, verdict.answer, now), verdict.answer.note)
    if verdict.assigned is not None:
        yield from _said("assigned", _assigned(verdict.assigned, now), verdict.assigned.note)
    if verdict.muted_until is not None:
        end = "until: tlsrpt-mailer failures reopen"
        if verdict.muted_until != FOREVER:
            end = f"until {words.moment(verdict.muted_until, now)}"
        yield from _said("muted", end, None)


def _said(label: str, text: str, note: str | None) -> list[str]:
    noted = f'{text}: "{words.safe(note)}"' if note else text
    return words.wrap(noted, " " * 13, f"  {label:<11}")


def _answer(verdict: Verdict, answer: Answer, now: Time) -> str:
    text = f"{answer.kind} by {words.safe(answer.who, 80)}, {words.moment(answer.at, now)}"
    if answer.kind == "fixed":
        return text
    if verdict.acknowledged_by is None:
        return f"{text}; no longer holds"
    until = verdict.acknowledged_until
    return text if until is None else f"{text}, until {words.moment(until, now)}"


def _assigned(assigned: Answer, now: Time) -> str:
    to, who = words.safe(assigned.assignee or "", 80), words.safe(assigned.who, 80)
    return f"to {to} by {who}, {words.moment(assigned.at, now)}"


def told(rows: Sequence[Told], mails: Sequence[Mailed], now: Time) -> list[str]:
    """
    Who was told what: every mail that named it, the last ones where there were many.

    Args:
        rows: What each recipient was told last; it is known for longer than the mails are.
        mails: Those that are kept.
    """
    kept = {mail.recipient for mail in mails}
    said = [(one.at, one.recipient, one.event) for one in rows if one.recipient not in kept]
    said += [(mail.at, mail.recipient, _event(mail)) for mail in mails]
    said.sort(key=lambda one: one[0])
    lines = [
        f"  {words.safe(recipient, 60)}: {event}, {words.moment(at, now)}"
        for at, recipient, event in said[-MAILS:]
    ]
    earlier = len(said) - len(lines)
    before = [f"  {words.plural(earlier, 'mail')} before these"] if earlier else []
    return ["", "TOLD", *(before + lines or ["  nobody yet"])]


def _event(mail: Mailed) -> str:
    """What it said, and in what kind of mail where that is another thing."""
    other = mail.kind and mail.kind != mail.event
    return words.safe(f"{mail.event} ({mail.kind})" if other else mail.event, 60)
