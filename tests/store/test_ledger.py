"""Mails into the ledger: repeats, revisions, raw copies, and bytes made to hurt."""

import sqlite3
from typing import Any

import msgspec
import pytest

from tests.store.build import NOW, entry_of, report_of
from tlsrpt_mailer.intake.model import MailFacts
from tlsrpt_mailer.ports import Entry, Receipt
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.retention import Keep, prune
from tlsrpt_mailer.store.sqlite import SqliteStore


def put(store: SqliteStore, *entries: Entry) -> None:
    with store.write() as txn:
        txn.put(entries)


def rows(store: SqliteStore, sql: str) -> list[tuple[Any, ...]]:
    with store.writer.reading() as conn:
        return conn.execute(sql).fetchall()


def quarantined(raw: bytes = b"nobody can read this") -> Entry:
    return entry_of(raw=raw, outcome="quarantined", reason="no JSON", keep="quarantine")


def test_a_report_is_kept_as_it_came(store: SqliteStore, reader: Reader) -> None:
    """What the sender wrote can be shown later: its JSON to the byte, names, counts, rows."""
    new = report_of(failed=3)
    put(store, entry_of(new))

    row, json = reader.report(1)

    assert new.found.json == json
    assert ("google.com", "Google.Com", ("example.com",), 100, 3) == (
        row.reporter,
        row.organization_name,
        row.domains,
        row.successful_sessions,
        row.failed_sessions,
    )
    assert [("certificate-expired", 3, "192.0.2.9", "expired")] == rows(
        store, "SELECT result_type, failed_sessions, sending_mta_ip, reason_class FROM details"
    )


def test_the_ledger_says_what_became_of_each_mail(store: SqliteStore, reader: Reader) -> None:
    """One row a mail with its headers, when it was taken and when it was stored."""
    entry = entry_of(report_of())
    put(store, entry)

    (row,) = reader.mails().rows

    assert ("stored", 1, 1, NOW) == (row.outcome, row.reports, row.seen, row.stored_at)
    assert (entry.mail.taken_at, len(entry.mail.raw)) == (row.taken_at, row.size)
    assert "tls@example.net" == row.sender


def test_a_repeat_is_recognised_and_counted(store: SqliteStore, reader: Reader) -> None:
    """A mail that comes again gets a receipt at once, and only `seen` goes up."""
    entry = entry_of(report_of(), report_of(day=1))
    put(store, entry)
    with store.write() as txn:
        receipt = txn.known([entry.sha256], [], []).mails[entry.sha256]
        again = msgspec.structs.replace(entry, outcome=receipt.outcome, reports=())
        txn.put([again, again])

    (row,) = reader.mails().rows

    assert Receipt("duplicate", None, ("duplicate", "duplicate")) == receipt
    assert ("stored", 3, 2) == (row.outcome, row.seen, reader.reports().total)


def test_a_mail_twice_in_one_batch_is_one_row(store: SqliteStore, reader: Reader) -> None:
    """A server that hands over the same bytes twice in a batch breaks nothing."""
    entry = entry_of(report_of())
    put(store, entry, msgspec.structs.replace(entry, outcome="duplicate", reports=()))

    (row,) = reader.mails().rows

    assert ("stored", 2) == (row.outcome, row.seen)


def test_known_digests_and_revisions(store: SqliteStore) -> None:
    """Duplicates and revisions are recognised among counted and superseded reports."""
    old, new = report_of(version=1, ok=90), report_of(version=2, supersedes=1)
    late = report_of(version=0, ok=80, status="superseded")
    put(store, entry_of(old))
    put(store, entry_of(new), entry_of(late))
    digests = [one.found.digest for one in (old, new, late)]

    with store.write() as txn:
        known = txn.known([], [*digests, b"other"], [new.revision_key, b"other"])

    assert frozenset(digests) == known.digests
    assert {new.revision_key} == set(known.revisions)
    assert (2, 100, new.found.digest) == (
        known.revisions[new.revision_key].report,
        known.revisions[new.revision_key].sessions,
        known.revisions[new.revision_key].digest,
    )


def test_a_superseded_report_says_by_what_and_counts_no_more(
    store: SqliteStore, reader: Reader
) -> None:
    """Of two revisions both are listed, and only the newer has windows, in either order."""
    put(store, entry_of(report_of(failed=5, version=1)))
    put(store, entry_of(report_of(failed=1, version=2, supersedes=1)))
    put(store, entry_of(report_of(failed=9, version=0, status="superseded")))

    listed = {row.id: (row.status, row.superseded_by) for row in reader.reports().rows}

    assert {1: ("superseded", 2), 2: ("counted", None), 3: ("superseded", 2)} == listed
    assert [(2,)] == rows(store, "SELECT report_id FROM windows")
    assert [(1,)] == rows(store, "SELECT sessions FROM sightings")


def test_a_quarantined_mail_is_kept_and_recognised(store: SqliteStore, reader: Reader) -> None:
    """Its bytes are there for a person; the same bytes again get the same answer, and stay."""
    put(store, quarantined())
    with store.write() as txn:
        receipt = txn.known([quarantined().sha256], [], []).mails[quarantined().sha256]
        txn.put([msgspec.structs.replace(quarantined(), keep="no")])

    assert Receipt("quarantined", "no JSON") == receipt
    assert b"nobody can read this" == reader.kept_raw(1)
    assert 1 == reader.kept("quarantine").total


def test_a_quarantined_mail_that_is_understood_later_is_stored(
    store: SqliteStore, reader: Reader
) -> None:
    """A retry with a newer version turns it into a report; the copy is dropped."""
    put(store, quarantined())
    put(store, entry_of(report_of(), raw=quarantined().mail.raw))

    (row,) = reader.mails().rows

    assert ("stored", None, 1) == (row.outcome, row.reason, row.reports)
    assert 0 == reader.kept("quarantine").total


def test_a_quarantined_mail_may_turn_out_to_be_a_duplicate(
    store: SqliteStore, reader: Reader
) -> None:
    """A retry that finds a report which came by another mail meanwhile ends as a duplicate."""
    put(store, quarantined())
    put(store, entry_of(raw=quarantined().mail.raw, outcome="duplicate", found=1))

    (row,) = reader.mails().rows

    assert "duplicate" == row.outcome
    assert 0 == reader.kept("quarantine").total


def test_an_ignored_mail_is_read_again(store: SqliteStore, reader: Reader) -> None:
    """What was no report may be one to the next version, so it is not known by its hash."""
    entry = entry_of(raw=b"a letter")
    put(store, entry)
    with store.write() as txn:
        known = txn.known([entry.sha256], [], [])
    put(store, entry)

    (row,) = reader.mails().rows

    assert {} == known.mails
    assert ("ignored", 2, "no report in it") == (row.outcome, row.seen, row.reason)


def test_held_mail_is_known_as_held(store: SqliteStore) -> None:
    """A repeat of a held report is neither counted nor called a duplicate."""
    entry = entry_of(raw=b"unsigned", outcome="held", keep="held", reason="not signed", found=2)
    put(store, entry)

    with store.write() as txn:
        known = txn.known([entry.sha256], [], [])

    assert Receipt("held", "not signed", ("held", "held")) == known.mails[entry.sha256]


def test_ignored_bytes_are_counted_as_they_lie_on_the_disk(store: SqliteStore) -> None:
    """The cap on letters is about disk space; quarantine has another one."""
    put(store, quarantined(), entry_of(raw=b"a" * 100_000, keep="ignored"))

    with store.write() as txn:
        size = txn.ignored_bytes()

    assert 50 < size < 1000


def test_kept_mail_goes_back_whole_however_big(store: SqliteStore, reader: Reader) -> None:
    """A raw mail of several megabytes comes out as it went in."""
    raw = bytes(range(256)) * 8192
    put(store, entry_of(raw=raw, keep="ignored", file_name="report.json"))

    assert raw == reader.kept_raw(1)
    assert "report.json" == reader.kept_one(1).file_name


def test_a_letter_is_handed_on_in_the_same_commit(store: SqliteStore) -> None:
    """A mail for the postmaster is acknowledged only when its copy waits for delivery."""
    entry = entry_of(raw=b"Subject: hello\r\n\r\nhi", forward_to="root@example.com")
    put(store, entry)
    put(store, entry)

    (outgoing,) = store.outbox.due(NOW)

    assert ("root@example.com", "forward", b"Subject: hello\r\n\r\nhi") == (
        outgoing.letter.recipient,
        outgoing.letter.event,
        outgoing.letter.raw,
    )


def test_stored_mails_are_no_longer_noted_as_being_read(store: SqliteStore) -> None:
    """After the commit neither a crash nor an earlier error is held against the mail."""
    entry = entry_of(report_of())
    store.faults.begin([entry.sha256], NOW)
    store.faults.failed(entry.sha256, "KeyError")
    put(store, entry)

    assert [] == rows(store, "SELECT * FROM taking")
    assert 1 == store.faults.failed(entry.sha256, "KeyError")


def test_half_a_surrogate_pair_is_stored(store: SqliteStore, reader: Reader) -> None:
    """Headers and names that are no text cannot make the store raise."""
    new = report_of()
    report = msgspec.structs.replace(
        new.found.report, organization_name="Ev\udce9l", deviations=("bad \ud800 name",)
    )
    new = msgspec.structs.replace(new, found=msgspec.structs.replace(new.found, report=report))
    facts = MailFacts("<\udce9@x>", "j\udcf6rg@x", "\ud83d", NOW)
    put(store, entry_of(new, facts=facts, source="imap:jörg@example.net"))

    row, _ = reader.report(1)

    assert ("Ev?l", ("bad ? name",)) == (row.organization_name, row.deviations)
    assert "j?rg@x" == reader.mails().rows[0].sender
    assert "imap:jörg@example.net" == reader.mails().rows[0].source


def test_counts_past_64_bits_are_stored_as_the_most_there_is(
    store: SqliteStore, reader: Reader
) -> None:
    """A sender that claims absurd numbers spoils neither its mail nor the figures."""
    most = 2**63 - 1
    huge = report_of(ok=most, failed=most)
    policy = huge.found.report.policies[0]
    report = msgspec.structs.replace(huge.found.report, policies=(policy, policy))
    huge = msgspec.structs.replace(huge, found=msgspec.structs.replace(huge.found, report=report))
    put(store, entry_of(huge), entry_of(report_of(ok=most, failed=most, version=2)))

    row, _ = reader.report(1)
    pruned = prune(store.writer, NOW + 500 * DAY, Keep())

    assert (most, most) == (row.successful_sessions, row.failed_sessions)
    assert 2 == pruned.reports
    assert [(most, most), (0, most)] == rows(store, "SELECT successful, failed FROM rollups")
    assert reader.totals(NOW).sessions >= 0


def test_details_without_a_class_are_stored(store: SqliteStore) -> None:
    """A row that no class was found for is kept, whatever the other rows have."""
    new = msgspec.structs.replace(report_of(failed=2), reason_classes=())
    put(store, entry_of(new))

    assert [(2, None)] == rows(store, "SELECT failed_sessions, reason_class FROM details")


def test_report_numbers_are_never_used_again(store: SqliteStore, reader: Reader) -> None:
    """A number in an old alert never names another report, even when the report is gone."""
    put(store, entry_of(report_of(failed=1)))
    with store.writer.transaction() as conn:
        conn.execute("DELETE FROM reports")
    put(store, entry_of(report_of(day=1)))

    assert [2] == [row.id for row in reader.reports().rows]


@pytest.mark.parametrize("size", [1, 2, 16, 17, 256, 257, 600])
def test_batches_of_any_size_are_looked_up(store: SqliteStore, size: int) -> None:
    """However many mails come at once, each known one is found and no other."""
    entries = [entry_of(report_of(f"d{n}.example.com")) for n in range(size)]
    put(store, *entries)
    hashes = [entry.sha256 for entry in entries]

    with store.write() as txn:
        known = txn.known([*hashes, b"unknown"], [], [])

    assert set(hashes) == set(known.mails)


def test_an_empty_batch_writes_nothing(store: SqliteStore) -> None:
    """Nothing to store is no error."""
    put(store)

    assert [] == rows(store, "SELECT * FROM mails")


def test_foreign_keys_are_on_for_every_row(store: SqliteStore) -> None:
    """A policy without a report cannot be written."""
    with (
        pytest.raises(Exception, match="FOREIGN KEY") as caught,
        store.writer.transaction() as conn,
    ):
        conn.execute(
            "INSERT INTO policies"
            " VALUES (1, 99, 0, 'sts', 'example.com', NULL, '[]', '[]', 0, 0, 0)"
        )

    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
