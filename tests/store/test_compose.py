"""What composing reads, and the frozen mails and `told` rows that it writes."""

from typing import Any

import msgspec
import pytest

from tests.store.build import DAY_ONE, MX, NOW, entry_of, report_of, verdict_of
from tlsrpt_mailer.failures.model import Sighting, Witness
from tlsrpt_mailer.ports import Backlog, Composed, Evidence, Letter, NewReport, Told
from tlsrpt_mailer.report.model import FailureDetail
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.sqlite import SqliteStore

ANA, BEN = "ana@example.com", "ben@example.com"


def put(store: SqliteStore, *reports: NewReport) -> None:
    with store.write() as txn:
        txn.put([entry_of(report) for report in reports])


def save(store: SqliteStore, *verdicts: Any) -> None:
    with store.write() as txn:
        txn.save_verdicts(verdicts, NOW)


def letter(
    failure: int = 1,
    event: str = "new",
    *,
    recipient: str = ANA,
    message_id: str | None = None,
    at: int = NOW,
) -> Letter:
    told = Told(failure, recipient, 1, event, at, message_id=f"<{failure}@x>")
    name = message_id or f"<{event}.{failure}.{recipient}>"
    return Letter(name, recipient, f"[tlsrpt {failure}]", event, b"Subject: x\r\n\r\n", (told,))


def send(store: SqliteStore, *letters: Letter, now: int = NOW) -> None:
    with store.compose() as txn:
        txn.save_letters(letters, now)


def evidence(store: SqliteStore, limit: int = 12) -> list[Evidence]:
    with store.compose() as txn:
        first, again = txn.evidence(1, limit), txn.evidence(1, limit)
    assert first == again
    return first


def seen_by(*reporters: str) -> tuple[Witness, ...]:
    (one,) = verdict_of().witnesses
    return tuple(msgspec.structs.replace(one, reporter=name) for name in reporters)


def test_composing_sees_what_is_open_or_was_told_open(store: SqliteStore) -> None:
    """Ended failures are looked at until their end was told, and never after."""
    names = ("open", "untold", "told", "over")
    save(store, *(verdict_of(f"{name}.example.com") for name in sorted(names)))
    numbers = {name: place for place, name in enumerate(sorted(names), 1)}
    send(store, letter(numbers["told"]), letter(numbers["over"]))
    send(store, letter(numbers["over"], "resolved"))
    ended = [name for name in names if name != "open"]
    save(store, *(verdict_of(f"{name}.example.com", state="resolved") for name in ended))

    with store.compose() as txn:
        found = [one.verdict.identity.domain for one in txn.failures()]
        told = [one.failure for one in txn.told()]

    assert ["open.example.com", "told.example.com"] == found
    assert [numbers["told"]] == told


def test_what_was_told_is_written_with_the_mail(store: SqliteStore, reader: Reader) -> None:
    """Mail and note go in one commit, one note a recipient, and the newest replaces the older."""
    save(store, verdict_of())
    send(store, letter(), letter(recipient=BEN))
    send(store, letter(event="resolved", at=NOW + 1))

    with store.compose() as txn:
        told = txn.told()

    assert [(ANA, "resolved"), (BEN, "new")] == [(one.recipient, one.event) for one in told]
    assert told == reader.told(1)
    assert 3 == reader.letters().total
    assert (1,) == reader.letters().rows[0].failures


def test_a_mail_is_never_frozen_twice(store: SqliteStore) -> None:
    """The same Message-ID to the same recipient keeps its first bytes."""
    save(store, verdict_of())
    send(store, letter())
    send(store, msgspec.structs.replace(letter(), raw=b"other bytes"))

    (waiting,) = store.outbox.due(NOW)

    assert b"Subject: x\r\n\r\n" == waiting.letter.raw


def test_the_cap_counts_alerts_alone(store: SqliteStore) -> None:
    """Tests and mail that is handed on use up nobody's allowance."""
    save(store, verdict_of())
    send(store, letter(message_id="<1>"), now=NOW - HOUR)
    send(store, letter(message_id="<2>"), now=NOW - HOUR - 1)
    send(store, letter(message_id="<3>", recipient=BEN))
    send(store, letter(message_id="<4>", event="test"), letter(message_id="<5>", event="forward"))

    with store.compose() as txn:
        quiet = txn.composed(NOW - HOUR, NOW - DAY)
    send(store, letter(message_id="<6>", event="flood"))
    with store.compose() as txn:
        flooded = txn.composed(NOW - HOUR, NOW - DAY)

    assert {ANA: Composed(1), BEN: Composed(1)} == quiet
    assert {ANA: Composed(2, flooded=True), BEN: Composed(1)} == flooded


def test_the_last_reminder_and_digest_are_known(store: SqliteStore) -> None:
    """Who got a digest yesterday is not reminded today, and nobody is reminded twice a day."""
    save(store, verdict_of())
    send(store, letter(message_id="<1>", event="reminder"), now=NOW - 3 * HOUR)
    send(store, letter(message_id="<2>", event="digest"), now=NOW - 4 * HOUR)
    send(store, letter(message_id="<3>", event="digest", recipient=BEN), now=NOW - 3 * DAY)

    with store.compose() as txn:
        found = txn.composed(NOW - HOUR, NOW - 2 * DAY)

    expected = Composed(last_reminder=NOW - 3 * HOUR, last_digest=NOW - 4 * HOUR)
    assert {ANA: expected} == found


def test_rows_without_a_mail_are_kept_alike(store: SqliteStore) -> None:
    """What a reminder changes is remembered, all of it, and nobody gets a mail for it."""
    save(store, verdict_of())
    row = Told(1, ANA, 1, "new", NOW, None, 2, "<1@x>", ("enforce", "share-1"), NOW, NOW + 1, NOW)
    with store.compose() as txn:
        txn.save_told([row])

    with store.compose() as txn:
        assert [row] == txn.told()
    assert [] == store.outbox.due(NOW + DAY)


def test_the_last_mail_of_a_cause_is_known_for_each_recipient(store: SqliteStore) -> None:
    """Domains that join a cause later wait for the interval since its last mail."""
    save(store, verdict_of("a.example.com"), verdict_of("b.example.com"))
    send(store, letter(1, at=NOW - DAY), letter(2, at=NOW - HOUR))

    with store.compose() as txn:
        times = txn.last_composed()

    assert {(ANA, 1): NOW - HOUR} == times


def test_evidence_is_failing_and_clean_windows_newest_first(store: SqliteStore) -> None:
    """An alert shows what each reporter that saw it says, with addresses and reasons."""
    put(
        store,
        report_of(failed=3),
        report_of(day=1),
        report_of(reporter="other.example"),
        report_of("else.example.com", failed=9),
    )
    save(store, verdict_of())

    clean, failing = evidence(store)

    assert (DAY_ONE + DAY, 100, 0, 2, ()) == (
        clean.start,
        clean.sessions,
        clean.failed,
        clean.report,
        clean.ips,
    )
    assert (
        Evidence(
            reporter="google.com",
            organization="Google.Com",
            start=DAY_ONE,
            end=DAY_ONE + DAY,
            received=DAY_ONE + DAY + 10 * HOUR,
            sessions=103,
            failed=3,
            report=1,
            ips=(("198.51.100.1", 3),),
            sending_ips=(("192.0.2.9", 3),),
            reasons=(("certificate has expired", "expired"),),
            mode="enforce",
            policy_string=("version: STSv1", "mode: enforce"),
            mx_host=("mx1.example.com",),
            trust="unchecked",
        )
        == failing
    )


def test_evidence_stops_at_the_limit_and_says_nothing_of_nothing(store: SqliteStore) -> None:
    """The newest windows come first; one in which no session got in is no evidence."""
    put(store, *(report_of(day=day, failed=1) for day in range(4)), report_of(day=4, ok=0))
    save(store, verdict_of())

    found = evidence(store, limit=2)

    assert [DAY_ONE + 3 * DAY, DAY_ONE + 2 * DAY] == [one.start for one in found]


def test_evidence_outlives_the_report(store: SqliteStore) -> None:
    """When the report itself is pruned, the window still says who saw how much."""
    put(store, report_of(failed=3))
    save(store, verdict_of())
    with store.writer.transaction() as conn:
        conn.execute("DELETE FROM reports")

    (found,) = evidence(store)

    assert (None, 3, (), ()) == (found.organization, found.failed, found.ips, found.policy_string)


def test_evidence_of_a_failure_that_is_not_there_is_none(store: SqliteStore) -> None:
    """A failure that was taken back meanwhile has nothing to show."""
    assert [] == evidence(store)


def with_details(new: NewReport, *details: FailureDetail) -> NewReport:
    policy = msgspec.structs.replace(new.found.report.policies[0], failure_details=details)
    report = msgspec.structs.replace(new.found.report, policies=(policy,))
    found = msgspec.structs.replace(new.found, report=report)
    return msgspec.structs.replace(new, found=found, reason_classes=((None,) * len(details),))


def test_evidence_adds_up_addresses_of_this_mx_alone(store: SqliteStore) -> None:
    """Eight addresses at most, the most failures first; another MX's rows stay out."""
    detail = FailureDetail("certificate-expired", 1, receiving_mx_hostname=MX)
    many = [
        msgspec.structs.replace(detail, receiving_ip=f"198.51.100.{n}", failed_sessions=n)
        for n in range(1, 12)
    ]
    foreign = msgspec.structs.replace(
        detail, receiving_mx_hostname="mx2.example.com", receiving_ip="203.0.113.1"
    )
    nameless = msgspec.structs.replace(
        detail, receiving_mx_hostname=None, receiving_ip="198.51.100.11", failed_sessions=5
    )
    put(store, with_details(report_of(failed=3), *many, foreign, nameless))
    save(store, verdict_of())

    (found,) = evidence(store)

    assert 8 == len(found.ips)
    assert [("198.51.100.11", 16), ("198.51.100.10", 10)] == list(found.ips[:2])
    assert ((), ()) == (found.reasons, found.sending_ips)


def test_evidence_names_reasons_once_and_unknown_ones_as_such(store: SqliteStore) -> None:
    """At most four texts as they came, each with its class."""
    details = [
        FailureDetail("certificate-expired", 9 - n, None, MX, failure_reason_code=f"text {n % 5}")
        for n in range(6)
    ]
    put(store, with_details(report_of(failed=3), *details))
    save(store, verdict_of())

    (found,) = evidence(store)

    assert [(f"text {n}", "unclassified") for n in range(4)] == list(found.reasons)


@pytest.mark.parametrize(("version", "expected"), [(0, 3), (2, 9)])
def test_evidence_counts_overlapping_windows_once(
    store: SqliteStore, version: int, expected: int
) -> None:
    """Of two reports about the same day the later Date header speaks, as for the judge."""
    other = msgspec.structs.replace(
        report_of(failed=9, version=version), revision_key=b"another report"
    )
    put(store, report_of(failed=3), other)
    save(store, verdict_of())

    assert [expected] == [one.failed for one in evidence(store)]


def test_evidence_names_every_reporter_that_saw_it(store: SqliteStore) -> None:
    """Two reporters of one day both appear."""
    put(store, report_of(failed=3), report_of(failed=1, reporter="microsoft.com"))
    save(store, verdict_of(witnesses=seen_by("google.com", "microsoft.com")))

    assert {"google.com", "microsoft.com"} == {one.reporter for one in evidence(store)}


def test_evidence_is_named_as_the_judge_named_it(store: SqliteStore) -> None:
    """A flood of hosts in a stranger's older report hides no figure of a known reporter's."""
    flood = report_of(reporter="evil.example", day=-9, failed=51)
    rows = tuple(Sighting("sts", "certificate-expired", f"a{n:02}.test", 1) for n in range(51))
    windows = (msgspec.structs.replace(flood.windows[0], sightings=rows),)
    put(store, msgspec.structs.replace(flood, windows=windows), report_of(failed=3))
    stranger = msgspec.structs.replace(seen_by("evil.example")[0], known=False)
    save(store, verdict_of(), verdict_of(mx="other (unknown)", witnesses=(stranger,)))

    with store.compose() as txn:
        found = [[one.failed for one in txn.evidence(number)] for number in (1, 2)]

    assert [[3], [2]] == found


def test_what_was_read_is_counted_for_the_domains_that_are_asked_for(store: SqliteStore) -> None:
    """Reports, reporters and days of these domains, and what ended without a word."""
    put(
        store,
        report_of(failed=3),
        report_of(day=4, reporter="other.example"),
        report_of("else.example.com", day=9, failed=9),
    )
    save(store, verdict_of(), verdict_of("else.example.com"))
    save(
        store, *(verdict_of(name, state="resolved") for name in ("example.com", "else.example.com"))
    )

    with store.compose() as txn:
        names = txn.domains()
        found = txn.backlog(["example.com", "nothing.example.com"])
        nothing = txn.backlog(["nothing.example.com"])

    assert ["else.example.com", "example.com"] == names
    assert nothing is None
    assert found == Backlog(
        reports=2,
        reporters=2,
        domains=1,
        first=DAY_ONE,
        last=DAY_ONE + 5 * DAY,
        ended=(verdict_of().identity,),
    )
