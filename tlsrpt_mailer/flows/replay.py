"""
Which alerts some rules would have sent over the stored history; nothing is sent or written.

The windows are taken in the order of their receipt, and judge, routing and planning are those
of the daemon, over a memory in place of the store. What was open when the replay begins counts
as told. Where the daemon looks every few seconds, this looks when something of a domain comes
in, when `group_wait` is over, and every hour.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

import msgspec

from tlsrpt_mailer.failures.judge import judge
from tlsrpt_mailer.failures.model import Verdict, Window
from tlsrpt_mailer.flows.compose import Audience, compose_in, settings_at
from tlsrpt_mailer.flows.judging import Standing, acts_of, quiet_of
from tlsrpt_mailer.flows.recollection import Recollection
from tlsrpt_mailer.ports import History, Letter, Maintenance
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

REVIEW: Span = 6 * HOUR
"""How often time alone is judged: an ack that lapses, a reporter that has fallen silent."""
EVER: Span = 10_000 * DAY


class Recorded(msgspec.Struct, frozen=True):
    """What the store knows of the domains in which something ever failed."""

    histories: Sequence[History]
    established: Mapping[str, Time]
    """Reporters that have gained standing by what they reported, and when."""
    maintenance: Sequence[Maintenance] = ()


def as_sent(recorded: Recorded) -> Recorded:
    """
    The same as if each report had come when its mail was sent.

    For mailboxes that were imported: their reports all came in one hour. No report is taken
    before its window was over, whatever its Date header says.
    """
    return msgspec.structs.replace(
        recorded,
        histories=[
            msgspec.structs.replace(one, windows=tuple(map(_as_sent, one.windows)))
            for one in recorded.histories
        ],
    )


def _as_sent(window: Window) -> Window:
    sent = min(window.received, max(window.date, window.end))
    return msgspec.structs.replace(window, received=sent)


class Sent(msgspec.Struct, frozen=True):
    """One alert that would have gone out."""

    at: Time
    recipient: str
    event: str
    subject: str
    failures: tuple[int, ...]


class Judged(msgspec.Struct, frozen=True):
    """What the judge said of some domains at one moment."""

    at: Time
    verdicts: Mapping[str, Sequence[Verdict]]


def judged(recorded: Recorded, standing: Standing, since: Time, until: Time) -> list[Judged]:
    """
    The verdicts as they came to be, the first of them all that was known at *since*.

    The rules on who is told play no part in it, so several can be tried on one.
    """
    lines = {one.domain: _Line(one, recorded, standing) for one in recorded.histories}
    found = [Judged(since, {name: line.judge(since) for name, line in lines.items()})]
    # Arrivals are put together by the minute; a domain of which nothing is open is not looked
    # at again until something fails.
    due = [(at, name) for name, line in lines.items() for at in line.arrivals(since, until)]
    due += [(at, name) for name in lines for at in range(since + REVIEW, until, REVIEW)]
    heapify(due)
    while due:
        at = due[0][0]
        verdicts = {}
        while due and due[0][0] == at:
            name = heappop(due)[1]
            if name not in verdicts and lines[name].is_worth_it(at):
                verdicts[name] = lines[name].judge(at)
        if verdicts:
            found.append(Judged(at, verdicts))
    return found


class _Line:
    """One domain, as time goes on."""

    def __init__(self, history: History, recorded: Recorded, standing: Standing) -> None:
        self._history = history
        self._recorded = recorded
        self._standing = standing
        self._windows = sorted(history.windows, key=lambda one: (one.received, one.report))
        self._acts = acts_of(history)
        self._known = 0
        self._is_open = False

    def arrivals(self, since: Time, until: Time) -> Iterator[Time]:
        """When something of it came in, rounded up to the minute."""
        minutes = {-(-one.received // MINUTE) * MINUTE for one in self._windows}
        return (at for at in sorted(minutes) if since < at <= until)

    def is_worth_it(self, now: Time) -> bool:
        """Whether a judgement could say anything new."""
        return self._is_open or any(one.sightings for one in self._new(now))

    def _new(self, now: Time) -> Iterator[Window]:
        for window in self._windows[self._known :]:
            if window.received > now:
                return
            yield window

    def judge(self, now: Time) -> list[Verdict]:
        """What is to be said by what had come, and was known of reporters and people, by *now*."""
        self._known += len(list(self._new(now)))
        windows = self._windows[: self._known]
        names = {window.reporter for window in windows}
        established = {name for name, at in self._recorded.established.items() if at <= now}
        acts = {
            identity: [act for act in said if act.at <= now]
            for identity, said in self._acts.items()
        }
        planned = [one for one in self._recorded.maintenance if one.made_at <= now]
        past = msgspec.structs.replace(self._history, windows=tuple(windows))
        quiet = {past.domain: quiet_of(past, planned, self._standing.group_of)}
        verdicts = judge(windows, acts, self._standing.known(names, established), now, quiet)
        self._is_open = any(verdict.is_open for verdict in verdicts)
        return verdicts


def replay(
    recorded: Recorded, said: Iterable[Judged], audience: Audience, until: Time
) -> list[Sent]:
    """
    The alerts that *audience* would have been sent on what the judge *said*, in order of time.

    Args:
        said: What `judged` found; the first is what counts as told.
        until: Where the replay ends.
    """
    first, *rest = said
    quiet = msgspec.structs.replace(audience, new_token=None, reply_to=None)
    memory = Recollection(recorded.histories, recorded.maintenance)
    memory.learn(first.verdicts, first.at)
    _begin(memory, quiet, first.at)
    found: list[Sent] = []
    for at in _moments(memory, rest, quiet, first.at, until):
        found += [_sent(letter, at) for letter in _compose(memory, quiet, at)]
    return found


def _begin(memory: Recollection, audience: Audience, since: Time) -> None:
    """Note what is open as told, without a word."""
    settings = msgspec.structs.replace(audience.settings, max_age=EVER, max_per_hour=EVER)
    silent = msgspec.structs.replace(audience, settings=settings)
    _compose(memory, silent, since, close_groups=True)
    memory.forget_letters()


def _moments(
    memory: Recollection, said: Sequence[Judged], audience: Audience, since: Time, until: Time
) -> Iterator[Time]:
    """When to look whether something is due; *memory* has learned what was said by then."""
    wait = audience.settings.group_wait
    always = {*range(since - since % HOUR + HOUR, until, HOUR), until}
    due = [*always, *(one.at for one in said)]
    heapify(due)
    place = 0
    while due:
        at = heappop(due)
        while due and due[0] == at:
            heappop(due)
        is_news = False
        while place < len(said) and said[place].at <= at:
            if memory.learn(said[place].verdicts, said[place].at):
                is_news = True
                always.add(at + wait)
                heappush(due, at + wait)
            place += 1
        if memory.has_anything and at <= until and (is_news or at in always):
            yield at


def _compose(
    memory: Recollection, audience: Audience, now: Time, *, close_groups: bool = False
) -> list[Letter]:
    settings = settings_at(audience, now, close_groups=close_groups)
    memory.look_at(audience, now)
    letters: list[Letter] = []
    while True:
        found, is_all = compose_in(memory, audience, settings)
        letters += found
        if is_all:
            return letters


def _sent(letter: Letter, at: Time) -> Sent:
    failures = tuple(row.failure for row in letter.told) or letter.failures
    return Sent(at, letter.recipient, letter.event, letter.subject, failures)


def is_same_judgement(one: Standing, other: Standing, domains: Iterable[str]) -> bool:
    """Whether the judge says the same by both, so that it need be asked only once."""
    return one.configured == other.configured and all(
        one.group_of(name) == other.group_of(name) for name in domains
    )
