"""What people have said of a failure, for every mail that refers to it."""

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.model import Answer, Context, Item, Transition
from tlsrpt_mailer.alerts.unanswered import lapsed_at
from tlsrpt_mailer.report.times import Time

HOLDS = frozenset({"acknowledged", "fixed?"})
"""The states in which the last answer still holds."""


def by(answer: Answer) -> str:
    """Who said it; an address, or a login name."""
    return words.safe(answer.who, 80)


def quoted(answer: Answer) -> str:
    """``: "renewing now"``, or nothing."""
    return f': "{words.safe(answer.note, 160)}"' if answer.note else ""


def mended_at(answer: Answer) -> Time:
    """The moment at which it was mended, by what the person said."""
    return answer.at if answer.until is None else answer.until


def told_at(row: Transition) -> Time | None:
    """When the recipient first heard of the incident that *row* tells the end of."""
    before = row.before
    if before is None:
        return None
    if before.first_at is not None:
        return before.first_at
    return before.opened_at if before.opened_at is not None else before.at


def called(item: Item, context: Context) -> list[str]:
    """Why it comes to somebody who is not its owner: nobody answered, or it was assigned."""
    if item.role == "escalation":
        of = f" of {words.safe(item.role_of, 60)}" if item.role_of else ""
        asked = item.asked_at
        since = f" since {words.moment(asked, context.now)}" if asked is not None else ""
        return [f"Nobody{of} has answered{since}: so it comes to you."]
    given = item.assigned
    if item.role == "assigned" and given is not None:
        at = words.moment(given.at, context.now)
        return [f"{by(given)} assigned it to you on {at}{quoted(given)}."]
    return []


def lifted(row: Transition, context: Context) -> str:
    """What has become of the last answer; that there was none."""
    answer = row.item.answer
    if answer is None:
        given = row.item.assigned
        has = words.safe(given.assignee, 80) if given and given.assignee else ""
        return f"It is assigned to {has}." if has else "Nobody has answered for it yet."
    whose = "Your" if answer.who.lower() == context.recipient.lower() else "The"
    of = "" if whose == "Your" else f" of {by(answer)}"
    at = words.moment(answer.at, context.now)
    if row.item.state in HOLDS:
        return f'{whose} "{answer.kind}"{of} ({at}) still holds.'
    until = lapsed_at(row.item, context.now)
    if until is not None:
        ended = words.moment(until, context.now)
        return f'{whose} "ack"{of} ({at}) ran out on {ended}; answer again to renew it.'
    return f'{whose} "{answer.kind}"{of} ({at}) is lifted by this; answer again to renew it.'
