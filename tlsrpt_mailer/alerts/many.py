"""Mails about many causes at once: the summary of an old mailbox, and the flood."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import about, asking, words
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.document import Document, Section, code, para, section
from tlsrpt_mailer.alerts.listing import by_cause, explained, held_up, listing, size
from tlsrpt_mailer.alerts.model import Backlog, Context, Group, Transition
from tlsrpt_mailer.report.times import HOUR

EXPLAINED = 10


def summary(group: Group, context: Context) -> Document:
    """What is open after an old mailbox was read, each cause explained once."""
    causes = by_cause(group.transitions)
    verb = "is" if len(group.items) == 1 else "are"
    return Document(
        label=about.severity(group.items),
        head=(
            held_up(group.items),
            f"{size(group.items)} {verb} open.",
            "Most began longer ago, so this one mail tells them all.",
        ),
        sections=(
            listing("OPEN, worst first", causes, context),
            *_read(context.backlog, context),
            *explained(causes[:EXPLAINED], context),
            *unexplained(causes),
            *asking.answer(group, context),
            section(
                "WHAT COMES NEXT",
                para(
                    "From now on you hear of what is new, what gets worse, what comes back and"
                    " what is over.",
                    "What was over before: tlsrpt-mailer failures --all",
                ),
            ),
        ),
        footer=(),
    )


def _read(read: Backlog | None, context: Context) -> list[Section]:
    """How much was read, and what of it is told nowhere."""
    if read is None:
        return []
    span = words.days(read.first, read.last, context.now)
    what = (
        f"{words.plural(read.reports, 'report')} of {words.plural(read.reporters, 'reporter')}"
        f" on {words.plural(read.domains, 'domain')}, {span}."
    )
    over = "What began and ended in that time is not told one by one."
    if read.ended:
        count = words.plural(read.ended, "failure")
        over = f"{count} began and ended in that time. They are not told one by one."
    return [section("READ", para(what, over))]


def flood(group: Group, context: Context) -> Document:
    """All that the cap held back, one line a cause."""
    began = context.now - context.now % HOUR
    limit = f"{words.plural(context.max_per_hour, 'alert')} went to you since {words.clock(began)}"
    return Document(
        label=about.severity(group.items),
        head=(
            held_up(group.items),
            f"{limit}: that is the limit. This is the rest.",
            f"{size(group.items)}{_ended(group)}.",
        ),
        sections=(
            listing("BY CAUSE, worst first", by_cause(group.transitions), context),
            *asking.answer(group, context),
            section(
                "WHAT COMES NEXT",
                para(
                    f"Nothing is lost: tlsrpt-mailer failures. The next alert can come after"
                    f" {words.clock(began + HOUR)}.",
                    "What one is and how to mend it: tlsrpt-mailer failures show NUMBER",
                ),
            ),
        ),
        footer=(),
    )


def _ended(group: Group) -> str:
    over = sum(not item.is_open for item in group.items)
    return f"; {words.number(over)} of them over" if over else ""


def unexplained(causes: Sequence[Sequence[Transition]]) -> list[Section]:
    """How to learn more of what *causes* has beyond those that are explained."""
    rest = causes[EXPLAINED:]
    if not rest:
        return []
    types = dict.fromkeys(words.safe(rows[0].item.result_type, 60) for rows in rest)
    text = f"{words.plural(len(rest), 'more cause')}: tlsrpt-mailer failures show NUMBER"
    lines = [f"tlsrpt-mailer explain {name}" for name in types if entry(name).is_known]
    return [section("THE OTHERS", para(text), code(lines))]
