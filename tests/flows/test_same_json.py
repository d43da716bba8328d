"""The same report from several hands: whose copy it is that counts."""

from itertools import permutations

import pytest

from tests.flows.post import NOW, Make, Ours, Zone, signed, unsigned
from tests.mails import mail, report
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.retention import Keep, prune
from tlsrpt_mailer.trust.model import KeyAnswer

VOUCHED = b"Authentication-Results: mx.example.com; dkim=pass header.d=google.com\r\n"
BANNER = b"-- \r\nchecked by a gateway\r\n"


def copied(by: str = "evil.example") -> bytes:
    """Google's report, sent and signed by somebody else."""
    return signed(mail(report(), sender=f"a@{by}", submitter="google.com"), domain=by)


class MuteZone(Zone):
    """A DNS in which the servers of one domain do not answer."""

    mute = "google.com"

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        if self.mute and name.endswith(self.mute):
            return KeyAnswer("trouble", error="nobody answers")
        return super().txt(name, within)


@pytest.mark.parametrize("order", list(permutations([copied(), signed(), unsigned(report())])))
@pytest.mark.parametrize("dkim", ["require", "mark"])
def test_a_stranger_who_is_first_keeps_no_known_reporter_out(
    make: Make, dkim: str, order: tuple[bytes, ...]
) -> None:
    """Who gets the same reports as you may sign and send them first: the alert goes out."""
    for together in (True, False):
        post = make(dkim)
        for batch in [order] if together else [(raw,) for raw in order]:
            post.take(*batch)

        assert ["google.com"] == post.counted()
        assert [("critical",)] == post.world.rows("SELECT severity FROM failures")
        assert [1] == [row[0] for row in post.world.rows("SELECT count(*) FROM failures")]
        assert 0 == post.world.count("kept")


def test_between_strangers_the_first_one_stays(make: Make) -> None:
    """Nobody takes the place of another reporter of his own standing."""
    post = make()

    assert ["stored", "duplicate"] == [*post.take(copied()), *post.take(copied("mail.ru"))]
    assert ["evil.example"] == post.counted()


def test_what_is_signed_counts_rather_than_what_was_imported(make: Make) -> None:
    """Unless that is of a reporter who is known: no stranger takes its word away."""
    post = make()
    other = report(day="2026-10-12")
    post.take(mail(other, submitter="small.example"), unsigned(report()), trusted=True)
    signed_by_evil = signed(mail(other, sender="a@evil.example"), domain="evil.example")

    assert ["stored", "duplicate"] == post.take(signed_by_evil, copied())
    assert ["evil.example", "google.com"] == post.counted()


def test_what_was_corrected_since_counts_no_more(make: Make) -> None:
    """A stranger's copy of what the reporter has taken back leaves with it, late as it comes."""
    post = make()
    old = signed(mail(report(), date=NOW - 9_000))
    new = signed(mail(report(details=()), date=NOW - 90))
    post.take(copied())
    post.take(new)
    both = post.counted()

    assert ["evil.example", "google.com"] == both
    assert ["superseded"] == post.take(old)
    assert ["google.com"] == post.counted()
    assert ["duplicate"] == post.take(copied() + b"\r\n")


def test_what_is_rolled_up_is_never_counted_once_more(make: Make) -> None:
    """A sum has no names to be taken out of it again."""
    post = make()
    post.take(copied())
    prune(post.store.writer, NOW + DAY, Keep(reports=0))

    assert ["duplicate"] == post.take(signed())


@pytest.mark.parametrize("adopted", [(0, 1), (1, 0)])
def test_of_a_proposed_domain_the_known_reporter_counts_in_the_end(
    make: Make, adopted: tuple[int, ...]
) -> None:
    """Its copy is held beside the stranger's, whichever came first and is looked at first."""
    post = make(ours=Ours(example_com="proposed"))
    raws = [copied(), signed()]

    assert ["held", "held"] == [*post.take(raws[0]), *post.take(raws[1])]
    assert ["duplicate"] == post.take(copied() + b"\r\n")
    post.ours.owners.clear()
    for at in adopted:
        post.again(raws[at])
    assert ["google.com"] == post.counted()
    assert 0 == post.world.count("kept")


@pytest.mark.parametrize("first", [unsigned(report()), signed() + b"forged\r\n", copied()])
def test_a_true_report_behind_a_gateway_can_be_had_whatever_came_before(
    make: Make, first: bytes
) -> None:
    """It is held beside a fake with the same JSON; once the MTA is named, it counts."""
    true = VOUCHED + signed() + BANNER
    before = make(ids=())
    before.take(first)

    assert ["held"] == before.take(true)
    assert [("mx.example.com",)] == before.world.rows(
        "SELECT vouched_by FROM reports ORDER BY id DESC LIMIT 1"
    )
    before._ids = ("mx.example.com",)
    before.configure("require")
    for raw in (first, true):
        before.again(raw)
    assert ["google.com"] == before.counted()


def test_what_an_mta_vouches_for_is_held_though_a_fake_counts(make: Make) -> None:
    """A report that counts unverified makes no copy a duplicate that may be believed one day."""
    post = make()
    true = VOUCHED + signed() + BANNER
    post.take(true, unsigned(report(day="2026-10-12")))
    post.configure("mark")

    assert ["stored", "stored"] == post.take(
        unsigned(report()) + b"\r\n", unsigned(report(day="2026-10-12")) + b"\r\n"
    )
    assert [("mx.example.com",)] == post.world.rows(
        "SELECT vouched_by FROM reports WHERE status = 'held'"
    )


def test_of_one_kind_one_copy_is_held(make: Make) -> None:
    """Whoever sends the same unsigned report a thousand times fills no disk with it."""
    post = make()
    copies = [unsigned(report()) + b"\r\n" * n for n in range(5)]

    assert ["held", *["duplicate"] * 4] == post.take(*copies)


def test_what_waits_for_dns_is_not_kept_out_by_a_stranger(make: Make) -> None:
    """While DNS does not answer for the reporter, somebody else's copy counts: for a while."""
    post = make()
    post.zone = MuteZone("google.com", "evil.example")

    assert ["stored", "held"] == [*post.take(copied()), *post.take(signed())]
    post.zone.mute = ""
    post.again(signed())
    assert ["google.com"] == post.counted()


def test_a_strangers_copy_takes_no_mail_that_waits_for_dns(make: Make) -> None:
    """Nor the other way round."""
    post = make()
    post.zone.is_down = True
    post.take(signed())
    post.zone.is_down = False
    post.take(copied())

    assert [("held",), ("counted",)] == post.world.rows("SELECT status FROM reports ORDER BY id")
    post.again(signed())
    assert ["google.com"] == post.counted()


def test_a_mail_without_a_header_has_no_voucher(make: Make) -> None:
    """What cannot be taken apart is held like any other."""
    post = make()

    assert ["held"] == post.take(b"X: a\rb\r\n" + unsigned(report()))
    assert [(None,)] == post.world.rows("SELECT vouched_by FROM reports")
