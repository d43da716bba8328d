"""What is said of a failure that got worse, or that was said to be mended and is not."""

from collections.abc import Iterable

from tlsrpt_mailer.alerts import effects, opening, said, words
from tlsrpt_mailer.alerts.about import domains
from tlsrpt_mailer.alerts.catalogue import reason
from tlsrpt_mailer.alerts.model import Context, Evidence, Group, Item, Transition

REFUTED = "not-fixed-"
SHARE = "share-"
REASON = "reason-"
ORDER = ("severity-critical", "enforce", "share-50", "share-10", "share-1", "reason-", "reporters")
"""The steps, by what they mean for mail: of several new ones the first is named."""

_ENDINGS = {"severity-critical": ", now critical", "enforce": ", now under enforce"}
_WHYS = {
    "severity-critical": "mail is held up because of it now",
    "enforce": 'the policy went from "testing" to "enforce"',
}


def head(group: Group, context: Context) -> list[str]:
    """That it is worse, how much, why that is a mail, and what has become of the answer."""
    first, *rest = opening.news(group, context)
    row, step = _worst_step(group)
    return [
        opening.prefixed("It is worse", first),
        *rest[:2],
        f"Why you hear of it again: {_where(group, row)}{_why(row.item, step, row, context)}.",
        said.lifted(row, context),
        *rest[2:],
    ]


def ending(group: Group) -> str:
    """What a subject says after the failure's name: ``, now 62 %``; empty for most steps."""
    row, step = _worst_step(group)
    if step in _ENDINGS:
        return _ENDINGS[step]
    if step.startswith(REASON) and (known := reason(step.removeprefix(REASON))) and known.short:
        return f", also: {known.short}"
    found = _passing(row.item, step)
    return f", now {words.share(found.failed, found.sessions)}" if found else ""


def new_steps(row: Transition) -> list[str]:
    """The steps of the failure that the recipient was not told of."""
    told = row.before.steps if row.before is not None else ()
    return [step for step in row.item.steps if step not in told]


def _worst_step(group: Group) -> tuple[Transition, str]:
    """The transition and the step that the mail gives as its reason; "" where none is new."""
    found = [
        (_rank(step), row.item.failure, row, step)
        for row in group.transitions
        for step in new_steps(row)
        if not step.startswith(REFUTED)
    ]
    if not found:
        return group.transitions[0], ""
    _, _, row, step = min(found, key=lambda one: one[:2])
    return row, step


def _rank(step: str) -> int:
    return next((at for at, start in enumerate(ORDER) if step.startswith(start)), len(ORDER))


def _where(group: Group, row: Transition) -> str:
    many = len(domains(group.items)) > 1
    return f"at {words.name(row.item.domain)} " if many else ""


def _why(item: Item, step: str, row: Transition, context: Context) -> str:
    if step.startswith(SHARE):
        percent = step.removeprefix(SHARE)
        return f"the share passed {percent} %{_days(item, step, context)}"
    if step in _WHYS:
        return _WHYS[step]
    if step.startswith(REASON):
        return _other_cause(row, step)
    if step == "reporters":
        return f"a second reporter sees it{_who(item)}"
    return "it has got worse since you were told"


# ------------------------------------------------------------------------- share


def _passing(item: Item, step: str) -> Evidence | None:
    """The first window of the incident with the share that *step* names, where it is at hand."""
    if not step.startswith(SHARE):
        return None
    percent = int(step.removeprefix(SHARE))
    windows = [
        row
        for row in effects.failing(item)
        if row.start >= item.first_seen and 100 * row.failed >= percent * row.sessions
        # As few as make a step, see docs/explanation/what-counts-as-new.md.
        if row.sessions >= 20 and row.failed >= 3
    ]
    return min(windows, key=lambda row: (row.start, row.end, row.reporter), default=None)


def _days(item: Item, step: str, context: Context) -> str:
    """`` (16 Oct: 31 %, 17 Oct: 62 %)``: the same reporter's day before, and that day."""
    passed = _passing(item, step)
    if passed is None:
        return ""
    earlier = [
        row
        for row in item.evidence
        if row.reporter == passed.reporter and row.end <= passed.start and row.sessions
    ]
    shown = [max(earlier, key=lambda row: row.end)] if earlier else []
    return f" ({', '.join(_share(row, context) for row in [*shown, passed])})"


def _share(row: Evidence, context: Context) -> str:
    day = words.window(row.start, row.end, context.now)
    return f"{day}: {words.share(row.failed, row.sessions)}"


# ------------------------------------------------------------ causes, reporters


def _other_cause(row: Transition, step: str) -> str:
    before = row.before.steps if row.before is not None else ()
    known = [_class(one) for one in before if one.startswith(REASON)]
    so_far = f"so far: {words.listed(known)}" if known else "so far none was given"
    return f"another cause is reported for it ({so_far}; new: {_class(step)})"


def _class(step: str) -> str:
    kind = step.removeprefix(REASON)
    found = reason(kind)
    return (found.short if found else "") or words.safe(kind.replace("-", " "), 40)


def _who(item: Item) -> str:
    names = dict.fromkeys(row.reporter for row in effects.failing(item))
    return f" ({words.listed([words.safe(name, 30) for name in names])})" if names else ""


# --------------------------------------------------------------------- not fixed


def refuted_head(group: Group, context: Context) -> list[str]:
    """That it is not mended, who said so when, and which later report still has it."""
    first, *rest = opening.news(group, context)
    row = _refuted(group.transitions)
    return [
        opening.prefixed("It is not mended", first),
        *rest[:2],
        f"{_whose(group, row)}{_refutation(row, context)}",
        *rest[2:],
    ]


def _whose(group: Group, row: Transition) -> str:
    return f"{words.name(row.item.domain)}: " if len(domains(group.items)) > 1 else ""


def _refuted(rows: Iterable[Transition]) -> Transition:
    found = list(rows)
    return next((row for row in found if _said_at(row) is not None), found[0])


def _said_at(row: Transition) -> int | None:
    """When "fixed" was said, of which the recipient has not heard that it was wrong."""
    steps = [*new_steps(row), *row.item.steps]
    times = [step.removeprefix(REFUTED) for step in steps if step.startswith(REFUTED)]
    return next((int(time) for time in times if time.isdecimal()), None)


def _refutation(row: Transition, context: Context) -> str:
    answer = row.item.answer
    moment = _said_at(row)
    if answer is not None and answer.kind == "fixed":
        who, moment = said.by(answer), said.mended_at(answer)
    else:
        who = "Somebody"
    when = f" on {words.moment(moment, context.now)}" if moment is not None else ""
    if row.item.is_finding:
        last = words.moment(row.item.last_seen, context.now)
        return f'{who} said "fixed"{when}, but the look of {last} still finds it.'
    later = [one for one in effects.failing(row.item) if moment is None or one.start >= moment]
    if not later:
        return f'{who} said "fixed"{when}, but a report about a later time still has it.'
    newest = later[0]
    about = words.window(newest.start, newest.end, context.now)
    return (
        f'{who} said "fixed"{when}, but the report of {words.safe(newest.reporter, 30)} about'
        f" {about}, which began after that, still has it."
    )
