"""IMAP positions, notes about crashes, source health, jobs and facts: all outlive a restart."""

from contextlib import closing
from pathlib import Path

from tests.store.build import NOW, entry_of, report_of
from tlsrpt_mailer.ports import Noted, Position
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

MAIL = b"m" * 32


def test_an_imap_position_is_remembered(store: SqliteStore) -> None:
    """A restart goes on where it was, for each folder of each source."""
    store.positions.save_position("imap:a", "INBOX", Position(1, 5))
    store.positions.save_position("imap:a", "INBOX", Position(1, 9))
    store.positions.save_position("imap:a", "Reports", Position(2, 3))

    assert Position(1, 9) == store.positions.position("imap:a", "INBOX")
    assert Position(2, 3) == store.positions.position("imap:a", "Reports")
    assert store.positions.position("imap:b", "INBOX") is None


def test_notes_of_messages_are_kept_until_forgotten(store: SqliteStore) -> None:
    """What was left, or waits for its deletion, is known by UID."""
    notes = [Noted(7, "ignored", NOW), Noted(3, "stored", NOW)]
    store.positions.note("imap:a", "INBOX", 1, notes)
    store.positions.note("imap:a", "INBOX", 1, [Noted(7, "stored", NOW + 1)])
    store.positions.note("imap:a", "INBOX", 1, [])
    before = store.positions.noted("imap:a", "INBOX", 1)
    store.positions.forget("imap:a", "INBOX", 1, [3, 4])
    store.positions.forget("imap:a", "INBOX", 1, [])

    assert [Noted(3, "stored", NOW), Noted(7, "stored", NOW + 1)] == before
    assert [Noted(7, "stored", NOW + 1)] == store.positions.noted("imap:a", "INBOX", 1)


def test_a_new_uidvalidity_drops_old_notes(store: SqliteStore) -> None:
    """UIDs of a mailbox that was made anew mean other messages."""
    store.positions.note("imap:a", "INBOX", 1, [Noted(7, "ignored", NOW)])
    store.positions.note("imap:a", "Other", 1, [Noted(7, "ignored", NOW)])
    store.positions.save_position("imap:a", "INBOX", Position(2, 0))

    assert [] == store.positions.noted("imap:a", "INBOX", 1)
    assert 1 == len(store.positions.noted("imap:a", "Other", 1))


def begin(path: Path, *mails: bytes) -> dict[bytes, int]:
    """A process that starts, takes these mails, and dies over them; returns its suspects."""
    with closing(open_store(path, create=False)) as store:
        suspects = store.faults.suspects()
        store.faults.begin(mails, NOW)
    return suspects


def test_a_mail_that_kills_the_process_is_counted(path: Path, store: SqliteStore) -> None:
    """Each start that dies over a mail counts once; the third start's successor knows three."""
    counts = [begin(path, MAIL).get(MAIL, 0) for _ in range(3)]

    assert [0, 1, 2] == counts
    assert {MAIL: 3} == store.faults.suspects()


def test_mails_beside_the_culprit_are_not_counted_again(path: Path, store: SqliteStore) -> None:
    """A whole batch is suspected once; taken singly, only the mail that kills counts on."""
    begin(path, MAIL, b"innocent")
    begin(path, MAIL)

    assert {MAIL: 2, b"innocent": 1} == store.faults.suspects()


def test_a_process_that_ends_while_it_writes_blames_the_mail_less(
    path: Path, store: SqliteStore
) -> None:
    """
    A machine that fails again and again while a mail is written, and not read, is no reason to
    put it aside: that takes four times as many ends.
    """
    begin(path, MAIL)
    for _ in range(7):
        with closing(open_store(path, create=False)) as dying:
            dying.faults.begin([MAIL], NOW)
            dying.faults.survived([MAIL])
            assert {} == {
                mail: times for mail, times in dying.faults.suspects().items() if times > 2
            }

    assert {MAIL: 2} == store.faults.suspects()
    begin(path, MAIL)
    assert {MAIL: 3} == store.faults.suspects()


def test_work_under_way_is_no_suspect(store: SqliteStore) -> None:
    """A process does not suspect what it reads itself."""
    store.faults.begin([MAIL], NOW)
    store.faults.begin([MAIL], NOW)
    store.faults.survived([MAIL])

    assert {} == store.faults.suspects()


def test_trouble_of_ours_is_no_death(path: Path, store: SqliteStore) -> None:
    """A batch that was rolled back for a full disk is forgotten, but deaths before are not."""
    begin(path, MAIL)
    store.faults.begin([MAIL, b"innocent"], NOW)
    store.faults.done([MAIL, b"innocent"])

    assert {MAIL: 1} == store.faults.suspects()


def test_errors_on_a_mail_are_counted_over_restarts(path: Path, store: SqliteStore) -> None:
    """The third error is the third, whenever the others were; a long text is cut."""
    store.faults.failed(MAIL, "KeyError: \udce9" + "x" * 10_000)

    with closing(open_store(path, create=False)) as again:
        counts = [again.faults.failed(MAIL, "KeyError") for _ in range(2)]

    assert [2, 3] == counts


def test_source_health_is_replaced_and_forgotten(store: SqliteStore, reader: Reader) -> None:
    """`status` shows the sources of today's configuration, as they are now."""
    store.state.save_source("imap:old", state="ok", since=NOW)
    store.state.save_source("imap:a", state="starting", since=NOW - 5)
    store.state.save_source(
        "imap:a",
        state="trouble",
        since=NOW,
        error="NO [AUTHENTICATIONFAILED]",
        tries=84,
        next_try=NOW + 300,
        warning="50,000 mails",
        backlog=7,
    )
    store.state.keep_sources({"imap:a"})

    (row,) = reader.sources(NOW)

    assert ("imap:a", "trouble", "NO [AUTHENTICATIONFAILED]", 84, NOW + 300) == (
        row.name,
        row.state,
        row.error,
        row.tries,
        row.next_try,
    )
    assert ("50,000 mails", 7, None, {}) == (row.warning, row.backlog, row.last_report, row.day)


def test_jobs_and_facts_are_remembered(store: SqliteStore, reader: Reader) -> None:
    """A job is not run again at each restart; single facts keep their last value."""
    store.state.save_job_run("prune", NOW)
    store.state.save_job_run("review", NOW, "database is locked")
    store.state.save_job_run("prune", NOW + 1)
    store.state.save_fact("started", "1")
    store.state.save_fact("started", "2")

    assert {"prune": NOW + 1, "review": NOW} == store.state.job_runs()
    assert [("prune", None), ("review", "database is locked")] == [
        (row.name, row.error) for row in reader.jobs()
    ]
    assert ("2", "2", None, None) == (
        store.state.fact("started"),
        reader.fact("started"),
        store.state.fact("other"),
        reader.fact("other"),
    )


def test_the_newest_time_is_known(store: SqliteStore) -> None:
    """A `--now` that goes back can be refused: jobs and mails say how late it is."""
    empty = store.state.newest()
    with store.write() as txn:
        txn.put([entry_of(report_of())])
    stored = store.state.newest()
    store.state.save_job_run("prune", NOW + DAY)

    assert (None, NOW, NOW + DAY) == (empty, stored, store.state.newest())
