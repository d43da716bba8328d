"""
How a failure came to the state it is in: ``failures show ID --why``.

Told as it happened: each window is judged with those that had come by then.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from tlsrpt_mailer.failures.identity import key_of, rows_of
from tlsrpt_mailer.failures.incidents import Standing
from tlsrpt_mailer.failures.judge import judge_one
from tlsrpt_mailer.failures.model import HumanAct, Identity, Verdict, Window
from tlsrpt_mailer.failures.story import (
    SAID,
    History,
    Step,
    StepKind,
    clean,
    nothing,
    who_acquitted,
)
from tlsrpt_mailer.failures.telling import NEWS, Mailed, follows, why_not, why_told
from tlsrpt_mailer.failures.timeline import Hit, Timeline
from tlsrpt_mailer.failures.windows import counts_instead, effective, successes
from tlsrpt_mailer.report.times import Span, Time


def explain(
    windows: Iterable[Window],
    acts: Sequence[HumanAct],
    known: Collection[str],
    identity: Identity,
    now: Time,
    history: History | None = None,
) -> list[Step]:
    """
    What each window did to one failure, in the order of receipt, with acts and mails in between.

    Args:
        windows: As for `judge.judge`; those of other domains are passed over.
        acts: What people said of this failure.
        known: Reporters with standing today.
        identity: The failure.
        now: Up to when time is followed.
        history: What was mailed, and what else bears on the failure.
    """
    history = history or History()
    story = _Story(identity, frozenset(known), acts, history)
    ours = (window for window in windows if window.domain == identity.domain)
    events: list[tuple[Time, int, Window | HumanAct | Mailed]] = [
        *((window.received, 0, window) for window in sorted(ours, key=_by_receipt)),
        *((act.at, 1, act) for act in sorted(acts, key=_by_moment)),
        *((mail.at, 2, mail) for mail in history.mails),
    ]
    for at, _, event in sorted(events, key=_by_event):
        if at > now:
            break
        story.pass_time(at)
        if isinstance(event, Window):
            story.take(event)
        elif isinstance(event, HumanAct):
            story.said(event)
        else:
            story.mailed(event)
    story.pass_time(now)
    return story.steps


class _Story:
    """The failure as it stood after each event."""

    def __init__(
        self,
        identity: Identity,
        known: frozenset[str],
        acts: Sequence[HumanAct],
        history: History,
    ) -> None:
        self.steps: list[Step] = []
        self._identity = identity
        self._key = key_of(identity)
        self._known = known
        self._acts = acts
        self._history = history
        self._told: dict[str, str] = {}
        """Recipient to the event last told."""
        self._steps_told: dict[str, tuple[str, ...]] = {}
        self._windows: list[Window] = []
        self._taken: set[tuple[str, Time, Time, bytes]] = set()
        self._at: Time = 0
        self._timeline: Timeline | None = None
        self._judged: tuple[Verdict, Standing] | None = None

    def take(self, window: Window) -> None:
        """One more window has come."""
        mark = (window.reporter, window.start, window.end, window.digest)
        if mark in self._taken:
            self.steps.append(nothing(window, "the same report again"))
            return
        self._taken.add(mark)
        self._windows.append(window)
        self._at = window.received
        # Until a window fails there is nothing to judge.
        if self._timeline is None and not window.sightings:
            self.steps.append(nothing(window, "nothing has failed yet"))
            return
        before = self._judged
        self._timeline = Timeline(self._windows, self._known, self._history.quiet)
        self._judged = self._judge(self._timeline, self._at)
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
        self.steps.append(Step(act.at, SAID[act.kind], act.note or "", act=act))

    def pass_time(self, moment: Time) -> None:
        """Let time pass up to *moment*: alone it can resolve, make stale, or close."""
        before = self._judged
        if before is not None and self._timeline is not None and before[0].is_open:
            self._judged = self._judge(self._timeline, moment)
            self._note_end(before)

    def mailed(self, mail: Mailed) -> None:
        """A mail went out that names it."""
        why = ""
        if self._judged is not None:
            verdict = self._judged[0]
            before = self._steps_told.get(mail.recipient, ())
            why = why_told(mail, verdict, before, self._known_for(mail.at))
            self._steps_told[mail.recipient] = verdict.steps
        if mail.event in NEWS or mail.event == "resolved":
            self._told[mail.recipient] = mail.event
        self.steps.append(Step(mail.at, "told", why, mail=mail))

    def _known_for(self, at: Time) -> dict[str, Span]:
        """For how long each reporter with standing has reported, as far as windows are kept."""
        first: dict[str, Time] = {}
        for window in self._windows:
            if window.reporter in self._known:
                start = first.get(window.reporter, window.start)
                first[window.reporter] = min(start, window.start)
        return {reporter: at - start for reporter, start in first.items()}

    def _judge(self, timeline: Timeline, moment: Time) -> tuple[Verdict, Standing] | None:
        # Acts after the moment are not made yet: the judge passes them over.
        return judge_one(self._identity, timeline, self._acts, moment, self._history.mx)

    def _note_end(self, before: tuple[Verdict, Standing] | None) -> None:
        if self._judged is None:
            return
        verdict, standing = self._judged
        state = "" if before is None else before[0].state
        if verdict.state == state:
            return
        if standing.settled_at is not None:
            self._end(standing.settled_at, "resolved", who_acquitted(standing))
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
            return msgspec.structs.replace(nothing(window, why), overlap=True)
        for row in rows_of(window, timeline.fold.of(known=line.known)):
            if (row.policy_type, row.result_type, row.mx) == self._key:
                if row.sessions and self._judged is not None:
                    hits = timeline.tracks[self._key].hits
                    hit = next(hit for hit in hits if hit.window is window)
                    return self._failing(hit, self._judged[0], before and before[0])
                return nothing(window, "names no MX: counted with the failure beside it")
        return self._not_failing(window, timeline)

    def _failing(self, hit: Hit, verdict: Verdict, before: Verdict | None) -> Step:
        window = hit.window
        kind: StepKind = "seen"
        if before is None:
            kind = "first seen"
        elif verdict.incident > before.incident:
            kind = "regressed"
        why = "" if hit.line.known else "a reporter without standing"
        step = Step(window.received, kind, why, window, hit.failed, hit.sessions)
        if follows(self._history.mails, window.received, self._history.limits):
            return step
        seen = () if before is None else (one.reporter for one in before.witnesses)
        untold = why_not(
            verdict,
            hit,
            self._told.values(),
            window.received,
            self._history.limits,
            first=window.reporter not in seen,
        )
        return msgspec.structs.replace(step, untold=untold)

    def _not_failing(self, window: Window, timeline: Timeline) -> Step:
        if not successes(window):
            return nothing(window, "no session worked, so it says nothing")
        voices = () if self._judged is None else self._judged[1].voices
        for voice in voices:
            if voice.line.reporter == window.reporter:
                return clean(window, voice, timeline.tracks[self._key])
        return nothing(window, "this reporter has not seen the failure")


def _by_receipt(window: Window) -> tuple[Time, Time, Time, str, bytes]:
    return window.received, window.start, window.end, window.reporter, window.digest


def _by_moment(act: HumanAct) -> tuple[Time, str, str]:
    return act.at, act.kind, act.who


def _by_event(event: tuple[Time, int, Window | HumanAct | Mailed]) -> tuple[Time, int]:
    return event[0], event[1]
