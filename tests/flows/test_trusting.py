"""Whose word counts: signed, unsigned, forwarded and foreign reports through the pipeline."""

from itertools import permutations
from pathlib import Path

import msgspec
import pytest

from tests.flows.post import GOOGLE, NOW, Make, Ours, Zone, forward, signed, unsigned
from tests.flows.world import World
from tests.mails import detail, document, letter, mail, policy, report
from tests.trust.signing import sign
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.trusting import MAIL_SECONDS, Patience, Trust
from tlsrpt_mailer.report.times import DAY, MINUTE
from tlsrpt_mailer.trust.model import Verdict
from tlsrpt_mailer.trust.place import NOT_COVERED

# ------------------------------------------------------------------ require


def test_a_signed_report_counts_under_the_name_of_who_signed_it(make: Make) -> None:
    """d= decides who wrote it, whatever the mail says of itself."""
    post = make()
    raw = signed(mail(report(), submitter="microsoft.com"))

    assert ["stored"] == post.take(raw)
    assert [("counted", "pass", None, "google.com")] == post.statuses()
    assert ["google.com"] == post.counted()
    assert [("signed by google.com", "google.com")] == (
        post.world.rows("SELECT trust_reason, signed_by FROM reports")
    )


@pytest.mark.parametrize(
    ("raw", "trust", "reason"),
    [
        (unsigned(report()), "unsigned", "it is not signed"),
        (signed() + b"-- \r\nchecked by a gateway\r\n", "fail", "body hash did not verify"),
        (signed(domain="evil.example"), "third-party", "not google.com of From"),
        (document(report()), "unsigned", "a bare file carries no signature"),
    ],
)
def test_what_is_not_believed_is_held(make: Make, raw: bytes, trust: str, reason: str) -> None:
    """It is stored whole with the reason, and neither counts nor opens a failure."""
    post = make()

    (receipt,) = post.world.take(raw)

    assert ("held", ("held",)) == (receipt.outcome, receipt.reports)
    assert reason in str(receipt.reason)
    assert [("held", trust, "signature", "google.com")] == post.statuses()
    assert reason in str(post.world.rows("SELECT trust_reason FROM reports"))
    assert [0, 0, 1] == [post.world.count(name) for name in ("windows", "failures", "policies")]
    assert [("held", None)] == post.world.rows("SELECT kind, next_try FROM kept")
    assert [("held",)] == post.world.rows("SELECT outcome FROM mails")


def test_a_held_mail_that_comes_again_is_a_duplicate(make: Make) -> None:
    """The same bytes, and the same report unsigned in another mail, are kept once."""
    post = make()
    raw = unsigned(report())

    outcomes = [*post.take(raw, raw), *post.take(raw), *post.take(raw + b"\r\nmore\r\n")]

    assert ["held", "duplicate", "duplicate", "duplicate"] == outcomes
    assert 1 == post.world.count("reports") == post.world.count("kept")


def test_files_of_the_operator_are_his_word(make: Make) -> None:
    """What he imports counts unsigned, under the name that it bears."""
    post = make()

    assert ["stored"] == post.take(document(report()), trusted=True)
    assert [("counted", "operator", None, "google.com")] == post.statuses()


def test_what_was_there_before_trust_before_counts(make: Make) -> None:
    """Only of that source, and only up to that moment."""
    post = make(trusted_before={"test:box": NOW})
    post.world.now = NOW - 1
    before = post.take(unsigned(report()))
    post.world.now = NOW
    after = post.take(unsigned(report(day="2026-10-12")))

    assert (["stored"], ["held"]) == (before, after)
    assert "operator" == post.statuses()[0][1]


def test_old_mail_whose_key_has_gone_is_history(make: Make) -> None:
    """It counts under a name of its own, and opens a failure that nobody is mailed about."""
    post = make(zone=Zone())
    (mailed,) = post.world.mails([signed(mail(report(day="2026-09-10")))])
    (receipt,) = post.world.ingest.deliver(
        [msgspec.structs.replace(mailed, taken_at=NOW - 30 * DAY)]
    )

    assert "stored" == receipt.outcome
    assert [("counted", "history", None, "google.com (history)")] == post.statuses()
    assert [("low",)] == post.world.rows("SELECT severity FROM failures")


def test_an_mta_of_ours_is_believed_only_about_the_mail_itself(make: Make) -> None:
    """Its field within a forwarded mail is text that anybody can write."""
    said = b"Authentication-Results: mx.example.com; dkim=pass header.d=google.com\r\n"
    post = make(zone=Zone(), ids=["mx.example.com"])
    raw = unsigned(report())

    assert ["stored"] == post.take(said + raw)
    assert ["held"] == post.take(forward(said + unsigned(report(day="2026-10-12"))))


def test_a_forged_report_is_no_history_when_it_is_read_again_later(make: Make) -> None:
    """A key that never was in DNS has not left it; what was history stays so."""
    post = make(zone=Zone(), ours=Ours(old_example="foreign"))
    forged = signed()
    post.take(forged)
    (mailed,) = post.world.mails([signed(mail(report("old.example", "2026-09-10")))])
    old = msgspec.structs.replace(mailed, taken_at=NOW - 30 * DAY)
    post.world.ingest.deliver([old])
    post.world.now += 30 * DAY
    post.ours.owners.clear()

    (again,) = post.world.ingest.deliver(
        [msgspec.structs.replace(post.world.mails([forged])[0], taken_at=NOW, again=True)]
    )
    post.world.ingest.deliver([msgspec.structs.replace(old, again=True)])

    assert "held" == again.outcome
    assert [
        ("held", "fail", "signature", "google.com"),
        ("counted", "history", None, "google.com (history)"),
    ] == post.statuses()


# ---------------------------------------------------------------- forwarded


def test_a_forwarded_report_stands_on_its_own_signature(make: Make) -> None:
    """Who forwards need not sign, and his signature makes no report his."""
    post = make(zone=Zone("google.com", "example.com"))
    inner = unsigned(report(day="2026-10-12"))

    outcomes = post.take(forward(signed()), signed(forward(inner), domain="example.com"))

    assert ["stored", "held"] == outcomes
    assert ["google.com"] == post.counted()


def test_each_report_of_a_mail_stands_for_itself(make: Make) -> None:
    """Of two forwarded reports the signed one counts, the other is held with the whole mail."""
    post = make()
    both = forward(signed()).replace(
        b"\r\n--out--\r\n",
        b"\r\n--out\r\nContent-Type: message/rfc822\r\n\r\n"
        + unsigned(report(day="2026-10-12"))
        + b"\r\n--out--\r\n",
    )

    (receipt,) = post.world.take(both)

    assert ("stored", ("stored", "held")) == (receipt.outcome, receipt.reports)
    assert ["counted", "held"] == [row[0] for row in post.statuses()]
    assert 1 == post.world.count("kept")

    post.configure("mark")
    (again,) = post.world.take(both, again=True)
    assert ("duplicate", "stored") == again.reports
    assert 0 == post.world.count("kept")
    assert [("stored",)] == post.world.rows("SELECT outcome FROM mails")


def test_all_reports_of_one_mail_stand_on_its_signature(make: Make) -> None:
    """It is verified once."""
    post = make()
    (receipt,) = post.world.take(signed(mail([report(), report("b.example")])))

    assert (("stored", "stored"), 1) == (receipt.reports, post.zone.asked)


def test_only_some_mails_within_a_mail_are_looked_at(make: Make) -> None:
    """Twenty signatures to verify in one mail are a trick; the rest is held."""
    post = make()
    inner = [signed(mail(report(day=f"2026-09-{day:02}"))) for day in range(1, 15)]
    parts = b"".join(
        b"--out\r\nContent-Type: message/rfc822\r\n\r\n" + one + b"\r\n" for one in inner
    )
    raw = forward(b"x").partition(b"--out")[0] + parts + b"--out--\r\n"

    (receipt,) = post.world.take(raw)

    assert (10, 4) == (receipt.reports.count("stored"), receipt.reports.count("held"))


# --------------------------------------------------------------------- mark


def test_mark_counts_what_is_not_believed_under_another_name(make: Make) -> None:
    """It is listed and counted, but it is no word of the reporter's, and mails nobody."""
    post = make("mark")

    assert ["stored"] == post.take(unsigned(report()))
    assert [("counted", "unsigned", None, "google.com (unverified)")] == post.statuses()
    assert [("low",)] == post.world.rows("SELECT severity FROM failures")


def test_mark_believes_what_is_signed(make: Make) -> None:
    """It counts as with require."""
    post = make("mark")
    post.take(signed())

    assert ["google.com"] == post.counted()
    assert [("critical",)] == post.world.rows("SELECT severity FROM failures")


def test_marked_reports_neither_worsen_nor_acquit(make: Make) -> None:
    """Invented good days under a known name do not end what the reporter itself has seen."""
    post = make("mark")
    post.take(signed())
    post.world.now = NOW + 3 * DAY
    clean = [
        unsigned(report(day=f"2026-10-{day}", details=(), successful=9**6)) for day in (14, 15)
    ]
    post.take(*clean)

    assert ["google.com", *["google.com (unverified)"] * 2] == post.counted()
    assert [("new", None)] == post.world.rows("SELECT state, resolved_at FROM failures")


# ---------------------------------------------------------------------- off


def test_off_checks_nothing(make: Make) -> None:
    """Neither signatures nor whose domains a report is about; DNS is never asked."""
    post = make("off", ours=Ours(example_com="foreign"))

    assert ["stored"] == post.take(unsigned(report()))
    assert [("counted", "unchecked", None, "google.com")] == post.statuses()
    assert 0 == post.zone.asked


def test_a_mail_without_a_report_asks_nobody(make: Make) -> None:
    """Whoever sends signed junk makes no work."""
    post = make(dkim="require")

    assert ["ignored"] == post.take(signed(letter()))
    assert 0 == post.zone.asked


def test_trouble_with_the_database_while_verifying_is_no_fault_of_the_mail(make: Make) -> None:
    """It is offered again, and counted against nobody."""
    post = make()

    def locked(_name: str) -> None:
        raise Temporary("the database is locked")

    post.store.keys.kept = locked  # type: ignore[assignment,method-assign]

    assert ["failed"] == post.take(signed())
    assert [0, 0] == [post.world.count("faults"), post.world.count("mails")]


# ------------------------------------------------------------------- copies


def test_a_verified_copy_takes_the_place_of_a_held_one(make: Make) -> None:
    """And its raw bytes are kept no longer, for nothing of that mail is held."""
    post = make()
    held = unsigned(report())
    post.take(held)

    assert ["stored"] == post.take(signed())
    assert ["superseded", "counted"] == [row[0] for row in post.statuses()]
    assert [None, None] == [row[2] for row in post.statuses()]
    assert 0 == post.world.count("kept")
    assert ["google.com"] == post.counted()
    assert [("duplicate",), ("stored",)] == post.world.rows("SELECT outcome FROM mails ORDER BY id")
    assert ["duplicate"] == post.take(held)


def test_a_verified_copy_takes_the_place_of_one_that_counted_unverified(make: Make) -> None:
    """The windows of the old go, and the failure stands on the verified word."""
    post = make("mark")
    post.take(unsigned(report()))

    assert ["stored"] == post.take(signed())
    assert ["google.com"] == post.counted()
    assert [("critical",)] == post.world.rows("SELECT severity FROM failures")
    assert ["duplicate"] == post.take(unsigned(report()) + b"\r\n")


def test_an_unverified_copy_of_what_counts_is_a_duplicate(make: Make) -> None:
    """With mark as with require."""
    for dkim in ("mark", "require"):
        post = make(dkim)
        post.take(signed())

        assert ["duplicate"] == post.take(unsigned(report()))
        assert 1 == post.world.count("reports")


@pytest.mark.parametrize("dkim", ["require", "mark"])
def test_copies_in_any_order_and_any_batches_end_alike(make: Make, dkim: str) -> None:
    """Which copy comes first, and with which it comes, changes nothing of what counts."""
    forged = mail(report(), submitter="google.com", newline="\r\n", message_id="<x@y>")
    raws = [signed(), unsigned(report()), forged]
    seen = set()
    for order in permutations(raws):
        for together in (True, False):
            post = make(dkim)
            batches = [order] if together else [(raw,) for raw in order]
            for batch in batches:
                post.take(*batch)
            seen.add((tuple(post.counted()), post.world.count("kept")))

    assert {(("google.com",), 0)} == seen


def test_a_forged_revision_replaces_nothing(make: Make) -> None:
    """A later date and more sessions help it nothing: it is held, or counts for itself."""
    corrected = report(successful=99, details=())
    for dkim in ("require", "mark"):
        post = make(dkim)
        post.take(signed(mail(report(), date=NOW - 7200)))
        post.take(mail(corrected, date=NOW - 60, newline="\r\n"))

        assert ("counted", "pass", None, "google.com") == post.statuses()[0]
        assert [("new",)] == post.world.rows("SELECT state FROM failures")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_a_signed_revision_wins_over_an_imported_one(
    make: Make, order: tuple[int, int], together: bool
) -> None:
    """Whichever came first, and whichever is dated later."""
    post = make()
    pair = [
        (signed(mail(report(successful=10), date=NOW - 7200)), False),
        (mail(report(successful=20), date=NOW - 60), True),
    ]
    taken = [post.world.mails([pair[at][0]], trusted=pair[at][1])[0] for at in order]
    for batch in [taken] if together else [[one] for one in taken]:
        post.world.ingest.deliver(batch)

    counted = "SELECT trust, successful_sessions FROM reports WHERE status = 'counted'"
    assert [("pass", 10)] == post.world.rows(counted)


def test_a_passing_foreign_copy_is_kept_beside_an_unsigned_one(make: Make) -> None:
    """Else a forger could keep out a report for the day when the domain is ours."""
    post = make(ours=Ours(example_com="foreign"))
    post.take(unsigned(report()))

    assert ["held"] == post.take(signed())
    assert ["duplicate"] == post.take(unsigned(report()) + b"\r\n")
    assert ["signature", "foreign"] == [row[2] for row in post.statuses()]


# ------------------------------------------------------------------ foreign


@pytest.mark.parametrize(("owner", "why"), [("foreign", "not ours"), ("proposed", "nobody knows")])
def test_reports_about_others_are_held(make: Make, owner: str, why: str) -> None:
    """Signed as it may be: what we do not run is none of our failures."""
    post = make(ours=Ours(example_com=owner))  # type: ignore[arg-type]

    (receipt,) = post.world.take(signed())

    assert "held" == receipt.outcome
    assert why in str(receipt.reason)
    assert [("held", "pass", owner, "google.com")] == post.statuses()
    assert 0 == post.world.count("windows")
    assert (owner == "proposed") == bool(post.world.count("adoptions"))


def test_a_forged_report_proposes_no_domain(make: Make) -> None:
    """The lack of a signature is what it is held for, and nobody looks up what it names."""
    post = make(ours=Ours(example_com="proposed"))
    post.take(unsigned(report()))

    assert [("held", "unsigned", "signature", "google.com")] == post.statuses()
    assert 0 == post.world.count("adoptions")


def test_of_a_mixed_report_only_our_part_counts(make: Make) -> None:
    """The rest is stored, and shown as not ours."""
    post = make(ours=Ours(other_example="foreign"))
    both = report(policies=[policy("other.example", details=(detail(),)), policy("example.com")])

    assert ["stored"] == post.take(signed(mail(both)))
    assert [("other.example", 1), ("example.com", 0)] == (
        post.world.rows("SELECT policy_domain, is_foreign FROM policies ORDER BY position")
    )
    assert [("example.com",)] == post.world.rows("SELECT domain FROM windows")
    assert 0 == post.world.count("failures")


def test_an_imported_file_is_ours_where_no_domain_is_configured(make: Make) -> None:
    """Who brings a report means it; where domains are configured, others stay others."""
    for owner, outcome in (("proposed", "stored"), ("foreign", "held")):
        post = make(ours=Ours(example_com=owner))  # type: ignore[arg-type]

        assert [outcome] == post.take(document(report()), trusted=True)


def test_what_becomes_ours_counts_when_it_is_read_again(make: Make) -> None:
    """One transaction takes the held report out and puts the counted one in."""
    post = make(ours=Ours(example_com="proposed"))
    raw = signed()
    post.take(raw)
    post.ours.owners.clear()

    assert ["duplicate"] == post.take(raw)
    assert ["stored"] == post.again(raw)
    assert [("counted", "pass", None, "google.com")] == post.statuses()
    assert 0 == post.world.count("kept")
    assert [("stored", 3)] == post.world.rows("SELECT outcome, seen FROM mails")


def test_what_is_held_again_keeps_its_number_and_its_time(make: Make) -> None:
    """A person who saw number 2 in a list finds it there tomorrow."""
    post = make()
    raws = [unsigned(report(day=f"2026-10-0{day}")) for day in (1, 2, 3)]
    post.take(*raws)
    before = post.world.rows("SELECT id, digest FROM reports ORDER BY id")
    post.world.now += DAY

    assert ["held"] * 2 == post.again(raws[2], raws[1])
    assert before == post.world.rows("SELECT id, digest FROM reports ORDER BY id")
    assert [(NOW, 0), (NOW, 1), (NOW, 1)] == (
        post.world.rows("SELECT kept_at, tries FROM kept ORDER BY mail_id")
    )
    assert ["stored", "stored"] == post.take(signed(), signed(mail(report(day="2026-10-09"))))


def test_the_same_held_mail_twice_in_a_batch_is_judged_once(make: Make) -> None:
    """And its raw bytes stay."""
    post = make()
    raw = unsigned(report())
    post.take(raw)

    assert ["held", "duplicate"] == post.again(raw, raw)
    assert [("held", 1)] == post.world.rows(
        "SELECT outcome, tries FROM mails JOIN kept ON mail_id = mails.id"
    )


def test_who_imports_a_held_mail_vouches_for_it(make: Make) -> None:
    """It is no duplicate then, and counts as his word."""
    post = make()
    raw = unsigned(report())
    post.take(raw)

    assert ["stored"] == post.take(raw, trusted=True)
    assert ["duplicate"] == post.take(raw, trusted=True)
    assert [("counted", "operator", None, "google.com")] == post.statuses()


def test_a_released_report_counts_as_the_operators_word(make: Make) -> None:
    """As it is, without a signature."""
    post = make()
    raw = unsigned(report())
    post.take(raw)

    assert ["stored"] == post.again(raw, trusted=True)
    assert [("counted", "operator", None, "google.com")] == post.statuses()


def test_a_held_report_whose_json_counts_by_now_is_over(make: Make) -> None:
    """Read again, it turns out to be a copy; nothing of it is kept."""
    post = make()
    first, second = unsigned(report()), unsigned(report(day="2026-10-12"))
    both = forward(first).replace(
        b"\r\n--out--\r\n",
        b"\r\n--out\r\nContent-Type: message/rfc822\r\n\r\n" + second + b"\r\n--out--\r\n",
    )
    post.take(both)
    post.take(signed(mail(report())), signed(mail(report(day="2026-10-12"))))

    assert ["duplicate"] == post.again(both)
    assert 0 == post.world.count("kept")


# ----------------------------------------------------------------- standing


def test_a_signed_flood_of_a_stranger_opens_nothing_that_is_mailed(make: Make) -> None:
    """
    Five hundred signed reports of one unknown domain, over a month, about many domains: all
    of it stays low, however many windows fail.
    """
    post = make()
    for step in range(0, 500, 50):
        post.world.now = NOW + step * 30 * DAY // 500
        batch = [
            signed(
                mail(
                    report(
                        f"victim{at % 40}.example",
                        report_id=f"r{at}",
                        contact="x@evil.example",
                        start=f"2026-10-13T{at % 24:02}:00:00Z",
                        end=f"2026-10-13T{at % 24:02}:59:59Z",
                    ),
                    sender="tlsrpt@evil.example",
                    submitter="google.com",
                ),
                domain="evil.example",
            )
            for at in range(step, step + 50)
        ]
        post.take(*batch)

    assert {("low",)} == set(post.world.rows("SELECT severity FROM failures"))
    assert 40 == post.world.count("failures")
    assert {"evil.example"} == set(post.counted())


def test_a_week_that_was_made_up_in_a_minute_gives_no_standing(make: Make) -> None:
    """Who has been here for a week has it from then on, for what went before as well."""
    post = make()

    def week(first: int) -> list[bytes]:
        return [
            signed(
                mail(
                    report(day=f"2026-10-{day:02}", contact="x@evil.example"),
                    sender="tlsrpt@evil.example",
                    submitter=None,
                ),
                domain="evil.example",
            )
            for day in range(first, first + 9)
        ]

    post.take(*week(5))
    made_up = post.world.rows("SELECT severity FROM failures")
    post.world.now += 8 * DAY
    post.take(*week(14))

    assert [("low",)] == made_up
    assert [("critical",)] == post.world.rows("SELECT severity FROM failures")


@pytest.mark.parametrize(
    ("sender", "domain", "name"),
    [
        ("eve@mail.ru", "mail.ru", "mail.ru (unverified)"),
        ("noreply.eve@mail.ru", "mail.ru", "mail.ru (unverified)"),
        ("NoReply@mail.ru", "mail.ru", "mail.ru"),
        ("noreply-42@corp.mail.ru", "corp.mail.ru", "mail.ru"),
        ("eve@google.com", "google.com", "google.com (unverified)"),
        ("tlsrpt-noreply@microsoft.com", "microsoft.com", "microsoft.com"),
        ("flow-noreply@microsoft.com", "microsoft.com", "microsoft.com (unverified)"),
    ],
)
def test_a_customer_of_a_mailbox_provider_is_not_the_provider(
    make: Make, sender: str, domain: str, name: str
) -> None:
    """Whoever has a mailbox there gets its signature; only its machines speak for it."""
    post = make(zone=Zone("mail.ru", "corp.mail.ru", "google.com", "microsoft.com"))
    post.take(signed(mail(report(), sender=sender), domain=domain))

    assert [name] == post.counted()


# --------------------------------------------- what a reporter's domain signs for others


LESS = [b"from", b"to", b"subject", b"date"]
PART = b"--X\r\nContent-Type: application/tlsrpt+json\r\n\r\n%s\r\n--X--\r\n"


def quoting(sender: str, body: bytes, kind: str = "text/plain", *, covered: bool = False) -> bytes:
    """A mail of a machine of *sender*'s domain with what somebody else wrote in it."""
    head = (
        f"From: {sender}\r\nTo: eve@evil.example\r\nSubject: x\r\n"
        f"Date: Wed, 14 Oct 2026 23:00:00 +0000\r\nContent-Type: {kind}\r\n\r\n"
    )
    fields = [*LESS, b"content-type"] if covered else LESS
    raw = head.encode() + body + b"\r\n"
    return sign(raw, domain=sender.partition("@")[2], at=NOW - DAY, include_headers=fields)


@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize(
    "sender",
    [
        "mailer-daemon@yahoo.com",
        "flow-noreply@microsoft.com",
        "drive-shares-noreply@google.com",
        GOOGLE,
    ],
)
def test_what_a_known_domain_quotes_is_not_its_report(
    make: Make, sender: str, covered: bool
) -> None:
    """A bounce, an invitation, a shared file: who sets it off has his text signed by it."""
    post = make(zone=Zone("yahoo.com", "microsoft.com", "google.com"))
    post.take(signed())
    forged = document(report(details=()))
    post.take(quoting(sender, b"Hello\r\n\r\n" + forged, covered=covered))

    assert {"google.com"} == {name for name in post.counted() if "(" not in name}
    assert [("counted", "google.com")] == post.world.rows(
        "SELECT status, reporter FROM reports WHERE id = 1"
    )
    assert [(1,)] == post.world.rows("SELECT is_open FROM failures")


@pytest.mark.parametrize("covered", [False, True])
def test_a_bounce_cannot_be_made_a_report(make: Make, covered: bool) -> None:
    """
    Whether its Content-Type is replaced, as one that is not signed can be, or a second one is
    put on top of it.
    """
    post = make()
    kind = "multipart/report; report-type=delivery-status; boundary=B"
    quoted = PART % document(report())
    raw = quoting("mailer-daemon@google.com", quoted, kind, covered=covered)
    other = b"Content-Type: multipart/report; report-type=tlsrpt; boundary=X\r\n"
    line = f"Content-Type: {kind}\r\n".encode()
    forged = other + raw if covered else raw.replace(line, other)

    assert ["held"] == post.take(forged)
    assert [("held", "fail", "signature", "google.com")] == post.statuses()
    why = "it has two Content-Type fields" if covered else NOT_COVERED
    assert [(why,)] == post.world.rows("SELECT trust_reason FROM reports")


def test_a_report_is_proven_by_the_place_that_google_gives_it(make: Make) -> None:
    """Google's signature leaves Content-Type out: it counts as it is alone."""
    post = make()
    raw = mail(report(), newline="\r\n")
    sent = sign(raw, domain="google.com", at=NOW - DAY, include_headers=LESS)
    kind = raw[raw.index(b"Content-Type: multipart") :].partition(b"\r\n")[0]
    other = sent.replace(kind, b"Content-Type: text/plain", 1)

    assert ["held"] == post.take(other)
    assert ["stored"] == post.take(sent)
    assert ["google.com"] == post.counted()


def test_whom_the_operator_lists_reports_from_any_address(tmp_path: Path) -> None:
    """trust.reporters is for those of whose addresses the program does not know."""
    raw = signed(mail(report(), sender="eve@mail.ru"), domain="mail.ru")
    trust = Trust(
        dkim="require",
        verify=lambda *_: Verdict("pass", "signed by mail.ru", "mail.ru"),
        reporters=frozenset({"mail.ru"}),
    )
    world = World(tmp_path, trust=trust)
    world.take(raw)
    counted = world.rows("SELECT reporter FROM windows")
    world.store.close()

    assert [("mail.ru",)] == counted


# ----------------------------------------------------------------- patience


def test_mails_of_one_batch_wait_for_dns_together() -> None:
    """No mail waits for over three seconds, and two hundred not for ten minutes."""
    now = [0.0]
    patience = Patience(lambda: now[0], seconds=5.0)
    first = patience.for_one()
    now[0] = 4.0
    second = patience.for_one()

    assert MAIL_SECONDS - 4.0 == first()
    assert 1.0 == second()


@pytest.mark.parametrize(("awaited", "seconds"), [(True, 3.0), (False, 15.0)])
def test_no_batch_waits_for_slow_name_servers(make: Make, awaited: bool, seconds: float) -> None:
    """Who waits for an answer has it in three seconds, however many came at once."""
    zone = Zone("google.com")
    zone.takes = 3.0
    zone.is_down = True
    post = make(zone=zone)

    raws = [signed(mail(report(day=f"2026-09-{day:02}"))) for day in range(1, 9)]
    outcomes = post.take(*raws, keep_ignored=awaited)

    assert ["held"] * 8 == outcomes
    assert seconds == zone.time
    assert 8 == len(post.store.pending.due(NOW + MINUTE, 99))


def test_without_more_nothing_is_believed_and_all_is_ours(tmp_path: Path) -> None:
    """A program put together without a verifier holds what comes, but for files."""
    world = World(tmp_path, trust=Trust(dkim="require"))
    (held,) = world.take(signed())
    (stored,) = world.take(document(report()), trusted=True)
    world.store.close()

    assert ("held", "stored") == (held.outcome, stored.outcome)


def test_a_marked_name_never_gains_standing(make: Make) -> None:
    """Not by weeks of unsigned reports, and not by trust.reporters."""
    post = make("mark")
    for day in range(1, 13):
        post.take(unsigned(report(day=f"2026-10-{day:02}")))
    name = "google.com (unverified)"
    with post.store.write() as txn:
        established = txn.established([name])
    standing = Standing(frozenset({name}), frozenset({name}))

    assert [("low",)] == post.world.rows("SELECT severity FROM failures")
    assert frozenset() == standing.known([name], established | {name})


def test_a_verified_revision_takes_an_unverified_one_out(make: Make) -> None:
    """The reporter's own word on a range is the only one that counts, whatever else was said."""
    post = make("mark")
    first, second = report(), report(details=())
    post.take(mail(first, date=NOW - 3600, newline="\r\n"))
    before = post.world.rows("SELECT is_open FROM failures")
    post.take(signed(mail(second, date=NOW - 7200)))
    later = mail(first, date=NOW - 60, newline="\r\n")

    assert ["superseded"] == post.take(mail(report(successful=1), newline="\r\n"))
    assert ["duplicate"] == post.take(later)
    assert ["google.com"] == post.counted()
    assert ([(1,)], []) == (before, post.world.rows("SELECT is_open FROM failures"))


def test_nobody_falls_silent_because_his_name_has_lost_its_mark(make: Make) -> None:
    """Weeks of history or of unverified reports, then signed ones, are one reporter's habit."""
    post = make("mark")
    post.take(*(unsigned(report(day=f"2026-10-{day:02}")) for day in range(1, 10)))
    post.configure("require")
    post.take(*(signed(mail(report(day=f"2026-10-{day:02}"))) for day in range(10, 13)))
    watching = post.store.watching
    end = 1_791_849_600  # 2026-10-13T00:00:00Z

    assert [("example.com", "google.com", end)] == watching.pairs(0)
    assert {"google.com"} == {one.reporter for one in watching.seen("example.com", 0)}
    assert 12 == len(watching.seen("example.com", 0))
