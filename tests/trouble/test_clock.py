"""
A clock that jumps: nothing lost, nothing silenced, no storm.

| the clock | what holds |
| --- | --- |
| a year ahead for minutes, then back | nothing dropped, no mail, no letter given up or stuck |
| a year ahead for hours | the same; alerts go on; what was noted ahead comes back with it |
| ahead, and right | believed after a day, over restarts and reboots too |
| behind (no battery: 1970), then set | time goes on from what was believed; reports count |
| behind, and right | believed after a day |
| an hour or less, summer time, leap seconds | nothing happens |
| a machine that was off for weeks | nothing happens |
| `--now` | is believed: a person says so |
"""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.e2e.sink import Sink, relay
from tests.mails import detail, mail, report
from tests.place import app_in, config_in
from tests.trouble.host import DAY, HOUR, MINUTE, NOON, OFF, YEAR, Host, failing
from tlsrpt_mailer import daemon, wiring
from tlsrpt_mailer.alerts.schedule import next_fire, previous_fire, slot
from tlsrpt_mailer.flows.clock import Line, Mark, Uptime
from tlsrpt_mailer.flows.health import SourceState, holds_back
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report.times import Span, Time
from tlsrpt_mailer.wiring import IMPORT
from tlsrpt_mailer.wiring.app import uptime_of_machine

AGO = ["2026-09-01", "2026-09-20", "2026-10-01", "2026-10-13"]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with relay() as one:
        yield one


@pytest.fixture
def host(tmp_path: Path, sink: Sink) -> Iterator[Host]:
    one = Host(tmp_path, sink.port)
    yield one
    one.app.close()


def subjects(sink: Sink) -> list[str]:
    return [one["subject"] for one in sink.mails]


# ------------------------------------------------------------------- ahead


@pytest.mark.parametrize(
    ("ahead", "for_"), [(2 * HOUR, 3 * HOUR), (DAY, 5 * MINUTE), (YEAR, 3 * HOUR), (200 * YEAR, 0)]
)
def test_a_clock_that_runs_ahead_for_a_while_drops_nothing(
    host: Host, sink: Sink, ahead: Span, for_: Span
) -> None:
    """
    A year's jump would be the end of every report: nothing goes until the clock has been
    steady for a day, and once it is right again all goes on as before.
    """
    host.works()
    for day in AGO:
        host.take(mail(report("example.com", day, details=(detail(),))))
    host.works(30 * MINUTE)
    before = (host.count("reports"), host.count("windows"), host.count("letters"))

    host.jumps(ahead)
    host.works(for_, 5 * MINUTE)
    host.jumps(-ahead)
    host.works(HOUR)

    assert (4, 4) == before[:2]
    assert before[:2] == (host.count("reports"), host.count("windows"))
    assert [1, 1] == [host.said("clock.jumped"), host.said("clock.settled")]
    # Nobody was told anything by the jump, but for what a clock of hours may be believed in.
    assert 1 == len([text for text in subjects(sink) if "CRITICAL" in text])
    if for_ < 15 * MINUTE:
        assert 1 == len(sink.taken)
    assert [] == host.rows("SELECT 1 FROM letters WHERE created_at > ?", host.wall)


def test_a_clock_ahead_for_hours_makes_no_storm(host: Host, sink: Sink) -> None:
    """
    Eight open failures, each told: a wrong year brings one reminder and one digest at
    most, and the true year is told everything at its time again.
    """
    host.works()
    for number in range(8):
        host.takes(f"d{number}.example")
    host.works(HOUR)
    told = len(sink.taken)

    host.jumps(YEAR)
    host.works(3 * HOUR)
    host.takes("meanwhile.example")
    host.works(3 * HOUR)
    ahead = len(sink.taken) - told
    host.jumps(-YEAR)
    host.works(HOUR)
    host.takes("fresh.example")
    host.works(HOUR)

    assert ahead <= 3
    assert [1, 1] == [
        sum(f"{name}.example" in text for text in subjects(sink)) for name in ("meanwhile", "fresh")
    ]
    reminders = host.rows("SELECT max(reminded_at), max(at) FROM told")[0]
    assert all(at is None or at <= host.wall for at in reminders)
    assert {"ana@example.com"} == {one["to"] for one in sink.mails}


def test_what_ended_under_a_wrong_clock_is_open_again(host: Host) -> None:
    """
    By a clock a year ahead a failure is long stale, and is closed; by the right one it is
    open, and status shows it so.
    """
    host.works()
    host.takes()
    host.works(HOUR)

    host.jumps(YEAR)
    host.works(HOUR)
    ahead = host.rows("SELECT is_open FROM failures")
    host.jumps(-YEAR)
    host.works(10 * MINUTE)

    assert [(0,)] == ahead
    assert [(1, "new")] == host.rows("SELECT is_open, state FROM failures")


def test_a_letter_that_waits_is_neither_given_up_nor_stuck(host: Host, sink: Sink) -> None:
    """
    The relay defers while the clock says next year: five days are not over, and the next
    try is not a year away once the clock is right.
    """
    sink.answer = lambda: "451 4.7.1 later"
    host.works()
    host.takes()
    host.works(30 * MINUTE)

    host.jumps(YEAR)
    host.works(2 * HOUR)
    ahead = host.rows("SELECT state FROM letters WHERE event = 'new'")
    host.jumps(-YEAR)
    sink.answer = lambda: "250 2.0.0 taken"
    host.works(2 * HOUR)

    assert [("waiting",)] == ahead
    assert [("sent",)] == host.rows("SELECT state FROM letters WHERE event = 'new'")
    assert 1 == len({one["message-id"] for one in sink.mails if "CRITICAL" in one["subject"]})


def test_a_clock_that_was_right_all_along_is_believed_after_a_day(host: Host) -> None:
    """A machine that came out of a long pause keeps house again a day later."""
    host.works()
    host.takes()
    host.works(10 * MINUTE)

    host.jumps(500 * DAY)
    host.works(23 * HOUR, HOUR)
    waiting = host.count("reports")
    host.works(3 * DAY, HOUR)

    assert (1, 0) == (waiting, host.count("reports"))
    assert [1, 1] == [host.said("clock.jumped"), host.said("clock.settled")]


def test_a_doubt_outlives_the_program_and_the_machine(host: Host) -> None:
    """
    Neither a restart of the program nor of the machine makes a wrong clock right: the day
    counts on, and what was noted ahead is mended by whichever process sees the end of it.
    """
    host.works()
    host.takes()
    host.works(10 * MINUTE)

    host.jumps(500 * DAY)
    host.works(HOUR)
    host.restarts()
    host.works(HOUR)
    host.starts_anew(away=HOUR)
    host.works(2 * HOUR)
    kept = host.count("reports")
    host.jumps(-500 * DAY)
    host.works(HOUR)

    assert (1, 1) == (kept, host.count("reports"))
    assert host.app.clock_doubt is None
    assert [] == host.rows("SELECT 1 FROM job_runs WHERE last_at > ?", host.wall)


def test_once_by_cron_proves_a_clock_too(host: Host) -> None:
    """Runs that last a second each believe a clock a day after the first of them saw it."""
    host.works()
    host.jumps(500 * DAY)
    doubts = []
    for _ in range(26):
        host.restarts()
        host.works()
        doubts.append(host.app.clock_doubt is not None)
        host.passes(HOUR)

    assert [True] * 24 + [False] * 2 == doubts


def test_once_tells_nothing_at_the_moment_of_a_jump(tmp_path: Path) -> None:
    """`once` by cron, just after the clock jumped: the mails are for a later run, which sends."""
    config = config_in(tmp_path, OFF)
    with closing(wiring.open_app(config, holder=True)) as app:
        app.deliver([RawMail(failing("example.com", int(time.time())), "test:box", app.clock())])

    letters = []
    for doubted_for in (None, HOUR):
        with closing(wiring.open_app(config, holder=True)) as app:
            now, up = int(time.time()), uptime_of_machine()
            before = Mark(now - 2 * YEAR, up)
            began = doubted_for and Mark(
                now - doubted_for, Uptime(up.boot, up.seconds - doubted_for)
            )
            line = msgspec.json.encode(Line(before, began)).decode()
            app.store.state.save_fact("clock", line)
        letters.append([one.event for one in daemon.once(config).letters])

    assert [[], ["new"]] == letters


# ------------------------------------------------------------------- behind


@pytest.mark.parametrize("behind", [2 * HOUR, DAY, YEAR, NOON])
def test_reports_of_today_count_under_a_clock_that_went_back(
    host: Host, sink: Sink, behind: Span
) -> None:
    """
    A machine without a battery begins in 1970 until it has asked for the time. A report
    that comes in meanwhile is no report about the future: it counts, and is told.
    """
    host.works(10 * MINUTE)
    host.starts_anew()
    host.jumps(-behind)
    host.works(10 * MINUTE)
    receipt = host.takes()
    host.works(30 * MINUTE)
    host.jumps(behind)
    host.works(HOUR)

    assert "stored" == receipt.outcome
    assert 1 == host.count("windows")
    assert 1 == len([text for text in subjects(sink) if "CRITICAL" in text])
    assert [] == host.rows("SELECT 1 FROM mails WHERE stored_at < ?", NOON)
    assert 1 == host.said("clock.settled")


def test_a_clock_set_back_for_good_is_believed_after_a_day(host: Host, sink: Sink) -> None:
    """The clock was wrong by a month and somebody sets it right: time goes on from there."""
    host.works(10 * MINUTE)
    host.jumps(-25 * DAY)
    host.works(23 * HOUR, HOUR)
    held = host.app.clock()
    host.works(2 * HOUR, HOUR)
    host.true = host.wall
    host.takes()
    host.works(HOUR)

    assert held > NOON
    assert host.wall == host.app.clock()
    assert 1 == len([text for text in subjects(sink) if "CRITICAL" in text])


def test_jobs_go_on_under_every_clock(host: Host) -> None:
    """No jump silences a job: each runs again within its time, ahead, behind and after."""
    host.works(HOUR)
    for jump in (YEAR, -2 * YEAR, YEAR, -NOON, NOON):
        host.jumps(jump)
        host.works(2 * HOUR)
        latest = dict(host.rows("SELECT name, last_at FROM job_runs"))

        now = host.app.clock()
        for name in ("review", "relay", "sources", "watch"):
            assert -HOUR <= now - latest[name] <= 2 * HOUR, (jump, name)


# ------------------------------------------------------------------- no jump


@pytest.mark.parametrize("jump", [-HOUR + 1, -30, 30, HOUR - 1])
def test_small_corrections_are_no_jump(host: Host, jump: Span) -> None:
    """Time servers that step a clock by seconds or minutes are followed, without a word."""
    host.works(10 * MINUTE)
    host.jumps(jump)
    host.works(10 * MINUTE)

    assert host.wall == host.app.clock()
    assert 0 == host.said("clock.jumped")


@pytest.mark.parametrize("away", [0, DAY, 29 * DAY])
def test_a_machine_that_was_off_for_weeks_is_believed(host: Host, sink: Sink, away: Span) -> None:
    """Whoever comes back from holidays is told at once what waits."""
    host.works(10 * MINUTE)
    host.starts_anew(away=away, up=90 * DAY)
    host.works()
    host.takes()
    host.works(10 * MINUTE)

    assert 0 == host.said("clock.jumped")
    assert 1 == len(sink.taken)


def test_a_longer_absence_drops_nothing_for_a_day_but_tells(host: Host, sink: Sink) -> None:
    """After two months only the house-keeping waits; alerts wait a quarter of an hour."""
    host.works()
    host.takes()
    host.works(10 * MINUTE)
    host.starts_anew(away=450 * DAY)
    host.works()
    host.takes("late.example")
    host.works(30 * MINUTE)

    assert 2 == host.count("reports")
    assert any("late.example" in text for text in subjects(sink))
    host.works(26 * HOUR, HOUR)
    assert 1 == host.count("reports")


def test_a_database_of_before_has_no_mark(host: Host, tmp_path: Path) -> None:
    """
    After the upgrade, what was stored last is the mark: a machine that is long up and was
    stopped for a day is in no doubt.
    """
    host.works()
    host.takes()
    host.works(10 * MINUTE)
    with host.app.store.writer.transaction() as conn:
        conn.execute("DELETE FROM facts WHERE name = 'clock'")
    host.passes(2 * DAY)
    host.up += 300 * DAY
    host.restarts()
    host.works(10 * MINUTE)

    assert 0 == host.said("clock.jumped")


# ------------------------------------------------------------------- zones, leap seconds


BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> Time:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


@pytest.mark.parametrize("begin", ["2026-03-27T12:00", "2026-10-23T12:00"])
@pytest.mark.parametrize("when", ["02:30", "08:00", "00:00", "03:00"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_there_is_one_slot_and_one_digest_a_day_over_the_change(
    begin: str, when: str, zone: str
) -> None:
    """Through both changes of the clock in a year, each day has one slot, whatever its hour."""
    where = ZoneInfo(zone)
    start = at(begin, where)
    slots = {slot(start + hour * HOUR // 4, when, where) for hour in range(4 * 24 * 5)}
    fires = {
        previous_fire("daily", when, where, start + hour * HOUR // 4) for hour in range(4 * 24 * 5)
    }

    days = [datetime.fromtimestamp(one, where).date() for one in sorted(slots)]
    assert len(days) == len(set(days))
    assert 5 <= len(days) <= 6
    assert slots == fires
    assert (next_fire("daily", when, where, start) or 0) > start


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Nome"])
def test_the_zone_of_the_process_changes_nothing(
    tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Whatever TZ the service runs under, the same report makes the same mail."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        host = Host(tmp_path, sink.port)
        host.works()
        host.takes()
        host.works()
        host.app.close()
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()

    (told,) = sink.mails
    assert "Wed, 14 Oct 2026 12:00:00 +0000" == told["date"]
    assert "13 Oct" in told.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2016-12-31T00:00:00Z", "2016-12-31T23:59:60Z"),
        ("2026-10-13T00:00:00Z", "2026-10-13T23:59:60Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T23:59:59Z"),
    ],
)
def test_a_leap_second_in_a_report_is_read(host: Host, start: str, end: str) -> None:
    """23:59:60 is a time of day (RFC 3339, 5.6), and the day that ends in it counts."""
    receipt = host.take(mail(report("example.com", start=start, end=end, details=(detail(),))))

    assert "stored" == receipt.outcome
    ((begin, over),) = host.rows("SELECT start_at, end_at FROM windows")
    assert DAY == over - begin


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"),
        ("9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("292277026596-12-04T00:00:00Z", "292277026596-12-05T00:00:00Z"),
        ("2026-10-13T00:00:00Z", "292277026596-12-05T00:00:00Z"),
        ("-0001-01-01T00:00:00Z", "2026-13-45T99:99:99Z"),
        ("2026-10-13T00:00:00+99:99", "2026-10-14T00:00:00-24:00"),
    ],
)
def test_dates_far_out_stop_nothing(host: Host, sink: Sink, start: str, end: str) -> None:
    """A report about the year 1 or 9999 is taken, and the real one behind it is told."""
    host.works()
    receipt = host.take(
        mail(
            report("far.example", start=start, end=end, details=(detail(),)),
            date="Thu, 01 Jan 9999 00:00:00 +0000",
        )
    )
    host.takes()
    host.works(HOUR)

    assert receipt.outcome in {"stored", "quarantined"}
    assert ["example.com"] == [row[0] for row in host.rows("SELECT domain FROM failures")]
    assert 1 == len([text for text in subjects(sink) if "CRITICAL" in text])


def test_acks_and_maintenance_end_at_their_time_after_a_jump(host: Host) -> None:
    """An ack of a week, made before a jump and back, still has its week."""
    host.works()
    host.takes()
    host.works(10 * MINUTE)
    with host.app.store.writer.transaction() as conn:
        conn.execute(
            "INSERT INTO acts (failure_id, incident, kind, at, who, until)"
            " VALUES (1, 1, 'ack', ?, 'ana', ?)",
            (host.wall, host.wall + 7 * DAY),
        )
    states = []
    for span, jump in ((HOUR, YEAR), (HOUR, -YEAR), (HOUR, 0), (8 * DAY, 0)):
        host.works(span, max(HOUR, span // 24))
        host.takes()
        states.append(host.rows("SELECT state FROM failures WHERE domain = 'example.com'")[0][0])
        host.jumps(jump)

    assert "acknowledged" == states[0] == states[2]
    assert "acknowledged" != states[3]


def test_what_began_under_a_wrong_clock_holds_up_nothing_for_a_year(host: Host) -> None:
    """An import, or a drain, that a clock ahead saw begin and that was killed: alerts go out."""
    ahead = int(time.time()) + YEAR
    host.app.store.state.save_fact(IMPORT, f"{ahead} {ahead}")
    drain = SourceState("imap:box", state="ok", backlog=9, backlog_since=NOON + YEAR)

    assert not host.app.is_importing()
    assert not holds_back([drain], NOON)


def test_now_is_believed(tmp_path: Path) -> None:
    """Whoever says --now means it: no clock is asked, and nothing waits."""
    for now in (NOON, NOON + 500 * DAY):
        with app_in(tmp_path, now=now) as app:
            app.look_at_clock()
            if now == NOON:
                app.deliver([])
            assert app.clock_doubt is None
            assert app.is_clock_settled


def test_utc_is_what_is_printed() -> None:
    """The host's moments are what they say: a guard for this file's own constant."""
    assert datetime(2026, 10, 14, 12, tzinfo=UTC).timestamp() == NOON
