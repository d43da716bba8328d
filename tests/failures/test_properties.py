"""What holds for every set of windows."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.failures.builders import EXPIRED, KNOWN, SMALL, on, row, verdicts, window
from tlsrpt_mailer.failures.incidents import Incident, incidents
from tlsrpt_mailer.failures.model import ENDED, HumanAct, Identity, Quiet, Verdict, Window
from tlsrpt_mailer.failures.timeline import Timeline, Track
from tlsrpt_mailer.failures.windows import effective
from tlsrpt_mailer.report.times import DAY, Time

REPORTERS = [*sorted(KNOWN), SMALL, "tiny.example"]
LAST = 120


@st.composite
def any_window(draw: st.DrawFn) -> Window:
    """A window somewhere in four months, of one of five reporters, of any length and kind."""
    day = draw(st.integers(0, LAST) | st.floats(0, LAST, width=16))
    days = draw(st.sampled_from([1, 1, 1, 1, 0.04, 0.5, 2, 7, 30]))
    rows = draw(
        st.sampled_from(
            [
                (),
                (),
                (row(1),),
                (row(90),),
                (row(5, reasons=["expired"]),),
                (row(5, mx="mx2.example.com"),),
                (row(4, "validation-failure", None),),
                (row(4, "validation-failure", None), row(7)),
            ]
        )
    )
    return window(
        day,
        draw(st.sampled_from(REPORTERS)),
        *rows,
        days=days,
        good=draw(st.sampled_from([0, 1, 10, 10, 1000])),
        mode=draw(st.sampled_from(["enforce", "testing", None])),
        received=on(day + days) + draw(st.integers(0, 9 * DAY)),
        date=on(draw(st.integers(0, 3))) if draw(st.booleans()) else None,
    )


MOODS = {
    "mixed": (1, 1, 1, 1),
    "well": (1, 30, 0, 3),
    "flapping": (1, 3, 0, 1),
    "broken": (6, 2, 0, 0),
    "quiet": (1, 3, 1, 6),
    "gone": (0, 0, 0, 1),
    "empty": (0, 0, 1, 0),
}
"""How likely a window fails, is clean, is empty, or is missing."""


def life(seed: int) -> list[Window]:
    """The reports of a few reporters on a domain that breaks, is mended, and breaks again."""
    chance = random.Random(seed)
    windows: list[Window] = []
    for reporter in chance.sample(REPORTERS, chance.randint(1, 4)):
        mood, day = chance.choice(list(MOODS)), float(chance.randint(0, 6))
        step = chance.choice([1, 1, 1, 7, 30, 0.04])
        for _ in range(chance.randint(1, 60)):
            if chance.random() < 0.06:
                mood = chance.choice(list(MOODS))
            mark = chance.choices("#.o ", MOODS[mood])[0]
            days = step * chance.choice([1, 1, 1, 1.03 if step > 0.1 else 0.5])
            rows = (row(chance.choice([1, 5, 60])),) if mark == "#" else ()
            good = 0 if mark == "o" else chance.choice([1, 60])
            if mark != " ":
                windows.append(window(day, reporter, *rows, days=days, good=good))
            if chance.random() < 0.05:
                # An hour within a day is a window of its own.
                again = (row(2),) if chance.random() < 0.5 else ()
                windows.append(window(day + step / 3, reporter, *again, days=0.04, good=9))
            day += step
    return windows


lives = st.integers(0, 10**9).map(life)
some_windows = st.lists(any_window(), max_size=25) | lives
moments = st.integers(0, LAST * 2).map(on)
acts = st.lists(
    st.builds(
        HumanAct,
        st.sampled_from(["ack", "fixed", "mute", "assign", "reopen"]),
        moments,
        st.sampled_from(["ana@example.com", "kim@example.com"]),
        st.none() | moments,
        st.none(),
        st.integers(1, 3),
        st.none() | st.just("kim@example.com"),
    ),
    max_size=4,
)
plans = st.lists(
    st.builds(
        lambda number, start, days, mx: Quiet(number, start, start + days * DAY, mx),
        st.integers(1, 9),
        moments,
        st.integers(1, 20),
        st.none() | st.just("mx1.example.com"),
    ),
    max_size=3,
)


def plain_incidents(track: Track) -> list[list[Time]]:
    """The rule to the letter: at each failing window, judge all that had ended by its start."""
    found = [Incident(1)]
    for hit in track.hits:
        current = found[-1]
        ended = any(earlier.end <= hit.start for earlier in current.hits)
        if ended and current.standing(hit.start, track, ended_only=True).is_over:
            found.append(Incident(len(found) + 1))
        found[-1].add(hit, track)
    return [[hit.start for hit in incident.hits] for incident in found]


@given(some_windows)
@settings(deadline=None, max_examples=200)
def test_shortcuts_lead_to_the_same_incidents(windows: list[Window]):
    """The judge skips most of the work for a long failure, and never a verdict."""
    for track in Timeline(windows, KNOWN).tracks.values():
        quick = [[hit.start for hit in incident.hits] for incident in incidents(track)]

        assert plain_incidents(track) == quick


def settled(verdict: Verdict) -> tuple[object, ...]:
    """What time alone never changes once it is there."""
    return verdict.identity, verdict.incident, verdict.first_seen, verdict.last_seen


@given(some_windows, acts, plans, moments, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_any_order_any_repetition_same_verdicts(
    windows: list[Window],
    said: list[HumanAct],
    quiet: list[Quiet],
    now: Time,
    chance: random.Random,
):
    """Reports, answers and plans that come late, twice or upside down lead to the same state."""
    again = [*windows, *chance.sample(windows, len(windows) // 2)]
    chance.shuffle(again)

    assert verdicts(windows, now, {EXPIRED: said}, quiet=quiet) == verdicts(
        again, now, {EXPIRED: said[::-1]}, quiet=quiet[::-1]
    )


@given(some_windows, plans, moments, st.integers(0, 20 * DAY))
@settings(deadline=None, max_examples=100)
def test_when_reports_come_changes_nothing_but_when_it_is_known(
    windows: list[Window], quiet: list[Quiet], now: Time, late: int
):
    """Without answers, the same reports lead to the same state, however late they are."""
    delayed = [
        msgspec.structs.replace(one, received=one.received + late * (one.report % 2 + 1))
        for one in windows
    ]

    def timeless(found: dict[Identity, Verdict]) -> list[Verdict]:
        return [
            msgspec.structs.replace(
                verdict,
                first_received=0,
                last_received=0,
                previous=verdict.previous
                and msgspec.structs.replace(verdict.previous, first_received=0),
            )
            for verdict in found.values()
        ]

    on_time = timeless(verdicts(windows, now, quiet=quiet))

    assert on_time == timeless(verdicts(delayed, now, quiet=quiet))


@given(some_windows, plans, moments)
@settings(deadline=None, max_examples=100)
def test_maintenance_changes_what_is_told_and_not_what_is(
    windows: list[Window], quiet: list[Quiet], now: Time
):
    """When a failure began, is over, and who saw it does not depend on what was planned."""
    plain, planned = verdicts(windows, now), verdicts(windows, now, quiet=quiet)

    assert plain.keys() == planned.keys()
    for identity, verdict in planned.items():
        before = plain[identity]
        assert settled(before) == settled(verdict)
        assert (before.resolved_at, before.witnesses) == (verdict.resolved_at, verdict.witnesses)
        assert before.failed_sessions == verdict.failed_sessions
        shares = {step for step in verdict.steps if step.startswith("share-")}
        assert shares <= set(before.steps)
        assert verdict.maintenance is not None or not verdict.is_quiet


@given(some_windows, st.lists(any_window(), max_size=10), moments)
@settings(deadline=None, max_examples=100)
def test_other_domains_change_nothing(windows: list[Window], others: list[Window], now: Time):
    """What is reported of one domain says nothing of another."""
    elsewhere = [window(0, domain="example.net", sessions=other.sessions) for other in others]
    failing = [
        window(other.start % 9, other.reporter, row(), domain="example.org") for other in others
    ]

    mixed = verdicts([*elsewhere, *windows, *failing], now)

    ours = {
        identity: found for identity, found in mixed.items() if identity.domain != "example.org"
    }
    assert verdicts(windows, now) == ours


STRANGERS = [SMALL, "tiny.example", "google.com (history)", "mail.ru (unverified)"]


@st.composite
def hearsay(draw: st.DrawFn) -> Window:
    """A stranger's window, long ago or of today, that may invent more names than there is room."""
    count = draw(st.sampled_from([0, 1, 51]))
    kind = draw(st.sampled_from(["mx", "result", "policy"]))
    rows = [row(draw(st.sampled_from([1, 10**6])), **{kind: f"a{n:02}"}) for n in range(count)]
    real = draw(st.sampled_from([(), (row(9),), (row(9, mx="other"),), (row(9, mx=None),)]))
    return window(
        draw(st.integers(-400, LAST)),
        draw(st.sampled_from(STRANGERS)),
        *rows,
        *real,
        good=draw(st.sampled_from([0, 10, 10**6])),
        mode=draw(st.sampled_from(["enforce", "testing", "none", None])),
    )


@st.composite
def crowded(draw: st.DrawFn) -> list[Window]:
    """Windows of known reporters alone, about more hosts than have room, or fewer."""
    windows = [one for one in draw(some_windows) if one.reporter in KNOWN]
    for day in range(draw(st.sampled_from([0, 0, 3]))):
        hosts = range(day * 20, day * 20 + 20)
        windows.append(window(day, "mail.ru", *(row(5, mx=f"host{n}.test") for n in hosts)))
    return windows


@given(crowded(), st.lists(hearsay(), max_size=6), plans, moments)
@settings(deadline=None, max_examples=200)
def test_strangers_change_nothing_of_what_others_saw(
    windows: list[Window], said: list[Window], quiet: list[Quiet], now: Time
):
    """
    Whatever unknown reporters say, every failure of known ones keeps its name, and where
    strangers do not say that they saw the very same one, all of its verdict.
    """
    alone, beside = verdicts(windows, now, quiet=quiet), verdicts(windows + said, now, quiet=quiet)
    shared = {
        (one.policy_type, one.result_type, one.mx)
        for each in said
        for one in each.sightings
        if one.mx != "other"
    }

    assert alone.keys() <= beside.keys()
    for identity, verdict in alone.items():
        if (identity.policy_type, identity.result_type, identity.mx) not in shared:
            assert verdict == beside[identity]
    for identity in beside.keys() - alone.keys():
        assert beside[identity].severity == "low"
        assert not any(witness.known for witness in beside[identity].witnesses)


@given(some_windows)
@settings(deadline=None, max_examples=100)
def test_time_alone_only_moves_states_along(windows: list[Window]):
    """Without new windows a failure goes from open to stale to closed, or is resolved for good."""
    ended: dict[object, object] = {}
    begun: dict[object, object] = {}
    last = max((each.end for each in windows), default=0)
    for moment in range(last, last + 120 * DAY, 9 * DAY):
        for identity, verdict in verdicts(windows, moment).items():
            assert begun.setdefault(identity, settled(verdict)) == settled(verdict)
            if verdict.state in ENDED:
                before = ended.setdefault(identity, (verdict.state, verdict.resolved_at))
                assert before == (verdict.state, verdict.resolved_at)
            else:
                assert identity not in ended
    for verdict in verdicts(windows, last + 120 * DAY).values():
        assert verdict.state in ENDED


@given(some_windows, moments)
@settings(deadline=None, max_examples=100)
def test_what_a_verdict_says_of_itself_agrees(windows: list[Window], now: Time):
    """The parts of a verdict fit each other, so that every text made from them does."""
    for verdict in verdicts(windows, now).values():
        assert (verdict.state == "resolved") is (verdict.resolved_at is not None)
        assert (verdict.state == "closed") is (verdict.closed_at is not None)
        assert verdict.resolved_at is None or verdict.stale_at is None
        assert verdict.first_seen < verdict.first_failing_end <= verdict.last_seen
        assert verdict.clean_before is None or verdict.clean_before < verdict.first_failing_end
        assert 0 < verdict.share <= verdict.peak_share <= 1
        assert any(witness.has_say for witness in verdict.witnesses)
        reporters = [witness.reporter for witness in verdict.witnesses]
        assert reporters == sorted(set(reporters))


@given(lives)
@settings(deadline=None, max_examples=50)
def test_what_is_resolved_stays_so_until_a_window_fails(windows: list[Window]):
    """
    Clean reports never open a failure again. Only one about the time when it
    was judged may show that a witness had not fallen silent after all.
    """
    ended: tuple[Time, int] | None = None
    taken: list[Window] = []
    for each in sorted(effective(windows), key=lambda each: (each.received, each.reporter)):
        taken.append(each)
        verdict = verdicts(taken, each.received).get(EXPIRED)
        if each.sightings or (ended is not None and each.end <= ended[0]):
            ended = None
        if ended is not None:
            assert verdict is not None
            assert (verdict.state, verdict.incident) == ("resolved", ended[1])
        if verdict is not None and verdict.state == "resolved":
            ended = each.received, verdict.incident
