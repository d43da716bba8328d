"""
The judge: from windows, acts and the time to a verdict on every failure.

A pure function of the set of windows: their order and repeats change nothing.
The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from tlsrpt_mailer.failures.acts import Said, as_answer, said
from tlsrpt_mailer.failures.identity import Key, cause_of, key_of
from tlsrpt_mailer.failures.incidents import Incident, Standing, incidents
from tlsrpt_mailer.failures.model import (
    Cause,
    HumanAct,
    Identity,
    Previous,
    Quiet,
    State,
    Verdict,
    Window,
    Witness,
)
from tlsrpt_mailer.failures.severity import mode_of, severity
from tlsrpt_mailer.failures.steps import refutations, steps_of
from tlsrpt_mailer.failures.timeline import Hit, Line, Timeline, Track
from tlsrpt_mailer.failures.witnesses import Voice, clean_places, counting, heard
from tlsrpt_mailer.report.times import Time


def judge(
    windows: Iterable[Window],
    acts: Mapping[Identity, Sequence[HumanAct]],
    known: Collection[str],
    now: Time,
    quiet: Mapping[str, Sequence[Quiet]] | None = None,
) -> list[Verdict]:
    """
    Judge every failure that these windows show; ordered by identity.

    Args:
        windows: All that counts of one domain or of several, in any order; revisions that
            overlap are sorted out here. Domains have nothing to do with each other.
        acts: What people have said, by failure.
        known: Reporters with standing (`standing.known`).
        now: The moment of judgement; it moves failures along (stale, closed, an ack that
            lapses), but `resolved_at` is always the end of a window.
        quiet: Planned maintenance, by domain.
    """
    by_domain: dict[str, list[Window]] = {}
    for window in windows:
        by_domain.setdefault(window.domain, []).append(window)
    standing = frozenset(known)
    verdicts: list[Verdict] = []
    for domain in sorted(by_domain):
        if any(window.sightings for window in by_domain[domain]):
            timeline = Timeline(by_domain[domain], standing, (quiet or {}).get(domain, ()))
            verdicts.extend(_judge_domain(domain, timeline, acts, now))
    return verdicts


def judge_one(
    identity: Identity,
    timeline: Timeline,
    acts: Sequence[HumanAct],
    now: Time,
    mx: str | None = None,
) -> tuple[Verdict, Standing] | None:
    """
    One failure alone, its cause left to itself; None where no window shows it.

    *mx* is that of its cause, for a failure without one: maintenance there makes it quiet.
    """
    track = timeline.tracks.get(key_of(identity))
    return None if track is None else _verdict(identity, track, timeline, acts, now, mx)


def _judge_domain(
    domain: str, timeline: Timeline, acts: Mapping[Identity, Sequence[HumanAct]], now: Time
) -> list[Verdict]:
    verdicts = []
    for key in sorted(timeline.tracks, key=_order):
        identity = Identity(domain, *key)
        track = timeline.tracks[key]
        verdicts.append(_verdict(identity, track, timeline, acts.get(identity, ()), now)[0])
    joined = _with_causes(verdicts)
    return [_as_at_cause(verdict, timeline, acts, now) for verdict in joined]


def _as_at_cause(
    verdict: Verdict, timeline: Timeline, acts: Mapping[Identity, Sequence[HumanAct]], now: Time
) -> Verdict:
    """A failure without an MX is quiet when the MX of its cause is."""
    identity, mx = verdict.identity, verdict.cause.mx
    if mx is None or mx == identity.mx or all(one.mx != mx for one in timeline.quiet):
        return verdict
    track = timeline.tracks[key_of(identity)]
    anew, _ = _verdict(identity, track, timeline, acts.get(identity, ()), now, mx)
    return msgspec.structs.replace(anew, cause=verdict.cause)


def _order(key: Key) -> tuple[str, str, str]:
    return key[0], key[1], key[2] or ""


def _with_causes(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """A failure without an MX joins the only MX that failed alike at the same time."""
    hosts: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.identity.mx is not None:
            hosts.setdefault(verdict.identity.result_type, []).append(verdict)
    return [
        verdict
        if verdict.identity.mx is not None
        else msgspec.structs.replace(verdict, cause=_cause(verdict, hosts))
        for verdict in verdicts
    ]


def _cause(verdict: Verdict, hosts: Mapping[str, Sequence[Verdict]]) -> Cause:
    alike = hosts.get(verdict.identity.result_type, ())
    if _is_believed(verdict):
        # An MX that only a stranger names is no cause of what others saw.
        alike = [other for other in alike if _is_believed(other)]
    return cause_of(verdict.identity, [other.identity for other in alike if _met(verdict, other)])


def _is_believed(verdict: Verdict) -> bool:
    return any(witness.known for witness in verdict.witnesses)


def _met(one: Verdict, other: Verdict) -> bool:
    return _was_open_after(one, other.first_seen) and _was_open_after(other, one.first_seen)


def _was_open_after(verdict: Verdict, moment: Time) -> bool:
    ended = verdict.closed_at if verdict.resolved_at is None else verdict.resolved_at
    return ended is None or ended > moment


def _verdict(
    identity: Identity,
    track: Track,
    timeline: Timeline,
    acts: Sequence[HumanAct],
    now: Time,
    mx: str | None = None,
) -> tuple[Verdict, Standing]:
    if timeline.quiet:
        track.mark(timeline.quiet, mx or identity.mx)
    *earlier, incident = incidents(track)
    last_mode = timeline.last_mode(track)
    standing = incident.standing(now, track, ended_only=False)
    counted = counting(incident.hits)
    last = _last(standing.say, counted)
    word = said(acts, incident.number, incident.hits, counted, last_mode, now)
    # Who is not believed moves no date: an invented failure of last month is no beginning.
    first = min(counted, key=_by_end)
    verdict = Verdict(
        identity=identity,
        cause=cause_of(identity, ()),
        state=_state(standing, incident.number, heard(counted), word),
        severity=severity(heard(counted), last, last_mode),
        incident=incident.number,
        first_seen=counted[0].start,
        clean_before=_clean_before(first, standing, track),
        first_failing_end=first.end,
        last_seen=max(hit.end for hit in counted),
        last_start=heard(counted)[-1].start,
        first_received=min(hit.window.received for hit in counted),
        last_received=max(hit.window.received for hit in counted),
        resolved_at=standing.resolved_at,
        stale_at=standing.stale_at,
        closed_at=standing.closed_at,
        failed_sessions=sum(hit.failed for hit in counted),
        sessions=sum(hit.sessions for hit in counted),
        peak_share=max(hit.share for hit in counted),
        mode=mode_of(identity, last, last_mode),
        reasons=tuple(sorted({reason for hit in counted for reason in hit.row.reasons})),
        witnesses=_witnesses(standing, track, now),
        steps=(*steps_of(counted, last_mode), *refutations(word.refuted)),
        acknowledged_by=word.ack.who if word.ack is not None else None,
        acknowledged_until=word.ack_until,
        previous=_previous(earlier[-1], incident, track, last_mode, acts) if earlier else None,
        muted_until=word.muted_until,
        is_quiet=all(hit.quiet is not None for hit in counted),
        maintenance=max((hit.quiet or 0 for hit in incident.hits), default=0) or None,
        answer=as_answer(word.answer),
        assigned=as_answer(word.assigned),
    )
    return verdict, standing


def _last(say: Iterable[Voice], counted: Sequence[Hit]) -> list[Hit]:
    """The last failing window of each witness; those in maintenance only where all are."""
    loud = heard(counted)
    if len(loud) == len(counted):
        return [voice.last for voice in say]
    latest: dict[Line, Hit] = {}
    for hit in loud:
        known = latest.get(hit.line)
        if known is None or known.place < hit.place:
            latest[hit.line] = hit
    return [latest[voice.line] for voice in say if voice.line in latest] or list(latest.values())


def _previous(
    ended: Incident,
    next_one: Incident,
    track: Track,
    last_mode: str | None,
    acts: Sequence[HumanAct],
) -> Previous:
    """The incident before, as it stood when the present one began."""
    came_back = min(hit.window.received for hit in next_one.hits)
    standing = ended.standing(next_one.hits[0].start, track, ended_only=True)
    counted = counting(ended.hits)
    return Previous(
        incident=ended.number,
        severity=severity(heard(counted), _last(standing.say, counted), last_mode),
        first_seen=counted[0].start,
        last_seen=max(hit.end for hit in counted),
        first_received=min(hit.window.received for hit in counted),
        resolved_at=standing.resolved_at,
        failed_sessions=sum(hit.failed for hit in counted),
        sessions=sum(hit.sessions for hit in counted),
        answer=as_answer(
            said(acts, ended.number, ended.hits, counted, last_mode, came_back - 1).answer
        ),
    )


def _by_end(hit: Hit) -> tuple[Time, Time, str]:
    return hit.end, hit.start, hit.line.reporter


def _state(standing: Standing, incident: int, loud: Sequence[Hit], word: Said) -> State:
    once = len(loud) == 1
    first_time = incident == 1
    # What comes back in planned maintenance alone is no regression.
    back = once and loud[0].quiet is None
    holds: tuple[tuple[State, bool], ...] = (
        ("resolved", standing.resolved_at is not None),
        ("closed", standing.closed_at is not None),
        ("stale", standing.stale_at is not None),
        ("muted", word.muted_until is not None),
        ("acknowledged", word.ack is not None),
        ("fixed?", word.is_fixed),
        ("new", once and first_time),
        ("regressed", back),
    )
    return next((state for state, held in holds if held), "ongoing")


def _clean_before(first: Hit, standing: Standing, track: Track) -> Time | None:
    """The newest end of a clean window before the first failing one, of those who saw it fail."""
    ends = []
    for voice in standing.voices:
        line, touched = voice.line, track.touched[voice.line]
        for place in range(bisect_right(line.ends, first.start) - 1, -1, -1):
            if line.good[place] and place not in touched:
                ends.append(line.ends[place])
                break
    return max(ends, default=None)


def _witnesses(standing: Standing, track: Track, now: Time) -> tuple[Witness, ...]:
    say = {voice.line.reporter for voice in standing.say}
    return tuple(
        Witness(
            reporter=voice.line.reporter,
            known=voice.line.known,
            has_say=voice.line.reporter in say,
            failing_windows=voice.failing,
            failed_sessions=voice.failed,
            sessions=voice.sessions,
            last_failing_end=voice.last.end,
            clean_windows=sum(1 for _ in clean_places(voice.last, track)),
            acquitted_at=voice.acquitted_at,
            still_reports=voice.line.until[-1] > now,
        )
        for voice in sorted(standing.voices, key=_reporter)
    )


def _reporter(voice: Voice) -> str:
    return voice.line.reporter
