"""`failures show ID --why`: what each report did, and why a mail was sent, or was not."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import forms, judged
from tlsrpt_mailer.cli.failure_text import reporter
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.failures.story import History, Step
from tlsrpt_mailer.failures.telling import Limits
from tlsrpt_mailer.failures.why import explain
from tlsrpt_mailer.failures.why_found import explain_finding
from tlsrpt_mailer.flows.judging import quiet_of
from tlsrpt_mailer.ports import Evidence, FailureRecord
from tlsrpt_mailer.report.times import Time, iso
from tlsrpt_mailer.store.queries import Reader

Ways = Mapping[tuple[Time, str], str]
"""(moment, who) of an act to how it was done."""
SHOWN = 3
"""So many reports in a row that did nothing are shown one by one."""
_UNDER = " " * 32
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def told(
    reader: Reader, config: Config, record: FailureRecord, now: Time
) -> tuple[list[Step], Ways]:
    """The story of a failure, and how people answered."""
    identity = record.verdict.identity
    past = reader.history(identity.domain)
    acts, mails = reader.acts(record.id), reader.mailed(record.id)
    if record.verdict.is_finding:
        return explain_finding(past.spells, acts, identity, now, mails), reader.ways(acts)
    alerts = config.alerts
    standing = wiring.standing(config)
    history = History(
        mails=mails,
        limits=Limits(
            max_age=alerts.max_age,
            min_severity=alerts.min_severity,
            group_wait=alerts.group_wait,
            began=reader.began() or 0,
        ),
        quiet=tuple(quiet_of(past, reader.maintenance(), standing.group_of)),
        mx=record.verdict.cause.mx,
    )
    known = judged.known(reader, config, {window.reporter for window in past.windows})
    return explain(past.windows, acts, known, identity, now, history), reader.ways(acts)


def lines(story: Sequence[Step], ways: Ways, now: Time) -> list[str]:
    """A line a report, with what people did and what was told in between."""
    begun = next(
        (at for at, step in enumerate(story) if step.kind != "nothing" or step.overlap), len(story)
    )
    other = any(step.window is not None and step.window.sightings for step in story[:begun])
    which = "this did not fail" if other else "nothing failed"
    found = [f"  {words.plural(begun, 'report')} before it, in which {which}"] if begun else []
    last_day = ""
    for run in _runs(story[begun:]):
        step, last = run[0], run[-1]
        day = words.day(step.at, now)
        when = f"{day if day != last_day else '':>8} {words.clock(step.at)}"
        last_day = words.day(last.at, now)
        begin = f"{when}  {_what(step):<13}  "
        if len(run) > 1:
            found.append(f"{begin}{words.plural(len(run), 'report')} up to {last_day}")
        else:
            found += _step(begin, step, ways, now)
    return found


def _runs(story: Sequence[Step]) -> list[list[Step]]:
    """Each step alone, but many reports in a row that did nothing together."""
    found: list[list[Step]] = []
    for idle, group in groupby(story, _is_idle):
        run = list(group)
        found += [run] if idle and len(run) > SHOWN else [[step] for step in run]
    return found


def _is_idle(step: Step) -> bool:
    return step.kind == "nothing" and not step.overlap


def quoted(seen: Sequence[Evidence]) -> list[str]:
    """The failure-reason-codes of each reporter that saw it, in its own words."""
    said: dict[str, dict[str, None]] = {}
    for one in seen:
        if one.failed:
            said.setdefault(one.reporter, {}).update(dict.fromkeys(text for text, _ in one.reasons))
    begin = "  in the reporters' words   "
    lines: list[str] = []
    for name, texts in said.items():
        what = ", ".join(f'"{words.safe(text)}"' for text in texts) or "no reason code"
        first = " " * len(begin) if lines else begin
        lines += words.wrap(f"{reporter(name)}: {what}", " " * len(begin), first)
    return ["", *lines] if lines else []


def form(step: Step, ways: Ways) -> forms.Form:
    """A step as JSON."""
    window, act, mail = step.window, step.act, step.mail
    return {
        "at": iso(step.at),
        "kind": step.kind if mail is None else mail.event,
        "why": step.why or None,
        "reporter": window and window.reporter,
        "report": window and window.report,
        "failed_sessions": step.failed,
        "sessions": step.sessions,
        "clean": step.clean,
        "needed": step.needed,
        "who": act and act.who,
        "way": ways.get((act.at, act.who)) if act is not None else None,
        "told": mail and mail.recipient,
        "not_told": step.untold or None,
    }


def _step(begin: str, step: Step, ways: Ways, now: Time) -> list[str]:
    if step.mail is not None:
        why = f": {words.safe(step.why, 300)}" if step.why else ""
        text = f"TOLD {words.safe(step.mail.recipient, 60)}{why}"
        first, *rest = words.wrap(text, _UNDER, " " * len(begin)) or [begin]
        return [begin + first[len(begin) :], *rest]
    notes = [_dated(step.why, now)] if step.why and step.window is not None else []
    notes += [f"not told: {step.untold}"] if step.untold else []
    under = [line for note in notes for line in words.wrap(words.safe(note), _UNDER)]
    return [(begin + _behind(step, ways, now)).rstrip(), *under]


def _dated(text: str, now: Time) -> str:
    """*text* of our own with its moments as people write them."""
    return _MOMENT.sub(lambda found: words.moment(_time(found[0]), now), text)


def _time(moment: str) -> Time:
    return int(datetime.fromisoformat(moment).timestamp())


def _what(step: Step) -> str:
    if step.mail is not None:
        return step.mail.event
    # What acquits a reporter is its last clean window that was needed.
    return step.kind if not step.clean else f"clean {step.clean} of {step.needed}"


def _behind(step: Step, ways: Ways, now: Time) -> str:
    act, window = step.act, step.window
    if act is not None:
        by_mail = ways.get((act.at, act.who), "").startswith("mail")
        whom = f" to {words.safe(act.assignee, 60)}" if act.assignee else ""
        note = f': "{words.safe(act.note, 60)}"' if act.note else ""
        return words.safe(act.who, 60) + (", by mail" if by_mail else "") + whom + note
    if window is None:
        return words.safe(_dated(step.why, now))
    about = words.window(window.start, window.end, now)
    named = f"{window.report} {reporter(window.reporter)} {about}"
    if step.failed is None and step.sessions is None:
        return named
    return (
        f"{named:<28} {words.number(step.failed or 0):>7} of {words.number(step.sessions or 0):>7}"
    )
