"""
How a failure came to the state it is in: ``failures show ID --why``.

Told as it happened: each window is judged with those that had come by then.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.failures.identity import key_of, rows_of
from tlsrpt_mailer.failures.incidents import Standing
from tlsrpt_mailer.failures.judge import judge_one
from tlsrpt_mailer.failures.model import HumanAct, Identity, Sighting, Verdict, Window
from tlsrpt_mailer.failures.timeline import Timeline, Track
from tlsrpt_mailer.failures.windows import counts_instead, effective, successes
from tlsrpt_mailer.failures.witnesses import CLEAN, Voice, clean_needed, clean_places
from tlsrpt_mailer.report.times import Time

StepKind: TypeAlias = Literal[
    "first seen",
    "seen",
    "regressed",
    "clean",
    "acquitted",
    "nothing",
    "resolved",
    "stale",
    "closed",
    "acknowledged",
    "said fixed",
    "muted",
    "assigned",
    "reopened",
]


class Step(msgspec.Struct, frozen=True):
    """One thing that happened to a failure, or that a window did to it."""

    at: Time
    """Of a window: when its mail was taken; else the moment itself."""
    kind: StepKind
    why: str
    """A plain reason, one line; "" where there is nothing to add."""
    window: Window | None = None
    """With its reporter, report number and range; None for acts and for what time did."""
    failed: int | None = None
    """Failed sessions of this failure in the window."""
    sessions: int | None = None
    """Sessions of its policy type in the window, else the successes of another type."""
    clean: int | None = None
    """Which clean window in a row it is, of *needed* that acquit its reporter."""
    needed: int | None = None
    act: HumanAct | None = None
    overlap: bool = False
    """Whether it is a window that counts for nothing, since another one overlaps it."""


_SAID: dict[str, StepKind] = {
    "ack": "acknowledged",
    "fixed": "said fixed",
    "mute": "muted",
    "assign": "assigned",
    "reopen": "reopened",
}


def explain(
    windows: Iterable[Window],
    acts: Sequence[HumanAct],
    known: Collection[str],
    identity: Identity,
    now: Time,
) -> list[Step]:
    """
    What each window did to one failure, in the order of receipt, with acts in between.

    Args:
        windows: As for `judge.judge`; those of other domains are passed over.
        acts: What people said of this failure.
        known: Reporters with standing today.
        identity: The failure.
        now: Up to when time is followed.
    """
    story = _Story(identity, frozenset(known))
    ours = (window for window in windows if window.domain == identity.domain)
    events: list[tuple[Time, int, Window | HumanAct]] = [
        *((window.received, 0, window) for window in sorted(ours, key=_by_receipt)),
        *((act.at, 1, act) for act in sorted(acts, key=_by_moment)),
    ]
    for at, _, event in sorted(events, key=_by_event):
        if at > now:
            break
        story.pass_time(at)
        if isinstance(event, Window):
            story.take(event)
        else:
            story.said(event)
    story.pass_time(now)
    return story.steps


class _Story:
    """The failure as it stood after each event."""

    def __init__(self, identity: Identity, known: frozenset[str]) -> None:
        self.steps: list[Step] = []
        self._identity = identity
        self._key = key_of(identity)
        self._known = known
        self._windows: list[Window] = []
        self._taken: set[tuple[str, Time, Time, bytes]] = set()
        self._at: Time = 0
        self._timeline: Timeline | None = None
        self._judged: tuple[Verdict, Standing] | None = None

    def take(self, window: Window) -> None:
        """One more window has come."""
        mark = (window.reporter, window.start, window.end, window.digest)
        if mark in self._taken:
            self.steps.append(_nothing(window, "the same report again"))
            return
        self._taken.add(mark)
        self._windows.append(window)
        self._at = window.received
        # Until a window fails there is nothing to judge.
        if self._timeline is None and not window.sightings:
            self.steps.append(_nothing(window, "nothing has failed yet"))
            return
        before = self._judged
        self._timeline = Timeline(self._windows, self._known)
        self._judged = judge_one(self._identity, self._timeline, (), self._at)
        if before is not None and before[0].is_open and self._judged is None:
            why = "it replaces the only report that spoke of the failure"
            self.steps.append(Step(window.received, "resolved", why, window))
            return
        step = self._step(window, self._timeline, before)
        gone = "" if step.overlap else self._overtaken(window)
        self.steps.append(
            msgspec.structs.replace(step, why="; ".join(filter(None, [gone, step.why])))
        )
        self._note_end(before)

    def _overtaken(self, window: Window) -> str:
        """Which failing reports counted until *window* came; "" where there are none."""
        ours = [one for one in self._windows if one.reporter == window.reporter]
        counted = effective(ours)
        gone = [
            str(one.report)
            for one in effective(one for one in ours if one is not window)
            if one.sightings and not any(one is other for other in counted)
        ]
        return f"counts in place of report {', '.join(gone)}" if gone else ""

    def said(self, act: HumanAct) -> None:
        """A person has said something."""
        self.steps.append(Step(act.at, _SAID[act.kind], act.note or "", act=act))

    def pass_time(self, moment: Time) -> None:
        """Let time pass up to *moment*: alone it can resolve, make stale, or close."""
        before = self._judged
        if before is not None and self._timeline is not None and before[0].is_open:
            self._judged = judge_one(self._identity, self._timeline, (), moment)
            self._note_end(before)

    def _note_end(self, before: tuple[Verdict, Standing] | None) -> None:
        if self._judged is None:
            return
        verdict, standing = self._judged
        state = "" if before is None else before[0].state
        if verdict.state == state:
            return
        if standing.settled_at is not None:
            self._end(standing.settled_at, "resolved", _who_acquitted(standing))
        if standing.stale_at is not None and state != "stale":
            why = "no reporter that saw it sends reports any more"
            self._end(standing.stale_at, "stale", why)
        if standing.closed_at is not None:
            self._end(standing.closed_at, "closed", "nobody confirmed that it is over")

    def _end(self, at: Time, kind: StepKind, why: str) -> None:
        self.steps.append(Step(max(at, self._at), kind, why))

    def _step(
        self, window: Window, timeline: Timeline, before: tuple[Verdict, Standing] | None
    ) -> Step:
        line = next(line for line in timeline.lines if line.reporter == window.reporter)
        if not any(window is counted for counted in line.windows):
            other = counts_instead(window, line.windows)
            named = "another report" if other is None else f"report {other.report}"
            why = f"{named} on the same time counts in its place"
            return msgspec.structs.replace(_nothing(window, why), overlap=True)
        for row in rows_of(window, timeline.fold):
            if (row.policy_type, row.result_type, row.mx) == self._key:
                if row.sessions:
                    return self._failing(window, row, before)
                return _nothing(window, "names no MX: counted with the failure beside it")
        return self._not_failing(window, timeline)

    def _failing(
        self, window: Window, row: Sighting, before: tuple[Verdict, Standing] | None
    ) -> Step:
        kind: StepKind = "seen"
        if before is None:
            kind = "first seen"
        elif self._judged is not None and self._judged[0].incident > before[0].incident:
            kind = "regressed"
        why = "" if window.reporter in self._known else "a reporter without standing"
        total = max(row.sessions, _total(window, row.policy_type))
        return Step(window.received, kind, why, window, row.sessions, total)

    def _not_failing(self, window: Window, timeline: Timeline) -> Step:
        if not successes(window):
            return _nothing(window, "no session worked, so it says nothing")
        voices = () if self._judged is None else self._judged[1].voices
        for voice in voices:
            if voice.line.reporter == window.reporter:
                return _clean(window, voice, timeline.tracks[self._key])
        return _nothing(window, "this reporter has not seen the failure")


def _nothing(window: Window, why: str) -> Step:
    return Step(window.received, "nothing", why, window)


def _clean(window: Window, voice: Voice, track: Track) -> Step:
    places = list(clean_places(voice.last, track))
    line = voice.line
    count = 1 + next((n for n, place in enumerate(places) if line.windows[place] is window), -1)
    if not count:
        return _nothing(window, "a later window of this reporter fails")
    if voice.acquitted_at is not None and voice.acquitted_at < window.end:
        return _nothing(window, "this reporter has acquitted already")
    needed = clean_needed(voice, track)
    why = "" if needed == CLEAN else "few sessions failed, so more clean ones are needed"
    total = _total(window, track.hits[0].row.policy_type) or successes(window)
    kind: StepKind = "acquitted" if voice.acquitted_at == window.end else "clean"
    return Step(window.received, kind, why, window, 0, total, count, needed)


def _total(window: Window, policy_type: str) -> int:
    """All sessions of one policy type in a window."""
    return sum(
        counts.successful + counts.failed
        for counts in window.sessions
        if counts.policy_type == policy_type
    )


def _who_acquitted(standing: Standing) -> str:
    names = sorted(voice.line.reporter for voice in standing.say if voice.acquitted_at is not None)
    silent = len(standing.say) - len(names)
    text = "acquitted by " + ", ".join(names)
    return text if not silent else f"{text}; {silent} more have no say any longer"


def _by_receipt(window: Window) -> tuple[Time, Time, Time, str, bytes]:
    return window.received, window.start, window.end, window.reporter, window.digest


def _by_moment(act: HumanAct) -> tuple[Time, str, str]:
    return act.at, act.kind, act.who


def _by_event(event: tuple[Time, int, Window | HumanAct]) -> tuple[Time, int]:
    return event[0], event[1]
