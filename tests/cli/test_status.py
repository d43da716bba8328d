"""`status`: what is said of each part, and the codes that monitoring lives on."""

import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import msgspec
import pytest

from tests import mails
from tests.cli.conftest import Place
from tlsrpt_mailer import wiring
from tlsrpt_mailer.cli import parts, parts_jobs, status
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.config import Config, parse
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE
from tlsrpt_mailer.store.lock import hold
from tlsrpt_mailer.store.rows import HeldTotals, JobRow, LetterRow, SourceRow, Totals
from tlsrpt_mailer.store.sqlite import open_store

NOW = 1_792_000_000
USAGE = namedtuple("USAGE", "total used free")

SOURCE = SourceRow(
    name="imap:tlsrpt@imap.example.com",
    state="ok",
    since=NOW - DAY,
    detail=None,
    error=None,
    tries=0,
    next_try=None,
    warning=None,
    backlog=0,
    last_report=NOW - 18 * MINUTE,
    day={"stored": 9, "ignored": 4},
)
TOTALS = Totals(
    domains=3,
    sessions=38_410,
    failed=0,
    reporters=4,
    last_report=NOW - HOUR,
    held=0,
    quarantined=0,
    ignored=0,
    waiting_letters=0,
    failed_letters=0,
    sent_today=2,
    last_sent=NOW - HOUR,
    open_failures={"critical": 1},
)
LETTER = LetterRow(
    id=12,
    message_id="<x@y>",
    recipient="postmaster@example.com",
    subject="CRITICAL example.com",
    event="new",
    created_at=NOW - MINUTE,
    state="waiting",
    attempts=0,
    next_try=None,
    answer="550 5.1.1 User unknown",
    done_at=None,
    failures=(),
)


def config(text: str = '[alerts]\nto = ["postmaster@example.com"]') -> Config:
    return parse(text, wiring.KINDS, name="config.toml")


WITH_SOURCE = config('[[source]]\nkind = "maildir"\npath = "/m"\n')


class Letters:
    """As much of a reader as the alerts' part asks for."""

    def __init__(self, **by_state: list[LetterRow]) -> None:
        self._by_state = by_state

    def letters(self, *, state: str, lane: str, limit: int) -> "Letters":
        assert ("mail", 1) == (lane, limit)
        return Letters(rows=self._by_state.get(state, []))

    @property
    def rows(self) -> list[LetterRow]:
        return self._by_state["rows"]


@pytest.mark.parametrize(
    ("pid", "last", "worker", "with_source", "level", "what"),
    [
        (4711, None, None, True, "ok", "runs as process 4711"),
        (None, NOW - HOUR, "once", True, "ok", "does not run; `once` ran"),
        # A daemon that was killed a minute ago is down, however fresh its work is.
        (None, NOW - 60, "run", True, "FAIL", "does not run: nothing has run since"),
        (None, NOW - 3 * DAY, "once", True, "FAIL", "does not run: nothing has run since"),
        (None, None, None, True, "FAIL", "does not run: it never ran"),
        (None, None, None, False, "warn", "does not run, and no source is configured"),
    ],
)
def test_somebody_must_do_the_work(
    pid: int | None, last: int | None, worker: str | None, with_source: bool, level: str, what: str
):
    """A daemon, or `once` from cron; neither is a FAIL, for no alert would come."""
    ran = [JobRow("review", last, None)] if last is not None else []

    part = parts.daemon(pid, ran, WITH_SOURCE if with_source else config(), NOW, worker)

    assert level == part.level
    assert part.what.startswith(what)


@pytest.mark.parametrize(
    ("last", "since", "level"),
    [
        (NOW - HOUR, NOW - 2 * HOUR, "FAIL"),
        (NOW - 60, NOW - 2 * HOUR, "ok"),
        (NOW - HOUR, NOW - 60, "ok"),
        (NOW - HOUR, None, "ok"),
        (None, NOW - HOUR, "FAIL"),
    ],
)
def test_a_daemon_that_cannot_reach_this_database_is_a_failure(
    last: int | None, since: int | None, level: str
):
    """It runs, and every mail gets a 451: its disk is full, or the file was replaced under it."""
    ran = [JobRow("review", last, None)] if last is not None else []

    part = parts.daemon(4711, ran, WITH_SOURCE, NOW, "run", since)

    assert level == part.level
    assert (level == "FAIL") == ("has written nothing here" in part.what)


def test_when_a_process_began():
    """Our own began before now; of one that is not there nothing is known."""
    began = parts.started(os.getpid())

    assert began is not None
    assert began <= time.time()
    assert [None, None] == [parts.started(None), parts.started(1 << 30)]


def test_a_source_that_works_says_when_it_brought_the_last_report():
    """One line, and the last day in figures."""
    (part,) = parts.sources([SOURCE], config(), NOW)

    assert [
        "ok",
        "source imap",
        ("24 h: 13 mails, 9 with reports stored, 4 without a report",),
    ] == [
        part.level,
        part.name,
        part.more,
    ]
    assert part.what.startswith("tlsrpt@imap.example.com: last report today at")
    assert part.what.endswith("(18 min ago)")


def test_a_source_in_trouble_is_a_fail_with_the_servers_own_words():
    """What the other side said, how often it was tried, and that nothing is lost."""
    row = msgspec.structs.replace(
        SOURCE,
        state="trouble",
        since=NOW - 7 * HOUR,
        error="NO [AUTHENTICATIONFAILED]\nfailed \x1b[31m.",
        tries=84,
        next_try=NOW + 5 * MINUTE,
    )

    (part,) = parts.sources([row], config(), NOW)

    assert "FAIL" == part.level
    assert "trouble since" in part.what
    assert (
        "NO [AUTHENTICATIONFAILED]",
        "failed \\x1b[31m.",
        "84 tries, next in 5 min; the mails wait where they are",
    ) == part.more


@pytest.mark.parametrize(
    ("name", "word"), [("imap:u@imap.example.com", "connecting"), ("lmtp:/run/x", "starting")]
)
def test_a_source_that_has_not_logged_in_yet_is_not_ok(name: str, word: str):
    """A server that never answers the first login must not look like one that has no mail."""
    row = msgspec.structs.replace(
        SOURCE, name=name, state="starting", since=NOW - HOUR, last_report=None, day={}
    )

    (part,) = parts.sources([row], config(), NOW)

    assert "warn" == part.level
    assert part.what.startswith(f"{name.partition(':')[2]}: {word} since ")
    assert part.what.endswith(", 1 h ago")


def test_a_source_may_warn_and_may_be_behind():
    """What is to be mended soon is a warning; mails still to be read are counted."""
    row = msgspec.structs.replace(
        SOURCE, warning="50,001 mails are kept", backlog=1214, last_report=None, day={}
    )

    (part,) = parts.sources([row], config(), NOW)

    assert "warn" == part.level
    assert "tlsrpt@imap.example.com: 50,001 mails are kept" == part.what
    assert ("no report yet", "1,214 mails to read") == part.more


@pytest.mark.parametrize(
    ("configuration", "what"),
    [(config(), "none is configured"), (WITH_SOURCE, "1 source configured, none has run yet")],
)
def test_no_source_at_all_is_a_warning(configuration: Config, what: str):
    """Nothing comes in but by import."""
    (part,) = parts.sources([], configuration, NOW)

    assert ("warn", what) == (part.level, part.what)


def believing(mode: str) -> Config:
    return config(
        f'[trust]\ndkim = "{mode}"\n[checks]\nrua = ["mailto:tlsrpt@example.com"]\n'
        '[alerts]\nto = ["postmaster@example.com"]'
    )


def held(day: int = 0, counted: int = 0, **counts: int) -> HeldTotals:
    return HeldTotals(
        counts=counts, since=NOW - DAY if counts else None, day_held=day, day_counted=counted
    )


@pytest.mark.parametrize(
    ("mode", "what"),
    [
        ("off", "reports are not authenticated (trust.dkim is off)"),
        ("mark", "mark: reports without a signature count, as not authenticated"),
    ],
)
def test_it_is_said_that_reports_are_not_authenticated(mode: str, what: str):
    """Nobody believes in a check that is not there; nor does it raise an alarm for ever."""
    part = parts.trust(held(), believing(mode), NOW)

    assert ("warn", what, ()) == (part.level, part.what, part.more)
    assert part.is_standing


def test_what_is_held_is_counted_by_reason():
    """How many, since when, why, and how to see them; that is no alarm while others count."""
    part = parts.trust(
        held(4, 9, signature=1_200, pending=2, foreign=3, proposed=1), believing("require"), NOW
    )

    assert ("ok", "require; 1,206 held since 13 Oct 17:46Z") == (
        part.level,
        part.what,
    )
    assert (
        "1,200 without a valid signature, 2 not verified yet: DNS did not answer, 3 about domains"
        " that are not yours, 1 about domains that nobody has said are yours"
    ) == part.more[0]
    assert "tlsrpt-mailer reports --held" == part.more[1]


@pytest.mark.parametrize(
    ("day", "counted", "level"), [(0, 0, "ok"), (3, 0, "warn"), (3, 1, "ok"), (1, 0, "warn")]
)
def test_a_day_of_which_all_is_held_is_an_alarm(day: int, counted: int, level: str):
    """Nagios turns yellow when nothing counts any more."""
    part = parts.trust(held(day, counted, signature=5), believing("require"), NOW)
    line, code = status.nagios([part], TOTALS)

    assert level == part.level
    assert (level == "warn") == (code == 1)
    assert (level == "warn") == ("of the last 24 h" in line)


@pytest.mark.parametrize(
    ("letters", "level", "what"),
    [
        ({}, "ok", "today 2 sent, 0 waiting; the last was taken today at"),
        ({"waiting": [LETTER]}, "ok", "today 2 sent"),
        (
            {"waiting": [msgspec.structs.replace(LETTER, attempts=1)]},
            "warn",
            "the relay does not take: postmaster@example.com: CRITICAL example.com",
        ),
        (
            {"waiting": [msgspec.structs.replace(LETTER, attempts=9, created_at=NOW - DAY)]},
            "FAIL",
            "the relay does not take",
        ),
        ({"failed": [msgspec.structs.replace(LETTER, done_at=NOW - DAY)]}, "FAIL", "given up"),
        ({"failed": [msgspec.structs.replace(LETTER, done_at=NOW - 8 * DAY)]}, "ok", "today"),
    ],
)
def test_alerts_that_reach_nobody_are_a_fail(
    letters: dict[str, list[LetterRow]], level: str, what: str
):
    """A relay that is down for long, or that refused an alert, is named with its answer."""
    part = parts.alerts(Letters(**letters), TOTALS, config(), NOW)  # type: ignore[arg-type]  # a stand-in

    assert level == part.level
    assert part.what.startswith(what)
    if level != "ok":
        assert ("550 5.1.1 User unknown", "tlsrpt-mailer alerts show 12") == part.more[:2]


def test_nobody_to_tell_is_a_warning():
    """Without alerts.to, alerts go to the log; that is said, but raises no alarm."""
    part = parts.alerts(Letters(), TOTALS, config(""), NOW)  # type: ignore[arg-type]  # a stand-in

    assert ("warn", True) == (part.level, part.is_standing)
    assert "alerts.to is empty" in part.what


@pytest.mark.parametrize(
    ("free", "level"), [(100 << 20, "FAIL"), (500 << 20, "warn"), (31 << 30, "ok")]
)
def test_a_disk_that_fills_up_is_seen_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
):
    """Past a point mails must wait at their senders, so it is said before."""
    path = tmp_path / "t.db"
    path.write_bytes(b"x" * 2048)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(0, 0, free))

    part = parts.store(path)

    assert level == part.level
    assert f"{path}, 0.0 MiB" in part.what


def test_a_job_that_failed_is_a_fail():
    """What the job said stands there."""
    good = parts_jobs.jobs([JobRow("review", NOW - HOUR, None)], NOW)
    bad = parts_jobs.jobs(
        [JobRow("review", NOW, None), JobRow("prune", NOW, "disk I/O error")], NOW
    )
    none = parts_jobs.jobs([], NOW)

    assert ("ok", "review ran today at 16:46Z (1 h ago)") == (good.level, good.what)
    assert ("FAIL", "prune: disk I/O error") == (bad.level, bad.what)
    assert ("ok", "none has run yet") == (none.level, none.what)


def test_jobs_that_run_in_time_take_one_line():
    """Only what is late is named; JSON has them all. Without a daemon nothing has a time."""
    rows = [JobRow("review", NOW - HOUR, None), JobRow("prune", NOW - DAY, None)]
    late = [*rows, JobRow("watch", NOW - 4 * HOUR, None), JobRow("of an old version", 1, None)]

    assert "2 jobs, all on time" == parts_jobs.jobs(rows, NOW).brief
    assert "3 jobs, late: watch ran today at 13:46Z (4 h ago)" == parts_jobs.jobs(late, NOW).brief
    assert "3 jobs, the last ran today at 16:46Z (1 h ago)" == (
        parts_jobs.jobs(late, NOW, runs=False).brief
    )
    assert "prune ran yesterday" in parts_jobs.jobs(rows, NOW).what
    assert ["  ok    jobs          2 jobs, all on time"] == list(
        parts.lines(parts_jobs.jobs(rows, NOW))
    )


def test_lines_stay_within_80_columns():
    """Long server answers are wrapped under their part."""
    part = Part("FAIL", "source imap", "x " * 80, ("y" * 20,))

    lines = list(parts.lines(part))

    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("  FAIL  source imap   x x")
    assert " " * 22 + "y" * 20 == lines[-1]


@pytest.mark.parametrize(
    ("found", "word", "code"),
    [
        ([Part("ok", "a", "b")], "TLSRPT OK - 1 parts work | critical=1", 0),
        ([Part("warn", "a", "b", is_standing=True)], "TLSRPT OK", 0),
        ([Part("warn", "a", "b")], "TLSRPT WARNING - a: b | critical=1", 1),
        ([Part("warn", "a", "b"), Part("FAIL", "c", "d|e")], "TLSRPT CRITICAL - c: d/e |", 2),
    ],
)
def test_nagios_gets_a_line_and_its_own_codes(found: list[Part], word: str, code: int):
    """A plug-in's line has one bar, in front of the figures."""
    line, said = status.nagios(found, TOTALS)

    assert line.startswith(word)
    assert code == said
    assert 1 == line.count("|")


# ------------------------------------------------------------------ the command


def test_nagios_learns_that_nothing_is_known(place: Place):
    """Without a database the answer is UNKNOWN, on standard output, with code 3."""
    result = place("status", "--check")

    assert 3 == result.code
    assert result.out.startswith("TLSRPT UNKNOWN - no database at")


def test_what_fails_comes_first_and_is_the_exit_code(full: Place):
    """Whoever reads one line reads that nothing runs."""
    maildir = full.folder / "m"
    full.configure(f'[[source]]\nkind = "maildir"\npath = "{maildir}"\n')

    result = full("status")

    lines = result.out.splitlines()
    assert 1 == result.code
    assert lines[0].startswith("tlsrpt-mailer ")
    assert lines[0].endswith("23 Nov 12:00Z")
    assert lines[2].startswith("  FAIL  daemon        does not run: it never ran")
    assert "systemctl start tlsrpt-mailer" in lines[3]
    assert 2 == full("status", "--check").code
    assert full("status", "--json").json["ok"] is False


def test_all_parts_are_there_and_the_totals(full: Place):
    """One look: daemon, source, trust, alerts, checks, store, jobs; domains and failures."""
    result = full("status")

    assert 0 == result.code
    assert ["daemon", "source", "trust", "alerts", "checks", "store", "jobs"] == [
        line.split()[1]
        for line in result.out.splitlines()[2:]
        if line.startswith(("  ok", "  warn"))
    ]
    assert (
        "  domains    3 that reports speak of                     tlsrpt-mailer domains\n"
    ) in result.out
    assert "  failures   2 critical, 1 warning, 0 notice, 0 low " in result.out
    assert "  unreadable 1 " in result.out


def test_the_holder_of_the_lock_is_named(full: Place):
    """`status` beside a running daemon says its process number."""
    lock = hold(full.database)
    try:
        result = full("status")
    finally:
        lock.release()

    assert "runs as process" in result.out


def test_trouble_that_the_daemon_wrote_down_is_shown(full: Place):
    """What a source said last stands in the database, and `status` reads it."""
    store = open_store(full.database, create=False)
    store.state.save_source(SOURCE.name, state="trouble", since=NOW, error="NO way", tries=3)
    store.close()

    result = full("status")

    assert 1 == result.code
    assert "NO way" in result.out


def test_status_of_a_database_without_quarantine_has_no_line_for_it(place: Place):
    """Nothing is said of what does not exist."""
    place("import", str(place.mail("a.eml", mails.mail(mails.report()))))

    assert "unreadable" not in place("status").out
