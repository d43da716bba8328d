"""Frozen mails wait, are tried, and end; whatever happens their bytes stay the same."""

import pytest

from tests.store.build import NOW, verdict_of
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.ports import Letter, Told
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.retention import Keep, prune
from tlsrpt_mailer.store.sqlite import SqliteStore

RAW = b"Subject: x\r\n\r\n" + bytes(range(256))


def write(store: SqliteStore, *names: str, now: int = NOW) -> None:
    with store.compose() as txn:
        txn.save_letters(
            [Letter(f"<{name}>", "ana@example.com", name, "new", RAW) for name in names], now
        )


def test_mails_wait_in_order_and_come_with_their_bytes(store: SqliteStore) -> None:
    """The oldest goes first, and goes out as it was composed."""
    write(store, "second", now=NOW + 1)
    write(store, "first")

    due = store.outbox.due(NOW + 1)

    assert ["first", "second"] == [one.letter.subject for one in due]
    assert (RAW, 0, NOW) == (due[0].letter.raw, due[0].attempts, due[0].created)
    assert ["first"] == [one.letter.subject for one in store.outbox.due(NOW + 1, limit=1)]


def test_what_is_not_due_yet_waits(store: SqliteStore) -> None:
    """A mail that failed is not offered before its next try, and counts its tries."""
    write(store, "one")
    store.outbox.retry(1, NOW, "451 try later", NOW + HOUR)

    early, late = store.outbox.due(NOW + HOUR - 1), store.outbox.due(NOW + HOUR)

    assert [] == early
    assert [1] == [one.attempts for one in late]


def test_a_mail_that_ended_is_not_sent_again(store: SqliteStore, reader: Reader) -> None:
    """Taken or given up, it stays in the list with the last answer."""
    write(store, "taken", "refused")
    store.outbox.sent(1, NOW + 1, "250 ok")
    store.outbox.give_up(2, NOW + 2, "550 no such user")

    listed = [(row.state, row.answer, row.done_at, row.next_try) for row in reader.letters().rows]

    assert [] == store.outbox.due(NOW + HOUR)
    assert [
        ("failed", "550 no such user", NOW + 2, None),
        ("sent", "250 ok", NOW + 1, None),
    ] == listed
    assert ["refused"] == [row.subject for row in reader.letters(state="failed").rows]


def test_a_mail_can_be_sent_once_more(store: SqliteStore, reader: Reader) -> None:
    """`alerts resend` lets the very same bytes out again, with five new days."""
    write(store, "one")
    store.outbox.give_up(1, NOW, "550")

    known, unknown = store.outbox.resend(1, NOW + HOUR), store.outbox.resend(7, NOW)

    (due,) = store.outbox.due(NOW + HOUR)
    assert (True, False) == (known, unknown)
    assert (RAW, 0, NOW + HOUR) == (due.letter.raw, due.attempts, due.created)
    assert RAW == reader.letter(1)[1]


def test_a_mail_that_is_sent_again_keeps_its_past(store: SqliteStore, reader: Reader) -> None:
    """When it was written and what the relay said stay, until the relay says something new."""
    write(store, "one")
    store.outbox.sent(1, NOW + 1, "250 taken")

    store.outbox.resend(1, NOW + HOUR)

    (row,) = reader.letters().rows
    assert (NOW, "waiting", "250 taken", NOW + HOUR) == (
        row.created_at,
        row.state,
        row.answer,
        row.done_at,
    )
    store.outbox.retry(1, NOW + HOUR, "451 later", NOW + HOUR)
    (due,) = store.outbox.due(NOW + HOUR)
    assert (NOW + HOUR, 1) == (due.created, due.attempts)
    store.outbox.sent(1, NOW + 2 * HOUR, "250 again")
    (row,) = reader.letters().rows
    assert ("250 again", NOW + 2 * HOUR) == (row.answer, row.done_at)


def test_mail_that_was_handed_on_is_no_alert(store: SqliteStore, reader: Reader) -> None:
    """A listing of alerts can leave it out; the number of rows agrees."""
    write(store, "alert")
    with store.compose() as txn:
        txn.save_letters([Letter("forward:1", "ana@example.com", "letter", "forward", RAW)], NOW)

    without, whole = reader.letters(forwards=False), reader.letters()

    assert ["alert"] == [row.subject for row in without.rows]
    assert (1, 2) == (without.total, whole.total)


def notice(store: SqliteStore, name: str, *, to: str = "channel:ops", key: str = "c") -> int:
    """A notice waits; its number."""
    with store.compose() as txn:
        txn.save_letters([Letter(f"<{name}>", to, name, "new", b"{}", key=key)], NOW)
    (number,) = [one.id for one in store.outbox.due(NOW, 1000, to) if one.letter.subject == name]
    return number


def test_a_name_of_a_cause_lives_as_long_as_it_is_used(store: SqliteStore) -> None:
    """A thread that something was added to within 400 days is found again; others go."""
    store.outbox.sent(notice(store, "new"), NOW, "ok", "T-7")
    store.outbox.sent(notice(store, "other", key="d"), NOW, "ok", "T-8")
    store.outbox.sent(notice(store, "worse"), NOW + 300 * DAY, "ok")

    prune(store.writer, NOW + 500 * DAY, Keep())

    refs = {name: store.outbox.due(NOW)[0].remote_ref for name in [notice(store, "end")]}
    assert ["T-7"] == list(refs.values())
    notice(store, "other end", key="d")
    assert ["T-7", None] == [one.remote_ref for one in store.outbox.due(NOW)]


def test_a_later_notice_of_a_cause_is_not_due_before_the_earlier(store: SqliteStore) -> None:
    """Also one that is sent again holds back what comes after it."""
    first = notice(store, "new")
    with store.compose() as txn:
        txn.save_letters([Letter("<2>", "channel:ops", "end", "resolved", b"{}", key="c")], NOW)
    before = [one.letter.subject for one in store.outbox.due(NOW)]
    store.outbox.sent(first, NOW, "ok")
    between = [one.letter.subject for one in store.outbox.due(NOW)]
    store.outbox.resend(first, NOW)

    assert (["new"], ["end"]) == (before, between)
    assert ["new"] == [one.letter.subject for one in store.outbox.due(NOW)]


def test_a_letter_keeps_what_an_answer_to_it_needs(store: SqliteStore, reader: Reader) -> None:
    """Its token, and the failures that it names without telling anything new."""
    with store.write() as writing:
        writing.save_verdicts([verdict_of("a.example"), verdict_of("b.example")], NOW)
    told = (Told(failure=1, recipient="ana@example.com", incident=3, event="new", at=NOW),)
    with store.compose() as txn:
        txn.save_letters(
            [Letter("<1>", "ana@example.com", "x", "reminder", RAW, told, "token", (1, 2), "key")],
            NOW,
        )

    assert [("token", "key")] == rows(store, "SELECT token, key FROM letters")
    assert [(1, "new", 3), (2, "reminder", 0)] == rows(
        store, "SELECT failure_id, event, incident FROM letter_failures ORDER BY failure_id"
    )
    assert (1, 2) == reader.letters().rows[0].failures


def rows(store: SqliteStore, sql: str) -> list[tuple[object, ...]]:
    with store.writer.reading() as conn:
        return conn.execute(sql).fetchall()


def test_an_endless_answer_is_cut(store: SqliteStore, reader: Reader) -> None:
    """A relay that talks without end fills no disk."""
    write(store, "one")
    store.outbox.retry(1, NOW, "x" * 100_000, NOW)

    assert 2000 == len(reader.letter(1)[0].answer or "")


def test_a_mail_that_is_not_there_is_said_so(reader: Reader) -> None:
    """A wrong number is an error, not an empty page."""
    with pytest.raises(NoSuch, match="no alert 5"):
        reader.letter(5)
