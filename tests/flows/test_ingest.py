"""What becomes of mails: receipts, ledger, duplicates, revisions, trouble."""

import hashlib
import sqlite3
from pathlib import Path

import pytest

from tests.flows.world import NOW, World
from tests.mails import bounce, detail, dmarc_mail, document, letter, mail, report
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.flows import ingest
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import Receipt
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.sqlite import SqliteTxn

MICROSOFT = {"organization": "Microsoft Corporation", "contact": "tlsrpt-noreply@microsoft.com"}


def test_a_report_is_stored_with_what_it_says(world: World) -> None:
    """A mail that is acknowledged is in the database: its report, and the failure it speaks of."""
    receipts = world.take(mail(report()))

    assert [Receipt("stored", None, ("stored",))] == receipts
    assert [("google.com", "counted")] == world.rows("SELECT reporter, status FROM reports")
    assert [("example.com", "certificate-expired", "mx1.example.com", "critical", "new")] == (
        world.rows("SELECT domain, result_type, mx, severity, state FROM failures")
    )


def test_the_same_mail_again_counts_nothing_twice(world: World) -> None:
    """A mail that is offered again, in the same batch or later, is a duplicate."""
    raw = mail(report())

    first, second = world.take(raw, raw)
    (third,) = world.take(raw)

    assert ("stored", "duplicate", "duplicate") == (first.outcome, second.outcome, third.outcome)
    assert 1 == world.count("reports")
    assert [(3,)] == world.rows("SELECT seen FROM mails")


def test_the_same_json_in_another_mail_is_a_duplicate(world: World) -> None:
    """A sender that mails a report to two addresses is counted once."""
    world.take(mail(report(), to="one@example.com"))

    (receipt,) = world.take(mail(report(), to="two@example.com"))

    assert Receipt("duplicate", None, ("duplicate",)) == receipt
    assert 1 == world.count("reports")
    assert 2 == world.count("mails")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_the_later_revision_counts_in_any_order(
    tmp_path: Path, order: tuple[int, int], together: bool
) -> None:
    """Of two revisions of one report only the one with the later Date header counts."""
    world = World(tmp_path)
    old = mail(report(successful=10, details=()), date=NOW - 7200)
    new = mail(report(successful=20, details=()), date=NOW - 3600)
    raws = [(old, new)[at] for at in order]

    outcomes = (
        [receipt.outcome for receipt in world.take(*raws)]
        if together
        else [world.take(raw)[0].outcome for raw in raws]
    )

    counted = world.rows("SELECT successful_sessions FROM reports WHERE status = 'counted'")
    assert [(20,)] == counted
    assert 1 == world.count("windows")
    if together or order == (1, 0):
        assert {"stored": new, "superseded": old} == dict(zip(outcomes, raws, strict=True))


def test_a_revision_that_says_less_takes_the_failure_back(world: World) -> None:
    """When the corrected report knows no failure, none stays open."""
    world.take(mail(report(), date=NOW - 7200))

    world.take(mail(report(details=()), date=NOW - 3600))

    assert [] == world.rows("SELECT id FROM failures WHERE is_open")


def test_one_report_id_for_two_domains_is_two_reports(world: World) -> None:
    """Halon uses one id for a whole run: a report-id alone identifies nothing."""
    receipts = world.take(
        mail(report("a.example", report_id="one-run")),
        mail(report("b.example", report_id="one-run")),
    )

    assert ["stored", "stored"] == [receipt.outcome for receipt in receipts]
    assert [(2,)] == world.rows("SELECT count(*) FROM reports WHERE status = 'counted'")


def test_microsoft_makes_a_report_anew_under_another_id(world: World) -> None:
    """A regenerated report of Microsoft takes the place of the first, whatever its id."""
    first = report(report_id="133+example.com", successful=5, details=(), **MICROSOFT)
    again = report(report_id="134+example.com", successful=9, details=(), **MICROSOFT)

    world.take(mail(first, submitter="microsoft.com", date=NOW - 7200))
    world.take(mail(again, submitter="microsoft.com", date=NOW - 3600))

    counted = world.rows("SELECT report_id FROM reports WHERE status = 'counted'")
    assert [("134+example.com",)] == counted


def test_all_reports_of_one_mail_are_taken(world: World) -> None:
    """A mail with several reports gets one receipt that names each."""
    (receipt,) = world.take(mail([report("a.example"), report("b.example")]))

    assert Receipt("stored", None, ("stored", "stored")) == receipt
    assert 2 == world.count("reports")


def test_a_report_nobody_can_read_is_quarantined_with_its_bytes(world: World) -> None:
    """What claims to be a report and cannot be read is kept as it came, with the reason."""
    raw = mail(b"{ not json")

    (receipt,) = world.take(raw)
    (again,) = world.take(raw)

    assert "quarantined" == receipt.outcome
    assert receipt.reason
    assert [("quarantine",)] == world.rows("SELECT kind FROM kept")
    assert "quarantined" == again.outcome


@pytest.mark.parametrize("raw", [dmarc_mail(), letter(), bounce()])
def test_other_mail_is_left_where_it_is(world: World, raw: bytes) -> None:
    """A source that can leave a mail keeps it; its bytes are not copied, nothing is told."""
    (receipt,) = world.take(raw)

    assert "ignored" == receipt.outcome
    assert 0 == world.count("kept")
    assert 0 == world.count("failures")


def test_other_mail_over_lmtp_is_kept_before_it_is_acknowledged(world: World) -> None:
    """A person's letter that came by LMTP is in the database when the 250 goes out."""
    (receipt,) = world.take(letter(), keep_ignored=True)

    assert "ignored" == receipt.outcome
    assert [("ignored",)] == world.rows("SELECT kind FROM kept")


def test_other_mail_is_handed_on_where_configured(world: World) -> None:
    """With forward_ignored_to the letter waits in the outbox, and is not kept twice."""
    world.take(letter(), keep_ignored=True, forward_ignored_to="ana@example.com")

    assert 0 == world.count("kept")
    assert [("ana@example.com", "forward", letter())] == [
        (one.letter.recipient, one.letter.event, one.letter.raw)
        for one in world.store.outbox.due(NOW)
    ]


def test_mail_for_the_postmaster_is_handed_on_even_if_it_is_a_report(world: World) -> None:
    """postmaster_to gets everything; a report among it counts all the same."""
    (receipt,) = world.take(mail(report()), forward_to="root@example.com")

    assert "stored" == receipt.outcome
    assert ["root@example.com"] == [one.letter.recipient for one in world.store.outbox.due(NOW)]


def test_letters_past_the_limit_wait_at_the_sender(tmp_path: Path) -> None:
    """When the room for letters is used up they are deferred; reports still get in."""
    first = letter(text="a")
    world = World(tmp_path, ignored_bytes=len(first) + 10)

    receipts = world.take(
        first, letter(text="b"), mail(report()), letter(text="c"), keep_ignored=True
    )

    assert ["ignored", "failed", "stored", "failed"] == [one.outcome for one in receipts]
    assert 2 == world.count("mails")


def test_a_locked_database_defers_and_loses_nothing(world: World) -> None:
    """While another process holds the database, mails wait at the source; later they get in."""
    with sqlite3.connect(world.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        (deferred,) = world.take(mail(report()))
        other.execute("ROLLBACK")

    (stored,) = world.take(mail(report()))

    assert ("failed", "stored") == (deferred.outcome, stored.outcome)
    assert 0 == world.count("faults")


def _raising(error: BaseException, mark: bytes) -> object:
    def reader(raw: bytes, name: str | None) -> MailContent:
        if mark in raw:
            raise error
        return read(raw, file_name=name)

    return reader


def test_a_mail_that_makes_us_raise_stops_no_other_and_is_put_aside(tmp_path: Path) -> None:
    """The third time it is quarantined; the mails beside it are stored the first time."""
    world = World(tmp_path, reader=_raising(RuntimeError("a bug"), b"POISON"))  # type: ignore[arg-type]
    bad, good = letter(text="POISON"), mail(report())

    outcomes = [[one.outcome for one in world.take(bad, good)] for _ in range(3)]

    assert [["failed", "stored"], ["failed", "duplicate"], ["quarantined", "duplicate"]] == outcomes
    assert [("an internal error, 3 times: RuntimeError",)] == world.rows(
        "SELECT reason FROM mails WHERE outcome = 'quarantined'"
    )
    assert 0 == world.count("faults")


@pytest.mark.parametrize("error", [MemoryError(), OSError("disk")])
def test_trouble_of_ours_is_never_a_mails_fault(tmp_path: Path, error: Exception) -> None:
    """However often memory or disk fail while a mail is read, it is not quarantined for it."""
    world = World(tmp_path, reader=_raising(error, b"POISON"))  # type: ignore[arg-type]

    outcomes = [world.take(letter(text="POISON"))[0].outcome for _ in range(5)]

    assert ["failed"] * 5 == outcomes
    assert 0 == world.count("faults")
    assert 0 == world.count("taking")


def test_a_mail_that_cannot_be_written_is_found_and_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the middle of a batch's commit is traced to its mail; the others are stored."""
    world = World(tmp_path)
    good, bad = mail(report()), mail(report("poison.example"))
    real = ingest.judge_domains

    def judge(txn: object, names: list[str], *rest: object) -> object:
        if "poison.example" in names:
            raise RuntimeError("a bug in the judge")
        return real(txn, names, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "judge_domains", judge)

    outcomes = [[one.outcome for one in world.take(good, bad)] for _ in range(3)]

    assert [["stored", "failed"], ["duplicate", "failed"], ["duplicate", "quarantined"]] == outcomes
    assert 1 == world.count("reports")


def test_a_mail_that_kills_the_process_is_put_aside_unread(tmp_path: Path) -> None:
    """After three deaths with the same mail in hand it is quarantined without being read."""
    killer, good = letter(text="KILLER"), mail(report())

    for _ in range(3):
        dying = World(tmp_path)
        dying.ingest.deliver([])
        dying.store.faults.begin([_sha(killer)], NOW)
        dying.store.close()
    world = World(tmp_path, reader=_raising(AssertionError("it was read"), b"KILLER"))  # type: ignore[arg-type]
    receipts = world.take(killer, good)

    assert ["quarantined", "stored"] == [one.outcome for one in receipts]
    assert "3 times" in str(receipts[0].reason)


def test_after_one_death_the_mails_in_hand_are_taken_singly(tmp_path: Path) -> None:
    """One death proves nothing yet: the mails that were in hand are read, one at a time."""
    first, second = mail(report("a.example")), mail(report("b.example"))
    dying = World(tmp_path)
    dying.store.faults.begin([_sha(first), _sha(second)], NOW)
    dying.store.close()

    world = World(tmp_path)
    receipts = world.take(first, second)

    assert ["stored", "stored"] == [one.outcome for one in receipts]
    assert 0 == world.count("taking")


def test_who_was_in_hand_most_often_comes_last(tmp_path: Path) -> None:
    """
    After an end of the program the mail that was in hand is read behind all others, so that a
    machine that fails soon after each start does not fail over the same mail again and again.
    """
    first, second = mail(report("a.example")), mail(report("b.example"))
    dying = World(tmp_path)
    dying.store.faults.begin([_sha(first)], NOW)
    dying.store.close()

    world = World(tmp_path)
    receipts = world.take(first, second)

    assert ["stored", "stored"] == [one.outcome for one in receipts]
    assert [("b.example",), ("a.example",)] == world.rows("SELECT domain FROM windows ORDER BY id")


def test_a_suspect_that_was_read_is_hardly_blamed_for_what_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A program that is ended time and again while it writes a mail, which it could read, takes the
    mail in the end.
    """

    class Ended(BaseException):
        pass

    def end(*_: object) -> None:
        raise Ended

    raw = mail(report())
    with monkeypatch.context() as ending:
        ending.setattr(ingest, "judge_domains", end)
        for _ in range(5):
            dying = World(tmp_path)
            with pytest.raises(Ended):
                dying.take(raw)
            dying.store.close()

    (receipt,) = World(tmp_path).take(raw)

    assert "stored" == receipt.outcome


def _sha(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def test_two_clean_days_end_a_failure(world: World) -> None:
    """Reports alone open and end a failure: nobody has to say so."""
    for day, rows in (("13", (detail(),)), ("14", ()), ("15", ())):
        world.now = NOW + (int(day) - 13) * DAY
        world.take(mail(report(day=f"2026-10-{day}", details=rows)))

    assert [("resolved", 0)] == world.rows("SELECT state, is_open FROM failures")


def test_a_deferred_batch_leaves_no_note(world: World) -> None:
    """A batch that could not be written is no suspicion against its mails."""
    with sqlite3.connect(world.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        world.take(mail(report()))
        other.execute("ROLLBACK")

    assert 0 == world.count("taking")


def test_a_mail_that_the_database_refuses_stops_no_other(world: World) -> None:
    """A constraint that one mail breaks defers that mail alone, and is never held against it."""
    with sqlite3.connect(world.path) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON reports WHEN new.report_id = 'bad'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    good, bad = mail(report("a.example")), mail(report("b.example", report_id="bad"))

    outcomes = [[one.outcome for one in world.take(bad, good)] for _ in range(4)]

    assert [["failed", "stored"], *[["failed", "duplicate"]] * 3] == outcomes
    assert 0 == world.count("faults")
    assert 0 == world.count("taking")


def test_a_suspect_stays_one_until_it_is_over(tmp_path: Path) -> None:
    """While the database is locked a mail that killed us is not forgotten, and not read either."""
    killer = letter(text="KILLER")
    for _ in range(3):
        dying = World(tmp_path)
        dying.store.faults.begin([_sha(killer)], NOW)
        dying.store.close()
    world = World(tmp_path, reader=_raising(AssertionError("it was read"), b"KILLER"))  # type: ignore[arg-type]
    with sqlite3.connect(world.path) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON kept BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    (deferred,) = world.take(killer)
    with sqlite3.connect(world.path) as other:
        other.execute("DROP TRIGGER no")

    (taken,) = world.take(killer)

    assert ("failed", "quarantined") == (deferred.outcome, taken.outcome)


def test_large_reports_of_a_batch_are_written_a_few_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """
    A mail of 10 KB may unpack to many megabytes: two hundred of them in one batch must not be
    in memory together. Reports of the usual size still share a transaction.
    """
    begun: list[int] = []
    write = world.store.write
    monkeypatch.setattr(world.store, "write", lambda: begun.append(1) or write())

    def padded(number: int, size: int) -> bytes:
        body = report(f"d{number}.example", details=())
        return mail(document(body) + b" " * size, domain=f"d{number}.example")

    receipts = world.take(*(padded(number, 5 * 1024 * 1024) for number in range(6)))

    assert ["stored"] * 6 == [receipt.outcome for receipt in receipts]
    assert 3 == len(begun)

    begun.clear()
    world.take(*(padded(number, 10) for number in range(10, 40)))

    assert 1 == len(begun)


def test_a_bug_of_ours_in_writing_loses_no_mail(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can neither be stored nor put aside is asked for again, however often, until it can."""
    raw = mail(report())
    with monkeypatch.context() as broken:
        broken.setattr(SqliteTxn, "known", lambda *_: _raise(RuntimeError("a bug")))
        outcomes = [world.take(raw)[0].outcome for _ in range(ingest.TRIES + 2)]
    (mended,) = world.take(raw)

    assert {"failed"} == set(outcomes)
    assert "stored" == mended.outcome
    assert 0 == world.count("taking")


def test_a_full_disk_while_a_mail_is_put_aside_is_not_its_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for again, and read as any other when there is room."""
    raw = mail(report())
    errors = [RuntimeError("a bug")] * ingest.TRIES + [Temporary("the disk is full")]
    with monkeypatch.context() as broken:
        broken.setattr(SqliteTxn, "known", lambda *_: _raise(errors.pop(0)))
        outcomes = [world.take(raw)[0].outcome for _ in range(ingest.TRIES)]
    (mended,) = world.take(raw)

    assert ["failed"] * ingest.TRIES == outcomes
    assert [] == errors
    assert "stored" == mended.outcome


def test_a_mail_that_makes_us_raise_is_put_aside_when_it_comes_alone(tmp_path: Path) -> None:
    """As it does by LMTP: deferred twice, then kept for a person to look at."""
    world = World(tmp_path, reader=_raising(RuntimeError("a bug"), b"POISON"))  # type: ignore[arg-type]

    outcomes = [world.take(letter(text="POISON"))[0].outcome for _ in range(3)]

    assert ["failed", "failed", "quarantined"] == outcomes


def _raise(error: BaseException) -> None:
    raise error
