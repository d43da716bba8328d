"""What waits for DNS: never lost, never believed meanwhile, verified again with back-off."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.flows.post import NOW, Post, signed, unsigned
from tests.flows.world import organisational
from tests.mails import mail, report
from tlsrpt_mailer.flows import pending
from tlsrpt_mailer.flows.ingest import Ingest
from tlsrpt_mailer.flows.pending import AT_MOST, SECONDS, verify_pending, wait
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.ports import RawMail, Receipt
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    made.zone.is_down = True
    yield made
    made.store.close()


def run(post: Post, after: int = 0) -> int:
    """The job, *after* so many seconds more."""
    post.world.now += after
    return verify_pending(post.store.pending, post.world.ingest.deliver, post.world.now)


def waiting(post: Post) -> list[tuple[object, ...]]:
    return post.world.rows("SELECT next_try, tries FROM kept ORDER BY mail_id")


def test_a_signed_report_waits_for_dns_and_then_counts(post: Post) -> None:
    """It is acknowledged and kept; once its key is there it counts, with no trace of the wait."""
    (receipt,) = post.world.take(signed())
    held = post.statuses()
    none_yet = run(post)
    post.zone.is_down = False

    assert ("held", ("held",)) == (receipt.outcome, receipt.reports)
    assert "DNS did not answer for sel._domainkey.google.com" in str(receipt.reason)
    assert [("held", "pending", "pending", "google.com")] == held
    assert 0 == none_yet
    assert 1 == run(post, MINUTE)
    assert [("counted", "pass", None, "google.com")] == post.statuses()
    assert [("critical",)] == post.world.rows("SELECT severity FROM failures")
    assert 0 == post.world.count("kept") == run(post, DAY)


def test_a_forged_report_waits_and_is_held(post: Post) -> None:
    """What DNS then says decides; nothing asks for it again."""
    post.take(signed() + b"changed\r\n", signed(mail(report(day="2026-10-12"))))
    post.zone.domains.clear()
    post.zone.is_down = False
    run(post, MINUTE)

    assert ["signature", "signature"] == [row[2] for row in post.statuses()]
    assert [None, None] == [row[0] for row in waiting(post)]
    assert 0 == run(post, DAY)


def test_the_wait_grows(post: Post) -> None:
    """A minute, five, fifteen, an hour, then every six hours, however long it takes."""
    post.take(signed())
    seen = []
    for _ in range(7):
        [(due, _)] = waiting(post)
        seen.append(int(str(due)) - post.world.now)
        run(post, seen[-1])

    assert [60, 60, 300, 900, 3_600, 21_600, 21_600] == seen
    assert [(7,)] == post.world.rows("SELECT tries FROM kept")
    assert [MINUTE, 6 * HOUR] == [wait(0), wait(99)]
    assert [("held", NOW)] == post.world.rows("SELECT kind, kept_at FROM kept")


def test_a_pending_report_is_no_duplicate_and_makes_none(post: Post) -> None:
    """Who forges a copy while DNS is down keeps the real one out of nothing."""
    forged = signed() + b"forged\r\n"

    assert ["held", "held"] == [*post.take(forged), *post.take(signed())]
    post.zone.is_down = False
    run(post, MINUTE)

    assert {("counted", "pass"), ("held", "pending")} >= {row[:2] for row in post.statuses()} - {
        ("superseded", "fail"),
        ("held", "fail"),
    }
    assert ["google.com"] == post.counted()


def test_a_pending_copy_of_what_counts_is_a_duplicate(post: Post) -> None:
    """There is nothing to wait for."""
    post.take(unsigned(report()), trusted=True)

    assert ["duplicate"] == post.take(signed())


def test_with_mark_what_waits_counts_nothing_until_it_is_known(tmp_path: Path) -> None:
    """Then it counts, as verified or not; an unverified copy of it gives way to it."""
    post = Post(tmp_path, "mark")
    post.zone.is_down = True
    post.take(unsigned(report()))
    held = post.take(signed())
    before = post.counted()
    post.zone.is_down = False
    run(post, MINUTE)

    assert ["held"] == held
    assert (["google.com (unverified)"], ["google.com"]) == (before, post.counted())
    post.store.close()


def test_a_kept_key_bridges_an_outage(post: Post) -> None:
    """The key that was in DNS an hour ago verifies the mail of this hour."""
    post.zone.is_down = False
    post.take(signed())
    post.zone.is_down = True
    post.world.now += HOUR

    assert ["stored"] == post.take(signed(mail(report(day="2026-10-12"))))


def test_trouble_of_ours_ends_the_run(post: Post) -> None:
    """With the disk full the next mail would fail as well; all stay due."""
    post.take(signed(), signed(mail(report(day="2026-10-12"))))
    offered = []

    def deliver(mails: list[RawMail]) -> list[Receipt]:
        offered.append(mails)
        return [Receipt("failed", "the disk is full")]

    done = verify_pending(post.store.pending, deliver, post.world.now + MINUTE)  # type: ignore[arg-type]

    assert (0, 1) == (done, len(offered))
    assert [(NOW + MINUTE, 0)] * 2 == waiting(post)


def test_a_run_takes_no_longer_than_it_may(post: Post) -> None:
    """Other jobs wait for it; the rest is due at the next one, the newest first."""
    post.take(*(signed(mail(report(day=f"2026-10-0{day}"))) for day in range(1, 5)))
    clock = iter([0.0, 0.0, SECONDS - 1, SECONDS])
    deliver = post.world.ingest.deliver
    post.world.now += MINUTE
    done = verify_pending(post.store.pending, deliver, post.world.now, lambda: next(clock))

    assert 2 == done
    assert [3, 4, 1, 2] == post.store.pending.due(post.world.now + DAY, AT_MOST)


def test_a_mail_that_waits_no_more_is_passed_over(post: Post) -> None:
    """Somebody released it between the look and the turn."""
    raw = signed()
    post.take(raw)
    [number] = post.store.pending.due(NOW + MINUTE, 5)
    post.again(raw, trusted=True)
    post.store.pending.postpone(number, NOW)

    class Late:
        """The list as it was."""

        def __init__(self) -> None:
            self.mail = post.store.pending.mail
            self.postpone = post.store.pending.postpone

        def due(self, *_: object) -> list[int]:
            return [number]

    assert post.store.pending.mail(number) is None
    assert 0 == verify_pending(Late(), post.world.ingest.deliver, NOW)


def test_new_mail_does_not_wait_behind_a_heap_that_failed_often(post: Post) -> None:
    """Mails whose keys nobody answers for keep no fresh report of another waiting."""
    post.take(*(junk(n, "evil.example") for n in range(5)))
    for _ in range(3):
        run(post, HOUR)
    post.world.now += HOUR
    post.take(signed())

    assert [1, 6, 2, 3, 4, 5] == post.store.pending.due(post.world.now + HOUR, AT_MOST)


def test_what_waits_counts_once_nothing_is_checked_any_more(post: Post) -> None:
    """Whoever switches the check off need not release what waited."""
    post.take(signed())
    post.configure("off")
    run(post, MINUTE)

    assert [("counted", "unchecked", None, "google.com")] == post.statuses()


def test_a_held_mail_that_is_no_report_any_more_is_kept(post: Post) -> None:
    """A newer version may read it in another way; its raw bytes stay where people find them."""
    raw = signed()
    post.take(raw)
    settings = post.world.ingest._settings
    nothing = MailContent("not-a-report", "other", "no report")
    changed = msgspec.structs.replace(settings, read=lambda _raw, _name: nothing)
    ingest = Ingest(post.store, changed, post.world.clock)
    verify_pending(post.store.pending, ingest.deliver, NOW + MINUTE)

    assert [("ignored", None)] == post.world.rows("SELECT kind, next_try FROM kept")
    assert [("ignored",)] == post.world.rows("SELECT outcome FROM mails")


def junk(number: int, domain: str) -> bytes:
    """Signed by a domain whose name servers say nothing; another one for each number."""
    raw = mail(report(report_id=str(number)), sender=f"a@{domain}", submitter=domain)
    return signed(raw, domain=domain)


@pytest.mark.parametrize("known", [(), ("google.com",)])
@pytest.mark.parametrize("name", ["{0}", "x{1}.{0}"])
def test_a_flood_of_mails_without_a_key_keeps_no_true_one_waiting(
    post: Post, monkeypatch: pytest.MonkeyPatch, known: tuple[str, ...], name: str
) -> None:
    """More of them come each minute than a run can read; they are all of one organisation."""
    monkeypatch.setattr(pending, "AT_MOST", 4)
    for minute in range(1, 6):
        post.take(
            *(junk(n, name.format("evil.example", n)) for n in range(6 * minute, 6 * minute + 6))
        )
        if minute == 1:
            post.take(signed())
        post.world.now += MINUTE
        if minute == 2:
            post.zone.is_down = False
            post.zone.silent = "evil.example"
        if minute < 2:
            continue
        verify_pending(
            post.store.pending,
            post.world.ingest.deliver,
            post.world.now,
            organisational=organisational,
            known=known,
        )
        if post.counted():
            break

    assert 2 == minute
    assert ["google.com"] == post.counted()


def test_who_hides_behind_a_known_name_waits_for_the_name_itself(post: Post) -> None:
    """Mails of a forgotten subdomain of a large sender do not delay its own."""
    post.take(*(junk(n, f"x{n}.google.com") for n in range(5)))
    post.world.now += MINUTE
    post.take(signed(), junk(9, "evil.example"))
    post.world.now += HOUR

    order = post.store.pending.due(post.world.now, 9, organisational, ("google.com",))

    assert [6, 7] == order[:2]
    assert 7 == len(order)
